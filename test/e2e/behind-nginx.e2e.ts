import type { Page } from '@playwright/test';
import { expect, test } from '@playwright/test';
import { nextChatServer } from '../helpers/chat-server.ts';
import { ownPort } from '../helpers/child.ts';
import { startMemcached } from '../helpers/memcached.ts';
import { startNginx } from '../helpers/nginx.ts';
import { startPhpApp } from '../helpers/php-app.ts';
import { stored } from './fixtures.ts';

/** Logs in with PHP's form, writes, and logs out. @returns the addresses of the opened WebSockets */
async function talk(page: Page, url: string): Promise<string[]> {
  const sockets: string[] = [];
  const bad: string[] = [];
  page.on('websocket', (socket) => sockets.push(socket.url()));
  page.on('console', (message) => message.type() === 'error' && bad.push(message.text()));
  await page.goto(`${url}messages`);
  await page.getByLabel('User name').fill('alice');
  await page.getByLabel('Password').fill('alice');
  await page.getByRole('button', { name: 'Log in' }).click();
  await page.getByRole('textbox', { name: /^Message to/ }).fill('through nginx');
  await page.keyboard.press('Enter');
  await expect(page.getByRole('article').filter({ hasText: 'through nginx' })).toBeVisible();
  await expect(page.getByText(stored)).toBeVisible();
  expect(bad).toEqual([]);
  return sockets;
}

test('the chat under a path of the site, as docs/install.md has it for nginx', async ({ page }) => {
  const memcached = await startMemcached();
  const [phpPort, chatPort, port] = [await ownPort(), await ownPort(), await ownPort()];
  const chat = await nextChatServer({
    CHAT_PORT: String(chatPort),
    CHAT_TRUSTED_PROXIES: '127.0.0.1',
    CHAT_SESSION_STORE: memcached.url,
    CHAT_ORIGINS: `http://127.0.0.1:${port}`,
  });
  const chatUrl = `http://127.0.0.1:${port}/chat`;
  const php = await startPhpApp({ memcachedPort: memcached.port, chatUrl, port: phpPort });
  const nginx = await startNginx(chatPort, { port, php: phpPort });
  expect(await talk(page, `http://127.0.0.1:${port}/`)).toEqual([
    expect.stringMatching(`^ws://127.0.0.1:${port}/chat/socket.io/.*transport=websocket`),
  ]);
  await Promise.all([nginx.stop(), php.stop(), chat.stop()]);
  await memcached.stop();
});

test('the chat on a subdomain, with PHP’s session.cookie_domain', { tag: '@soak' }, async ({ page }) => {
  const memcached = await startMemcached();
  const [phpPort, chatPort, port] = [await ownPort(), await ownPort(), await ownPort()];
  const chat = await nextChatServer({
    CHAT_PORT: String(chatPort),
    CHAT_TRUSTED_PROXIES: '127.0.0.1',
    CHAT_SESSION_STORE: memcached.url,
    CHAT_ORIGINS: `http://www.site.localhost:${phpPort},http://chat.site.localhost:${port}`,
  });
  const php = await startPhpApp({
    memcachedPort: memcached.port,
    chatUrl: `http://chat.site.localhost:${port}`,
    port: phpPort,
    env: { SESSION_COOKIE_DOMAIN: 'site.localhost' },
  });
  const nginx = await startNginx(chatPort, { port });
  expect(await talk(page, `http://www.site.localhost:${phpPort}/`)).toEqual([
    expect.stringMatching(`^ws://chat.site.localhost:${port}/socket.io/.*transport=websocket`),
  ]);
  await Promise.all([nginx.stop(), php.stop(), chat.stop()]);
  await memcached.stop();
});
