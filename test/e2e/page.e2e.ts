import type { Locator } from '@playwright/test';
import { soak } from '../guarantees/size.ts';
import { asUser } from './as-user.ts';
import { expect, type Person, type Site, stored, test } from './fixtures.ts';
import { differingPixels } from './pixels.ts';
import { seed } from './seed.ts';

test('everything by keyboard: rooms, writing, the menu of a message, a reply', async ({ alice }) => {
  const { page } = alice;
  const keys = async (...names: string[]) => {
    for (const name of names) await page.keyboard.press(name);
  };
  await page.getByRole('button', { name: 'Log out' }).focus();
  // Into the element, to the search field, to the list.
  await keys('Tab', 'Control+k', 'Tab', 'k', 'Enter');
  await expect(page.getByRole('region', { name: 'keyboard' })).toBeVisible();
  await page.getByRole('button', { name: 'Join', exact: true }).press('Enter');
  await expect(alice.field).toBeFocused();
  await page.keyboard.type('from the keyboard');
  await keys('Shift+Enter');
  await page.keyboard.type('second line');
  await keys('Enter');
  await expect(alice.texts).toHaveText(['from the keyboard\nsecond line']);
  await expect(page.getByText(stored)).toBeVisible();

  // Past the button for files.
  await keys('Shift+Tab', 'Shift+Tab');
  await expect(alice.messages.first()).toBeFocused();
  await keys('Enter');
  await expect(page.getByRole('menuitem', { name: 'Add a reaction' })).toBeFocused();
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

  // Backwards to the message itself, not to the last element in it; the letter keys work on inner elements too.
  await expect(page.getByText(stored)).toBeVisible();
  await keys('Shift+Tab', 'Shift+Tab');
  await expect(alice.messages.last()).toBeFocused();
  await keys('Tab');
  await expect(alice.messages.last().getByRole('button', { name: 'Reply to Alice' })).toBeFocused();
  await keys('e');
  await expect(page.getByRole('textbox', { name: 'Edit message' })).toHaveValue('a reply');
  await keys('Escape');
  await expect(alice.field).toBeFocused();

  // The room of the newest message is first.
  await keys('Alt+ArrowDown');
  await expect(page.getByRole('region', { name: 'keyboard' })).toHaveCount(0);
  await expect(alice.field).toBeFocused();
  await keys('Alt+ArrowUp');
  await expect(page.getByRole('region', { name: 'keyboard' })).toBeVisible();
});

test('text that was sent or cancelled leaves the field before the next letter', async ({ alice }) => {
  await alice.open('keyboard');
  // As fast as a page can be: no frame is painted between the key and the check of the field.
  const after = (field: Locator, key: string) =>
    field.evaluate((input: HTMLTextAreaElement | HTMLInputElement, name) => {
      input.dispatchEvent(new KeyboardEvent('keydown', { key: name, bubbles: true, cancelable: true }));
      return input.value;
    }, key);
  await alice.field.fill('on its way');
  expect(await after(alice.field, 'Enter')).toBe('');
  await expect(alice.message('on its way')).toBeVisible();
  const find = alice.page.getByRole('searchbox', { name: 'Find a chat' });
  await find.fill('xylo');
  expect(await after(find, 'Escape')).toBe('');
  await find.fill('lobby');
  expect(await after(find, 'Enter')).toBe('');
  await expect(alice.page.getByRole('region', { name: 'lobby' })).toBeVisible();
});

test('Enter during a composition sends nothing', async ({ alice }) => {
  await alice.open('keyboard');
  const before = await alice.messages.count();
  await alice.field.focus();
  const devtools = await alice.page.context().newCDPSession(alice.page);
  await devtools.send('Input.imeSetComposition', { text: 'ni', selectionStart: 2, selectionEnd: 2 });
  await alice.field.dispatchEvent('keydown', {
    key: 'Enter',
    keyCode: 229,
    isComposing: true,
    bubbles: true,
  });
  await devtools.send('Input.insertText', { text: '你' });
  await expect(alice.field).toHaveValue('你');
  expect(await alice.messages.count()).toBe(before);
});

test('a draft survives a reload, and is in the list that stands in place of its room; text that is too long is counted, not cut', async ({
  alice,
}) => {
  await alice.open('lobby');
  await alice.field.fill('a draft');
  await alice.page.reload();
  await expect(alice.field).toHaveValue('a draft');
  await alice.page.setViewportSize({ width: 400, height: 800 });
  await alice.field.fill('another draft');
  await alice.page.getByRole('button', { name: /^Back to rooms/ }).click();
  const row = alice.page.getByRole('navigation', { name: 'Rooms' }).getByRole('button', { name: /^lobby/ });
  await expect(row).toContainText('Draft: another draft');
  await row.click();
  await expect(alice.field).toHaveValue('another draft');
  await alice.page.setViewportSize({ width: 1280, height: 800 });
  await alice.field.fill('x'.repeat(4010));
  await expect(alice.page.getByText('10 characters too many')).toBeVisible();
  await expect(alice.page.getByRole('button', { name: 'Send' })).toHaveAttribute('aria-disabled', 'true');
  await alice.field.press('Enter');
  await expect(alice.field).toHaveValue('x'.repeat(4010));
  await alice.field.fill('👍'.repeat(3900));
  await expect(alice.page.getByText('100 left')).toBeVisible();
  await alice.shot('composer-left');
  await alice.field.fill('');
});

