import { readFileSync } from 'node:fs';
import type { Locator, Page } from '@playwright/test';
import { soak } from '../guarantees/size.ts';
import { privateRoom } from './as-user.ts';
import { expect, type Site, test } from './fixtures.ts';
import { join, ownUser } from './own-user.ts';
import { seed } from './seed.ts';

const tag = '<php-chat room="elements" title-count="off">Write to us.</php-chat>';

interface Html {
  css?: string;
  body?: string;
  attributes?: string;
  headers?: Record<string, string>;
}

/** A page of the site made by the test, opened by a logged-in user. */
async function open(site: Site, page: Page, html: Html = {}): Promise<void> {
  await join(site, await ownUser(site, page.context()), 'elements');
  await show(site, page, html);
}

async function show(site: Site, page: Page, html: Html): Promise<void> {
  const { css = '', body = tag, attributes = 'lang="en"', headers } = html;
  const url = site.host(`<!doctype html><html ${attributes}><meta charset="utf-8"><title>Host</title>
    <meta name="viewport" content="width=device-width, initial-scale=1"><link rel="stylesheet" href="/site.css">
    <script type="module" src="${site.chat.url}/php-chat.js"></script>${body}`);
  await page.route('**/site.css', (route) => route.fulfill({ body: css, contentType: 'text/css' }));
  if (headers !== undefined) {
    await page.route(url, async (route) => {
      const answer = await route.fetch();
      await route.fulfill({ response: answer, headers: { ...answer.headers(), ...headers } });
    });
  }
  await page.goto(url);
}

const field = (page: Page) => page.getByRole('textbox', { name: /^Message to/ });
const box = async (page: Page, at = 'php-chat') => {
  const found = await page.locator(at).first().boundingBox();
  if (found === null) throw new Error(`${at} is not on the page`);
  return found;
};
const bottom = async (page: Page) => {
  const { y, height } = (await field(page).boundingBox()) ?? { y: 0, height: Number.POSITIVE_INFINITY };
  return y + height;
};

const rules: [string, string, string, { width: number; height: number }][] = [
  ['nothing', 'body { margin: 0 }', tag, { width: 1000, height: 640 }],
  ['* { all: unset !important }', '* { all: unset !important }', tag, { width: 1000, height: 640 }],
  // 640 and its border.
  ['height: auto', 'body { margin: 0 } php-chat { height: auto }', tag, { width: 1000, height: 642 }],
  ['a row', 'body { margin: 0; display: flex }', tag, { width: 1000, height: 640 }],
  [
    'a row with a neighbour',
    'body { margin: 0; display: flex } i { flex: 0 0 400px }',
    `<i></i>${tag}`,
    { width: 600, height: 640 },
  ],
  [
    'rules for everything',
    'body { margin: 0 } * { font: 9px serif; display: inline; min-height: 0; width: auto } html { font-size: 62.5% }',
    tag,
    { width: 1000, height: 640 },
  ],
];

test(`the element has its size under ${rules.map(([name]) => name).join('; ')}`, { tag: '@soak' }, async ({
  page,
  site,
}) => {
  await page.setViewportSize({ width: 1000, height: 800 });
  await open(site, page);
  for (const [name, css, body, size] of rules) {
    await show(site, page, { css, body });
    await expect(field(page)).toBeVisible();
    const { width, height } = await box(page);
    expect({ width, height }, name).toEqual(size);
    const font = await page
      .locator('php-chat')
      .evaluate((chat) => getComputedStyle(chat.shadowRoot?.querySelector('.app') as Element).fontSize);
    expect(font, name).toBe('15px');
  }
});

for (const [width, height, header] of [
  [1280, 720, 200],
  [390, 664, 140],
] as const) {
  test(`below a header of ${header} pixels the field is in the window of ${width} × ${height}`, {
    tag: width === 390 ? [] : ['@soak'],
  }, async ({ page, site }) => {
    await page.setViewportSize({ width, height });
    const css = `body { margin: 0 } header { height: ${header}px }`;
    await open(site, page, { css, body: `<header></header>${tag}` });
    await expect(field(page)).toBeVisible();
    expect(await bottom(page)).toBeLessThanOrEqual(height);
    expect((await box(page)).height).toBe(height - header);
    // The page's own rule wins.
    await page.addStyleTag({ content: 'php-chat { max-height: none }' });
    expect((await box(page)).height).toBe(640);
  });
}

