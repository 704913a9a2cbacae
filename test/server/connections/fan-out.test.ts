import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Message } from '../../../server/wire/events.ts';
import { size } from '../../guarantees/size.ts';
import { type ChatClient, type ClientOptions, connectChat, newClientId } from '../../helpers/chat-client.ts';
import { chatServerHere } from '../../helpers/chat-here.ts';
import type { RunningChat } from '../../helpers/chat-server.ts';
import { type ChatSite, startChatSite } from '../../helpers/chat-site.ts';

let site: ChatSite<RunningChat>;
let users = 0;
beforeAll(async () => {
  site = await startChatSite({ CHAT_ROOMS: 'lobby,second,third', CHAT_LIMIT_QUEUE: '8MB' }, chatServerHere);
});
afterAll(() => site.close());

const connect = async (options: ClientOptions = {}) =>
  connectChat(site.chat.url, await site.session(++users), options);
const room = 'lobby';
const send = (client: ChatClient, text: string, to = room) =>
  client.request('message:send', { room: to, text, clientId: newClientId() });
const seqs = (client: ChatClient, of = room) =>
  client.messages().flatMap(({ room: id, seq }) => (id === of ? [seq] : []));

test('delivers each message of a burst once and in order on all transports', async () => {
  const senders = [await connect(), await connect(), await connect()];
  for (const sender of senders) await sender.request('room:join', { room });
  const ways: ClientOptions[] = [
    { transports: ['websocket'] },
    { transports: ['polling'] },
    { transports: ['polling', 'websocket'] },
    { transports: ['polling', 'websocket'] },
  ];
  const readers: ChatClient[] = [];
  const sending: Promise<unknown>[] = [];
  const heads: number[] = [];
  // Messages continue while the readers connect, join and change their transport.
  const burst = () => {
    for (const sender of senders) {
      for (let n = 0; n < 10; n++) sending.push(send(sender, `${n}`));
    }
  };
  const talking = setInterval(burst, 30);
  try {
    for (const options of size([...ways, ...ways], ways)) {
      const reader = await connect(options);
      readers.push(reader);
      heads.push((await reader.request('room:join', { room })).room.lastSeq);
    }
    await expect
      .poll(() => readers.filter(({ socket }) => socket.io.engine.transport.name === 'websocket').length)
      .toBe(size(6, 3));
  } finally {
    clearInterval(talking);
  }
  await Promise.all(sending);
  const { message: last } = (await send(senders[0] as ChatClient, 'the last')) as { message: Message };
  for (const [n, reader] of readers.entries()) {
    await expect.poll(() => seqs(reader).at(-1)).toBe(last.seq);
    const first = (heads[n] as number) + 1;
    expect(seqs(reader)).toEqual(Array.from({ length: last.seq - first + 1 }, (_, k) => first + k));
  }
  for (const client of [...senders, ...readers]) client.close();
});

test('delivers published events before a later response', async () => {
  const [first, other] = [await connect(), await connect()];
  for (const client of [first, other]) await client.request('room:join', { room });
  const isDelivered: boolean[] = [];
  await Promise.all(
    Array.from({ length: 100 }, async (_, n) => {
      const client = n % 2 === 0 ? first : other;
      const { message } = await send(client, `${n}`);
      isDelivered.push(seqs(client).includes(message.seq));
    }),
  );
  expect(isDelivered).toEqual(Array.from({ length: 100 }, () => true));
  // Events of the room do not follow the response to the leave.
  const more = Array.from({ length: 50 }, (_, n) => send(first, `more ${n}`));
  await other.request('room:leave', { room });
  const before = seqs(other).length;
  await Promise.all(more);
  await other.request('room:list', {});
  expect(seqs(other)).toHaveLength(before);
  for (const client of [first, other]) client.close();
});
