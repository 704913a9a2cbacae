import { randomInt } from 'node:crypto';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import type { Message } from '../../server/wire/events.ts';
import { chatSocket } from '../helpers/chat-client.ts';
import { type ChatServer, historyFolder, startChatServer } from '../helpers/chat-server.ts';
import { ownPort } from '../helpers/child.ts';
import { hanging, within } from '../helpers/hanging.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { size, soak } from './size.ts';

const rooms = Array.from({ length: 10 }, (_, i) => `room-${i}`);
const senders = size(20, 10);
const each = size(500, 16);
const kills = size(10, 1);
/** Stops by SIGTERM. drain.test.ts tests such a stop in every run. */
const orderly = size(1, 0);
/** Clients that stay connected and do not send anything. */
const storm = size(1000, 15);

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

/** Sends messages as the protocol requires. Each message is repeated until it is acknowledged. */
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
      // An interrupted join is repeated at the next session:ready.
      const check = () => joined.then(resolve, () => socket.once('session:ready', check));
      if (socket.connected) check();
      else socket.once('session:ready', check);
    });
  socket.on('session:ready', () => {
    joined = socket.timeout(5000).emitWithAck('room:join', { room });
    // A failure of the join must not be an unhandled rejection.
    joined.catch(() => {});
  });
  socket.on('disconnect', (reason) => {
    joined = new Promise(() => {});
    // A server that stops after SIGTERM closes the connection itself.
    if (reason === 'io server disconnect') socket.connect();
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
          if (/^(not_joined|server_draining)$/.test(answer.error.code)) continue;
          throw new Error(answer.error.code);
        }
        acknowledged.set(clientId, answer.data.message);
        break;
      } catch (error) {
        // The server was killed before it responded, so the message is sent again with the same clientId.
        if (!/timeout|timed out|disconnected/i.test(String(error))) throw error;
      }
    }
  }
  socket.close();
}

describe(`${senders} senders × ${each} messages to 10 rooms and ${storm} other clients`, () => {
  const total = senders * each;
  const acknowledged = new Map<string, Message>();
  let server: ChatServer;
  /** The exit code of the server after SIGTERM. */
  let code: unknown;
  /** The number of other clients that were connected after each start. */
  const connected: number[] = [];
  const refusals: string[] = [];

  beforeAll(
    async () => {
      server = await start();
      let ready = 0;
      // One after the other, because each opens a connection, and memcached accepts 1,024.
      for (let n = 0; n < storm; n++) await memcached.set(`sessions/other${n}`, `{"user_id":"other${n}"}`);
      const sockets = Array.from({ length: storm }, (_, n) => {
        // Reconnects like the client, after a second and then with growing delays.
        const socket = chatSocket(server.url, `PHPSESSID=other${n}`, { reconnection: true });
        socket.on('session:ready', () => void ready++);
        socket.on('session:ended', ({ reason }) => void refusals.push(reason));
        socket.on('connect_error', (error) => {
          if ('data' in error && error.message !== 'server_draining') refusals.push(error.message);
        });
        // Socket.IO does not reconnect after a server closes the connection, as at SIGTERM.
        socket.on('disconnect', (reason) => void (reason === 'io server disconnect' && socket.connect()));
        return socket.connect();
      });
      const allReady = async () => {
        await vi.waitUntil(() => ready === storm, { timeout: within(30_000), interval: 5 });
        connected.push(ready);
      };
      await allReady();
      const sending = Promise.all(Array.from({ length: senders }, (_, n) => sender(n, acknowledged)));
      for (let stop = 1; stop <= kills + orderly; stop++) {
        // At a random moment in this stop's share of the work.
        const moment = Math.floor((total / (kills + 2)) * (stop - 0.5 + randomInt(1000) / 1000));
        await vi.waitUntil(() => acknowledged.size > moment, { timeout: hanging, interval: 1 });
        ready = 0;
        const ended = await server.stop(stop > kills ? 'SIGTERM' : 'SIGKILL');
        if (stop > kills) code = ended;
        server = await start();
        await allReady();
      }
      await sending;
      for (const socket of sockets) socket.close();
    },
    size(3_600_000, 120_000),
  );

  test(`no message is lost, duplicated or skipped when the server is killed and started ${kills} times`, async () => {
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

  test(`the ${storm} other clients are back within 30 s and never unauthorized`, () => {
    expect(connected).toEqual(Array(kills + orderly + 1).fill(storm));
    expect(refusals).toEqual([]);
  });

  if (soak) {
    test('the server exits with 0 after SIGTERM during traffic', () => {
      expect(code).toBe(0);
    });
  }
});
