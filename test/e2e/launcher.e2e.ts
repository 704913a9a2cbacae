import { chromium, type Page } from '@playwright/test';
import { axe } from './axe.ts';
import { expect, type Site, test } from './fixtures.ts';
import { join, ownUser } from './own-user.ts';
import { seed } from './seed.ts';

/** A page of the site with only the launcher, and the given content. */
function shop(site: Site, inside = '', tag = '<php-chat-launcher></php-chat-launcher>'): string {
  return site.host(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Shop</title>
    <meta name="viewport" content="width=device-width, initial-scale=1">
    <script type="module" src="${site.chat.url}/php-chat.js"></script>
    <h1>Shop</h1><a href="/orders">Orders <php-chat-badge></php-chat-badge></a>${inside}${tag}`);
}

/** A member of the room who has read everything in it, and then gets those messages. */
async function withUnread(site: Site, page: Page, room: string, texts: string[]) {
  const user = await ownUser(site, page.context());
  await join(site, user, room);
  if (texts.length > 0) await seed(site, 'bob', room, texts);
  return user;
}

/** The addresses of the chat server that a page requests, without their queries. */
function asked(page: Page, site: Site, address = site.chat.url): string[] {
  const paths: string[] = [];
  page.on('request', (request) => {
    if (request.url().startsWith(address)) paths.push(new URL(request.url()).pathname);
  });
  return paths;
}

const button = (page: Page) => page.locator('php-chat-launcher').getByRole('button', { name: /^Open chat/ });
const field = (page: Page) => page.getByRole('textbox', { name: /^Message to/ });

test('before the first opening: the number, one question, and no chat code', async ({ page, site }) => {
  await withUnread(site, page, 'garden', ['one', 'two']);
  const paths = asked(page, site);
  await page.goto(shop(site));
  await expect(button(page)).toHaveAccessibleName('Open chat, 2 unread');
  await expect(page.locator('php-chat-badge').getByText('2', { exact: true })).toBeVisible();
  await expect(page.getByRole('link', { name: 'Orders 2 unread' })).toBeVisible();
  expect(paths).toEqual(['/php-chat.js', '/me']);

  await button(page).click();
  await expect(field(page)).toBeFocused();
  expect(paths.some((path) => path.includes('chat-app'))).toBe(true);
  await expect(page.getByRole('dialog', { name: 'Chat' })).toBeVisible();
});

test('a click counts although the button is redrawn in the middle of it', { tag: '@soak' }, async ({
  page,
  site,
}) => {
  await withUnread(site, page, 'lobby', []);
  await page.goto(shop(site));
  await button(page).hover();
  await page.mouse.down();
  await page.locator('php-chat-launcher').evaluate((launcher) => Object.assign(launcher, { strings: {} }));
  await page.mouse.up();
  await expect(field(page)).toBeFocused();
});

test('nobody is logged in: no number, nothing in the console', async ({ page, site }) => {
  const said: string[] = [];
  page.on('console', (message) => said.push(message.text()));
  page.on('pageerror', (error) => said.push(error.message));
  const answered = page.waitForResponse(`${site.chat.url}/me`);
  await page.goto(shop(site));
  expect((await answered).status()).toBe(200);
  await expect(button(page)).toHaveAccessibleName('Open chat');
  await expect(page.locator('php-chat-badge')).toHaveText('');
  expect(said.filter((text) => !text.includes('favicon'))).toEqual([]);
});

test('on a page without TLS, whose own host serves the chat, nothing is asked that would be refused', async ({
  site,
  launchOptions,
}) => {
  const port = new URL(site.chat.url).port;
  // A name that the browser does not count as this machine: without TLS, only the machine itself counts as safe.
  const map = '--host-resolver-rules=MAP shop.example 127.0.0.1';
  const browser = await chromium.launch({ ...launchOptions, args: [...(launchOptions.args ?? []), map] });
  const page = await browser.newPage();
  const said: string[] = [];
  page.on('console', (message) => said.push(message.text()));
  const paths = asked(page, site, `http://shop.example:${port}`);
  await page.route('**/shop', (route) =>
    route.fulfill({
      contentType: 'text/html',
      body: `<!doctype html><html lang="en"><title>Shop</title><link rel="icon" href="data:,">
        <script type="module" src="/php-chat.js"></script><php-chat-launcher></php-chat-launcher>`,
    }),
  );
  await page.goto(`http://shop.example:${port}/shop`);
  await expect(button(page)).toHaveAccessibleName('Open chat');
  expect(await page.evaluate('isSecureContext')).toBe(false);
  await page.waitForFunction(() => performance.now() > 1000);
  expect(paths).toEqual(['/shop', '/php-chat.js']);
  expect(said).toEqual([]);
  await browser.close();
});

