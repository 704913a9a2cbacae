import type { Page } from '@playwright/test';
import { asUser } from './as-user.ts';
import { axe } from './axe.ts';
import { expect, type Person, type Site, stored, test } from './fixtures.ts';
import { join, ownUser } from './own-user.ts';
import { numbered, seed } from './seed.ts';

/** A page of the site with only the launcher and this content. */
function shop(site: Site, inside = '', tag = '<php-chat-launcher></php-chat-launcher>'): string {
  return site.host(`<!doctype html><html lang="en"><meta charset="utf-8"><title>Shop</title>
    <meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">
    <script type="module" src="${site.chat.url}/php-chat.js"></script>
    <h1>Shop</h1><a href="/orders">Orders <php-chat-badge></php-chat-badge></a>${inside}${tag}`);
}

/** Records the paths that a page requests from this server. */
function requestsOf(page: Page, address: string): string[] {
  const paths: string[] = [];
  page.on('request', (request) => {
    if (request.url().startsWith(address)) paths.push(new URL(request.url()).pathname);
  });
  return paths;
}

const button = (page: Page) => page.locator('php-chat-launcher').getByRole('button', { name: /^Open chat/ });
const field = (page: Page) => page.getByRole('textbox', { name: /^Message to/ });

test('the launcher works in the pages of a shop', async ({ page, site }) => {
  const panel = page.getByRole('dialog', { name: 'Chat' });
  const logs: string[] = [];
  page.on('console', (message) => logs.push(message.text()));
  page.on('pageerror', (error) => logs.push(error.message));

  await test.step('does not request the unread count on a page without TLS', async () => {
    // The browser does not treat this name as the local machine, which would be secure without TLS.
    const address = `http://shop.example:${new URL(site.chat.url).port}`;
    const paths = requestsOf(page, address);
    await page.route('**/shop', (route) =>
      route.fulfill({
        contentType: 'text/html',
        body: `<!doctype html><html lang="en"><title>Shop</title><link rel="icon" href="data:,">
          <script type="module" src="/php-chat.js"></script><php-chat-launcher></php-chat-launcher>`,
      }),
    );
    await page.goto(`${address}/shop`);
    await expect(button(page)).toHaveAccessibleName('Open chat');
    expect(await page.evaluate('isSecureContext')).toBe(false);
    await page.waitForFunction(() => performance.now() > 1000);
    expect(paths).toEqual(['/shop', '/php-chat.js']);
    expect(logs).toEqual([]);
  });

  await test.step('shows a visitor no unread count and logs nothing to the console', async () => {
    const answered = page.waitForResponse(`${site.chat.url}/me`);
    await page.goto(shop(site));
    expect((await answered).status()).toBe(200);
    await expect(button(page)).toHaveAccessibleName('Open chat');
    await expect(page.locator('php-chat-badge')).toHaveText('');
    expect(logs).toEqual([]);
  });

  const user = await ownUser(site, page.context());
  for (const room of ['garden', 'board']) await join(site, user, room);

  await test.step('does not load the code of the chat before a click, and requests the unread count once', async () => {
    await seed(site, 'bob', 'garden', ['one', 'two']);
    const paths = requestsOf(page, site.chat.url);
    await page.evaluate(() => localStorage.clear());
    await page.goto(shop(site));
    await expect(button(page)).toHaveAccessibleName('Open chat, 2 unread');
    await expect(page.locator('php-chat-badge').getByText('2', { exact: true })).toBeVisible();
    await expect(page.getByRole('link', { name: 'Orders 2 unread' })).toBeVisible();
    expect(paths).toEqual(['/php-chat.js', '/me']);
  });

  await test.step('shows an error if the chat cannot be loaded, and a retry loads it', async () => {
    await page.route(/chat-app/, (route) => route.abort());
    await button(page).click();
    await expect(page.getByText('The chat couldn’t be loaded.')).toBeVisible();
    await page.unroute(/chat-app/);
    await page.getByRole('button', { name: 'Try again' }).click();
    await expect(field(page)).toBeVisible();
    expect(await panel.boundingBox()).toMatchObject({ width: 380, height: 600 });
  });

  await test.step('closes with Esc, the chat’s own button or the round button', async () => {
    // Elements inside get Esc first.
    await field(page).fill('half a sentence');
    await page.keyboard.press('Escape');
    await expect(panel).toBeHidden();
    await expect(button(page)).toBeFocused();
    await page.keyboard.press('Enter');
    await expect(field(page)).toBeFocused();
    await expect(field(page)).toHaveValue('half a sentence');
    await page.locator('php-chat-launcher > php-chat').getByRole('button', { name: 'Close chat' }).click();
    await expect(panel).toBeHidden();
    await expect(button(page)).toBeFocused();
    await button(page).click();
    // The round button is a sibling of the panel, and the other button is inside.
    await page.getByRole('button', { name: 'Close chat' }).last().click();
    await expect(panel).toBeHidden();
  });

  await test.step('stays open on the next page after data-chat-with opened it', async () => {
    const inside = `<input aria-label="Search the shop" autofocus><button data-chat-with="2">Ask Bob</button>
      <style>php-chat-launcher { --pc-accent: #a3420b }</style>`;
    await page.goto(shop(site, inside));
    await page.getByRole('button', { name: 'Ask Bob' }).click();
    await expect(page.getByRole('textbox', { name: 'Message to Bob' })).toBeFocused();
    await page.keyboard.press('Escape');
    await expect(page.getByRole('button', { name: 'Ask Bob' })).toBeFocused();
    await button(page).click();
    await expect(field(page)).toBeFocused();
    await page.reload();
    await expect(field(page)).toBeVisible();
    await expect(page.getByLabel('Search the shop')).toBeFocused();
    await field(page).fill('The colour of the button is that of the chat.');
    await expect(page.locator('php-chat .send')).toHaveCSS('background-color', 'rgb(163, 66, 11)');
    await field(page).fill('');
  });

  await test.step('fills a small window and makes the page behind it unreachable', async () => {
    for (const [width, height] of [
      [800, 400],
      [360, 640],
    ] as const) {
      await page.setViewportSize({ width, height });
      await expect.poll(() => panel.boundingBox()).toEqual({ x: 0, y: 0, width, height });
      const { y = 0, height: own = height } = (await field(page).boundingBox()) ?? {};
      expect(y + own).toBeLessThanOrEqual(height);
      expect(await page.evaluate(() => document.documentElement.scrollWidth)).toBe(width);
      expect(await panel.evaluate((dialog) => dialog.matches(':modal'))).toBe(true);
    }
    await page.locator('php-chat').getByRole('button', { name: 'Close chat' }).click();
    await expect(panel).toBeHidden();
    await expect(button(page)).toBeFocused();
  });

  await test.step('counts only the messages of its room on a launcher for a single room', async () => {
    await page.setViewportSize({ width: 1280, height: 800 });
    await seed(site, 'bob', 'garden', ['three']);
    const other = await page.context().newPage();
    await other.goto(shop(site));
    await expect(button(other)).toHaveAccessibleName(/^Open chat, \d+ unread$/);
    await page.goto(shop(site, '', '<php-chat-launcher room="board" single></php-chat-launcher>'));
    await button(page).click();
    // Messages before the end of the join do not count.
    await field(page).fill('mine');
    await field(page).press('Enter');
    await expect(page.getByRole('log').getByText(stored)).toBeVisible();
    await page.getByRole('button', { name: 'Close chat' }).last().click();
    await seed(site, 'bob', 'board', ['four']);
    await expect(button(page)).toHaveAccessibleName('Open chat, 1 unread');
    await expect(button(other)).toHaveAccessibleName(/^Open chat, [2-4] unread$/);
    await other.close();
  });

  await test.step('keeps the visible message in place while the panel changes its size', async () => {
    await seed(site, 'bob', 'board', numbered(40, 'More lines in a panel that is narrower. '.repeat(4)));
    await page.setViewportSize({ width: 1280, height: 740 });
    await page.goto(shop(site, '', '<php-chat-launcher room="board"></php-chat-launcher>'));
    await button(page).click();
    const log = page.getByRole('log');
    const message = log.getByRole('article').filter({ hasText: / 20$/ });
    await expect(message).toBeAttached();
    await message.evaluate((element) => element.scrollIntoView());
    const fromTop = async () =>
      Math.abs(((await message.boundingBox())?.y ?? 0) - ((await log.boundingBox())?.y ?? 0));
    // The log scrolls by whole pixels, while messages have fractions of them.
    await expect.poll(fromTop).toBeLessThan(1);
    // The author's name, far above in this group, does not cover the message.
    const isOnTop = (element: Element) => {
      const { x, y } = element.getBoundingClientRect();
      return element.contains((element.getRootNode() as ShadowRoot).elementFromPoint(x + 8, y + 8));
    };
    expect(await message.evaluate(isOnTop)).toBe(true);
    // Below 480 px the panel is modal and as wide as the window.
    for (const [width, columnWidth] of [
      [470, 470],
      [1280, 380],
      [360, 360],
    ] as const) {
      await page.setViewportSize({ width, height: 740 });
      await expect(log).toHaveJSProperty('clientWidth', columnWidth);
      await expect.poll(fromTop).toBeLessThan(1);
    }
    await page.locator('php-chat').getByRole('button', { name: 'Close chat' }).click();
  });

  await test.step('opens at the message of a link', async () => {
    const { message } = await asUser(site, 'bob', async (ask) => {
      await ask('room:join', { room: 'garden' });
      return ask('message:send', { room: 'garden', text: 'the linked one', clientId: 'linked' });
    });
    await page.setViewportSize({ width: 1280, height: 740 });
    const address = `${shop(site)}#m=garden/${message.seq}`;
    // Otherwise only the fragment of the address changes.
    await page.goto('about:blank');
    await page.goto(address);
    const linked = page.locator('php-chat').getByRole('article').filter({ hasText: 'the linked one' });
    await expect(linked).toBeFocused();
    await expect(page).toHaveURL(address);
  });
});

