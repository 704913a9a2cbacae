import { asUser, privateRoom } from './as-user.ts';
import { faultsIn } from './axe.ts';
import { expect, type Person, type Site, stored, test } from './fixtures.ts';
import { numbered, seed } from './seed.ts';

test('joining a room, writing and replying work by keyboard', async ({ alice }) => {
  const { page } = alice;
  const keys = async (...names: string[]) => {
    for (const name of names) await page.keyboard.press(name);
  };
  await page.getByRole('button', { name: 'Log out' }).focus();
  // The first key goes to the element.
  await keys('Tab', '?');
  await expect(page.getByRole('dialog', { name: 'Keyboard shortcuts' })).toBeVisible();
  expect(await faultsIn(page, '[role="dialog"], dialog')).toEqual([]);
  await alice.shot('shortcuts');
  // It leads to the field without the list of rooms and the header of the room.
  await keys('Escape');
  const skip = page.getByRole('button', { name: 'Message to announcements' });
  await expect(skip).toBeFocused();
  await expect(skip).toBeInViewport({ ratio: 1 });
  await alice.shot('skip-link');
  await keys('Enter');
  await expect(alice.field).toBeFocused();
  await keys('Control+k');
  await page.keyboard.type('BOARD');
  await expect(page.getByRole('option').locator('.name')).toHaveText(['board', 'keyboard']);
  expect(await faultsIn(page, '[role="dialog"], dialog')).toEqual([]);
  await alice.shot('switcher');
  await keys('ArrowDown', 'Enter');
  await expect(page.getByRole('region', { name: 'keyboard' })).toBeVisible();
  await page.getByRole('button', { name: 'Join', exact: true }).press('Enter');
  await expect(alice.field).toBeFocused();
  await page.keyboard.type('from the keyboard');
  await keys('Shift+Enter');
  await page.keyboard.type('second line');
  await keys('Enter');
  await expect(alice.texts).toHaveText(['from the keyboard\nsecond line']);
  await expect(page.getByText(stored)).toBeVisible();

  // Skips the button that attaches.
  await keys('Shift+Tab', 'Shift+Tab');
  await expect(alice.messages.first()).toBeFocused();
  await keys('Enter');
  await expect(page.getByRole('menuitem', { name: 'Reply' })).toBeFocused();
  await alice.shot('keyboard-1-menu');
  await keys('Escape');
  await expect(alice.messages.first()).toBeFocused();
  await keys('r');
  await expect(alice.field).toBeFocused();
  await page.keyboard.type('a reply');
  await alice.shot('keyboard-2-reply');
  await keys('Enter');
  await expect(alice.messages.last().getByRole('button', { name: 'Reply to Alice' })).toBeVisible();
  await expect(alice.texts.last()).toHaveText('a reply');
  await alice.shot('keyboard-3-replied');

  // Shift+Tab goes to the message itself, not to its last element. The letter keys also work on inner
  // elements.
  await expect(page.getByText(stored)).toBeVisible();
  await keys('Shift+Tab', 'Shift+Tab');
  await expect(alice.messages.last()).toBeFocused();
  await keys('Tab');
  await expect(alice.messages.last().getByRole('button', { name: 'Reply to Alice' })).toBeFocused();
  await keys('e');
  await expect(page.getByRole('textbox', { name: 'Edit message' })).toHaveValue('a reply');
  await keys('Escape');
  await expect(alice.field).toBeFocused();

  // The room with the newest message is first.
  await keys('Alt+ArrowDown');
  await expect(page.getByRole('region', { name: 'keyboard' })).toHaveCount(0);
  await expect(alice.field).toBeFocused();
  await keys('Alt+ArrowUp');
  await expect(page.getByRole('region', { name: 'keyboard' })).toBeVisible();
  // Before the first room is the last, and the other way round.
  await keys('Alt+ArrowUp');
  await expect(page.getByRole('region', { name: 'keyboard' })).toHaveCount(0);
  await keys('Alt+ArrowDown');
  await expect(page.getByRole('region', { name: 'keyboard' })).toBeVisible();
});

