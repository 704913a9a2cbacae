import { privateRoom } from './as-user.ts';
import { expect, type Person, test } from './fixtures.ts';
import { numbered, seed } from './seed.ts';

const panel = ({ page }: Person) => page.getByRole('complementary', { name: 'Search' });
const field = (person: Person) => panel(person).getByRole('searchbox', { name: 'Search messages' });
const hits = (person: Person) => panel(person).locator('.hit');

test('a search hit leads to its message, even behind 400 newer messages', async ({ alice, site }) => {
  const { page } = alice;
  const [shed, yard] = await Promise.all([
    privateRoom(site, 'bob', 'shed', ['1']),
    privateRoom(site, 'bob', 'yard', ['1']),
  ]);
  await seed(site, 'bob', shed, ['the spare SPANNER hangs here', ...numbered(400)]);
  await seed(site, 'bob', yard, ['no spanner in the yard']);
  await alice.open('shed');
  const opener = page.getByRole('button', { name: 'Search in this room' });
  await opener.click();
  await expect(field(alice)).toBeFocused();
  await expect(field(alice)).toHaveAttribute('placeholder', 'Search messages');
  await field(alice).fill('spanner');
  await expect(hits(alice)).toHaveText([/^Bob.*the spare SPANNER hangs here$/]);
  await expect(hits(alice).locator('mark')).toHaveText('SPANNER');
  await panel(alice).getByRole('button', { name: 'All rooms' }).click();
  await expect(hits(alice)).toHaveText([
    /yard.*no spanner in the yard$/,
    /shed.*the spare SPANNER hangs here$/,
  ]);
  await alice.shot('search');

  await field(alice).press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  const found = alice.message('the spare SPANNER hangs here');
  await expect(found).toBeInViewport();
  await expect(found).toBeFocused();
  // From there the user can read on to the newest message.
  await expect(alice.message('message 1')).toBeVisible();
  await expect(alice.message('message 400')).toHaveCount(0);
  await page.locator('php-chat .jump').click();
  await expect(alice.message('message 400')).toBeInViewport();

  await hits(alice).first().focus();
  await page.keyboard.press('Enter');
  await expect(alice.message('no spanner in the yard')).toBeInViewport();
  await field(alice).focus();
  await page.keyboard.press('Escape');
  await expect(panel(alice)).toBeHidden();
  await expect(page.getByRole('button', { name: 'Search in this room' })).toBeFocused();
});