test('in a box that cuts off what does not fit, it fits in, however high the box becomes', {
  tag: '@soak',
}, async ({ page, site }) => {
  const css = '.box { height: 400px; border: 3px solid; overflow: hidden } header { height: 50px }';
  const body = `<div class="box"><header></header><div>${tag}</div></div>`;
  await open(site, page, { css, body });
  await expect(field(page)).toBeVisible();
  const height = async () => (await box(page)).height;
  expect(await height()).toBe(350);
  const set = (height: string) =>
    page.locator('.box').evaluate((box: HTMLElement, height) => Object.assign(box.style, { height }), height);
  for (const [of, expected] of [
    ['500px', 450],
    ['700px', 640],
    ['450px', 400],
    // There is no room for its minimum height.
    ['300px', 640],
  ] as const) {
    await set(of);
    await expect.poll(height).toBe(expected);
  }
});

test('far down a long page it is as high as it likes, and its place does not change it', {
  tag: '@soak',
}, async ({ page, site }) => {
  await page.setViewportSize({ width: 1280, height: 720 });
  const css = 'body { margin: 0 } header { height: 1500px }';
  await open(site, page, { css, body: `<header></header>${tag}` });
  await expect(field(page)).toBeVisible();
  expect((await box(page)).height).toBe(640);
  await page.setViewportSize({ width: 1280, height: 500 });
  await expect.poll(async () => (await box(page)).height).toBe(500);
});

