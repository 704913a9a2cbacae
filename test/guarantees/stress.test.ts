import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Message } from '../../server/wire/events.ts';
import { type ChatSocket, chatSocket, connectChat, newClientId } from '../helpers/chat-client.ts';
import { type ChatServer, historyFolder, nextChatServer, startChatServer } from '../helpers/chat-server.ts';
import { ownPort } from '../helpers/child.ts';
import { hanging, within } from '../helpers/hanging.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { size } from './size.ts';

let memcached: Memcached;
const storm = size(1000, 40);
beforeAll(async () => {
  memcached = await startMemcached();
  for (let user = 1; user <= storm; user++) await memcached.set(`sessions/u${user}`, `{"user_id":${user}}`);
});
afterAll(() => memcached.stop());

const upTo = (n: number) => Array.from({ length: n }, (_, i) => i + 1);

test(`${storm} clients, the server killed and started again: all back within 30 s, and none gets unauthorized`, async () => {
  const env = { CHAT_PORT: String(await ownPort()), CHAT_SESSION_STORE: memcached.url };
  let server: ChatServer = await startChatServer(env);
  const refusals: string[] = [];
  let ready = 0;
  const sockets = upTo(storm).map((user) => {
    // Like the client: it reconnects by itself, after a second and then with growing pauses.
    const socket = chatSocket(server.url, `PHPSESSID=u${user}`, { reconnection: true });
    socket.on('session:ready', () => {
      ready++;
    });
    socket.on('connect_error', (error) => {
      if ('data' in error) refusals.push(error.message);
    });
    socket.on('session:ended', ({ reason }) => void refusals.push(reason));
    socket.connect();
    return socket;
  });
  await expect.poll(() => ready, { timeout: within(30_000) }).toBe(storm);
  await server.stop('SIGKILL');
  server = await startChatServer(env);
  const began = performance.now();
  await expect.poll(() => ready, { timeout: within(30_000) }).toBe(2 * storm);
  const took = performance.now() - began;
  console.log(`storm of ${storm}: all back after ${Math.round(took)} ms`);
  expect(took).toBeLessThan(within(30_000));
  expect(refusals).toEqual([]);
  for (const socket of sockets) socket.close();
  await server.stop();
});

const each = size(100, 8);
test(`SIGTERM under 200 messages a second: exit 0 within 10 s, lost 0, doubled 0`, async () => {
  const history = historyFolder();
  const env = { CHAT_HISTORY: history.url, CHAT_SESSION_STORE: memcached.url };
  const server = await startChatServer(env);
  const sent = new Map<string, number>();
  const acknowledged = new Map<string, Message>();
  const say = async (socket: ChatSocket, user: number, clientId: string): Promise<string> => {
    sent.set(clientId, user);
    const answer = await socket
      .timeout(hanging)
      .emitWithAck('message:send', { room: 'lobby', text: `text ${clientId}`, clientId })
      .catch(() => null);
    if (answer?.ok) acknowledged.set(clientId, answer.data.message);
    return answer === null ? 'none' : answer.ok ? 'ok' : answer.error.code;
  };
  // Ten users, each 20 times a second, until they are disconnected.
  const outcomes: Promise<string>[] = [];
  const clients = await Promise.all(upTo(10).map((user) => connectChat(server.url, `PHPSESSID=u${user}`)));
  for (const client of clients) await client.request('room:join', { room: 'lobby' });
  const timers = clients.map(({ socket }, n) =>
    setInterval(() => {
      if (socket.connected) outcomes.push(say(socket, n + 1, newClientId()));
    }, 50),
  );
  await expect.poll(() => acknowledged.size, { interval: 1 }).toBeGreaterThan(each * 10);
  const code = await server.stop('SIGTERM');
  for (const timer of timers) clearInterval(timer);
  const codes = new Set(await Promise.all(outcomes));
  const unanswered = [...sent.keys()].filter((clientId) => !acknowledged.has(clientId));
  console.log(`drain: ${acknowledged.size} of ${sent.size} were acknowledged, ${[...codes].join(', ')}`);
  // Not 0 if it was not done after 9.5 s.
  expect(code).toBe(0);
  for (const outcome of codes) expect(['ok', 'server_draining', 'none']).toContain(outcome);
  const before = new Map(acknowledged);

  const again = await nextChatServer(env);
  const back = await Promise.all(upTo(10).map((user) => connectChat(again.url, `PHPSESSID=u${user}`)));
  for (const client of back) await client.request('room:join', { room: 'lobby' });
  // Messages without an ack may or may not be stored; an acknowledged one must not become another.
  for (const clientId of [...unanswered, ...[...before.keys()].slice(-20)]) {
    const user = sent.get(clientId) as number;
    expect(await say(back[user - 1]?.socket as ChatSocket, user, clientId)).toBe('ok');
  }
  const stored: Message[] = [];
  for (let complete = false; !complete; ) {
    const since = stored.at(-1)?.rev ?? 0;
    const page = await (back[0] as (typeof back)[0]).request('room:sync', { room: 'lobby', since });
    stored.push(...page.messages);
    ({ complete } = page);
  }
  expect(stored.map(({ clientId }) => clientId).sort()).toEqual([...sent.keys()].sort());
  for (const message of stored) {
    expect(message).toEqual(before.get(message.clientId) ?? acknowledged.get(message.clientId));
  }
  for (const client of back) client.close();
  await again.stop();
  history.remove();
});
