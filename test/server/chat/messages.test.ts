import { describe, expect, test } from 'vitest';
import type { Message } from '../../../server/wire/events.ts';
import { type ChatClient, newClientId } from '../../helpers/chat-client.ts';
import { codeOf, eventsOf, sharedSite } from '../../helpers/people.ts';
import { startPeopleHere } from '../../helpers/people-here.ts';

const rooms = Array.from({ length: 17 }, (_, i) => `room-${i}`);
const site = sharedSite(() => startPeopleHere({ CHAT_ROOMS: rooms.join(',') }));
let next = 0;

const connect = (user: number) => site.person({ firstname: `User ${user}` }, `${user}`);
const send = async (client: ChatClient, room: string, text = 'hello', over = {}) =>
  (await client.request('message:send', { room, text, clientId: newClientId(), ...over })).message;
async function talk() {
  const room = rooms[next++] as string;
  const [ann, ben] = [await connect(1), await connect(2)];
  for (const client of [ann, ben]) await client.request('room:join', { room });
  return { room, ann, ben };
}
const changesOf = (client: ChatClient) => eventsOf(client, 'message:changed');

test('announces a pinned message to joined users and lists its current state', async () => {
  const [ann, ben, eve] = [await connect(1), await connect(2), await connect(3)];
  const room = (await ann.request('direct:open', { user: '2' })).room.id;
  await ann.request('room:join', { room });
  await send(ann, room, 'x'.repeat(130));
  await ben.request('room:join', { room });
  await send(ben, room, 'second');
  expect((await ann.request('room:pins', { room })).pins).toEqual([]);
  const changes = (client: ChatClient) => eventsOf(client, 'pin:changed');
  await ann.request('message:pin', { room, seq: 2 });
  // `count` is read when the event is sent, so wait before the next pin.
  await expect.poll(() => changes(ann).length).toBe(1);
  await ben.request('message:pin', { room, seq: 1 });
  await ben.request('message:pin', { room, seq: 1 });
  const [annUser, benUser] = [ann, ben].map(({ ready }) => ready.user);
  const at = expect.any(Number);
  const pin = { seq: 1, user: annUser, text: 'x'.repeat(120), sentAt: at, by: benUser, at, after: 2 };
  await expect
    .poll(() => changes(ann))
    .toEqual([
      { room, seq: 2, pin: expect.objectContaining({ seq: 2, by: annUser, text: 'second' }), count: 1 },
      { room, seq: 1, pin, count: 2 },
    ]);
  await expect.poll(() => changes(ben)).toEqual(changes(ann));
  await ann.request('message:edit', { room, seq: 1, text: 'short' });
  await ben.request('message:delete', { room, seq: 2 });
  await ann.request('user:block', { user: '2', blocked: true });
  const { pins } = await ann.request('room:pins', { room });
  expect(pins).toEqual([
    { ...pin, text: 'short' },
    expect.objectContaining({ seq: 2, text: '', deletedAt: at, hidden: true, by: annUser }),
  ]);
  await ann.request('user:block', { user: '2', blocked: false });
  await ann.request('message:unpin', { room, seq: 2 });
  await expect.poll(() => changes(ben).at(-1)).toEqual({ room, seq: 2, count: 1 });
  expect((await ben.request('room:join', { room })).room).toMatchObject({ pins: 1, head: 4 });
  expect(changes(eve)).toEqual([]);
  for (const client of [ann, ben, eve]) client.close();
});

