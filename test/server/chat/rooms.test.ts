import { afterAll, beforeAll, expect, test } from 'vitest';
import { type ChatClient, newClientId } from '../../helpers/chat-client.ts';
import { eventsOf, type Person } from '../../helpers/people.ts';
import { type PeopleHere, startPeopleHere } from '../../helpers/people-here.ts';

const rooms = Array.from({ length: 20 }, (_, i) => `room-${i}`);
let site: PeopleHere;
let next = 0;
/** A new room for each test. */
function newRoom(): string {
  const room = rooms[next++];
  if (room === undefined) throw new Error('more tests than rooms');
  return room;
}
const open: ChatClient[] = [];

beforeAll(async () => {
  site = await startPeopleHere({ CHAT_ROOMS: rooms.join(',') });
});
afterAll(async () => {
  for (const client of open) client.close();
  await site.close();
});

async function connect(user: number): Promise<Person> {
  const client = await site.person({ firstname: `User ${user}` }, `${user}`);
  open.push(client);
  return client;
}
const send = (client: ChatClient, room: string, text = 'hello', over = {}) =>
  client.request('message:send', { room, text, clientId: newClientId(), ...over });
const seqs = (messages: { seq: number }[]) => messages.map(({ seq }) => seq);
const upTo = (n: number, from = 1) => Array.from({ length: n - from + 1 }, (_, i) => from + i);
/** Waits until the client has received the event with this rev. */
const received = (client: ChatClient, rev: number) =>
  expect.poll(() => client.messages().some((message) => message.rev === rev)).toBe(true);

test('sends a message once to each joined user, including the sender', async () => {
  const room = newRoom();
  const [ann, ben, eve] = [await connect(1), await connect(2), await connect(3)];
  for (const client of [ann, ben, eve]) await client.request('room:join', { room });
  await eve.request('room:leave', { room });
  const { message } = await send(ann, room, '你好 <b>👋</b>');
  await received(ben, 1);
  expect(ann.messages()).toEqual([message]);
  expect(ben.messages()).toEqual([message]);
  await send(ben, room);
  await received(ann, 2);
  expect(eve.messages()).toEqual([]);
});

test('counts messages as unread from the first join', async () => {
  const room = newRoom();
  const [ann, ben] = [await connect(1), await connect(2)];
  await ann.request('room:join', { room });
  await send(ann, room);
  expect((await ben.request('room:join', { room })).room).toEqual({
    id: room,
    name: room,
    kind: 'public',
    member: true,
    members: 2,
    role: 'member',
    may: ['send', 'leave'],
    head: 1,
    lastSeq: 1,
    readSeq: 1,
    unread: 0,
    mentions: 0,
    last: { seq: 1, user: { id: '1', name: 'User 1' }, text: 'hello', sentAt: expect.any(Number) },
    notify: 'mentions',
    write: 'all',
  });
  await ben.request('room:leave', { room });
  for (let i = 0; i < 3; i++) await send(ann, room);
  const roomIn = (list: { rooms: { id: string }[] }) => list.rooms.find(({ id }) => id === room);
  expect(roomIn(await ben.request('room:list', {}))).toMatchObject({
    member: true,
    readSeq: 1,
    unread: 3,
    lastSeq: 4,
  });
  expect(roomIn(await ann.request('room:list', {}))).toMatchObject({ member: true, readSeq: 4, unread: 0 });
  expect(roomIn((await connect(9)).ready)).toMatchObject({ member: false, unread: 0 });
});

test('returns the newest 50 messages on join, and older ones in pages', async () => {
  const room = newRoom();
  const ann = await connect(1);
  await ann.request('room:join', { room });
  await Promise.all(upTo(120).map(() => send(ann, room)));
  const joined = await (await connect(2)).request('room:join', { room });
  expect(seqs(joined.messages)).toEqual(upTo(120, 71));
  expect(joined.complete).toBe(false);
  const older = await ann.request('message:history', { room, before: 71, limit: 60 });
  expect(seqs(older.messages)).toEqual(upTo(70, 11));
  expect(older.complete).toBe(false);
  const oldest = await ann.request('message:history', { room, before: 11 });
  expect(seqs(oldest.messages)).toEqual(upTo(10));
  expect(oldest.complete).toBe(true);
  expect(await ann.request('message:history', { room, before: 1 })).toEqual({ messages: [], complete: true });
});

