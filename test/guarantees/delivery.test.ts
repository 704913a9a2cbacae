import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Message } from '../../server/wire/events.ts';
import { type ChatClient, chatSocket, connectChat, newClientId } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import { historyFolder, type RunningChat, startChatServer } from '../helpers/chat-server.ts';
import { dice } from '../helpers/dice.ts';
import { startFrameProxy } from '../helpers/frame-proxy.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { size } from './size.ts';

const missed = size(5000, 300);
let memcached: Memcached;
const history = historyFolder();
let server: RunningChat;
/** In the soak run, the server is a process that is killed. durability.test.ts kills a process in every run. */
const start = () =>
  size(
    startChatServer,
    chatServerHere,
  )({
    CHAT_DRAIN: '0s',
    CHAT_HISTORY: history.url,
    CHAT_ROOMS: 'repeats,order,resume,joins',
    CHAT_SESSION_STORE: memcached.url,
  });
beforeAll(async () => {
  memcached = await startMemcached();
  for (let user = 1; user <= 300; user++) await memcached.set(`sessions/u${user}`, `{"user_id":${user}}`);
  server = await start();
  // The test of `resume` reads what follows the first of these messages.
  const writer = await joined(51, 'resume');
  for (let n = 0; n < missed + 1; n += 100)
    await Promise.all(upTo(Math.min(100, missed + 1 - n)).map(() => send(writer, 'resume')));
  writer.close();
});
afterAll(async () => {
  await server.stop();
  await memcached.stop();
  history.remove();
});

const upTo = (n: number, from = 1) => Array.from({ length: n - from + 1 }, (_, i) => from + i);

async function joined(user: number, room: string): Promise<ChatClient> {
  const client = await connectChat(server.url, `PHPSESSID=u${user}`);
  await client.request('room:join', { room });
  return client;
}
const send = (client: ChatClient, room: string) =>
  client.request('message:send', { room, text: `from ${client.ready.user.id}`, clientId: newClientId() });

/** Reads all changes after `since` page by page, like a returning client. */
async function changesSince(
  client: ChatClient,
  room: string,
  since: number,
  limit?: number,
): Promise<Message[]> {
  const messages: Message[] = [];
  for (;;) {
    const page = await client.request('room:sync', {
      room,
      since,
      limit,
    });
    messages.push(...page.messages);
    if (page.complete) return messages;
    since = page.messages.at(-1)?.rev as number;
  }
}

const sends = size(2000, 60);
test(`stores each of ${sends} messages once although 30 % lose their ack and the server restarts`, async () => {
  const roll = dice(7);
  let dropping = true;
  const ofAcks = (text: string) =>
    dropping && text.startsWith('43') && text.includes('"message"') && roll(10) < 3;
  let proxy = await startFrameProxy(server.port, ofAcks);
  const connect = async () => {
    const socket = chatSocket(`http://127.0.0.1:${proxy.port}`, 'PHPSESSID=u1');
    socket.connect();
    await socket.timeout(5000).emitWithAck('room:join', { room: 'repeats' });
    return socket;
  };
  const results = new Map<string, Message>();
  let tries = 0;
  const work = upTo(sends).map((n) => `r-${n}`);
  let socket = await connect();
  const worker = async () => {
    for (let clientId = work.shift(); clientId !== undefined; clientId = work.shift()) {
      while (!results.has(clientId)) {
        tries++;
        const answer = await socket
          .timeout(300)
          .emitWithAck('message:send', { room: 'repeats', text: clientId, clientId })
          .catch(() => null);
        if (answer?.ok) results.set(clientId, answer.data.message);
        else if (answer !== null && answer.error.code !== 'server_draining')
          throw new Error(answer.error.code);
        else if (!socket.connected) await reconnected;
      }
    }
  };
  let resume: () => void = () => {};
  let reconnected: Promise<void> = Promise.resolve();
  const working = Promise.all(Array.from({ length: 40 }, worker));
  await expect.poll(() => results.size, { interval: 5 }).toBeGreaterThan(sends / 2);
  reconnected = new Promise((resolve) => {
    resume = resolve;
  });
  await server.stop('SIGKILL');
  await proxy.close();
  server = await start();
  proxy = await startFrameProxy(server.port, ofAcks);
  socket = await connect();
  resume();
  await working;
  dropping = false;
  expect(tries).toBeGreaterThan(sends * 1.2);
  const reader = await joined(2, 'repeats');
  const stored = await changesSince(reader, 'repeats', 0);
  expect(stored.map(({ seq }) => seq)).toEqual(upTo(sends));
  expect(new Set(stored.map(({ clientId }) => clientId)).size).toBe(sends);
  for (const message of stored) expect(results.get(message.clientId)).toEqual(message);
  socket.close();
  reader.close();
  await proxy.close();
});

