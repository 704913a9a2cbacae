import type { Locator, Page } from '@playwright/test';
import { soak } from '../guarantees/size.ts';
import { asUser } from './as-user.ts';
import { expect, Person, type Site, test } from './fixtures.ts';
import { numbered, seed } from './seed.ts';

interface Look {
  readonly css: string;
  /** Pixels of the window per CSS pixel of the chat. */
  readonly scale: number;
  /** Physical pixels per pixel of the window, as after zooming in the browser's menu. */
  readonly density?: number;
}

const looks: readonly Look[] = [
  { css: 'html { zoom: 1.25 }', scale: 1.25 },
  { css: 'main { transform: scale(.8); transform-origin: 0 0 }', scale: 0.8 },
  { css: 'html { zoom: .8 }', scale: 0.8 },
  { css: 'main { zoom: 1.1; transform: scale(1.5); transform-origin: 0 0 }', scale: 1.65 },
  { css: 'main { inline-size: 871.3px }', scale: 1, density: 1.1 },
  { css: 'html { zoom: 1.25 }', scale: 1.25, density: 0.9 },
];

/** Opens a page of the site that zooms or scales the chat. */
async function show(page: Page, site: Site, css: string): Promise<void> {
  const url = site.host(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Host</title>
    <link rel="icon" href="data:,"><script type="module" src="${site.chat.url}/php-chat.js"></script>
    <style>body { margin: 0 } main { inline-size: 900px; overflow: hidden } ${css}</style>
    <main><php-chat room="history" title-count="off"></php-chat></main>`);
  await page.goto(url);
  await expect(page.getByRole('region', { name: 'history' })).toBeVisible();
  await expect(page.getByRole('log')).not.toHaveAttribute('aria-busy', 'true');
}

/** Scrolls up until older messages are shown. Returns how far the message being read moved, in pixels of the window. */
const driftOf = (log: Locator) =>
  log.evaluate(async (timeline) => {
    const frame = () => new Promise(requestAnimationFrame);
    const all = () => [...timeline.querySelectorAll('article')];
    timeline.scrollTop = 400;
    const { top } = timeline.getBoundingClientRect();
    const read = all().find((message) => message.getBoundingClientRect().bottom > top) as Element;
    const before = read.getBoundingClientRect().top;
    for (const [first] = [all()[0]]; all()[0] === first; ) await frame();
    await frame();
    await frame();
    return Math.abs(read.getBoundingClientRect().top - before);
  });

/** The rectangles of two elements, in pixels of the window. */
async function boxesOf(some: Locator, other: Locator) {
  const [a, b] = [await some.boundingBox(), await other.boundingBox()];
  if (a === null || b === null) throw new Error(`${some} or ${other} is not shown`);
  return [a, b] as const;
}

/** The distance between two elements, in pixels of the window. Negative if they overlap. */
async function gap(some: Locator, other: Locator): Promise<number> {
  await expect(some).toBeVisible();
  const [a, b] = await boxesOf(some, other);
  const across = Math.max(b.x - a.x - a.width, a.x - b.x - b.width);
  return Math.max(across, b.y - a.y - a.height, a.y - b.y - b.height);
}

/** Opens all that is placed next to another element. Returns the names of those that are elsewhere. */
async function misplaced({ page, messages, field }: Person, { scale }: Look): Promise<string[]> {
  const chat = page.locator('php-chat');
  const wrong: string[] = [];
  const check = async (name: string, some: Locator, beside: Locator, gapPx: number) => {
    let found = Number.NaN;
    // Its code may load first.
    await expect(some).toBeVisible();
    // A button moves when the open menu ends the hovering.
    await expect(async () => {
      found = await gap(some, beside);
      expect(Math.abs(found - gapPx * scale)).toBeLessThanOrEqual(1);
    })
      .toPass({ timeout: 2000 })
      .catch(() => wrong.push(`${name}: ${found}`));
  };
  const menu = page.getByRole('menu');
  const closed = async (part: Locator) => {
    await page.keyboard.press('Escape');
    await expect(part).toHaveCount(0);
  };
  // Above it there is space for its menu.
  const message = messages.nth(-2);

  const roomMenu = page.getByRole('button', { name: 'Room menu' });
  await roomMenu.click();
  await check('menu of the room', menu, roomMenu, 4);
  await closed(menu);

  const bubble = (await message.locator('.bubble').boundingBox()) ?? { x: 0, y: 0 };
  // Browsers round the place of a right-click.
  const [x, y] = [Math.round(bubble.x + 9), Math.round(bubble.y + 9)];
  await page.mouse.click(x, y, { button: 'right' });
  await expect(menu).toBeVisible();
  const opened = (await menu.boundingBox()) ?? { x: 0, y: 0, height: 0 };
  // The menu begins or ends at the pointer.
  const edges = [opened.y, opened.y + opened.height].map((edge) => Math.abs(edge - y));
  const distance = Math.hypot(opened.x - x, Math.min(...edges));
  if (distance > 1) wrong.push(`menu at the pointer: ${distance}`);
  await closed(menu);

  const more = message.getByRole('button', { name: 'More actions' });
  await message.hover();
  await more.click();
  await check('menu of a message', menu, more, 6);
  await closed(menu);

  const react = message.getByRole('button', { name: 'React' });
  await message.hover();
  await react.hover();
  await check('tooltip', page.getByRole('tooltip'), react, 6);

  const emoji = page.getByRole('button', { name: 'Emoji', exact: true });
  const grid = page.getByRole('dialog', { name: 'Emoji' });
  await emoji.click();
  await check('emoji', grid, emoji, 4);
  await closed(grid);

  await field.pressSequentially('@');
  await check(
    'mentions',
    page.getByRole('listbox', { name: 'People to mention' }),
    chat.locator('.composer .field'),
    6,
  );
  await field.fill('text');
  await field.selectText();
  await check('formats', page.getByRole('toolbar', { name: /format/i }), chat.locator('.composer .field'), 6);
  await field.fill('');

  const author = chat.locator('.group .by-name').last();
  await author.click();
  const card = chat.locator('.person-card');
  await check('card of a user', card, author, 8);
  await closed(card);

  const row = page.getByRole('navigation', { name: 'Rooms' }).getByRole('button', { name: /^history/ });
  await row.focus();
  await page.keyboard.press('Shift+F10');
  await check('menu of a row', menu, row, 4);
  await closed(menu);
  return wrong;
}

test('a zoomed or scaled page neither moves the reader nor misplaces menus', { tag: '@soak' }, async ({
  browser,
  site,
}) => {
  await seed(site, 'carol', 'history', numbered(250));
  await seed(site, 'bob', 'history', ['the last one']);
  await asUser(site, 'carol', async (ask) => {
    await ask('room:join', { room: 'history' });
    for (const n of [1, 2, 3, 4, 5, 6, 7])
      await ask('message:send', { room: 'history', clientId: `after-${n}`, text: `after ${n}` });
  });
  await asUser(site, 'alice', async (ask) => {
    const { room } = await ask('room:join', { room: 'history' });
    await ask('read:mark', { room: 'history', seq: room.lastSeq });
  });
  const session = await site.login('alice');
  for (const look of soak ? looks : looks.slice(0, 2))
    await test.step(`with ${look.css} and ${look.density ?? 1} physical pixels per pixel`, async () => {
      const { css, scale, density = 1 } = look;
      const context = await browser.newContext({
        deviceScaleFactor: density,
        reducedMotion: 'reduce',
        viewport: /html/.test(css) ? { width: 1280, height: 700 } : { width: 1600, height: 1200 },
      });
      await context.addCookies([{ name: 'PHPSESSID', value: session, domain: '127.0.0.1', path: '/' }]);
      const alice = new Person(await context.newPage());
      const { page, timeline } = alice;
      await show(page, site, css);
      const chat = page.locator('php-chat');
      expect(await misplaced(alice, look)).toEqual([]);
      if (/html/.test(css)) {
        const { y = 0, height = 0 } = (await chat.boundingBox()) ?? {};
        expect(y + height).toBeLessThanOrEqual(700);
        expect(y + height).toBeGreaterThan(Math.min(640 * scale, 700) - 2);
      }

      expect(await driftOf(timeline)).toBeLessThanOrEqual(1);
      const [jump, room] = await boxesOf(
        chat.locator('.jump'),
        page.getByRole('region', { name: 'history' }),
      );
      // At the end of a wide room, at the start of others.
      const places = [room.x + room.width - jump.x - jump.width - 8 * scale, jump.x - room.x - 4 * scale];
      expect(Math.min(...places.map(Math.abs))).toBeLessThanOrEqual(1);
      await timeline.evaluate((log) => log.scrollBy(0, -20));
      const pill = chat.locator('.day-pill');
      await pill.hover();
      const [day, log] = await boxesOf(pill, timeline);
      expect(Math.abs(day.y - log.y - 8 * scale)).toBeLessThanOrEqual(1);
      expect(Math.abs(day.x + day.width / 2 - log.x - log.width / 2)).toBeLessThanOrEqual(1);

      // The list scrolls to a room far below.
      const rooms = page.getByRole('navigation', { name: 'Rooms' });
      await chat.evaluate((element) => element.setAttribute('room', 'unseen'));
      await expect(page.getByRole('region', { name: 'unseen' })).toBeVisible();
      const [row, list] = await boxesOf(
        rooms.getByRole('button', { name: /^unseen/ }),
        chat.locator('.rooms .scroll'),
      );
      expect(row.y).toBeGreaterThan(list.y - 1);
      expect(row.y + row.height).toBeLessThan(list.y + list.height + 1);

      // The chat ends at the end of a lower box with hidden overflow.
      await page.locator('main').evaluate((box) => {
        box.style.blockSize = '400px';
      });
      await expect
        .poll(async () => Math.abs(((await chat.boundingBox())?.height ?? 0) - 400 * scale))
        .toBeLessThan(1.5);
      await context.close();
    });
});

test('the panel of the launcher fits in a zoomed window', async ({ page, site }) => {
  const session = await site.login('alice');
  await page.context().addCookies([{ name: 'PHPSESSID', value: session, domain: '127.0.0.1', path: '/' }]);
  for (const zoom of soak ? [1.25, 0.8, 1.5] : [1.25]) {
    await page.setViewportSize({ width: 1280, height: 700 });
    await page.goto(
      site.host(`<!doctype html><html lang="en" style="zoom: ${zoom}"><meta charset="utf-8"><title>Shop</title>
        <link rel="icon" href="data:,"><script type="module" src="${site.chat.url}/php-chat.js"></script>
        <php-chat-launcher></php-chat-launcher>`),
    );
    await page
      .locator('php-chat-launcher')
      .getByRole('button', { name: /^Open chat/ })
      .click();
    const panel = page.getByRole('dialog', { name: 'Chat' });
    await expect(page.getByRole('textbox', { name: /^Message to/ })).toBeVisible();
    const { x = 0, y = 0, height = 0 } = (await panel.boundingBox()) ?? {};
    expect(x).toBeGreaterThanOrEqual(0);
    expect(y).toBeGreaterThanOrEqual(0);
    expect(Math.abs(y + height - 700 + 90 * zoom)).toBeLessThanOrEqual(1);
    expect(Math.abs(height - Math.min(600 * zoom, 700 - 110 * zoom))).toBeLessThanOrEqual(1);
    // Otherwise it would also be open in the next page.
    await page.keyboard.press('Escape');
    await expect(panel).toBeHidden();
  }
});
