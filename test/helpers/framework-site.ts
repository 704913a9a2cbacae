import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type ChatServer, historyFolder, nextChatServer } from './chat-server.ts';
import { ownPort, startChild } from './child.ts';
import { reachable } from './memcached.ts';
import { apiKey } from './people.ts';
import { ticketKeys } from './tickets.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

/**
 * Starts an application with our package for its framework, and a chat server of another host that accepts its tickets.
 * @param startChat starts the chat server
 * @param checkout the folder with the package and the application
 */
export async function startFrameworkSite(
  framework: 'laravel' | 'symfony',
  startChat: (env: NodeJS.ProcessEnv) => Promise<ChatServer> = nextChatServer,
  checkout = root,
) {
  const port = await ownPort();
  const url = `http://localhost:${port}`;
  const tickets = ticketKeys();
  const history = historyFolder();
  const folder = mkdtempSync(join(tmpdir(), 'chat-framework-'));
  const chat = await startChat({
    ...tickets.env,
    CHAT_ORIGINS: url,
    CHAT_SESSION_STORE: 'none',
    CHAT_API_KEY: apiKey,
    CHAT_HISTORY: history.url,
    CHAT_FILES: history.files,
  });
  const php = startChild('php', ['-S', `127.0.0.1:${port}`, `test/php/Support/${framework}/index.php`], {
    cwd: checkout,
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
  await reachable(port, php);
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