test('counts messages again on the user’s devices after the read marker moves back', async () => {
  const [ann, ben] = [await connect(11), await connect(12)];
  const room = (await ann.request('direct:open', { user: '12' })).room.id;
  await ann.request('room:join', { room });
  for (const text of ['one', 'two']) await send(ann, room, text);
  await send(ann, room, 'ben', { mentions: [{ user: '12', start: 0, length: 3 }] });
  const benToo = await connect(12);
  const mark = async (seq: number, unread = false) =>
    (await ben.request('read:mark', { room, seq, unread })).room;
  const marks = (client: ChatClient) => eventsOf(client, 'read:changed').filter(({ user }) => user === '12');
  await mark(3);
  expect(await mark(1, true)).toMatchObject({ readSeq: 1, unread: 2, mentions: 1 });
  await expect
    .poll(() => marks(benToo))
    .toEqual([
      { room, user: '12', seq: 3 },
      { room, user: '12', seq: 1, mentions: 1 },
    ]);
  // Clients that connect later get the same state.
  const summary = (client: ChatClient) => client.ready.rooms.find(({ id }) => id === room);
  const [annLater, benLater] = [await connect(11), await connect(12)];
  expect(summary(annLater)).toMatchObject({ readByOther: 3 });
  expect(summary(benLater)).toMatchObject({ readSeq: 1, unread: 2, mentions: 1 });
  expect(await mark(3)).toMatchObject({ readSeq: 3, unread: 0, mentions: 0 });
  await send(ann, room, 'four');
  await mark(2, true);
  await mark(4);
  await expect.poll(() => marks(ann)).toEqual([3, 4].map((seq) => ({ room, user: '12', seq })));
  for (const client of [ann, ben, benToo, annLater, benLater]) client.close();
});

describe('editing', () => {
  test('sends all members a change that keeps the message’s position', async () => {
    const { room, ann, ben } = await talk();
    await send(ann, room, 'helo');
    await send(ben, room);
    const { message } = await ann.request('message:edit', { room, seq: 1, text: 'hello' });
    expect(message).toMatchObject({ seq: 1, rev: 3, text: 'hello', editedAt: expect.any(Number) });
    await expect.poll(() => changesOf(ben)).toEqual([message]);
    expect(await ann.request('message:edit', { room, seq: 1, text: 'hello' })).toEqual({ message });
    expect((await ben.request('room:sync', { room, since: 2 })).messages).toEqual([message]);
  });
});

