import { randomBytes } from 'node:crypto';
import { type ChatServer, nextChatServer, type RunningChat } from './chat-server.ts';
import { type Memcached, startMemcached } from './memcached.ts';

export interface ChatSite<Chat extends RunningChat = ChatServer> {
  memcached: Memcached;
  chat: Chat;
  /** Writes a session as the sample application does. @returns its cookie */
  session(user: number | string, name?: string): Promise<string>;
  /** Writes any bytes as a session. @returns its cookie */
  rawSession(bytes: string | Buffer): Promise<string>;
  /** The memcached key of a cookie's session. */
  key(cookie: string): string;
  close(): Promise<void>;
}

/**
 * Starts a memcached and a chat server for one test file, with sessions as PHP would write them.
 *
 * @param start starts the chat server, in a separate process if the test is about the process
 */
export async function startChatSite<Chat extends RunningChat = ChatServer>(
  env: NodeJS.ProcessEnv = {},
  start: (env: NodeJS.ProcessEnv) => Promise<Chat> = nextChatServer as never,
): Promise<ChatSite<Chat>> {
  const memcached = await startMemcached(undefined, ['-I', '8m']);
  const chat = await start({
    CHAT_SESSION_STORE: memcached.url,
    ...env,
  });
  const rawSession = async (bytes: string | Buffer) => {
    const id = randomBytes(16).toString('hex');
    await memcached.set(`sessions/${id}`, bytes);
    return `PHPSESSID=${id}`;
  };
  return {
    memcached,
    chat,
    rawSession,
    session: (user, name) =>
      rawSession(
        JSON.stringify({ user_id: user, firstname: name ?? `User ${user}`, csrf: 'not-for-the-log' }),
      ),
    key: (cookie) => `sessions/${cookie.split('=')[1]}`,
    async close() {
      await chat.stop();
      await memcached.stop();
    },
  };
}
