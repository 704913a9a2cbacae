import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Message } from '../../server/wire/events.ts';
import { chatSocket } from '../helpers/chat-client.ts';
import { type ChatServer, historyFolder, startChatServer } from '../helpers/chat-server.ts';
import { ownPort } from '../helpers/child.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { size } from './size.ts';

const rooms = Array.from({ length: 10 }, (_, i) => `room-${i}`);
const senders = 20;
const each = size(500, 10);
const kills = size(10, 1);

let memcached: Memcached;
const history = historyFolder();
let port: number;
beforeAll(async () => {
  memcached = await startMemcached();
  port = await ownPort();
});
afterAll(async () => {
  await memcached.stop();
  history.remove();
});

const start = () =>
  startChatServer({
    CHAT_PORT: String(port),
    CHAT_HISTORY: history.url,
    CHAT_ROOMS: rooms.join(','),
    CHAT_SESSION_STORE: memcached.url,
  });

/** A client that follows the protocol: it repeats a message until it is acknowledged, and never otherwise. */
async function sender(n: number, acknowledged: Map<string, Message>): Promise<void> {
  await memcached.set(`sessions/sender${n}`, JSON.stringify({ user_id: n + 1 }));
  const socket = chatSocket(`http://127.0.0.1:${port}`, `PHPSESSID=sender${n}`, {
    reconnection: true,
    reconnectionDelay: 20,
    reconnectionDelayMax: 200,
  });
  const room = rooms[n % rooms.length] as string;
  let joined: Promise<unknown> = new Promise(() => {});
  const ready = () =>
    new Promise<unknown>((resolve) => {
      // A join that was cut off is repeated at the next session:ready.
      const check = () => joined.then(resolve, () => socket.once('session:ready', check));
      if (socket.connected) check();
      else socket.once('session:ready', check);
    });
  socket.on('session:ready', () => {
    joined = socket.timeout(5000).emitWithAck('room:join', { room });
    // It may be cut off while nobody waits for it.
    joined.catch(() => {});
  });
  socket.on('disconnect', () => {
    joined = new Promise(() => {});
  });
  socket.connect();
  for (let i = 0; i < each; i++) {
    const clientId = `s${n}-${i}`;
    for (;;) {
      await Promise.race([ready(), new Promise<void>((resolve) => socket.once('connect', () => resolve()))]);
      try {
        const answer = await socket
          .timeout(1000)
          .emitWithAck('message:send', { room, text: `text ${clientId}`, clientId });
        if (!answer.ok) {
          if (answer.error.code === 'not_joined') continue;
          throw new Error(answer.error.code);
        }
        acknowledged.set(clientId, answer.data.message);
        break;
      } catch (error) {
        // The server was killed before it answered: the message is sent again with the same clientId.
        if (!/timeout|timed out|disconnected/i.test(String(error))) throw error;
      }
    }
  }
  socket.close();
}

test(`${senders} senders × ${each} messages to 10 rooms, killed and started ${kills} times: lost 0, doubled 0, gaps 0`, async () => {
  let server: ChatServer = await start();
  const acknowledged = new Map<string, Message>();
  const total = senders * each;
  const sending = Promise.all(Array.from({ length: senders }, (_, n) => sender(n, acknowledged)));
  for (let kill = 1; kill <= kills; kill++) {
    // At a random moment of the share of the work that belongs to this kill.
    const moment = Math.floor((total / (kills + 1)) * (kill - 0.5 + randomInt(1000) / 1000));
    await expect.poll(() => acknowledged.size, { interval: 1 }).toBeGreaterThan(moment);
    await server.stop('SIGKILL');
    server = await start();
  }
  await sending;

  await memcached.set('sessions/reader', '{"user_id":1000}');
  const reader = chatSocket(server.url, 'PHPSESSID=reader');
  reader.connect();
  const stored: Message[] = [];
  for (const room of rooms) {
    for (let since = 0, complete = false; !complete; ) {
      const answer = await reader.emitWithAck('room:sync', { room, since, limit: 500 });
      if (!answer.ok) throw new Error(answer.error.code);
      stored.push(...answer.data.messages);
      ({ complete } = answer.data);
      since = stored.at(-1)?.rev ?? 0;
    }
    const seqs = stored.filter((message) => message.room === room).map(({ seq }) => seq);
    expect(seqs).toEqual(seqs.map((_, i) => i + 1));
  }
  reader.close();
  expect(stored.map(({ clientId }) => clientId).sort()).toEqual([...acknowledged.keys()].sort());
  for (const message of stored) expect(acknowledged.get(message.clientId)).toEqual(message);
  expect(stored).toHaveLength(total);
  expect(await server.stop()).toBe(0);
});