test('another room’s messages raise its badge, the title and the event', { tag: '@soak' }, async ({
  alice,
  site,
}) => {
  await alice.open('garden');
  await alice.open('board');
  await alice.page.evaluate(() => {
    const counts: number[] = [];
    Object.assign(globalThis, { counts });
    document.addEventListener('php-chat:unread', (event) => counts.push((event as CustomEvent).detail.count));
  });
  await seed(site, 'carol', 'garden', ['news', 'more news']);
  await expect(alice.page.getByRole('button', { name: /garden.* 2 unread/ })).toBeVisible();
  await expect(alice.page).toHaveTitle(/^\(2\) Messages/);
  await alice.shot('badge');
  await alice.open('garden');
  await expect(alice.page.getByRole('separator', { name: 'New' })).toBeInViewport();
  await alice.shot('new-line');
  await expect(alice.page).toHaveTitle(/^Messages/);
  const counts = await alice.page.evaluate(() => (globalThis as unknown as { counts: number[] }).counts);
  expect(counts.at(-1)).toBe(0);
  expect(Math.max(...counts)).toBe(2);
});

test('a number at the beginning of the page’s own title stays there', async ({ alice, site }) => {
  await asUser(site, 'alice', (ask) => ask('room:join', { room: 'garden' }));
  const url = site.host(`<!doctype html><html lang="en"><title>(500) Days of Summer</title>
    <script type="module" src="${site.chat.url}/php-chat.js"></script><php-chat room="board"></php-chat>`);
  await alice.page.goto(url);
  await expect(alice.page.getByRole('region', { name: 'board' })).toBeVisible();
  await seed(site, 'carol', 'garden', ['news']);
  await expect(alice.page).toHaveTitle('(1) (500) Days of Summer');
  await alice.open('garden');
  await expect(alice.page).toHaveTitle('(500) Days of Summer');
});

/** Another page of the site, with only the element and its own styles. */
async function host(person: Person, site: Site, css: string, attributes = ''): Promise<void> {
  const url = site.host(`<!doctype html><html lang="en"><title>Host</title><style>${css}</style>
    <script type="module" src="${site.chat.url}/php-chat.js"></script>
    <php-chat room="lobby" ${attributes}></php-chat>`);
  await person.page.goto(url);
  await expect(person.messages.last()).toBeVisible();
  await expect(person.timeline).not.toHaveAttribute('aria-busy', 'true');
}

test('the page’s styles end at the element', { tag: '@soak' }, async ({ alice, visitor, site }) => {
  await seed(site, 'bob', 'lobby', ['hello', 'https://a.example/x 👍']);
  const hostile = `* { font: 9px serif !important; display: inline; letter-spacing: 3px; text-transform: uppercase;
    color: red; line-height: 3; text-align: center; cursor: wait; visibility: visible; white-space: pre }
    html { font-size: 62.5% } button, article, ul { background: lime; margin: 20px; border: 5px solid }`;
  // The page would be visible behind round corners.
  const frame =
    'php-chat { position: absolute; left: 0; top: 0; width: 900px; height: 600px; border-radius: 0 }';
  const chat = alice.page.locator('php-chat');
  await host(alice, site, frame);
  // The writer has left, the pointer is nowhere, and everything is read.
  await expect(alice.page.getByRole('button', { name: 'Here now: 1' })).toBeVisible();
  await alice.page.mouse.move(1000, 700);
  const rooms = alice.page.getByRole('navigation', { name: 'Rooms' });
  await expect(rooms.getByRole('button', { name: /^lobby(?!.*unread)/ })).toBeVisible();
  const plain = await chat.screenshot({ animations: 'disabled' });
  await alice.page.addStyleTag({ content: hostile });
  const changed = await chat.screenshot({ animations: 'disabled' });
  await alice.shot('hostile-css');
  // The site's pages may not fetch the compared pictures.
  await visitor.page.goto('about:blank');
  expect(await differingPixels(visitor.page, plain, changed)).toBe(0);
});

