import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ChatClient, connectChat, newClientId } from '../helpers/chat-client.ts';
import { type ChatServer, historyFolder, startChatServer } from '../helpers/chat-server.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { type PhpApp, startPhpApp } from '../helpers/php-app.ts';
import { size } from './size.ts';

const sessions = size(50, 12);
const tabs = 3;
let memcached: Memcached;
let php: PhpApp;
let chat: ChatServer;
const history = historyFolder();
beforeAll(async () => {
  memcached = await startMemcached();
  php = await startPhpApp({ memcachedPort: memcached.port });
  chat = await startChatServer({
    CHAT_SESSION_STORE: memcached.url,
    CHAT_HISTORY: history.url,
  });
});
afterAll(async () => {
  await chat?.stop();
  await php?.stop();
  await memcached?.stop();
  history.remove();
});

test(`${sessions} sessions × ${tabs} sockets, logged out by PHP: all closed within 2 s, and nothing after`, async () => {
  const names = ['alice', 'bob', 'carol'];
  const cookies: string[] = [];
  for (let n = 0; n < sessions; n++) cookies.push(await php.login(names[n % 3] as string));
  const clients = await Promise.all(
    cookies.map((cookie) =>
      Promise.all(
        Array.from({ length: tabs }, async () => {
          const client = await connectChat(chat.url, cookie);
          await client.request('room:join', { room: 'lobby' });
          return client;
        }),
      ),
    ),
  );
  const talker = await connectChat(chat.url, await php.login('alice'));
  await talker.request('room:join', { room: 'lobby' });
  const talking = setInterval(() => {
    talker.raw('message:send', { room: 'lobby', text: 'x', clientId: newClientId() }).catch(() => {});
  }, 10);

  const took: number[] = [];
  await Promise.all(
    cookies.map(async (cookie, n) => {
      await php.logout(cookie);
      const answered = performance.now();
      for (const tab of clients[n] as ChatClient[]) {
        const { reason, at } = await tab.ended;
        expect(reason).toBe('logout');
        took.push(at - answered);
        expect(await tab.disconnected).toBe('io server disconnect');
      }
    }),
  );
  clearInterval(talking);
  const last = await talker.request('message:send', { room: 'lobby', text: 'last', clientId: newClientId() });
  await expect.poll(() => talker.messages().some(({ id }) => id === last.message.id)).toBe(true);
  for (const tab of clients.flat()) expect(tab.events.at(-1)?.name).toBe('session:ended');
  expect(took).toHaveLength(sessions * tabs);
  expect(Math.max(...took)).toBeLessThan(2000);
  talker.close();
});

test('PHP gives out the session that the chat then knows, by id and by name', async () => {
  const client = await connectChat(chat.url, await php.login('bob'));
  expect(client.ready.user).toEqual({ id: '2', name: 'Bob' });
  client.close();
});