test('pages that open together ask once, and all show the result of one', { tag: '@soak' }, async ({
  page,
  site,
}) => {
  await withUnread(site, page, 'board', ['one']);
  const url = shop(site);
  const pages = [page, await page.context().newPage(), await page.context().newPage()];
  const paths = pages.map((one) => asked(one, site));
  // However late a busy machine opens the last one.
  const opened = Promise.withResolvers<void>();
  await page.context().route('**/me', async (route) => {
    await opened.promise;
    await route.continue();
  });
  await Promise.all(pages.map((one) => one.goto(url)));
  for (const one of pages) await one.waitForFunction(() => performance.now() > 1000);
  opened.resolve();
  for (const one of pages) await expect(button(one)).toHaveAccessibleName('Open chat, 1 unread');
  expect(paths.flat().filter((path) => path === '/me')).toHaveLength(1);

  // An open chat reports to all other pages, which then stop asking.
  const [first, second] = pages as [Page, Page];
  await button(first).click();
  await first
    .locator('php-chat')
    .getByRole('button', { name: /^Back to rooms/ })
    .click();
  await seed(site, 'bob', 'board', ['two']);
  await expect(button(second)).toHaveAccessibleName('Open chat, 2 unread');
  await first
    .getByRole('navigation', { name: 'Rooms' })
    .getByRole('button', { name: /^board/ })
    .click();
  await expect(button(second)).toHaveAccessibleName('Open chat');
  await expect(second.locator('php-chat-badge')).toHaveText('');
});

test('the chat of a single room counts on its own button alone', async ({ page, site }) => {
  const user = await withUnread(site, page, 'garden', ['one', 'two']);
  await join(site, user, 'board');
  const other = await page.context().newPage();
  await other.goto(shop(site));
  await expect(button(other)).toHaveAccessibleName('Open chat, 2 unread');
  await page.goto(shop(site, '', '<php-chat-launcher room="board" single></php-chat-launcher>'));
  await button(page).click();
  await expect(field(page)).toBeVisible();
  await page.getByRole('button', { name: 'Close chat' }).last().click();
  await expect(button(page)).toHaveAccessibleName('Open chat');
  await seed(site, 'bob', 'board', ['three']);
  await expect(button(page)).toHaveAccessibleName('Open chat, 1 unread');
  // Once it has asked the server again, it counts the third one, too.
  await expect(button(other)).toHaveAccessibleName(/^Open chat, [23] unread$/);
});

test('the chat has the colour of its button, unless the page gives it another', { tag: '@soak' }, async ({
  page,
  site,
}) => {
  await withUnread(site, page, 'garden', []);
  const colour = (at: string) =>
    page.locator(at).evaluate((element) => getComputedStyle(element).backgroundColor);
  const send = 'php-chat .send';
  for (const [css, chat] of [
    ['php-chat-launcher { --pc-accent: #a3420b }', 'rgb(163, 66, 11)'],
    ['', 'rgb(63, 79, 176)'],
    ['php-chat-launcher { --pc-accent: #a3420b } php-chat { --pc-accent: #008877 }', 'rgb(0, 136, 119)'],
  ] as const) {
    await page.goto(shop(site, `<style>${css}</style>`));
    await page.evaluate('document.querySelector("php-chat-launcher").open()');
    await field(page).fill('something to send');
    await expect.poll(() => colour(send)).toBe(chat);
    const button = css === '' ? chat : 'rgb(163, 66, 11)';
    expect(await colour('php-chat-launcher button[aria-label="Close chat"]:not(.icon)')).toBe(button);
    await field(page).fill('');
  }
});

test('Esc, the round button and the chat’s own button close it and give the focus back', async ({
  page,
  site,
}) => {
  await withUnread(site, page, 'lobby', []);
  await page.goto(shop(site));
  const panel = page.getByRole('dialog', { name: 'Chat' });
  const box = async () => (await panel.boundingBox()) ?? { width: 0, height: 0 };
  await button(page).focus();
  await page.keyboard.press('Enter');
  await expect(field(page)).toBeFocused();
  expect(await box()).toMatchObject({ width: 380, height: 600 });
  // Elements inside get Esc first.
  await field(page).fill('half a sentence');
  await page.keyboard.press('Escape');
  await expect(panel).toBeHidden();
  await expect(button(page)).toBeFocused();

  await button(page).click();
  await expect(field(page)).toHaveValue('half a sentence');
  await page.locator('php-chat-launcher > php-chat').getByRole('button', { name: 'Close chat' }).click();
  await expect(panel).toBeHidden();
  await expect(button(page)).toBeFocused();

  await page.keyboard.press('Enter');
  await expect(panel).toBeVisible();
  // The round button is a sibling of the panel; the other one is inside.
  await page.getByRole('button', { name: 'Close chat' }).last().click();
  await expect(panel).toBeHidden();
});