describe('reacting', () => {
  const react = async (client: ChatClient, room: string, emoji = '👍', on = true, seq = 1) =>
    (await client.request('message:react', { room, seq, emoji, on })).message;
  const reactedOf = (client: ChatClient) => eventsOf(client, 'message:reacted');

  test('combines reactions within 250 ms into one change', async () => {
    const { room, ann, ben } = await talk();
    await send(ann, room, 'the first');
    const answers = await Promise.all([react(ann, room), react(ben, room), react(ben, room, '❤️')]);
    const thumbs = { emoji: '👍', count: 2, users: ['1', '2'] };
    const heart = { emoji: '❤️', count: 1, users: ['2'] };
    const mine = { mine: true };
    const asAnn = [{ ...thumbs, ...mine }, heart];
    const asBen = [
      { ...thumbs, ...mine },
      { ...heart, ...mine },
    ];
    expect(answers.map(({ rev, reactions }) => [rev, reactions])).toEqual([
      [2, asAnn],
      [2, asBen],
      [2, asBen],
    ]);
    for (const client of [ann, ben]) {
      await expect
        .poll(() => reactedOf(client))
        .toEqual([
          {
            room,
            seq: 1,
            rev: 2,
            changes: [
              { emoji: '👍', count: 2, added: ['1', '2'] },
              { emoji: '❤️', count: 1, added: ['2'] },
            ],
          },
        ]);
      expect(changesOf(client)).toEqual([]);
    }
    const message = answers[0] as Message;
    expect((await ann.request('room:join', { room })).messages).toEqual([message]);
    expect((await ann.request('room:join', { room, since: 1 })).messages).toEqual([message]);
    expect((await ann.request('room:sync', { room, since: 1 })).messages).toEqual([message]);
    expect((await ann.request('message:history', { room })).messages).toEqual([message]);
    expect((await ann.request('message:search', { query: 'the first', room })).messages).toEqual([message]);
    expect((await ben.request('room:join', { room })).messages).toMatchObject([{ reactions: asBen }]);
    const users = [
      { id: '1', name: 'User 1' },
      { id: '2', name: 'User 2' },
    ];
    expect(await ben.request('message:reactions', { room, seq: 1, emoji: '👍' })).toEqual({ users });
  });

  test('again returns the same message without an event', async () => {
    const { room, ann, ben } = await talk();
    await send(ann, room);
    const first = await react(ann, room);
    expect(await react(ann, room)).toEqual(first);
    expect(await react(ben, room, '👍', false)).toMatchObject({ rev: 2 });
    expect(await react(ann, room, '👍', false)).not.toHaveProperty('reactions');
    await expect
      .poll(() => reactedOf(ben).map(({ rev, changes }) => [rev, changes]))
      .toEqual([
        [2, [{ emoji: '👍', count: 1, added: ['1'] }]],
        [3, [{ emoji: '👍', count: 0, removed: ['1'] }]],
      ]);
  });

  test('is stored before the user’s next request and causes no edit conflict', async () => {
    const { room, ann, ben } = await talk();
    const { rev } = await send(ann, room, 'one');
    await react(ben, room);
    const later = [
      ann.request('message:react', { room, seq: 1, emoji: '👍', on: true }),
      ann.request('message:edit', { room, seq: 1, text: 'uno', rev }),
    ] as const;
    const [reacted, edited] = await Promise.all(later);
    expect([reacted.message.rev, edited.message.rev]).toEqual([3, 4]);
    expect(edited.message).toMatchObject({
      text: 'uno',
      reactions: [{ emoji: '👍', count: 2, users: ['2', '1'], mine: true }],
    });
    await react(ben, room, '👍', false);
    const late = { room, seq: 1, text: 'eins', rev };
    expect(await ann.raw('message:edit', late)).toMatchObject({
      error: {
        code: 'conflict',
        current: { rev: 5, text: 'uno', reactions: [{ count: 1, users: ['1'], mine: true }] },
      },
    });
    const gone = [
      ann.request('message:react', { room, seq: 1, emoji: '❤️', on: true }),
      ann.request('message:delete', { room, seq: 1 }),
    ] as const;
    const [, deleted] = await Promise.all(gone);
    expect(deleted.message).toMatchObject({ rev: 7, text: '' });
    expect(deleted.message).not.toHaveProperty('reactions');
    expect(await codeOf(ben, 'message:reactions', { room, seq: 1, emoji: '👍' })).toBe('unknown_message');
  });

  test('leaves other users room for emoji, and names the limit', async () => {
    const { room, ann, ben } = await talk();
    await send(ann, room);
    const answers = [];
    for (const emoji of '😀😃😄😁😆😅😂🙂😉😊😇🥰')
      answers.push(await ben.raw('message:react', { room, seq: 1, emoji, on: true }));
    expect(answers.filter(({ ok }) => ok)).toHaveLength(4);
    expect(answers.at(-1)).toMatchObject({
      error: { code: 'limit_reached', message: expect.stringMatching(/message can have 12 .* 4 of them/) },
    });
    expect(await codeOf(ann, 'message:react', { room, seq: 1, emoji: '👍', on: true })).toBe('ok');
  });

  test('marks the user’s own reaction even beyond the first ten users', async () => {
    const { room, ann } = await talk();
    await send(ann, room);
    const clients = await Promise.all(Array.from({ length: 12 }, (_, n) => connect(100 + n)));
    await Promise.all(clients.map((client) => client.request('room:join', { room })));
    const answers = await Promise.all(clients.map((client) => react(client, room)));
    for (const { reactions } of answers) expect(reactions).toMatchObject([{ mine: true }]);
    const { messages: seen } = await ann.request('room:join', { room });
    const named = seen[0]?.reactions?.[0]?.users ?? [];
    expect(seen).toMatchObject([{ reactions: [{ emoji: '👍', count: 12 }] }]);
    expect(named).toHaveLength(10);
    expect(seen[0]?.reactions?.[0]).not.toHaveProperty('mine');
    const unnamed = clients.filter(({ ready }) => !answers[0]?.reactions?.[0]?.users.includes(ready.user.id));
    expect(unnamed).toHaveLength(2);
    const last = unnamed[0] as ChatClient;
    for (const { messages } of [
      await last.request('room:join', { room }),
      await last.request('room:sync', { room, since: 1 }),
    ]) {
      expect(messages).toMatchObject([{ reactions: [{ mine: true }] }]);
    }
    const { users } = await last.request('message:reactions', { room, seq: 1, emoji: '👍' });
    expect(users.map(({ id }) => id).sort()).toEqual(clients.map(({ ready }) => ready.user.id).sort());
    for (const client of clients) client.close();
  });

  test('does not make a room unread or change its newest message', async () => {
    const { room, ann, ben } = await talk();
    await send(ann, room);
    await ben.request('read:mark', { room, seq: 1 });
    await ben.request('room:leave', { room });
    await react(ann, room);
    const { rooms: listed } = await ben.request('room:list', {});
    expect(listed.find(({ id }) => id === room)).toMatchObject({ head: 2, lastSeq: 1, unread: 0 });
    const { messages, complete } = await ben.request('room:join', { room, since: 1 });
    expect({ messages, complete }).toMatchObject({
      complete: true,
      messages: [{ seq: 1, rev: 2, reactions: [{ emoji: '👍', users: ['1'] }] }],
    });
  });
});

