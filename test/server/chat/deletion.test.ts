import { describe, expect, onTestFinished, test } from 'vitest';
import type { Aside } from '../../../server/chat/asides.ts';
import { connectUser } from '../../../server/chat/connected-users.ts';
import { deleteMessage } from '../../../server/chat/messages/messages.ts';
import { openChatOver } from '../../helpers/chat-over-history.ts';
import { eventsOf, type Person, say, sharedSite, startPeopleSite } from '../../helpers/people.ts';
import { nameOf, roomsOf } from '../../helpers/rooms-of.ts';

test('deletes a message even if the author cannot be notified', async () => {
  let isDone = false;
  const failed = Promise.withResolvers<Aside>();
  const { chat, history, close } = await openChatOver(
    (stored) => ({
      current: () => (isDone ? Promise.reject(new Error('the disk is gone')) : stored.current()),
    }),
    () => ({ onAsideFailure: failed.resolve }),
  );
  onTestFinished(close);
  const { den, say } = roomsOf(history);
  const room = 'den';
  await den(room, ['owner', 'author']);
  const seq = await say(room, 'author', 'rude');
  const connection = await connectUser(chat, 'c1', { ...nameOf('owner'), roles: [], rooms: [] });
  const found = chat.directory.room(room);
  if (found === undefined) throw new Error('the room is not in memory');
  history.onChange((change) => {
    if (change.type === 'message' && change.is === 'changed') isDone = true;
  });
  const answer = await deleteMessage(chat, connection, found, { room, seq, reason: 'rude' });
  expect(answer.message.deletedBy).toBe('moderator');
  expect(await failed.promise).toBe('deletion_reason');
});

describe('a deleted message is no longer unread', () => {
  const site = sharedSite(() =>
    startPeopleSite({ CHAT_ROOMS: 'lobby', CHAT_CREATE_ROOMS: 'all', CHAT_LIMIT_SEND: '1000/1s' }),
  );
  const unreadOf = async (client: Person, room: string) => {
    const { rooms } = await client.request('room:list', {});
    const { unread, mentions, deleted } = rooms.find(({ id }) => id === room) ?? {};
    return { unread, mentions, deleted };
  };
  const totalsOf = async ({ cookie }: Person) => {
    const headers = { cookie, 'sec-fetch-site': 'same-origin' };
    const answer = await fetch(`${site.chat.url}/me`, { headers });
    const { unread, mentions } = (await answer.json()) as { unread: number; mentions: number };
    return { unread, mentions };
  };
  /** Ann and Ben are members of a room, and Ann sends these messages. */
  async function den(...messages: object[]) {
    const [ann, ben] = await site.people(2);
    const { id: room } = await site.den(ann, [ben]);
    await ann.request('room:join', { room });
    for (const over of messages) await say(ann, room, 'hello', over);
    return { ann, ben, room, remove: (seq: number) => ann.request('message:delete', { room, seq }) };
  }

  test('in rooms, totals, GET /me and the events of a room that is not joined', async () => {
    const { ann, ben, room, remove } = await den({}, {}, {}, {}, {});
    expect(await unreadOf(ben, room)).toEqual({ unread: 5, mentions: 0 });
    for (const seq of [4, 2, 3]) await remove(seq);
    const deleted = [[2, 3]];
    await expect
      .poll(() => eventsOf(ben, 'room:activity').at(-1))
      .toMatchObject({ room, lastSeq: 5, deleted });
    expect(await unreadOf(ben, room)).toEqual({ unread: 2, mentions: 0, deleted });
    expect(await totalsOf(ben)).toEqual({ unread: 2, mentions: 0 });
    expect((await ben.request('read:mark', { room, seq: 3 })).room).toMatchObject({ unread: 1 });
    expect((await ben.request('read:mark', { room, seq: 5 })).room).toMatchObject({ unread: 0 });
    expect((await ben.request('read:mark', { room, seq: 0, unread: true })).room).toMatchObject({
      unread: 2,
    });
    ben.close();
    await expect.poll(() => totalsOf(ben)).toEqual({ unread: 2, mentions: 0 });
    await remove(5);
    await expect.poll(() => totalsOf(ben)).toEqual({ unread: 1, mentions: 0 });
    const again = await site.again(ben);
    expect(again.ready.totals).toEqual({ unread: 1, mentions: 0 });
    for (const client of [ann, again]) client.close();
  });

  test('as a mention of all members, of which each gets the new counts', async () => {
    const everybody = { mentions: [{ user: '*', start: 0, length: 5 }] };
    const { ben, room, remove } = await den(everybody, everybody, {});
    expect(await unreadOf(ben, room)).toEqual({ unread: 3, mentions: 2 });
    await remove(1);
    await expect
      .poll(() => eventsOf(ben, 'room:changed').at(-1))
      .toMatchObject({ id: room, unread: 2, mentions: 1, deleted: [[1, 1]] });
    await ben.request('read:mark', { room, seq: 2 });
    const events = eventsOf(ben, 'room:changed').length;
    await remove(2);
    expect(await unreadOf(ben, room)).toEqual({ unread: 1, mentions: 0 });
    expect(eventsOf(ben, 'room:changed')).toHaveLength(events);
  });

  test('if it was shown only in a thread', async () => {
    const inThread = { replyTo: 1, threadOnly: true };
    const { ben, room, remove } = await den({}, inThread, inThread, {});
    expect(await unreadOf(ben, room)).toEqual({ unread: 2, mentions: 0 });
    for (const seq of [2, 4]) await remove(seq);
    expect(await unreadOf(ben, room)).toEqual({ unread: 1, mentions: 0, deleted: [[4, 1]] });
  });

  test('after a ban that deletes the messages of its user', async () => {
    const [rude, cat] = await site.people(2);
    const mod = await site.person({ roles: 'moderator' });
    for (const client of [rude, cat, mod]) await client.request('room:join', { room: 'lobby' });
    for (let n = 0; n < 11; n++) await say(rude, 'lobby');
    await say(mod, 'lobby');
    expect(await unreadOf(cat, 'lobby')).toMatchObject({ unread: 12 });
    await mod.request('moderate:ban', { user: rude.id, messages: 'delete' });
    await expect.poll(() => unreadOf(cat, 'lobby')).toMatchObject({ unread: 1 });
    expect(await totalsOf(cat)).toEqual({ unread: 1, mentions: 0 });
  });

  test('after an erasure with the messages of its user', async () => {
    const { ann, ben, room } = await den({}, {});
    await ben.request('room:join', { room });
    await say(ben, room);
    const { id } = ann;
    await ben.request('read:mark', { room, seq: 0, unread: true });
    expect(await unreadOf(ben, room)).toEqual({ unread: 3, mentions: 0 });
    expect(await site.api('DELETE', `/users/${id}?messages=delete`)).toMatchObject({ status: 202 });
    await expect.poll(() => unreadOf(ben, room)).toEqual({ unread: 1, mentions: 0, deleted: [[1, 2]] });
    expect(await totalsOf(ben)).toEqual({ unread: 1, mentions: 0 });
  });
});