test('open stays open on the next page of the tab, without taking the focus; another tab is shut', {
  tag: '@soak',
}, async ({ page, site }) => {
  await withUnread(site, page, 'lobby', []);
  const url = shop(site, '<input aria-label="Search the shop" autofocus>');
  await page.goto(url);
  await button(page).click();
  await expect(field(page)).toBeFocused();
  await page.reload();
  await expect(field(page)).toBeVisible();
  await expect(page.getByLabel('Search the shop')).toBeFocused();
  const other = await page.context().newPage();
  await other.goto(url);
  await expect(button(other)).toBeVisible();
  await expect(other.getByRole('dialog', { name: 'Chat' })).toBeHidden();
});

for (const [width, height] of [
  [360, 640],
  [800, 400],
] as const) {
  test(`the whole window at ${width} × ${height}`, { tag: width === 360 ? [] : ['@soak'] }, async ({
    page,
    site,
  }) => {
    await page.setViewportSize({ width, height });
    await withUnread(site, page, 'lobby', []);
    await page.goto(shop(site, '<button>Buy</button>'));
    await button(page).click();
    await expect(field(page)).toBeFocused();
    const panel = page.getByRole('dialog', { name: 'Chat' });
    expect(await panel.boundingBox()).toEqual({ x: 0, y: 0, width, height });
    const composer = await field(page).boundingBox();
    expect((composer?.y ?? height) + (composer?.height ?? 0)).toBeLessThanOrEqual(height);
    expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
    // The page behind cannot be reached.
    expect(await panel.evaluate((dialog) => dialog.matches(':modal'))).toBe(true);
    await page.locator('php-chat').getByRole('button', { name: 'Close chat' }).click();
    await expect(panel).toBeHidden();
    await expect(button(page)).toBeFocused();
  });
}

test('any button with data-chat-with opens the direct room, and gets the focus back', {
  tag: '@soak',
}, async ({ page, site }) => {
  const sofia = await withUnread(site, page, 'lobby', []);
  await page.context().clearCookies();
  await withUnread(site, page, 'lobby', []);
  await page.goto(shop(site, `<button data-chat-with="${sofia.id}">Ask Sofia</button>`));
  await page.getByRole('button', { name: 'Ask Sofia' }).click();
  await expect(page.getByRole('region', { name: sofia.name })).toBeVisible();
  await expect(page.getByRole('textbox', { name: `Message to ${sofia.name}` })).toBeFocused();
  await page.keyboard.press('Escape');
  await expect(page.getByRole('button', { name: 'Ask Sofia' })).toBeFocused();
});

test('changes made while the button is out of the page reach the chat when it is back', {
  tag: '@soak',
}, async ({ page, site }) => {
  await withUnread(site, page, 'lobby', []);
  await page.goto(shop(site));
  await button(page).click();
  await expect(field(page)).toBeFocused();
  await page.locator('php-chat-launcher').evaluate(async (launcher) => {
    launcher.remove();
    // Out of the page for longer than a move takes.
    await new Promise((resolve) => setTimeout(resolve));
    launcher.setAttribute('theme', 'dark');
    document.body.append(launcher);
  });
  await expect(page.locator('php-chat')).toHaveAttribute('theme', 'dark');
});

test('the chat cannot be loaded: it says so, and Try again loads it', async ({ page, site }) => {
  await withUnread(site, page, 'lobby', []);
  await page.goto(shop(site));
  await page.route(/chat-app/, (route) => route.abort());
  await button(page).click();
  await expect(page.getByText('The chat couldn’t be loaded.')).toBeVisible();
  await page.unroute(/chat-app/);
  await page.getByRole('button', { name: 'Try again' }).click();
  await expect(field(page)).toBeVisible();
});

test('the sample site: every page without a fault, and “Message” on a member’s page opens the conversation', async ({
  alice,
  site,
}) => {
  const { page } = alice;
  await seed(site, 'bob', 'lobby', ['Hello']);
  for (const path of ['/', '/members', '/members/2', '/messages']) {
    await page.goto(site.php.url + path);
    await expect(page.locator('php-chat-launcher, php-chat').first()).toBeVisible();
    expect((await (await axe(page)).exclude('php-chat').analyze()).violations, path).toEqual([]);
  }
  await page.goto(`${site.php.url}/members/2`);
  // The site has `--accent` of its own, from which it sets that of the launcher.
  await expect(button(page)).toHaveCSS('background-color', 'rgb(31, 107, 69)');
  await page.getByRole('button', { name: 'Message Bob' }).click();
  await expect(page.getByRole('dialog', { name: 'Chat' })).toBeVisible();
  await expect(page.getByRole('region', { name: 'Bob' })).toBeVisible();
});