describe('deleting', () => {
  test('removes the text from history, sync, search and previews', async () => {
    const { room, ann, ben } = await talk();
    await send(ann, room, 'a needle');
    await send(ben, room, 'a reply', { replyTo: 1 });
    await send(ann, room, 'the last needle');
    await ann.request('message:delete', { room, seq: 1 });
    const { message } = await ann.request('message:delete', { room, seq: 3 });
    expect(message).toMatchObject({ text: '', deletedAt: expect.any(Number), deletedBy: 'author' });
    expect(await ann.request('message:delete', { room, seq: 3 })).toEqual({ message });
    await expect.poll(() => changesOf(ben).map(({ rev }) => rev)).toEqual([4, 5]);
    expect((await ben.request('message:history', { room })).messages.map(({ text }) => text)).toEqual([
      '',
      'a reply',
      '',
    ]);
    expect((await ben.request('message:search', { query: 'needle', room })).messages).toEqual([]);
    const { rooms: listed } = await ben.request('room:list', {});
    expect(listed.find(({ id }) => id === room)?.last).toMatchObject({
      text: '',
      deletedAt: expect.any(Number),
    });
  });
});

describe('sending', () => {
  test('marks the message as read on all devices of its author', async () => {
    const { room, ann, ben } = await talk();
    const benToo = await connect(2);
    await send(ann, room);
    const { seq } = await send(ben, room);
    await expect.poll(() => eventsOf(benToo, 'read:changed').at(-1)).toEqual({ room, user: '2', seq });
    expect(eventsOf(ben, 'read:changed')).toEqual([]);
  });
});

test('sends typing to others until a message, a leave or a timeout', async () => {
  const { room, ann, ben } = await talk();
  const typingEvents = () => eventsOf(ben, 'typing:changed').map(({ typing }) => typing);
  await ann.request('typing:set', { room, typing: true });
  await ann.request('typing:set', { room, typing: true });
  await send(ann, room);
  await expect.poll(typingEvents).toEqual([true, false]);
  await ann.request('typing:set', { room, typing: true });
  await ann.request('room:leave', { room });
  await expect.poll(typingEvents).toEqual([true, false, true, false]);
  await ann.request('room:join', { room });
  await ann.request('typing:set', { room, typing: true });
  await expect.poll(typingEvents).toEqual([true, false, true, false, true, false]);
  expect(ann.events.some(({ name }) => name === 'typing:changed')).toBe(false);
});

test('sends at most one activity event per second about a room that the user does not show', async () => {
  const { room, ann, ben } = await talk();
  await ben.request('room:leave', { room });
  const began = performance.now();
  for (let n = 0; n < 20; n++) await send(ann, room, `message ${n}`);
  const activityOf = (client: ChatClient) =>
    eventsOf(client, 'room:activity').filter((activity) => activity.room === room);
  const activities = () => activityOf(ben);
  await expect
    .poll(() => activities().at(-1))
    .toMatchObject({ room, lastSeq: 20, head: 20, last: { text: 'message 19' } });
  expect(activities().length).toBeLessThanOrEqual(3 + Math.floor((performance.now() - began) / 1000));
  expect(activityOf(ann)).toEqual([]);
});
