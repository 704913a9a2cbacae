import type { Locator } from '@playwright/test';
import { expect, stored, test } from './fixtures.ts';
import { ownUser } from './own-user.ts';
import { differingPixels } from './pixels.ts';
import { numbered, seed } from './seed.ts';

/** The characters of an element in their visual order, from left to right. */
const asShown = (element: Locator) =>
  element.evaluate((node) => {
    const range = document.createRange();
    const text = node.firstChild as Text;
    const places = Array.from(text.data, (character, at) => {
      range.setStart(text, at);
      range.setEnd(text, at + 1);
      return { character, left: range.getBoundingClientRect().left };
    });
    places.sort((a, b) => a.left - b.left);
    return places.map(({ character }) => character).join('');
  });

test('displays a link from left to right between any directional characters', async ({ alice, site }) => {
  const address = 'https://evil.example/moc.knab//:sptth';
  // Right-to-left override, embedding, isolate and mark, and Hebrew letters.
  const before = ['\u202e', '\u202b', '\u2067', '\u200f', 'שלום '];
  await seed(
    site,
    'carol',
    'bidi',
    before.map((control) => `${control}${address} ${control}end`),
  );
  await alice.open('bidi');
  const links = alice.timeline.getByRole('link');
  await expect(links).toHaveCount(before.length);
  for (const link of await links.all()) expect(await asShown(link)).toBe(address);
  await alice.shot('texts-bidi');
});

test('does not paint stacked combining marks over other messages, quotes or names', { tag: '@soak' }, async ({
  alice,
  site,
}) => {
  const [rings, dots] = ['\u030a'.repeat(40), '\u0323'.repeat(40)];
  const shots: Buffer[][] = [];
  await alice.page.mouse.move(0, 0);
  // Large enough for all messages, because a list that scrolls rests at whole pixels, and any other at fractions.
  await alice.page.setViewportSize({ width: 1280, height: 1000 });
  for (const text of ['a z', `a${rings} z${dots}`]) {
    await seed(site, 'carol', 'marks', ['the message above']);
    await seed(site, 'bob', 'marks', [{ text, replyTo: 1 }, { text: 'the message below' }]);
    await alice.open('marks');
    const shown = alice.messages.filter({ hasText: 'the message below' });
    await expect(shown).toHaveCount(shots.length + 1);
    await alice.open('lobby');
    await alice.open('marks');
    const [above, written, below] = [-3, -2, -1].map((at) => alice.messages.nth(at));
    if (above === undefined || written === undefined || below === undefined) throw new Error('no messages');
    const parts = [above.locator('.bubble'), below.locator('.bubble'), written.locator('.quote')];
    const name = written.locator('xpath=preceding-sibling::*[1]').locator('bdi');
    shots.push(
      await Promise.all([...parts, name].map((part) => part.screenshot({ animations: 'disabled' }))),
    );
  }
  await alice.shot('texts-marks');
  const [plain = [], stacked = []] = shots;
  // The site's policy does not allow its own pages to decode a picture.
  const decoder = await alice.page.context().newPage();
  for (const [n, shot] of plain.entries())
    expect(await differingPixels(decoder, shot, stacked[n] ?? shot)).toBe(0);
});

/** The number of visible lines of a message's text. */
const lines = (text: Locator) =>
  text.evaluate((element) => {
    const { height } = (element.closest('.fold') ?? element).getBoundingClientRect();
    return Math.round(height / Number.parseFloat(getComputedStyle(element).lineHeight));
  });

test('shows 20 lines of a text of more than 24, with a button to expand it', {
  tag: '@soak',
}, async ({ alice, site }) => {
  const { page } = alice;
  await seed(site, 'carol', 'long', [...numbered(30, 'earlier')]);
  await seed(site, 'bob', 'long', [
    numbered(24, 'line').join('\n'),
    `first${'\n'.repeat(3990)}last`,
    `${numbered(40, 'row').join('\n')}\nhttps://a.example/`,
  ]);
  await alice.open('long');
  const [short, feeds, rows] = [-3, -2, -1].map((at) => alice.messages.nth(at));
  if (short === undefined || feeds === undefined || rows === undefined) throw new Error('no messages');
  const text = (message: Locator) => message.locator('.text');
  const more = (message: Locator) => message.getByRole('button', { name: 'Show more', expanded: false });
  const less = (message: Locator) => message.getByRole('button', { name: 'Show less', expanded: true });
  await expect(page.getByRole('button', { name: 'Show more' })).toHaveCount(2);
  expect(await lines(text(short))).toBe(24);
  expect(await lines(text(feeds))).toBe(20);
  // The text for screen readers is complete.
  await expect(text(feeds)).toHaveText(/^first\n+last$/);
  await expect(rows).toBeInViewport();
  await alice.shot('texts-long-1-cut');

  // With the mouse, the reading position stays, even at the end of the room.
  await rows.scrollIntoViewIfNeeded();
  const before = await rows.boundingBox();
  await more(rows).click();
  await expect(less(rows)).toBeFocused();
  expect((await rows.boundingBox())?.y).toBe(before?.y);
  expect(await lines(text(rows))).toBe(41);
  await alice.shot('texts-long-2-whole');
  await less(rows).click();
  expect(await lines(text(rows))).toBe(20);

  // With the keyboard, the button is reached from the message, and is visible after folding.
  await feeds.focus();
  await expect(async () => {
    await page.keyboard.press('Tab');
    await expect(more(feeds)).toBeFocused({ timeout: 50 });
  }).toPass({ intervals: [0] });
  await page.keyboard.press('Enter');
  await expect(less(feeds)).toBeFocused();
  expect(await lines(text(feeds))).toBe(3991);
  await less(feeds).scrollIntoViewIfNeeded();
  await page.keyboard.press('Enter');
  await expect(more(feeds)).toBeFocused();
  await expect(more(feeds)).toBeInViewport();
  expect(await lines(text(feeds))).toBe(20);

  // Tab reaches a link in the hidden part, which then expands.
  await rows.focus();
  await page.keyboard.press('Tab');
  await expect(rows.getByRole('link')).toBeFocused();
  await expect(rows.getByRole('link')).toBeInViewport();
  expect(await lines(text(rows))).toBe(41);
});

test('copies a text on a page without TLS', { tag: '@soak' }, async ({ browser, site }) => {
  const context = await browser.newContext({ permissions: ['clipboard-read'] });
  // A page without TLS has no clipboard. The test reads the real one afterwards.
  await context.addInitScript(() => {
    const { clipboard } = navigator;
    Object.assign(globalThis, { readClipboard: () => clipboard.readText() });
    Object.defineProperty(navigator, 'clipboard', { value: undefined });
  });
  await ownUser(site, context);
  const page = await context.newPage();
  await page.goto(site.chat.url);
  const field = page.getByRole('textbox', { name: /^Message to/ });
  await field.fill('copied without TLS');
  await field.press('Enter');
  await expect(page.getByText(stored)).toBeVisible();
  // Skips the button for files.
  await field.press('Shift+Tab');
  await page.keyboard.press('Shift+Tab');
  await page.keyboard.press('c');
  await expect(page.getByText('Copied.')).toBeVisible();
  expect(await page.evaluate('readClipboard()')).toBe('copied without TLS');
  await context.close();
});
