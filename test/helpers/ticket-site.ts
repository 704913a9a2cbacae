import { fileURLToPath } from 'node:url';
import { emptyHistory, nextChatServer, type RunningChat } from './chat-server.ts';
import { ownPort, startChild } from './child.ts';
import { reachable } from './memcached.ts';
import { apiKey } from './people.ts';
import { ticketKeys } from './tickets.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));

interface Options {
  /** The lifetime of a ticket. */
  seconds: number;
  /** How many seconds the site's clock is behind. This shortens the 30 s for which a login outlasts its last ticket. */
  behindSeconds?: number;
  /** Further settings of the chat server. */
  env?: NodeJS.ProcessEnv;
  start?: (env: NodeJS.ProcessEnv) => Promise<RunningChat>;
}

/**
 * Starts a PHP site and a chat server that recognises its users by ticket. The site has another host than the chat
 * server, which therefore gets no cookie and cannot read its sessions.
 */
export async function startTicketSite({
  seconds,
  behindSeconds = 0,
  env = {},
  start = nextChatServer,
}: Options) {
  const [sitePort, chatPort] = [await ownPort(), await ownPort()];
  const [url, chatUrl] = [`http://localhost:${sitePort}`, `http://127.0.0.1:${chatPort}`];
  const tickets = ticketKeys();
  const history = await emptyHistory();
  const startChat = () =>
    start({
      ...tickets.env,
      CHAT_PORT: String(chatPort),
      CHAT_ORIGINS: url,
      CHAT_SESSION_STORE: 'none',
      CHAT_SESSION_CHECK: '100ms',
      CHAT_API_KEY: apiKey,
      CHAT_HISTORY: history.url,
      CHAT_FILES: history.files,
      ...env,
    });
  const startPhp = async () => {
    const child = startChild('php', ['-S', `127.0.0.1:${sitePort}`, 'test/fixtures/ticket-site/index.php'], {
      cwd: root,
      env: {
        ...process.env,
        CHAT_URL: chatUrl,
        CHAT_API_KEY: apiKey,
        TICKET_KEY_FILE: tickets.env.CHAT_TICKET_KEY_FILE,
        TICKET_SECONDS: String(seconds),
        SECONDS_BEHIND: String(behindSeconds),
        PHP_CLI_SERVER_WORKERS: '4',
      },
    });
    await reachable(sitePort, child);
    return child;
  };
  let [chat, php] = await Promise.all([startChat(), startPhp()]);
  return {
    url,
    chatUrl,
    /** Signs a ticket of any user, by default of user 7, for 10 minutes. */
    ticket: tickets.ticket,
    stopPhp: () => php.stop(),
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
