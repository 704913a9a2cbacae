import { privateRoom } from './as-user.ts';
import { faultsIn } from './axe.ts';
import { expect, Person, test } from './fixtures.ts';
import { ownUser } from './own-user.ts';
import { numbered, seed } from './seed.ts';

const panel = ({ page }: Person) => page.getByRole('complementary', { name: 'Search' });
const field = (person: Person) => panel(person).getByRole('searchbox', { name: 'Search messages' });
const hits = (person: Person) => panel(person).locator('.hit');

test('a word is found in the room, and in all rooms; a hit leads to its message, however old', async ({
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

test('a search without results offers all rooms; a second page is fetched on request', {
  tag: '@soak',
}, async ({ alice, site }) => {
  const { page } = alice;
  const room = await privateRoom(site, 'bob', 'orchard', ['1']);
  await seed(site, 'bob', room, numbered(60, 'an apple'));
  await alice.open('announcements');
  await page.getByRole('button', { name: 'Search in this room' }).click();
  await field(alice).fill('an apple');
  await expect(panel(alice)).toContainText('No message contains “an apple”.');
  await panel(alice).getByRole('button', { name: 'Search all rooms' }).click();
  await expect(hits(alice)).toHaveCount(25);
  await expect(hits(alice).first()).toContainText('an apple 60');
  await panel(alice).getByRole('button', { name: 'Older results' }).click();
  await expect(hits(alice)).toHaveCount(50);
  await panel(alice).getByRole('button', { name: 'Close search' }).click();
  await expect(panel(alice)).toBeHidden();
});

test('on a phone the search covers the room, and goes when a hit is chosen', { tag: '@soak' }, async ({
  alice,
  site,
}) => {
  const { page } = alice;
  const room = await privateRoom(site, 'bob', 'cellar', ['1']);
  await seed(site, 'bob', room, ['potatoes in the cellar']);
  await alice.open('cellar');
  await page.setViewportSize({ width: 360, height: 640 });
  await page.getByRole('button', { name: 'Room menu' }).click();
  await page.getByRole('menuitem', { name: 'Search in this room' }).click();
  const box = await panel(alice).boundingBox();
  const chat = await page.locator('php-chat').boundingBox();
  expect(Math.round(box?.width ?? 0)).toBeGreaterThanOrEqual(Math.round(chat?.width ?? 1) - 2);
  await field(alice).fill('potatoes');
  // The results of the first letters disappear.
  await expect(hits(alice)).toHaveCount(1);
  await hits(alice).click();
  await expect(panel(alice)).toBeHidden();
  await expect(alice.message('potatoes in the cellar')).toBeInViewport();
  // If it was not the right one, the other results are there at once, or the user types other words.
  await page.getByRole('button', { name: 'Room menu' }).click();
  await page.getByRole('menuitem', { name: 'Search in this room' }).click();
  await expect(hits(alice)).toHaveText([/potatoes in the cellar/]);
  await page.keyboard.type('turnips');
  await expect(field(alice)).toHaveValue('turnips');
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: 'Room menu' }).click();
  await page.getByRole('menuitem', { name: 'Search in this room' }).click();
  await expect(field(alice)).toHaveValue('');
});

test('filters narrow a search down, or find without words: by author, by what a message holds, by day', {
  tag: '@soak',
}, async ({ alice, site }) => {
  const { page } = alice;
  const room = await privateRoom(site, 'bob', 'terrace', ['1']);
  await seed(site, 'bob', room, ['see https://example.org/plan', 'a plan of the terrace']);
  await alice.open('terrace');
  await alice.write('my own plan');
  await expect(alice.message('my own plan')).toBeVisible();
  await page.getByRole('button', { name: 'Search in this room' }).click();
  const filters = panel(alice).getByRole('button', { name: /^Filters/ });
  await filters.click();
  await expect(filters).toHaveAttribute('aria-expanded', 'true');
  await panel(alice).getByRole('button', { name: 'Links' }).click();
  await expect(hits(alice)).toHaveText([/Bob.*see .*example\.org/]);
  await panel(alice).getByRole('button', { name: 'Links' }).click();
  await expect(hits(alice)).toHaveCount(0);
  await field(alice).fill('plan');
  await expect(hits(alice)).toHaveCount(3);
  const from = panel(alice).getByLabel('From');
  await from.selectOption('Bob');
  await expect(hits(alice)).toHaveText([/a plan of the terrace$/, /see .*plan$/]);
  await from.selectOption('You');
  await expect(hits(alice)).toHaveText([/^You.*my own plan$/]);
  await panel(alice).getByLabel('Since').fill('2000-01-01');
  await expect(hits(alice)).toHaveCount(1);
  expect(await faultsIn(page, '.search')).toEqual([]);
  await alice.shot('search-filters');
  await page.setViewportSize({ width: 360, height: 740 });
  await expect(panel(alice).getByLabel('Since')).toBeInViewport({ ratio: 1 });
  await alice.shot('search-filters-360');
  await panel(alice).getByLabel('Until').fill('2000-01-02');
  await expect(panel(alice)).toContainText('No message fits these filters.');
  await panel(alice).getByRole('button', { name: 'Clear filters' }).click();
  await expect(hits(alice)).toHaveCount(3);
});

test('on a phone the author in the filters is written as large as the days, so that no browser zooms in', {
  tag: '@soak',
}, async ({ browser, site }) => {
  const context = await browser.newContext({
    viewport: { width: 360, height: 740 },
    hasTouch: true,
    isMobile: true,
  });
  const bob = new Person(await context.newPage());
  await ownUser(site, context);
  await bob.page.goto(site.chat.url);
  await bob.page.getByRole('button', { name: 'Room menu' }).tap();
  await bob.page.getByRole('menuitem', { name: 'Search in this room' }).tap();
  await panel(bob)
    .getByRole('button', { name: /^Filters/ })
    .tap();
  await expect(panel(bob).getByLabel('From')).toHaveCSS('font-size', '16px');
  await context.close();
});

test('a search keeps the focus when the chat becomes narrower and wider; a hit names its author before its room', {
  tag: '@soak',
}, async ({ alice, site }) => {
  const { page } = alice;
  const long = await privateRoom(site, 'bob', 'Garden volunteers of the north-eastern allotments', ['1']);
  await seed(site, 'bob', long, ['a spanner']);
  await alice.open('Garden');
  await page.getByRole('button', { name: 'Search messages', exact: true }).click();
  const panel = page.getByRole('complementary', { name: 'Search' });
  const field = panel.getByRole('searchbox', { name: 'Search messages' });
  await field.fill('spanner');
  const hit = panel.locator('button.hit');
  await expect(hit).toHaveText(/^Bob ?Garden/);
  for (const width of [700, 360, 1280]) {
    await page.setViewportSize({ width, height: 700 });
    // Drawn for that width.
    await page.evaluate(
      () => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))),
    );
    await expect(field).toBeFocused();
    const cut = await hit.locator('b bdi').evaluate((name) => name.scrollWidth > name.clientWidth);
    expect(cut).toBe(false);
  }
});
