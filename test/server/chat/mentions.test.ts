import { describe, expect, test } from 'vitest';
import type { Message, RoomSummary } from '../../../server/wire/events.ts';
import { type ChatClient, newClientId } from '../../helpers/chat-client.ts';
import { sharedSite } from '../../helpers/people.ts';
import { startPeopleHere } from '../../helpers/people-here.ts';

const rooms = Array.from({ length: 10 }, (_, i) => `room-${i}`);
const site = sharedSite(() =>
  startPeopleHere({
    CHAT_ROOMS: rooms.join(','),
    CHAT_FIND_PEOPLE: 'rooms',
    CHAT_LIMIT_CHANGE: '0',
  }),
);
let next = 0;

const at = (user: string, start = 0, length = 1) => ({ user, start, length });
const send = async (client: ChatClient, room: string, mentions: object[], text = '@ @ @ hello') =>
  (
    await client.request('message:send', {
      room,
      text,
      clientId: newClientId(),
      mentions: mentions as ReturnType<typeof at>[],
    })
  ).message;
const payloads = <T>(client: ChatClient, event: string) =>
  client.events.filter(({ name }) => name === event).map(({ payload }) => payload as T);
const mentionsTo = (client: ChatClient) =>
  payloads<{ message: Message }>(client, 'mention').map(({ message }) => message);
const summaryOf = async (client: ChatClient, room: string) => {
  const { rooms } = await client.request('room:list', {});
  return rooms.find(({ id }) => id === room) as RoomSummary;
};
/** Returns a public room of these users that only the first still shows. */
async function publicRoom(...people: ChatClient[]) {
  const room = rooms[next++] as string;
  for (const [n, person] of people.entries()) {
    await person.request('room:join', { room });
    if (n > 0) await person.request('room:leave', { room });
  }
  return room;
}