test('how many people are here leads to them, among the details of the room', { tag: '@soak' }, async ({
  alice,
}) => {
  const { page } = alice;
  const count = page.getByRole('button', { name: /^Here now/ });
  const people = page.getByRole('complementary', { name: 'People' });
  const details = page.getByRole('complementary', { name: 'Details' });
  await expect(people).toBeVisible();
  // Not in place of another part of the details that was chosen before.
  await page.locator('php-chat .titles').click();
  await details.getByRole('tab', { name: 'Files' }).click();
  await count.click();
  await expect(details.getByRole('tab', { name: 'People' })).toBeFocused();
  await expect(details.getByRole('heading', { name: 'Here now' })).toBeVisible();
  await expect(people).toHaveCount(0);
  await expect(count).toHaveAttribute('aria-expanded', 'true');
  await count.click();
  await expect(details).toHaveCount(0);
  await people.getByRole('button', { name: 'Close people' }).click();
  await expect(people).toHaveCount(0);
  await expect(count).toBeFocused();
  await page.getByRole('button', { name: 'Room menu' }).click();
  await page.getByRole('menuitem', { name: 'Members' }).click();
  await expect(people).toBeVisible();
  // Where there is no room beside the timeline, the details are above it.
  await page.setViewportSize({ width: 800, height: 600 });
  await expect(people).toHaveCount(0);
  await count.click();
  await expect(details.getByRole('tab', { name: 'People' })).toBeFocused();
  await alice.shot('people-overlay');
  await page.keyboard.press('Escape');
  await expect(details).toHaveCount(0);
  await expect(count).toBeFocused();
  // In a low element they can be reached; and text of twice the size is not cut.
  await page.setViewportSize({ width: 280, height: 320 });
  await count.click();
  await details.getByRole('button', { name: /^Alice/ }).click();
  const card = page.getByRole('dialog', { name: 'Alice' });
  await expect(card).toBeVisible();
  await page.setViewportSize({ width: 360, height: 740 });
  await page.evaluate(() => document.documentElement.style.setProperty('font-size', '200%'));
  const cut = () =>
    page.locator('php-chat .quick button, php-chat .seg button').evaluateAll((buttons) =>
      buttons.filter(({ scrollWidth, clientWidth, parentElement }) => {
        const { scrollWidth: all = 0, clientWidth: seen = 0 } = parentElement ?? {};
        return scrollWidth > clientWidth || all > seen;
      }),
    );
  expect(await cut()).toEqual([]);
  await page.keyboard.press('Escape');
  await details.getByRole('tab', { name: 'Settings' }).click();
  await expect(details.getByRole('button', { name: 'Nothing' })).toBeVisible();
  expect(await cut()).toEqual([]);
  await alice.shot('settings-360-large-text');
});

test('no sideways scrolling: 1280 × 800, 800 × 600, 390 × 844, 280 × 320', async ({ alice, site }) => {
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
    await host(alice, site, 'body { margin: 0 } php-chat { height: 100dvh }');
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

test('on a phone that lies on its side both pages end with the window', { tag: '@soak' }, async ({
  alice,
  site,
}) => {
  const { page } = alice;
  await page.setViewportSize({ width: 740, height: 320 });
  for (const address of [site.php.chatPage, site.chat.url]) {
    await page.goto(address);
    await expect(alice.field).toBeVisible();
    const below = () => page.evaluate(() => document.documentElement.scrollHeight - innerHeight);
    expect(await below(), address).toBe(0);
    const box = await alice.field.boundingBox();
    expect(Number(box?.y) + Number(box?.height), address).toBeLessThanOrEqual(320);
  }
});

test('right to left, and French', { tag: '@soak' }, async ({ alice, site }) => {
  await seed(site, 'bob', 'lobby', ['سأكون هناك الساعة 4 مع Bob.', 'Bonjour !']);
  await alice.page.setViewportSize({ width: 800, height: 600 });
  const css = 'body { margin: 0 } php-chat { height: 100dvh }';
  await host(alice, site, css, 'dir="rtl" lang="fr" theme="dark"');
  await expect(alice.page.getByRole('navigation', { name: 'Salons' })).toBeVisible();
  await alice.page.getByRole('textbox', { name: 'Message pour lobby' }).fill('D’accord');
  await alice.page.keyboard.press('Enter');
  await expect(alice.page.getByText('Envoyé', { exact: true })).toBeVisible();
  await alice.shot('rtl-french-dark');
});

test('values that another script has put into the chat’s storage do not stop it', { tag: '@soak' }, async ({
  alice,
  site,
}) => {
  const { page } = alice;
  const errors: string[] = [];
  page.on('pageerror', ({ message }) => errors.push(message));
  const own = ['room', 'left', 'seen', 'portraits', 'draft/talk', 'tray/talk', 'picks/talk', 'out/x'];
  const names = [...own.map((name) => `1/${name}`), 'people', 'tone', 'ready', 'reactions', 'notifications'];
  const keys = names.map((name) => `php-chat/${encodeURIComponent(`${site.chat.url}/`)}/${name}`);
  const message = { clientId: 'another', room: 'talk', text: 'from nowhere', sentAt: 1 };
  const values = [null, { text: 5, room: 'talk', sentAt: 1 }, message, 5, 'text', [null], { a: null }];
  for (const value of !soak ? values.slice(0, 3) : values) {
    await page.addInitScript(
      ({ keys, json }) => {
        for (const key of keys) localStorage.setItem(key, json);
      },
      { keys, json: JSON.stringify(value) },
    );
    await page.reload();
    await alice.open('talk');
    const said = `after ${JSON.stringify(value)}`;
    await alice.write(said);
    await expect(alice.message(said)).toBeVisible();
  }
  await expect(alice.message(message.text)).toHaveCount(0);
  expect(errors).toEqual([]);
});