/** Opens another page of the site, where the chat fills the window. */
async function host(person: Person, site: Site): Promise<void> {
  const url =
    site.host(`<!doctype html><html lang="en"><title>Host</title><style>body { margin: 0 } php-chat { height: 100dvh }</style>
    <script type="module" src="${site.chat.url}/php-chat.js"></script>
    <php-chat room="lobby"></php-chat>`);
  await person.page.goto(url);
  await expect(person.messages.last()).toBeVisible();
  await expect(person.timeline).not.toHaveAttribute('aria-busy', 'true');
}

test('the chat needs no sideways scrolling at any window size', async ({ alice, site }) => {
  await seed(site, 'bob', 'lobby', [
    `W${'i'.repeat(200)}`,
    'https://files.example/plans/2026/spring-market-layout-final-version-revised.pdf',
  ]);
  for (const [width, height] of [
    [1280, 800],
    [800, 600],
    [390, 844],
    [280, 320],
  ] as const) {
    await alice.page.setViewportSize({ width, height });
    await host(alice, site);
    await alice.shot(`size-${width}`);
    const wide = await alice.page.evaluate(() => {
      const shadow = document.querySelector('php-chat')?.shadowRoot;
      return [document.documentElement, ...(shadow?.querySelectorAll('.app, .scroll, .main') ?? [])]
        .filter((element) => element.scrollWidth > element.clientWidth)
        .map((element) => element.className);
    });
    expect(wide, `${width} × ${height}`).toEqual([]);
    if (width < 640) {
      await alice.page.getByRole('button', { name: /^Back to rooms/ }).click();
      await expect(alice.page.getByRole('navigation', { name: 'Rooms' })).toBeVisible();
      await alice.shot(`size-${width}-rooms`);
    }
  }
});

test('keeps half of a low window for the messages', async ({ alice, site }) => {
  const { page, timeline } = alice;
  const room = await privateRoom(site, 'bob', 'kitchen', ['1']);
  await seed(site, 'bob', room, numbered(40));
  await asUser(site, 'bob', async (ask) => {
    await ask('room:join', { room });
    await ask('room:update', { room, topic: 'Who cooks, and when' });
    await ask('message:pin', { room, seq: 1 });
  });
  const titles = page.locator('php-chat .titles');
  for (const url of [site.php.chatPage, `${site.chat.url}/`]) {
    await page.setViewportSize({ width: 1280, height: 800 });
    await page.goto(`${url}#m=${room}`);
    await expect(titles).toContainText('Who cooks');
    await expect(page.locator('php-chat .pin')).toBeVisible();
    // A phone with its keyboard, and in landscape. A zoom of 400 % in a window of 1280 × 1024, with and without the
    // list of rooms.
    for (const [width, height] of [
      [360, 300],
      [640, 360],
      [1280, 256],
      [320, 256],
    ] as const)
      await test.step(`${width} × ${height}, ${url}`, async () => {
        await page.setViewportSize({ width, height });
        await alice.field.fill(width < 640 ? 'A text that needs a second line, and then one more line' : '');
        await expect(titles.locator('small')).toBeHidden();
        const share = () => timeline.evaluate((log) => log.getBoundingClientRect().height / innerHeight);
        await expect.poll(share).toBeGreaterThanOrEqual(0.5);
        await expect(alice.field).toBeInViewport({ ratio: 1 });
        const overflow = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth);
        expect(overflow).toBeLessThanOrEqual(0);
        await alice.shot(`low-${width}-${new URL(url).port}`);
        await alice.field.fill('');
      });
  }
  // Nothing is lost: the header of the site is below the chat, and the pinned messages are in the room's details.
  await page.goto(site.php.chatPage);
  await page.getByRole('button', { name: 'Log out' }).focus();
  await expect(page.getByRole('button', { name: 'Log out' })).toBeInViewport({ ratio: 1 });
});
