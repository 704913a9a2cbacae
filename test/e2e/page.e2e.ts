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