describe('mentions', () => {
  test('list the named users in text order, the same for all readers', async () => {
    const [ann, ben] = await site.people(2);
    const room = await publicRoom(ann, ben);
    await ben.request('room:join', { room });
    const message = await send(ann, room, [at(ann.id, 3, 2), at(ben.id, 0, 2)], '👋🏽 hi');
    expect(message.mentions).toEqual([
      { user: { id: ben.id, name: `Name of ${ben.id}` }, start: 0, length: 2 },
      { user: { id: ann.id, name: `Name of ${ann.id}` }, start: 3, length: 2 },
    ]);
    await expect.poll(() => ben.messages()).toEqual([message]);
    await expect.poll(() => ann.messages()).toEqual([message]);
    expect((await ben.request('message:history', { room })).messages).toEqual([message]);
    const { seq } = message;
    await site.writeSession(ben, { firstname: 'Benjamin' });
    await expect.poll(() => payloads(ben, 'session:changed')).toHaveLength(1);
    const renamed = {
      ...message,
      mentions: [{ ...message.mentions?.[0], user: { id: ben.id, name: 'Benjamin' } }, message.mentions?.[1]],
    };
    expect((await ann.request('room:join', { room })).messages).toEqual([renamed]);
    const edited = await ann.request('message:edit', { room, seq, text: 'x', mentions: [at(ben.id)] });
    expect(edited.message.mentions).toEqual([
      { user: { id: ben.id, name: 'Benjamin' }, start: 0, length: 1 },
    ]);
    await expect.poll(() => payloads(ben, 'message:changed')).toEqual([edited.message]);
    const { message: deleted } = await ann.request('message:delete', { room, seq });
    expect(deleted).not.toHaveProperty('mentions');
  });

  test('do not reveal the name of a user whom the readers may not find', async () => {
    const [ann, eve] = await site.people(2);
    const room = await publicRoom(ann);
    const hidden = await send(ann, room, [at(eve.id)]);
    expect(hidden.mentions).toEqual([{ user: { id: eve.id, name: eve.id }, start: 0, length: 1 }]);
    // Eve may still read the message.
    await expect.poll(() => mentionsTo(eve)).toEqual([hidden]);
    const seenBy = async (reader: ChatClient) => (await reader.request('message:history', { room })).messages;
    const own = { ...hidden.mentions?.[0], user: { id: eve.id, name: `Name of ${eve.id}` } };
    expect([await seenBy(ann), await seenBy(eve)]).toEqual([[hidden], [{ ...hidden, mentions: [own] }]]);
    await eve.request('room:join', { room });
    const { messages } = await ann.request('message:history', { room });
    expect(messages[0]?.mentions?.[0]?.user.name).toBe(`Name of ${eve.id}`);
    expect((await ann.request('room:join', { room })).messages).toEqual(messages);
  });

  test('are counted until they are read, removed by an edit or deleted', async () => {
    const [ann, ben, bob] = await site.people(3);
    const room = await publicRoom(ann, ben, bob);
    await ann.request('room:notify', { room, notify: 'all' });
    for (const users of [[ben.id], [ben.id, bob.id], [], [ben.id]]) {
      await send(
        ann,
        room,
        users.map((user, n) => at(user, 2 * n)),
      );
    }
    expect(await summaryOf(ben, room)).toMatchObject({ unread: 4, mentions: 3 });
    expect(await summaryOf(bob, room)).toMatchObject({ unread: 4, mentions: 1 });
    expect(await summaryOf(ann, room)).toMatchObject({ unread: 0, mentions: 0 });
    const again = await site.again(ben);
    expect(again.ready.totals).toEqual({ unread: 4, mentions: 3 });
    expect(await site.me(bob)).toMatchObject({ unread: 4, mentions: 1 });
    expect((await ben.request('read:mark', { room, seq: 1 })).room).toMatchObject({ unread: 3, mentions: 2 });
    await ann.request('message:edit', { room, seq: 2, text: 'nobody' });
    await expect
      .poll(() => payloads(ben, 'room:changed'))
      .toMatchObject([{ id: room, unread: 3, mentions: 1 }]);
    await ann.request('message:delete', { room, seq: 4 });
    await expect
      .poll(() => payloads<RoomSummary>(ben, 'room:changed').map(({ mentions }) => mentions))
      .toEqual([1, 0]);
    await ann.request('message:edit', { room, seq: 3, text: '@', mentions: [at(ben.id)] });
    expect(await summaryOf(ben, room)).toMatchObject({ mentions: 1 });
    for (const client of [ben, again]) client.close();
    await send(ann, room, [at(ben.id)]);
    const later = await site.again(ben);
    expect(later.ready.totals).toMatchObject({ mentions: 2 });
    await later.request('read:mark', { room, seq: 5 });
    expect(await summaryOf(later, room)).toMatchObject({ unread: 0, mentions: 0 });
    await later.request('room:notify', { room, notify: 'none' });
    await send(ann, room, [at(ben.id)]);
    expect((await site.again(ben)).ready.totals).toMatchObject({ mentions: 0 });
    expect(await summaryOf(later, room)).toMatchObject({ mentions: 1 });
  });

  test('notify a named user on all connections, unless one of them shows the room', async () => {
    const [ann, ben, bob, kim] = await site.people(4);
    const { id: room } = await site.den(ann, [ben, bob, kim]);
    for (const client of [ann, bob]) await client.request('room:join', { room });
    const [benToo, bobToo] = [await site.again(ben), await site.again(bob)];
    const first = await send(ann, room, [at(ben.id), at(bob.id, 2), at(ben.id, 4)]);
    for (const client of [ben, benToo]) await expect.poll(() => mentionsTo(client)).toEqual([first]);
    const all = await send(ann, room, [at('*')]);
    for (const client of [ben, benToo]) await expect.poll(() => mentionsTo(client)).toEqual([first, all]);
    await expect.poll(() => mentionsTo(kim)).toEqual([all]);
    // An edit notifies newly named users, but not those named before.
    const edited = await ann.request('message:edit', {
      room,
      seq: 1,
      text: '@ @',
      mentions: [at(kim.id), at(ben.id, 2)],
    });
    await expect.poll(() => mentionsTo(kim)).toEqual([all, edited.message]);
    expect(mentionsTo(ben)).toHaveLength(2);
    for (const client of [ann, bob, bobToo]) expect(mentionsTo(client)).toEqual([]);
    expect(bob.messages()).toEqual([first, all]);
  });

  test('added by an edit do not notify users who already read the message', async () => {
    const [ann, ben, kim] = await site.people(3);
    const { id: room } = await site.den(ann, [ben, kim]);
    await ann.request('room:join', { room });
    const [first, second] = [await send(ann, room, []), await send(ann, room, [])];
    await ben.request('read:mark', { room, seq: second.seq });
    const edited = async ({ seq }: Message, ...mentions: ReturnType<typeof at>[]) =>
      (await ann.request('message:edit', { room, seq, text: '@ @', mentions })).message;
    const both = await edited(first, at(ben.id), at(kim.id, 2));
    const all = await edited(second, at('*'));
    const last = await send(ann, room, [at(ben.id), at(kim.id, 2)]);
    await expect.poll(() => mentionsTo(kim)).toEqual([both, all, last]);
    await expect.poll(() => mentionsTo(ben)).toEqual([last]);
    expect(await summaryOf(kim, room)).toMatchObject({ unread: 3, mentions: 3 });
    expect(await summaryOf(ben, room)).toMatchObject({ unread: 1, mentions: 1 });
  });
});