test('shows who else reads the page once both users agreed', { tag: '@soak' }, async ({
  alice,
  bob,
  site,
}) => {
  const url = shop(site, '', '<php-chat-launcher here="tomatoes"></php-chat-launcher>');
  const writeTo = ({ page }: Person, name: string) =>
    page.getByRole('button', { name: `Message ${name}, who is on this page` });
  for (const person of [alice, bob]) {
    const { page } = person;
    await page.goto(url);
    await button(page).click();
    await page.getByRole('button', { name: 'Back to rooms' }).click();
    // Alice agrees when she is asked, and Bob later in the settings. Both are asked once.
    const question = page.getByRole('group', { name: 'On the same page' });
    await person.shot(`same-page-${person === alice ? 'alice' : 'bob'}`);
    const show = 'Show me to others who are on the same page';
    if (person === alice) await question.getByRole('button', { name: show }).click();
    else await question.getByRole('button', { name: 'Not now' }).click();
    await expect(question).toHaveCount(0);
    await page.getByRole('button', { name: 'Settings', exact: true }).click();
    if (person === bob) await page.getByRole('switch', { name: show }).click();
    await expect(page.getByRole('switch', { name: show })).toBeChecked();
    await page.locator('php-chat').getByRole('button', { name: 'Close chat' }).click();
  }
  // The server first shows a user to others, so the answer after that is replaced here.
  const readers = { alice: [{ id: '2', name: 'Bob' }], bob: [{ id: '1', name: 'Alice' }] };
  for (const [name, person] of Object.entries({ alice, bob })) {
    const { page } = person;
    let asked = 0;
    await page.route(/\/here\?.*tomatoes/, async (route) => {
      const response = await route.fetch();
      const answer = await response.json();
      expect(answer).toEqual({ here: [], nextMs: expect.any(Number) });
      const shown = { here: readers[name as 'alice' | 'bob'], avatar: '/tomato.webp?{id}' };
      const json = asked++ > 0 ? { nextMs: 60_000, ...shown } : { nextMs: 100, here: [] };
      await route.fulfill({ response, json });
    });
    await page.reload();
  }
  await expect(writeTo(bob, 'Alice')).toBeVisible();
  const { violations } = await (await axe(bob.page)).include('php-chat-launcher').analyze();
  expect(violations).toEqual([]);
  await bob.shot('same-page');
  await expect(writeTo(alice, 'Bob').locator('img')).toHaveAttribute('src', '/tomato.webp?2');
  await writeTo(alice, 'Bob').click();
  await expect(alice.page.getByRole('textbox', { name: 'Message to Bob' })).toBeFocused();
  await expect(writeTo(alice, 'Bob')).toBeHidden();
  const asked = alice.page.waitForResponse(/\/here\?.*apples/);
  await alice.page.goto(shop(site, '', '<php-chat-launcher here="apples"></php-chat-launcher>'));
  expect(await (await asked).json()).toEqual({ here: [], nextMs: expect.any(Number) });
});