const [writers, readers] = [size(50, 10), size(20, 5)];
const each = size(100, 10);
test(`orders ${writers} × ${each} messages identically and without a gap for ${readers} readers`, async () => {
  const reading = await Promise.all(upTo(readers).map((n) => joined(100 + n, 'order')));
  const clients = await Promise.all(upTo(writers).map((n) => joined(n, 'order')));
  await Promise.all(
    clients.map(async (client) => {
      for (let n = 0; n < each; n++) await send(client, 'order');
    }),
  );
  const total = writers * each;
  for (const reader of reading) {
    await expect.poll(() => reader.messages().length).toBe(total);
    expect(reader.messages().map(({ seq }) => seq)).toEqual(upTo(total));
    expect(reader.messages()).toEqual(reading[0]?.messages());
  }
  for (const client of [...reading, ...clients]) client.close();
});

test(`sends a returning reader exactly the ${missed} messages missed while offline, also after a restart`, async () => {
  const reader = await connectChat(server.url, 'PHPSESSID=u50');
  const back = await reader.request('room:join', { room: 'resume', since: 1 });
  expect(back.complete).toBe(false);
  const rest = await changesSince(reader, 'resume', back.messages.at(-1)?.rev as number, 500);
  expect([...back.messages, ...rest].map(({ rev }) => rev)).toEqual(upTo(missed + 1, 2));
  const writer = await joined(51, 'resume');
  await send(writer, 'resume');
  await expect.poll(() => reader.messages().map(({ rev }) => rev)).toEqual([missed + 2]);
  writer.close();
  reader.close();
});

const joins = size(200, 20);
test(`neither skips nor duplicates a message in ${joins} joins while 500 messages a second arrive`, async () => {
  const writer = await joined(60, 'joins');
  let written = 0;
  const under = new Set<Promise<unknown>>();
  const writing = setInterval(() => {
    for (let n = 0; n < 5; n++) {
      written++;
      const one = send(writer, 'joins').finally(() => under.delete(one));
      under.add(one);
    }
  }, 10);
  const readers: { reader: ChatClient; first: number }[] = [];
  for (let n = 0; n < joins; n += 10) {
    readers.push(
      ...(await Promise.all(
        upTo(10).map(async (k) => {
          const reader = await connectChat(server.url, `PHPSESSID=u${61 + ((n + k) % 200)}`);
          const answer = await reader.request('room:join', { room: 'joins' });
          expect(answer.messages.map(({ seq }) => seq)).toEqual(
            upTo(answer.room.lastSeq, answer.room.lastSeq - answer.messages.length + 1),
          );
          return { reader, first: answer.room.head + 1 };
        }),
      )),
    );
  }
  clearInterval(writing);
  await Promise.all(under);
  for (const { reader, first } of readers) {
    await expect.poll(() => reader.messages().at(-1)?.rev ?? first - 1).toBe(written);
    expect(reader.messages().map(({ rev }) => rev)).toEqual(upTo(written, first));
    reader.close();
  }
  writer.close();
});