test('the scheme is the page’s own; theme decides otherwise', { tag: '@soak' }, async ({ browser, site }) => {
  const context = await browser.newContext({ colorScheme: 'dark' });
  const page = await context.newPage();
  await open(site, page);
  await expect(field(page)).toBeVisible();
  const background = () =>
    page
      .locator('php-chat')
      .evaluate(
        (chat) => getComputedStyle(chat.shadowRoot?.querySelector('.app') as Element).backgroundColor,
      );
  expect(await background()).toMatch(/^oklch\(0\.984 /);
  await page.addStyleTag({ content: ':root { color-scheme: light dark }' });
  expect(await background()).toMatch(/^oklch\(0\.198 /);
  await page.locator('php-chat').evaluate((chat) => chat.setAttribute('theme', 'light'));
  expect(await background()).toMatch(/^oklch\(0\.984 /);
  await context.close();
});

test('on a plain page it has an edge; the page’s own wins', { tag: '@soak' }, async ({ page, site }) => {
  await open(site, page);
  const edge = () =>
    page.locator('php-chat').evaluate((chat) => {
      const { borderTopWidth, borderTopColor, borderTopLeftRadius } = getComputedStyle(chat);
      return [borderTopWidth, borderTopColor, borderTopLeftRadius];
    });
  await expect(field(page)).toBeVisible();
  expect(await edge()).toEqual(['1px', 'rgb(224, 227, 235)', '12px']);
  await page.addStyleTag({ content: 'php-chat { border: 0; border-radius: 3px }' });
  expect((await edge()).filter((_, index) => index !== 1)).toEqual(['0px', '3px']);
});

test('--pc-radius is of the bubbles, too', { tag: '@soak' }, async ({ page, site }) => {
  await join(site, await ownUser(site, page.context()), 'elements');
  await seed(site, 'bob', 'elements', ['first', 'second']);
  await show(site, page, {});
  const corners = () =>
    page.locator('php-chat .bubble').evaluateAll((bubbles) =>
      bubbles.map((bubble) => {
        const { borderStartStartRadius, borderEndEndRadius, borderEndStartRadius } = getComputedStyle(bubble);
        return [borderStartStartRadius, borderEndEndRadius, borderEndStartRadius];
      }),
    );
  await expect.poll(corners).toEqual([
    ['6px', '18px', '6px'],
    ['6px', '18px', '18px'],
  ]);
  await page.addStyleTag({ content: 'php-chat { --pc-radius: 3px }' });
  expect((await corners()).flat()).toEqual(Array(6).fill('4.5px'));
  await page.addStyleTag({ content: 'php-chat { --pc-radius: 0 }' });
  expect((await corners()).flat()).toEqual(Array(6).fill('0px'));
});

test('the content of the tag is shown while the script has not loaded, and disappears afterwards', async ({
  page,
  site,
}) => {
  await page.context().route('**/php-chat.js', (route) => route.abort());
  await open(site, page);
  await expect(page.getByText('Write to us.')).toBeVisible();
  await page.context().unroute('**/php-chat.js');
  await page.reload();
  await expect(field(page)).toBeVisible();
  // The content is not shown, because no slot takes it.
  expect(
    await page.locator('php-chat').evaluate((chat) => (chat.firstChild as Text).assignedSlot === null),
  ).toBe(true);
});

test('on the pages that come with it, “could not be loaded” is not said before two seconds have passed', {
  tag: '@soak',
}, async ({ alice, site }) => {
  const { page } = alice;
  // The script is neither loaded nor refused yet.
  await page.route('**/php-chat.js', () => {});
  // On a busy machine the two seconds would be over before the check.
  const cdp = await page.context().newCDPSession(page);
  await cdp.send('Animation.enable');
  for (const url of [site.chat.url, site.php.chatPage]) {
    await cdp.send('Animation.setPlaybackRate', { playbackRate: 0 });
    await page.goto(url, { waitUntil: 'commit' });
    const fallback = page.getByText('The chat couldn’t be loaded.');
    await expect(fallback).toBeAttached();
    // The style sheet may come after the element.
    await expect
      .poll(() =>
        fallback.evaluate((element) => [
          getComputedStyle(element).visibility,
          element.getAnimations()[0]?.effect?.getComputedTiming().duration,
        ]),
      )
      .toEqual(['hidden', 2000]);
    await cdp.send('Animation.setPlaybackRate', { playbackRate: 1 });
    await expect(fallback).toBeVisible();
  }
});

test('a single room: no list and no way back, narrow or wide', async ({ page, site }) => {
  await page.setViewportSize({ width: 360, height: 600 });
  await open(site, page, { body: '<php-chat room="elements" single></php-chat>' });
  await expect(field(page)).toBeVisible();
  for (const width of [360, 800, 1280]) {
    await page.setViewportSize({ width, height: 600 });
    await expect(page.getByRole('region', { name: 'elements' })).toBeVisible();
    await expect(page.getByRole('navigation', { name: 'Rooms' })).toBeHidden();
    await expect(page.getByRole('button', { name: /^Back to rooms/ })).toBeHidden();
    const { x } = (await page.getByRole('region', { name: 'elements' }).boundingBox()) ?? { x: 99 };
    expect(x).toBeLessThan(12);
  }
});

test('a single room has no way to another one, and does not count unread messages there', {
  tag: '@soak',
}, async ({ page, site }) => {
  const user = await ownUser(site, page.context());
  await join(site, user, 'elements');
  const other = await privateRoom(site, 'bob', `elsewhere ${user.id}`, [user.id]);
  await seed(site, 'bob', other, ['unread there']);
  const url = site.host(`<!doctype html><html lang="en"><title>Host</title>
    <script>
      counts = [];
      document.addEventListener('php-chat:unread', (event) => counts.push(event.detail.count));
    </script>
    <script type="module" src="${site.chat.url}/php-chat.js"></script><php-chat room="elements" single></php-chat>`);
  await page.goto(url);
  await expect(field(page)).toBeVisible();
  await expect.poll(() => page.evaluate('counts')).toEqual([0]);
  await expect(page).toHaveTitle('Host');
  await field(page).focus();
  await page.keyboard.press('Alt+ArrowUp');
  await page.keyboard.press('Alt+ArrowDown');
  await page.keyboard.press('Control+k');
  await expect(field(page)).toBeFocused();
  await page.getByRole('button', { name: 'Search in this room' }).click();
  await expect(page.getByRole('searchbox', { name: 'Search messages' })).toBeFocused();
  await expect(page.getByRole('group', { name: 'Where' })).toHaveCount(0);
  await page.keyboard.press('Escape');
  await expect(page.getByRole('region', { name: 'elements' })).toBeVisible();
  await page.getByRole('button', { name: 'Room menu' }).click();
  await page.getByRole('menuitem', { name: 'Leave room' }).click();
  await page.getByRole('alertdialog').getByRole('button', { name: 'Leave room' }).click();
  await expect(page.getByRole('heading', { name: 'This room cannot be shown' })).toBeFocused();
  await expect(page.getByRole('region', { name: /^elsewhere/ })).toHaveCount(0);
});

test('a single room is not the one that other pages open next time', { tag: '@soak' }, async ({
  page,
  site,
}) => {
  const user = await ownUser(site, page.context());
  for (const room of ['elements', 'garden']) await join(site, user, room);
  for (const [attributes, room] of [
    ['room="garden"', 'garden'],
    ['room="elements" single', 'elements'],
    ['', 'garden'],
  ]) {
    await show(site, page, { body: `<php-chat ${attributes}></php-chat>` });
    await expect(page.getByRole('textbox', { name: `Message to ${room}` })).toBeVisible();
  }
});

test('texts of the owner: a late file is applied, typed text stays, one language is loaded', {
  tag: '@soak',
}, async ({ page, site }) => {
  const texts = {
    'composer.label': { cs: 'Zpráva do {room}' },
    'conn.connected': { cs: 'Připojeno' },
    'people.title': { cs: 'Lidé' },
  };
  let send = () => {};
  const asked = new Promise<void>((resolve) => {
    send = resolve;
  });
  await page.context().route('**/texts.json', async (route) => {
    await asked;
    await route.fulfill({ json: texts });
  });
  const languages: string[] = [];
  page.context().on('request', (request) => {
    const [, language] = /assets\/([a-z]{2}(?:-\w+)?)-[\w-]{6}\.js/.exec(request.url()) ?? [];
    if (language !== undefined) languages.push(language);
  });
  const body = '<php-chat room="elements" strings="/texts.json"></php-chat>';
  await open(site, page, { body, attributes: 'lang="cs"' });
  await expect(page.getByText('Connected', { exact: true })).toBeVisible();
  await field(page).fill('half a sentence');
  // Parts that open later have their own texts.
  await expect(page.getByRole('complementary', { name: 'People' })).toBeVisible();
  send();
  await expect(page.getByText('Připojeno')).toBeVisible();
  await expect(page.getByRole('complementary', { name: 'Lidé' })).toContainText('Here now');
  await expect(page.getByRole('textbox', { name: 'Zpráva do elements' })).toHaveValue('half a sentence');
  await expect(page.getByRole('textbox', { name: 'Zpráva do elements' })).toBeFocused();
  expect(await page.locator('php-chat .app').getAttribute('lang')).toBe('cs');
  expect(languages).toEqual(['en']);
  await page.locator('php-chat').evaluate((chat) => {
    Object.assign(chat, { strings: { 'conn.connected': { cs: 'Tady' } } });
  });
  await expect(page.getByText('Tady', { exact: true })).toBeVisible();
});

test('texts that a script gives the elements before these are loaded count, whatever their language is called', {
  tag: '@soak',
}, async ({ page, site }) => {
  const texts = { 'conn.connected': { constructor: 'Here' }, 'launcher.open': { constructor: 'Talk to us' } };
  const body = `${tag}<php-chat-launcher></php-chat-launcher>
    <script>for (const one of document.body.children) one.strings = ${JSON.stringify(texts)}</script>`;
  await open(site, page, { body, attributes: 'lang="constructor"' });
  await expect(page.getByText('Here', { exact: true })).toBeVisible();
  await expect(page.getByRole('button', { name: 'Talk to us' })).toBeVisible();
});

test('texts of the owner: an unknown key is named once, a value that is no text is ignored, and markup is plain text', {
  tag: '@soak',
}, async ({ page, site }) => {
  const markup = '<img src=x onerror="window.ran = 1">{constructor}';
  const texts = `{
    "conn.conected": { "en": "Here" },
    "conn.connected": { "en": ${JSON.stringify(markup)}, "constructor": "a" },
    "timeline.jump.few": { "pl": "{n} nowe" },
    "people.title": { "en": 5 },
    "launcher.open": { "en": { "toString": null }, "constructor": "c" },
    "__proto__": { "en": "b" }
  }`;
  await page.context().route('**/texts.json', (route) => route.fulfill({ body: texts }));
  const body = `<php-chat room="elements" strings="/texts.json"></php-chat>
    <php-chat-launcher strings="/texts.json"></php-chat-launcher><php-chat-badge strings="http://["></php-chat-badge>`;
  await join(site, await ownUser(site, page.context()), 'elements');
  const said: string[] = [];
  page.on('console', (message) => said.push(message.text()));
  page.on('pageerror', ({ message }) => said.push(message));
  await show(site, page, { body });
  await expect(page.getByText(markup)).toBeVisible();
  await expect(page.getByRole('complementary', { name: 'People' })).toBeVisible();
  await expect(page.locator('php-chat-launcher').getByRole('button')).toBeVisible();
  const unknown =
    'php-chat: no text has the key conn.conected, __proto__. The keys are those of languages/en.json.';
  const unusable = 'php-chat: the texts of http://[ cannot be used: ';
  await expect.poll(() => said.toSorted()).toEqual([unknown, expect.stringContaining(unusable)]);
  said.length = 0;
  for (const strings of [null, { 'conn.connected': null }, { 'conn.connected': { en: 'Here' } }]) {
    await page
      .locator('php-chat')
      .first()
      .evaluate((chat, strings) => Object.assign(chat, { strings }), strings);
    const text = strings?.['conn.connected']?.en ?? (strings === null ? markup : 'Connected');
    await expect(page.getByText(text, { exact: true })).toBeVisible();
  }
  expect(said).toEqual([
    'php-chat: the texts of `strings` cannot be used: not an object of objects: by key, then by language',
  ]);
  expect(await page.evaluate('window.ran')).toBeUndefined();
});

test('a language from right to left mirrors the chat in any page; the launcher speaks it before the chat is loaded', async ({
  page,
  site,
}) => {
  const body = `<php-chat room="elements" lang="he"></php-chat>
    <php-chat-launcher lang="he"></php-chat-launcher>`;
  await open(site, page, { body, attributes: 'lang="en"' });
  await expect(page.getByRole('button', { name: 'פתיחת הצ׳אט' })).toBeVisible();
  // A value of the other direction stands apart from the signs around it.
  const named = page.getByRole('textbox', { name: 'הודעה אל \u2068elements\u2069' });
  await expect(named).toBeVisible();
  const x = async (role: 'navigation' | 'region') =>
    (await page.getByRole(role).first().boundingBox())?.x ?? 0;
  expect(await x('navigation')).toBeGreaterThan(await x('region'));
  await page.locator('php-chat').evaluate((chat) => {
    Object.assign(chat, { dir: 'ltr', lang: 'ar' });
  });
  await expect(page.getByRole('textbox', { name: /^رسالة إلى/ })).toBeVisible();
  expect(await x('navigation')).toBeLessThan(await x('region'));
});

test('English texts keep their full stop at their end in a page from right to left', {
  tag: '@soak',
}, async ({ page, site }) => {
  await open(site, page, { attributes: 'lang="fa" dir="rtl"' });
  const start = page.getByText('Everyone in elements will see it.');
  await expect(start).toBeVisible();
  const ends = await start.evaluate((element) => {
    const text = [...element.childNodes].find((node) => node.textContent?.includes('elements')) as Text;
    const at = (index: number) => {
      const range = document.createRange();
      range.setStart(text, index);
      range.setEnd(text, index + 1);
      return range.getBoundingClientRect().x;
    };
    return [at(0), at((text.textContent?.length ?? 1) - 1)];
  });
  expect(ends[1]).toBeGreaterThan(ends[0] as number);

  // A name is beside its picture, and a menu at its button, at the right of their container.
  const right = (locator: Locator) =>
    locator.evaluate((element) => {
      const range = document.createRange();
      range.selectNodeContents(element);
      return range.getBoundingClientRect().right;
    });
  const left = async (locator: Locator) => (await locator.boundingBox())?.x ?? Number.NaN;
  const row = page.locator('php-chat .room[aria-current]');
  for (const words of ['.name bdi', '.last'])
    expect((await left(row.locator('.lead'))) - (await right(row.locator(words)))).toBeLessThan(20);
  const opener = page.getByRole('button', { name: 'Room menu' });
  await opener.click();
  const item = page.getByRole('menuitem', { name: 'Members' });
  expect((await left(item.locator('.i'))) - (await right(item.locator('span')))).toBeLessThan(20);
  expect(await left(page.getByRole('menu'))).toBeCloseTo(await left(opener), 0);
});

/** The headers that docs/element.md advises. */
const policies = [
  ...readFileSync(new URL('../../docs/element.md', import.meta.url), 'utf8').matchAll(
    /^Content-Security-Policy: (.*)$/gm,
  ),
].map(([, policy = '']) => policy);

/** All browser errors, and every violated rule. */
function complaints(page: Page): string[] {
  const all: string[] = [];
  page.on('console', (message) => message.type() !== 'log' && all.push(message.text()));
  page.on('pageerror', (error) => all.push(error.message));
  return all;
}

test('the policy for a subdomain, and the strictest one, let the chat work by WebSocket', async ({
  browser,
  site,
}) => {
  const advised = (policies[1] ?? '')
    .replaceAll('https://chat.example.org', site.chat.url)
    .replaceAll('wss://chat.example.org', site.chat.url.replace('http', 'ws'));
  const strictest = `default-src 'none'; script-src ${site.chat.url}; connect-src ${site.chat.url} ${site.chat.url.replace('http', 'ws')}; style-src 'self'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'`;
  for (const policy of [advised, strictest]) {
    const context = await browser.newContext();
    const said: string[] = [];
    context.on('page', (opened) => opened.on('websocket', (socket) => said.push(socket.url())));
    const page = await context.newPage();
    await open(site, page, { headers: { 'content-security-policy': policy } });
    const bad = complaints(page);
    await page.reload();
    await expect(field(page)).toBeVisible();
    await field(page).fill('by WebSocket');
    await field(page).press('Enter');
    await expect(page.getByRole('article').filter({ hasText: 'by WebSocket' }).last()).toBeVisible();
    expect(said.some((url) => url.includes('transport=websocket'))).toBe(true);
    expect(bad.filter((text) => !text.includes('favicon'))).toEqual([]);
    await context.close();
  }
});

test('the policy for a path of the same host lets the chat work by WebSocket', { tag: '@soak' }, async ({
  page,
  site,
}) => {
  await join(site, await ownUser(site, page.context()), 'elements');
  const bad = complaints(page);
  const sockets: string[] = [];
  page.on('websocket', (socket) => sockets.push(socket.url()));
  const { host } = new URL(site.chat.url);
  const policy = (policies[0] ?? '').replaceAll('wss://www.example.org', `ws://${host}`);
  expect(policy).toContain(`ws://${host}`);
  await page.route(`${site.chat.url}/page`, (route) =>
    route.fulfill({
      headers: { 'content-type': 'text/html', 'content-security-policy': policy },
      body: `<!doctype html><html lang="en"><title>Page</title><link rel="icon" href="/php-chat.js"><script type="module" src="/php-chat.js"></script>${tag}`,
    }),
  );
  await page.goto(`${site.chat.url}/page`);
  await expect(field(page)).toBeVisible();
  expect(sockets.some((url) => url.includes('transport=websocket'))).toBe(true);
  expect(bad).toEqual([]);
});

test('several elements and a launcher on one page; the page gets no new names', { tag: '@soak' }, async ({
  page,
  site,
}) => {
  const two = '<php-chat room="elements"></php-chat><php-chat room="lobby"></php-chat>';
  await page.context().addInitScript(() => {
    const before = new Set(Object.getOwnPropertyNames(globalThis));
    Object.defineProperty(document, 'added', {
      get: () => Object.getOwnPropertyNames(globalThis).filter((name) => !before.has(name)),
    });
  });
  await open(site, page, { body: `${two}<php-chat-launcher></php-chat-launcher>` });
  await expect(page.getByRole('textbox', { name: 'Message to elements' })).toBeVisible();
  await expect(page.getByRole('textbox', { name: 'Message to lobby' })).toBeVisible();
  await page.getByRole('textbox', { name: 'Message to lobby' }).fill('in the second one');
  await page.keyboard.press('Enter');
  const second = page.locator('php-chat').nth(1);
  await expect(second.getByRole('article').filter({ hasText: 'in the second one' })).toBeVisible();
  expect(await page.evaluate(() => (document as unknown as { added: string[] }).added)).toEqual([]);
});

test('removed and put back many times: no socket, timer, listener or channel is left', async ({
  browser,
  site,
}) => {
  const context = await browser.newContext();
  await context.addInitScript(() => {
    const left = { sockets: 0, timers: new Set<unknown>(), listeners: 0, channels: 0 };
    Object.assign(document, { left });
    const Socket = globalThis.WebSocket;
    globalThis.WebSocket = class extends Socket {
      constructor(...args: ConstructorParameters<typeof WebSocket>) {
        super(...args);
        left.sockets += 1;
        super.addEventListener('close', () => {
          left.sockets -= 1;
        });
      }
    };
    const Channel = globalThis.BroadcastChannel;
    globalThis.BroadcastChannel = class extends Channel {
      constructor(name: string) {
        super(name);
        left.channels += 1;
      }
      override close() {
        left.channels -= 1;
        super.close();
      }
    };
    const { setInterval: every, clearInterval: never } = globalThis;
    globalThis.setInterval = ((...args: Parameters<typeof every>) => {
      const timer = every(...args);
      left.timers.add(timer);
      return timer;
    }) as typeof every;
    globalThis.clearInterval = (timer) => {
      left.timers.delete(timer);
      never(timer);
    };
    for (const target of [globalThis, document] as EventTarget[]) {
      const { addEventListener: add, removeEventListener: remove } = target;
      target.addEventListener = (...args: Parameters<typeof add>) => {
        left.listeners += 1;
        const signal = typeof args[2] === 'object' ? args[2]?.signal : undefined;
        signal?.addEventListener('abort', () => {
          left.listeners -= 1;
        });
        add.apply(target, args);
      };
      target.removeEventListener = (...args: Parameters<typeof remove>) => {
        left.listeners -= 1;
        remove.apply(target, args);
      };
    }
  });
  const page = await context.newPage();
  await open(site, page, { body: '<main></main>' });
  /** Some are removed before they are loaded; every tenth has connected. */
  const mount = (times: number) =>
    page.evaluate(async (count) => {
      const place = document.querySelector('main') as HTMLElement;
      for (let i = 0; i < count; i += 1) {
        const names = ['php-chat', 'php-chat-launcher', 'php-chat-badge'];
        const all = names.map((name) => document.createElement(name));
        all[0]?.setAttribute('room', 'elements');
        place.append(...all);
        const shown = () => all[0]?.shadowRoot?.querySelector('textarea') != null;
        while (i % 10 === 0 && !shown()) await new Promise((resolve) => requestAnimationFrame(resolve));
        place.replaceChildren();
        await new Promise((resolve) => requestAnimationFrame(resolve));
      }
    }, times);
  const left = () =>
    page.evaluate(() => {
      const { sockets, timers, listeners, channels } = (
        document as unknown as {
          left: { sockets: number; timers: Set<unknown>; listeners: number; channels: number };
        }
      ).left;
      return { sockets, timers: timers.size, listeners, channels };
    });
  await mount(1);
  const none = { sockets: 0, timers: 0, listeners: 0, channels: 0 };
  await expect.poll(left).toEqual(none);
  await mount(!soak ? 30 : 100);
  await expect.poll(left).toEqual(none);
  await context.close();
});

for (const [locale, size] of [
  ['en-GB', 100],
  ['fr-FR', 200],
] as const) {
  test(`the sample site’s header on a phone, ${locale}, text ${size} %: nothing is cut`, {
    tag: size === 100 ? [] : ['@soak'],
  }, async ({ browser, site }) => {
    const context = await browser.newContext({ viewport: { width: 360, height: 640 }, locale });
    const page = await context.newPage();
    await page.goto(site.php.chatPage);
    await page.locator('#u').fill('alice');
    await page.locator('#p').fill('alice');
    await page.locator('form button').click();
    await expect(page.locator('header.top')).toBeVisible();
    await page.evaluate((percent) => {
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(`html { font-size: ${percent}% }`);
      document.adoptedStyleSheets = [sheet];
    }, size);
    const cut = await page.evaluate(() => {
      const { right, bottom: end } =
        document.querySelector('header.top')?.getBoundingClientRect() ?? new DOMRect();
      return [...document.querySelectorAll('header.top :is(.site-name, .plain)')]
        .filter((element) => element.checkVisibility())
        .filter((element) => {
          const at = element.getBoundingClientRect();
          return (
            at.left < 0 ||
            at.right > right ||
            at.bottom > end ||
            element.scrollWidth > element.clientWidth + 1
          );
        })
        .map((element) => element.textContent);
    });
    expect(cut).toEqual([]);
    await expect.poll(() => page.evaluate(() => document.documentElement.scrollWidth)).toBe(360);
    const header = await page.locator('header.top').boundingBox();
    expect(header?.height).toBeGreaterThanOrEqual(52);
    await context.close();
  });
}

test('hints for who builds the page, once each: a foreign origin, an unknown room, two versions', {
  tag: '@soak',
}, async ({ page, site }) => {
  const two = '<php-chat room="no-such-room"></php-chat>'.repeat(2);
  const said: string[] = [];
  page.on('console', (message) => message.type() === 'warning' && said.push(message.text()));
  await open(site, page, { body: two });
  await expect(page.getByText('Connected', { exact: true })).toHaveCount(2);
  await expect.poll(() => said).toEqual([expect.stringContaining('there is no room "no-such-room"')]);

  // The same script from two addresses is harmless.
  said.length = 0;
  let more = '';
  await page.route('**/elsewhere/php-chat.js', async (route) => {
    const script = await route.fetch({ url: `${site.chat.url}/php-chat.js` });
    const headers = { 'content-type': 'text/javascript', 'access-control-allow-origin': '*' };
    await route.fulfill({ headers, body: `${await script.text()}${more}` });
  });
  const scripts = ['', '/elsewhere'].map(
    (path) => `<script type="module" src="${site.chat.url}${path}/php-chat.js"></script>`,
  );
  const both = site.host(`<!doctype html><html lang="en"><title>Two</title>${scripts.join('')}${tag}`);
  let asked = 0;
  page.on('request', (request) => {
    if (request.url().endsWith('/elsewhere/php-chat.js')) asked += 1;
  });
  await page.goto(both);
  // Once by the page, once for the comparison.
  await expect.poll(() => asked).toBe(2);
  await expect(page.getByText('Connected', { exact: true })).toBeVisible();
  expect(said).toEqual([]);
  more = '// of another version';
  await page.reload();
  await expect.poll(() => said).toEqual([expect.stringContaining('two scripts of different versions')]);

  said.length = 0;
  const other = new URL(site.host(`<!doctype html><html lang="en"><title>One</title>${scripts[0]}${tag}`));
  other.hostname = 'localhost';
  await page.goto(other.href);
  await expect.poll(() => said.length).toBe(1);
  expect(said[0]).toContain(`Add ${other.origin} to CHAT_ORIGINS`);
  // With that alone nobody would be logged in.
  expect(said[0]).toContain('give the chat an address under localhost');
});