test('returns the changes after `since` from room:join and room:sync', async () => {
  const room = newRoom();
  const ann = await connect(1);
  await ann.request('room:join', { room });
  await Promise.all(upTo(250).map(() => send(ann, room)));
  const joined = await ann.request('room:join', { room, since: 40 });
  expect(seqs(joined.messages)).toEqual(upTo(240, 41));
  expect(joined).toMatchObject({ complete: false, room: { head: 250 } });
  expect(await ann.request('room:sync', { room, since: 240 })).toMatchObject({
    head: 250,
    complete: true,
    messages: { length: 10 },
  });
  expect(await ann.request('room:sync', { room, since: 0, limit: 7 })).toMatchObject({
    head: 250,
    complete: false,
    messages: { length: 7 },
  });
  const nothing = { head: 250, complete: true, messages: [] };
  expect(await ann.request('room:sync', { room, since: 250 })).toEqual(nothing);
  // `since` above the head, as after a restored backup.
  for (const event of ['room:join', 'room:sync'] as const)
    expect(await ann.request(event, { room, since: 251 })).toMatchObject({ reset: true });
});

test('counts presence by user, not by connection', async () => {
  const room = newRoom();
  const ann = await connect(71);
  expect(await ann.request('room:join', { room })).toMatchObject({
    present: [{ id: '71' }],
    presentCount: 1,
  });
  const [ben, benToo] = [await connect(72), await connect(72)];
  const joined = await ben.request('room:join', { room });
  expect(joined.present.map(({ id }) => id)).toEqual(['72', '71']);
  expect((await benToo.request('room:join', { room })).presentCount).toBe(2);
  const changes = () => eventsOf(ann, 'presence:changed');
  await expect
    .poll(() => changes().at(-1))
    .toMatchObject({ room, joined: [{ id: '72', name: 'User 72' }], left: [], count: 2 });
  const before = changes().length;
  await benToo.request('room:leave', { room });
  ben.close();
  benToo.close();
  await expect.poll(() => changes().at(-1)).toEqual({ room, joined: [], left: ['72'], count: 1 });
  expect(changes().length).toBe(before + 1);
});

test('shows the current name of a present user to users who join later', async () => {
  const room = newRoom();
  const ann = await connect(5);
  await ann.request('room:join', { room });
  await site.writeSession(ann, { firstname: 'Anna' });
  const later = await connect(6);
  await expect
    .poll(async () => (await later.request('room:join', { room })).present.map(({ name }) => name))
    .toContain('Anna');
});

test('announces a returning and a leaving user to members who joined within the batch of these changes', async () => {
  const room = newRoom();
  const [ann, ben] = [await connect(81), await connect(82)];
  for (const client of [ann, ben]) await client.request('room:join', { room });
  ben.close();
  const there = async () => (await ann.request('room:members', { room, present: true })).members.length;
  await expect.poll(there, { interval: 5 }).toBe(1);
  // Presence changes are batched for 250 ms, and all of this happens within that time.
  const eve = await connect(84);
  await eve.request('room:join', { room });
  const later = await connect(83);
  const joined = await later.request('room:join', { room });
  expect(joined.present.map(({ id }) => id).sort()).toEqual(['81', '83', '84']);
  await eve.request('room:remove', { room, user: '84' });
  await connect(82);
  const changes = () => eventsOf(later, 'presence:changed');
  await expect
    .poll(() => changes().flatMap((change) => change.joined))
    .toContainEqual({ id: '82', name: 'User 82' });
  await expect.poll(() => changes().flatMap(({ left }) => left)).toContain('84');
  expect(changes().at(-1)).toMatchObject({ count: 3 });
});

test('returns the current messages on each join, after sends, edits and deletions', async () => {
  const room = newRoom();
  const [ann, ben] = [await connect(1), await connect(2)];
  await ann.request('room:join', { room });
  const texts = async () => {
    await ben.request('room:leave', { room });
    return (await ben.request('room:join', { room })).messages.map(({ text }) => text);
  };
  expect(await texts()).toEqual([]);
  await send(ann, room, 'one');
  expect(await texts()).toEqual(['one']);
  expect(await texts()).toEqual(['one']);
  await send(ann, room, 'two');
  await ann.request('message:edit', { room, seq: 1, text: 'first' });
  expect(await texts()).toEqual(['first', 'two']);
  await ann.request('message:delete', { room, seq: 2 });
  expect(await texts()).toEqual(['first', '']);
  const many = Array.from({ length: 55 }, (_, n) => `${n}`);
  for (const text of many) await send(ann, room, text);
  expect(await texts()).toEqual(many.slice(-50));
  const { messages, complete } = await ben.request('room:join', { room, since: 59 });
  expect([messages, complete]).toEqual([[], true]);
});
