import { join } from 'node:path';
import type { Page } from '@playwright/test';
import { emptyHistory, nextChatServer } from '../helpers/chat-server.ts';
import { ownPort, startChild } from '../helpers/child.ts';
import { reachable } from '../helpers/memcached.ts';
import { apiKey } from '../helpers/people.ts';
import { ticketKeys } from '../helpers/tickets.ts';
import { expect, test } from './fixtures.ts';

const root = new URL('../../', import.meta.url).pathname;
const ticketSeconds = 4;

/** A site of another host than the chat server, which therefore gets no cookie and cannot read its sessions. */
async function startSite() {
  const [sitePort, chatPort] = [await ownPort(), await ownPort()];
  const [url, chatUrl] = [`http://localhost:${sitePort}`, `http://127.0.0.1:${chatPort}`];
  const tickets = ticketKeys();
  const history = await emptyHistory();
  const startChat = () =>
    nextChatServer({
      ...tickets.env,
      CHAT_PORT: String(chatPort),
      CHAT_ORIGINS: url,
      CHAT_SESSION_STORE: 'none',
      CHAT_SESSION_CHECK: '100ms',
      CHAT_API_KEY: apiKey,
      CHAT_HISTORY: history.url,
      CHAT_FILES: history.files,
    });
  const startPhp = async () => {
    const child = startChild('php', ['-S', `127.0.0.1:${sitePort}`, 'test/fixtures/ticket-site/index.php'], {
      cwd: root,
      env: {
        ...process.env,
        CHAT_URL: chatUrl,
        CHAT_API_KEY: apiKey,
        TICKET_KEY_FILE: tickets.env.CHAT_TICKET_KEY_FILE,
        TICKET_SECONDS: String(ticketSeconds),
        PHP_CLI_SERVER_WORKERS: '4',
      },
    });
    await reachable(sitePort, child);
    return child;
  };
  let [chat, php] = await Promise.all([startChat(), startPhp()]);
  return {
    url,
    restartChat: async () => {
      await chat.stop();
      chat = await startChat();
    },
    restartPhp: async () => {
      await php.stop();
      php = await startPhp();
    },
    async stop() {
      await chat.stop();
      await php.stop();
      history.remove();
      tickets.remove();
    },
  };
}

/** Waits for the next ticket that the page fetches. */
const nextTicket = (page: Page) => page.waitForResponse((response) => response.url().endsWith('/ticket'));

test('a site whose sessions the server cannot read', async ({ page }) => {
  const site = await startSite();
  const field = page.getByRole('textbox', { name: /^Message to/ });
  const log = page.getByRole('log');
  const say = async (text: string) => {
    await field.fill(text);
    await field.press('Enter');
    await expect(log.getByText(text, { exact: true })).toBeVisible();
  };

  await test.step('without a login the chat asks for one', async () => {
    await page.goto(site.url);
    await expect(page.getByRole('heading', { name: 'Please log in' })).toBeVisible();
  });

  await test.step('a user of the site is a user of the chat', async () => {
    await page.goto(`${site.url}/login?as=ann`);
    await page.goto(site.url);
    await say('hello');
    await expect(page.getByRole('article').filter({ hasText: 'hello' })).toBeVisible();
  });

  await test.step('pictures are loaded without a cookie', async () => {
    const chosen = page.waitForEvent('filechooser');
    await page.getByRole('button', { name: 'Attach files' }).click();
    await (await chosen).setFiles(join(root, 'php-app/seed/tomato.webp'));
    await page.getByRole('button', { name: 'Send', exact: true }).click();
    const picture = page.locator('php-chat article img').first();
    await expect.poll(() => picture.evaluate((img: HTMLImageElement) => img.naturalWidth)).toBeGreaterThan(0);
  });

  await test.step('the chat stays open for three tickets, and through restarts of server and site', async () => {
    const connections: string[] = [];
    page.on('websocket', (socket) => connections.push(socket.url()));
    await nextTicket(page);
    await nextTicket(page);
    await nextTicket(page);
    await say('still here');
    expect(connections).toEqual([]);
    await site.restartPhp();
    await nextTicket(page);
    await site.restartChat();
    await say('back again');
    await expect(page.getByRole('article').filter({ hasText: 'back again' })).toContainText(/Sent|Seen/);
  });

  await test.step('the logout ends it when the site answers 401', async () => {
    const other = await page.context().newPage();
    await other.goto(`${site.url}/logout`);
    const response = await nextTicket(page);
    expect(response.status()).toBe(401);
    await expect(log).toBeHidden();
    await expect(page.getByRole('heading', { name: 'You’re logged out' })).toBeVisible();
  });

  await test.step('a site that tells the server ends it at once', async () => {
    await page.goto(`${site.url}/login?as=bea`);
    await page.goto(site.url);
    await say('hello from bea');
    const other = await page.context().newPage();
    await other.goto(`${site.url}/logout?tell`);
    await expect(log).toBeHidden();
  });

  await site.stop();
});
