import { expect, test } from '@playwright/test';
import { startChatServer } from '../helpers/chat-server.ts';
import { startMemcached } from '../helpers/memcached.ts';

test('the owner of a new chat sees the lines that bring it to his site, until he hides them', async ({
  browser,
}) => {
  const memcached = await startMemcached();
  const chat = await startChatServer({
    CHAT_SESSION_STORE: memcached.url,
    CHAT_ROOMS: 'lobby',
    CHAT_USER_ROLES: 'role',
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
  await expect(card).toContainText(`<script type="module" src="${chat.url}/php-chat.js"></script>`);
  await owner.screenshot({ path: 'test-results/screenshots/first-run.png' });
  await card.getByRole('button', { name: 'Hide' }).click();
  await expect(card).toBeHidden();
  await owner.reload();
  await expect(owner.getByText('No messages yet').last()).toBeVisible();
  await expect(card).toBeHidden();
  await member.context().close();
  await owner.context().close();
  await chat.stop();
  await memcached.stop();
});
