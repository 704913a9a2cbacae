import { expect, Person, test } from './fixtures.ts';
import { seed } from './seed.ts';

test('opens the actions of a message on a long press on a touch screen', { tag: '@soak' }, async ({
  browser,
  site,
}) => {
  // The second message moves the first to where the sheet has an item.
  await seed(site, 'bob', 'announcements', ['press me https://a.example/', 'below']);
  const context = await browser.newContext({
    viewport: { width: 390, height: 844 },
    hasTouch: true,
    isMobile: true,
  });
  const person = new Person(await context.newPage());
  const { page } = person;
  await page.goto(site.php.chatPage);
  await page.getByLabel('User name').fill('carol');
  await page.getByLabel('Password').fill('carol');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('button', { name: /^Back to rooms/ }).tap();
  await page
    .getByRole('navigation', { name: 'Rooms' })
    .getByRole('button', { name: /^announcements/ })
    .tap();
  await expect(page.getByRole('heading', { name: 'announcements', exact: true })).toBeFocused();
  // A tap shows no focus ring, which is for the keyboard.
  await page.locator('php-chat .group > .avatar').first().tap();
  const card = page.getByRole('dialog', { name: 'Bob' });
  await expect(card).toBeFocused();
  await expect(card).toHaveCSS('outline-style', 'none');
  await page.keyboard.press('Escape');
  await expect(card).toHaveCount(0);
  const link = person.messages.first().getByRole('link');
  const box = await link.boundingBox();
  if (box === null) throw new Error('not on the page');
  const devtools = await context.newCDPSession(page);
  const touchPoints = [{ x: box.x + 5, y: box.y + 5 }];
  await devtools.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints });
  await expect(page.getByRole('menuitem', { name: 'Reply' })).toBeVisible();
  // The browser's event for a long press on a link.
  const shown = await link.evaluate((element) =>
    element.dispatchEvent(new MouseEvent('contextmenu', { bubbles: true, cancelable: true, composed: true })),
  );
  expect(shown).toBe(false);
  await devtools.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
  await page.evaluate(() => new Promise((resolve) => requestIdleCallback(resolve)));
  // Lifting the finger that opened the sheet does not select or close anything.
  await expect(page.getByRole('menuitem', { name: 'Reply in thread' })).toBeFocused();
  // The item below the finger does not look selected either.
  const under = page.locator('[role="menuitem"]:hover');
  await expect(under).toHaveCount(1);
  await expect(under).toHaveCSS('background-color', 'rgba(0, 0, 0, 0)');
  await person.shot('touch-1-sheet');
  await page.getByRole('menuitem', { name: 'Reply in thread' }).tap();
  const panel = page.getByRole('complementary', { name: 'Replies' });
  const field = panel.getByRole('textbox');
  await expect(field).toBeFocused();
  await page.keyboard.type('one');
  await page.keyboard.press('Enter');
  await expect(field).toHaveValue('one\n');
  await person.shot('touch-2-reply');
  await panel.getByRole('button', { name: 'Send', exact: true }).tap();
  await expect(field).toHaveValue('');
  await panel.getByRole('button', { name: /^Back to/ }).tap();
  // The first reply is also in the room, and moves the other messages.
  await expect(person.messages).toHaveCount(3);

  // A swipe towards the start of the line also replies, unless it is too short, returns, or scrolls the page.
  const cancel = page.getByRole('button', { name: 'Cancel reply' });
  const below = person.message('below').locator('.bubble');
  const shift = () => below.evaluate((bubble) => getComputedStyle(bubble).translate);
  /** Swipes the message along a path from its middle, and releases it at the offset `to`. */
  const swipe = async (path: readonly (readonly [number, number])[], to: string) => {
    const { x = 0, y = 0, width = 0 } = (await below.boundingBox()) ?? {};
    const touch = (type: 'touchStart' | 'touchMove' | 'touchEnd', at?: readonly [number, number]) =>
      devtools.send('Input.dispatchTouchEvent', {
        type,
        touchPoints: at === undefined ? [] : [{ x: x + width / 2 + at[0], y: y + 8 + at[1] }],
      });
    await touch('touchStart', [0, 0]);
    for (const at of path) await touch('touchMove', at);
    await expect.poll(shift).toBe(to);
    await person.shot(`touch-3-swipe${to}`);
    await touch('touchEnd');
    await expect.poll(shift).toBe('none');
  };
  const [aLittle, back, away, along, enough] = [
    [
      [-20, 1],
      [-40, 2],
    ],
    [
      [-30, 1],
      [-80, 2],
      [-10, 2],
    ],
    [
      [20, 0],
      [80, 0],
    ],
    [
      [-5, -20],
      [-70, -40],
    ],
    [
      [-20, 1],
      [-70, 2],
    ],
  ] as const;
  await page.emulateMedia({ reducedMotion: 'no-preference' });
  await swipe(aLittle, '-40px');
  const zoom = (value: string) =>
    page.evaluate((factor) => {
      document.documentElement.style.zoom = factor;
    }, value);
  // The message stays under the finger.
  await zoom('1.25');
  await swipe(aLittle, '-32px');
  await zoom('');
  await swipe(back, '-10px');
  await swipe(away, 'none');
  await swipe(along, 'none');
  await expect(cancel).toHaveCount(0);
  await swipe(enough, '-70px');
  await expect(page.getByText(/^Reply to Bob · below/)).toBeVisible();
  // On a busy machine a tap may last as long as a long press, which does not click.
  await expect(async () => {
    await cancel.tap();
    await expect(cancel).toHaveCount(0, { timeout: 1000 });
  }).toPass();
  await page.evaluate(() => {
    document.documentElement.dir = 'rtl';
  });
  // Users can disable motion.
  await page.emulateMedia({ reducedMotion: 'reduce' });
  await swipe(enough, 'none');
  await expect(cancel).toHaveCount(0);
  await swipe(away, 'none');
  await expect(page.getByText(/^Reply to Bob · below/)).toBeVisible();
  await cancel.tap();
  await context.close();
});
