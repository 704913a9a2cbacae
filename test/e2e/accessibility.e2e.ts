import { soak } from '../guarantees/size.ts';
import { privateRoom } from './as-user.ts';
import { axe } from './axe.ts';
import { expect, type Person, stored, test } from './fixtures.ts';
import { seed } from './seed.ts';

/** The rules about colours. Only these depend on the colour scheme. */
const inColours = ['color-contrast', 'link-in-text-block'];

/** The violations of these rules, or of all WCAG 2.2 AA rules, one per line. */
async function faults({ page }: Person, rules?: string[], part?: string): Promise<string[]> {
  const builder = await axe(page);
  if (part !== undefined) builder.include(['php-chat', part]);
  if (rules !== undefined) builder.withRules(rules);
  else builder.withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice']);
  const { violations } = await builder.analyze();
  return violations.flatMap(({ id, nodes }) =>
    nodes.map(({ target, failureSummary }) => `${id}: ${target.flat().join(' ')}: ${failureSummary}`),
  );
}

/**
 * Drops timers of 5 s and more until the returned function is called. A deletion can be undone for 6 s, and a check may
 * take longer.
 */
async function holdLongTimers({ page }: Person): Promise<() => Promise<void>> {
  const usual = await page.evaluateHandle(() => {
    const { setTimeout } = window;
    const short = (run: () => void, ms = 0) => (ms < 5000 ? setTimeout(run, ms) : 0);
    window.setTimeout = short as unknown as typeof setTimeout;
    return { setTimeout };
  });
  return () => usual.evaluate((timers) => void Object.assign(window, timers));
}

/** The new parts of the chat in each state. Without soak, the rules are applied only to these. */
const newParts: Record<string, string> = {
  'menu of new rooms': '[role="menu"]',
  'new room': '[role="dialog"], dialog',
  replies: 'aside',
  details: 'aside',
  'menu of a message': '[role="menu"]',
  deletion: '.toast',
  search: 'aside',
  people: 'aside',
  'menu of the room': '[role="menu"]',
};

/**
 * The part of each main state whose roles and names are in a snapshot, like a screen reader finds them. The
 * snapshots are templates, so the page may contain more. `--update-snapshots` writes them.
 */
type Part = readonly [role: 'navigation' | 'region' | 'dialog' | 'menu' | 'complementary', name?: RegExp];
const snapshots: Record<string, Part | 'all'> = {
  rooms: ['navigation', /Rooms/],
  'new room': ['dialog'],
  room: ['region', /^axe/],
  'menu of a message': ['menu'],
  replies: ['complementary', /Replies/],
  details: ['complementary', /Details/],
  search: ['complementary', /Search/],
  offline: ['region', /^axe/],
  ended: 'all',
};

