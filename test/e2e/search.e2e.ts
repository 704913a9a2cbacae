import { privateRoom } from './as-user.ts';
import { expect, type Person, test } from './fixtures.ts';
import { numbered, seed } from './seed.ts';

const panel = ({ page }: Person) => page.getByRole('complementary', { name: 'Search' });
const field = (person: Person) => panel(person).getByRole('searchbox', { name: 'Search messages' });
const hits = (person: Person) => panel(person).locator('.hit');

test('a search hit leads to its message, even behind 400 newer messages', { tag: '@soak' }, async ({
  alice,
  site,
}) => {
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
  const walk = page.getByRole('region', { name: 'Search' });
  await expect(walk).toHaveText('spanner2 of 2');
  await walk.getByRole('button', { name: 'Newer result' }).click();
  await expect(alice.message('no spanner in the yard')).toBeInViewport();
  await walk.getByRole('button', { name: 'Older result' }).click();
  await expect(found).toBeInViewport();
  await expect(walk.getByRole('button', { name: 'Older result' })).toHaveAttribute('aria-disabled', 'true');
  await alice.shot('search-walk');
  await walk.getByRole('button', { name: 'Close results' }).click();
  await expect(walk).toBeHidden();
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

  // The next search offers the last one, the frequent filters, and people.
  await page.getByRole('button', { name: 'Search in this room' }).click();
  await field(alice).fill('');
  await expect(panel(alice).getByRole('button', { name: 'spanner', exact: true })).toBeVisible();
  await alice.shot('search-recent');
  await panel(alice).getByRole('button', { name: 'From me' }).click();
  await panel(alice).getByRole('button', { name: 'This week' }).click();
  await expect(panel(alice).getByText('No message fits these filters.')).toBeVisible();
  await panel(alice).getByRole('button', { name: 'Clear filters' }).click();
  await field(alice).fill('Bo');
  await panel(alice).getByRole('button', { name: 'Bob', exact: true }).click();
  await expect(page.getByRole('textbox', { name: 'Message to Bob' })).toBeFocused();
});
