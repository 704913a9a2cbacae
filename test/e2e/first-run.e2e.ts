import { expect, test } from '@playwright/test';
import { type ChatServer, nextChatServer } from '../helpers/chat-server.ts';
import { startMemcached } from '../helpers/memcached.ts';
import { shot } from './shot.ts';

const apiKey = 'a-key-for-this-test-only';

async function api({ url }: ChatServer, method: string, path: string, body?: object): Promise<void> {
  const headers = { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' };
  const answer = await fetch(`${url}/api/${path}`, { method, headers, body: JSON.stringify(body) ?? null });
  expect(answer.ok, await answer.text()).toBe(true);
}
const deleteLobby = (chat: ChatServer) => api(chat, 'DELETE', 'rooms/lobby');

test('the owner of a new chat sees the lines that bring it to his site; without any room there is one to make', async ({
  browser,
}) => {
  const memcached = await startMemcached();
  const chat = await nextChatServer({
    CHAT_SESSION_STORE: memcached.url,
    CHAT_ROOMS: 'lobby',
    CHAT_USER_ROLES: 'role',
    CHAT_API_KEY: apiKey,
    CHAT_LOGIN_URL: 'https://shop.example/login',
  });
  // The site's own message to the owner does not count as a message of a person.
  await api(chat, 'PUT', 'rooms/orders', { name: 'Your orders', kind: 'private' });
  await api(chat, 'PATCH', 'rooms/orders/members', { add: [{ id: 'a', name: 'a' }] });
  await api(chat, 'POST', 'rooms/orders/messages', {
    user: { id: 'site', name: 'The shop' },
    clientId: 'welcome',
    text: 'Welcome!',
  });
  const session = (id: string, role: string) =>
    memcached.set(`sessions/${id.repeat(32)}`, JSON.stringify({ user_id: id, firstname: id, role }));
  await session('a', 'admin');
  await session('b', 'member');
  const visit = async (id: string) => {
    const context = await browser.newContext();
    await context.addCookies([{ name: 'PHPSESSID', value: id.repeat(32), domain: '127.0.0.1', path: '/' }]);
    const page = await context.newPage();
    await page.goto(chat.url);
    await expect(page.getByText('Connected', { exact: true })).toBeVisible();
    return page;
  };
  const member = await visit('b');
  await expect(member.getByText('No messages yet').last()).toBeVisible();
  await expect(member.getByRole('region', { name: 'Your chat is ready' })).toBeHidden();

  const owner = await visit('a');
  const card = owner.getByRole('region', { name: 'Your chat is ready' });
  await expect(card).toContainText('CHAT_ORIGINS=https://shop.example');
  await expect(card).toContainText(`<script type="module" src="${chat.url}/php-chat.js"></script>`);
  await shot(owner, 'first-run');
  const opened = owner.waitForEvent('popup');
  await card.getByRole('link', { name: 'Read the guide' }).click();
  const guide = await opened;
  await expect(guide.getByRole('heading', { name: 'Attributes' })).toBeVisible();
  // Its style sheet is loaded.
  await expect(guide.locator('th').first()).toHaveCSS('text-align', 'start');
  await guide.setViewportSize({ width: 360, height: 640 });
  expect(await guide.evaluate(() => document.documentElement.scrollWidth)).toBeLessThanOrEqual(360);
  await shot(guide, 'first-run-4-guide');
  await guide.close();
  // A page of the site that has the tag needs no lines for it. Then neither does the chat's own page.
  const other = await (await visit('a')).context().newPage();
  await other.route(`${chat.url}/shop`, (route) =>
    route.fulfill({
      contentType: 'text/html',
      body: `<script type="module" src="/php-chat.js"></script><php-chat server="/"></php-chat>`,
    }),
  );
  for (const page of ['/shop', '/']) {
    await other.goto(chat.url + page);
    // It comes with the code of the card.
    await expect(other.getByRole('complementary', { name: 'People' })).toBeVisible();
    await expect(other.getByText('No messages yet').last()).toBeVisible();
    await expect(other.getByRole('region', { name: 'Your chat is ready' })).toBeHidden();
    if (page === '/shop') await shot(other, 'first-run-7-site');
  }
  await other.context().close();
  await card.getByRole('button', { name: 'Hide' }).click();
  await expect(card).toBeHidden();
  await owner.reload();
  await expect(owner.getByText('No messages yet').last()).toBeVisible();
  await expect(card).toBeHidden();

  // When even that room is deleted, the first steps are shown beside the list, or in its place on a phone.
  await deleteLobby(chat);
  const none = member.getByRole('heading', { name: 'No rooms yet' });
  await expect(none).toHaveCount(1);
  await expect(member.locator('.main').getByRole('heading', { name: 'No rooms yet' })).toBeVisible();
  await shot(member, 'first-run-2-no-rooms');
  await member.setViewportSize({ width: 360, height: 640 });
  await expect(member.locator('.rooms').getByRole('heading', { name: 'No rooms yet' })).toBeVisible();
  await expect(none).toHaveCount(1);
  await shot(member, 'first-run-3-no-rooms-phone');
  await member.getByRole('button', { name: 'New room', exact: true }).click();
  // There is only one kind, so it is not asked for.
  await expect(member.getByRole('radio')).toHaveCount(0);
  await expect(member.getByText('Only people who are invited can see it.')).toBeVisible();
  await shot(member, 'first-run-6-new-room');
  await member.getByLabel('Name').fill('harvest');
  await member.getByRole('button', { name: 'Create room' }).click();
  await expect(member.getByRole('heading', { name: 'harvest' })).toBeVisible();
  await chat.stop();
  // A user who may not create rooms is offered the allowed actions.
  for (const [direct, text, button] of [
    ['on', 'Write to somebody, or wait to be invited.', 'Message someone'],
    ['off', 'A room appears here when you are invited.', undefined],
  ] as const) {
    const bare = await nextChatServer({
      CHAT_SESSION_STORE: memcached.url,
      CHAT_ROOMS: 'lobby',
      CHAT_CREATE_ROOMS: 'none',
      CHAT_DIRECT: direct,
      CHAT_API_KEY: apiKey,
    });
    await deleteLobby(bare);
    await member.goto(bare.url);
    const empty = member.locator('php-chat .empty:visible');
    await expect(empty).toContainText(text);
    await expect(empty.getByRole('button')).toHaveText(button === undefined ? [] : [button]);
    await shot(member, `first-run-5-direct-${direct}`);
    if (button !== undefined) {
      await empty.getByRole('button').click();
      await expect(member.getByRole('dialog', { name: button }).getByRole('combobox')).toBeFocused();
    }
    await bare.stop();
  }
  await member.context().close();
  await owner.context().close();
  await memcached.stop();
});