for (const width of [360, 1280]) {
  test(`axe finds no violations at ${width} px, ${soak ? 'light and dark' : 'light'}`, {
    tag: width === 1280 ? [] : ['@soak'],
  }, async ({ alice, site }) => {
    const { page } = alice;
    const name = `axe ${width}`;
    const room = await privateRoom(site, 'bob', name, ['1']);
    await seed(site, 'bob', room, ['Gate opens at eight.', { text: 'See https://example.com', replyTo: 1 }]);
    await page.emulateMedia({ reducedMotion: 'reduce' });
    await page.setViewportSize({ width, height: 740 });
    const isNarrow = width < 640;
    const check = (state: string) =>
      test.step(state, async () => {
        await page.emulateMedia({ colorScheme: 'light' });
        expect(await faults(alice, undefined, soak ? undefined : newParts[state]), state).toEqual([]);
        const part = snapshots[state];
        if (part !== undefined && !isNarrow) {
          const [role, label] = part === 'all' ? [] : part;
          const element =
            role === undefined ? page.locator('php-chat') : page.getByRole(role, label && { name: label });
          const file = `${state.replaceAll(' ', '-')}.aria.yml`;
          await expect.soft(element, state).toMatchAriaSnapshot({ name: file });
        }
        if (!soak) return;
        await page.emulateMedia({ colorScheme: 'dark' });
        expect(await faults(alice, inColours), `${state}, dark`).toEqual([]);
      });
    if (isNarrow) await page.getByRole('button', { name: /^Back to rooms/ }).click();
    await check('rooms');
    await page.getByRole('button', { name: 'New room or message' }).click();
    await check('menu of new rooms');
    await page.getByRole('menuitem', { name: 'New room' }).click();
    await expect(page.getByRole('dialog', { name: 'New room' })).toBeVisible();
    await check('new room');
    await page.keyboard.press('Escape');
    await alice.open(name);
    await alice.write('I will be there.');
    await expect(alice.message('I will be there.').getByText(stored)).toBeVisible();
    await check('room');
    if (!isNarrow) {
      await page.getByRole('button', { name: /^1 reply/ }).click();
      await expect(page.getByRole('complementary', { name: 'Replies' }).getByRole('article')).toHaveCount(2);
      await check('replies');
      await page.keyboard.press('Escape');
      await page.locator('php-chat .titles').click();
      await expect(page.getByRole('tabpanel')).toBeVisible();
      await check('details');
      await page.keyboard.press('Escape');
    }
    await alice.message('I will be there.').focus();
    await page.keyboard.press('Enter');
    await check('menu of a message');
    await page.getByRole('menuitem', { name: 'Edit' }).click();
    await check('edit');
    // The pointer rests where "Edit" was. Nothing below it has shown a tooltip, which Esc would close first.
    await page.keyboard.press('Escape');
    await expect(page.getByRole('button', { name: 'Cancel edit' })).toHaveCount(0);
    await alice.message('I will be there.').focus();
    const resume = await holdLongTimers(alice);
    await page.keyboard.press('Delete');
    // In the toast, the message, and the list of rooms, which a narrow chat hides.
    await expect(page.getByText('Message deleted')).toHaveCount(3);
    await check('deletion');
    await page.getByRole('button', { name: 'Undo' }).click();
    await resume();
    if (isNarrow) await page.getByRole('button', { name: 'Room menu' }).click();
    await page.getByRole(isNarrow ? 'menuitem' : 'button', { name: 'Search in this room' }).click();
    await page.getByRole('searchbox', { name: 'Search messages' }).fill('gate');
    await expect(page.locator('.hit')).toHaveCount(1);
    await check('search');
    await page.getByRole('button', { name: 'Close search' }).click();
    const people = page.getByRole('button', { name: /^(Here now|People here):/ });
    await people.click();
    await expect(page.getByRole('complementary', { name: 'Details' })).toBeVisible();
    await check('people');
    await page.keyboard.press('Escape');
    await page.getByRole('button', { name: 'Room menu' }).click();
    await check('menu of the room');
    await page.keyboard.press('Escape');
    await page.context().setOffline(true);
    await expect(alice.banner).toBeVisible();
    await check('offline');
    await page.context().setOffline(false);
    // The banner is also hidden in the first second after a loss. A narrow chat hides this word.
    await expect(page.getByText('Connected', { exact: true })).toBeAttached();
    for (const path of ['/members/2', '/'])
      await test.step(`the sample site’s page ${path}`, async () => {
        await page.goto(site.php.url + path);
        await expect(page.locator('php-chat-launcher').first()).toBeVisible();
        expect(await faults(alice)).toEqual([]);
      });
    await page.goto(site.php.chatPage);
    await expect(page.getByText('Connected', { exact: true })).toBeAttached();
    const { value } = (await page.context().cookies()).find(({ name }) => name === 'PHPSESSID') ?? {};
    await site.memcached.delete(`sessions/${value}`);
    await expect(page.getByRole('heading', { name: 'You’re logged out' })).toBeVisible();
    await check('ended');
  });
}
