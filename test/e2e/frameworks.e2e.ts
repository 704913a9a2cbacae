import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { emptyHistory, nextChatServer } from '../helpers/chat-server.ts';
import { ownPort, startChild } from '../helpers/child.ts';
import { reachable } from '../helpers/memcached.ts';
import { apiKey } from '../helpers/people.ts';
import { ticketKeys } from '../helpers/tickets.ts';
import { expect, test } from './fixtures.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/** An application with our package, and a chat server of another host that accepts its tickets. */
async function startSite(framework: string) {
  const sitePort = await ownPort();
  const url = `http://localhost:${sitePort}`;
  const tickets = ticketKeys();
  const history = await emptyHistory();
  const folder = mkdtempSync(join(tmpdir(), 'chat-framework-'));
  const chat = await nextChatServer({
    ...tickets.env,
    CHAT_ORIGINS: url,
    CHAT_SESSION_STORE: 'none',
    CHAT_API_KEY: apiKey,
    CHAT_HISTORY: history.url,
    CHAT_FILES: history.files,
  });
  const php = startChild('php', ['-S', `127.0.0.1:${sitePort}`, `test/php/Support/${framework}/index.php`], {
    cwd: root,
    env: {
      ...process.env,
      SITE_FOLDER: folder,
      APP_URL: url,
      PHP_CHAT_SERVER: chat.url,
      PHP_CHAT_API_URL: chat.url,
      PHP_CHAT_API_KEY: apiKey,
      PHP_CHAT_TICKET_KEY: readFileSync(tickets.env.CHAT_TICKET_KEY_FILE, 'utf8'),
      PHP_CHAT_TICKET_AUDIENCE: tickets.env.CHAT_TICKET_AUDIENCE,
      PHP_CHAT_WEBHOOK_KEY: '',
    },
  });
  await reachable(sitePort, php);
  return {
    url,
    async stop() {
      await chat.stop();
      await php.stop();
      history.remove();
      tickets.remove();
      rmSync(folder, { recursive: true });
    },
  };
}

for (const framework of ['laravel', 'symfony']) {
  test(`a user of a ${framework} application chats until the logout`, {
    // test/php shows the login, the ticket and the logout of both.
    tag: framework === 'laravel' ? [] : '@soak',
  }, async ({ page }) => {
    const site = await startSite(framework);
    await page.goto(`${site.url}/talk`);
    await expect(page.locator('php-chat')).toHaveCount(0);
    await page.goto(`${site.url}/login`);
    await page.goto(`${site.url}/talk`);
    const field = page.getByRole('textbox', { name: /^Message to/ });
    await field.fill('hello');
    await field.press('Enter');
    await expect(page.getByRole('article').filter({ hasText: 'hello' })).toContainText(/Sent|Seen/);
    const logout = await page.context().newPage();
    await logout.goto(`${site.url}/logout`);
    await expect(page.getByRole('log')).toBeHidden();
    await expect(page.getByRole('heading', { name: 'You’re logged out' })).toBeVisible();
    await site.stop();
  });
}
