import { describe, expect, test } from 'vitest';
import { eventsOf, nextOf, type Person, say, sharedSite } from '../../helpers/people.ts';
import { startPeopleHere } from '../../helpers/people-here.ts';

const site = sharedSite(() =>
  startPeopleHere({
    CHAT_ROOMS: 'lobby',
    CHAT_LIMIT_CHANGE: '0',
    CHAT_LIMIT_SEND: '0',
    CHAT_HOLD_WORDS: 'pallets',
  }),
);

const ids = (users: readonly { id: string }[]) => users.map(({ id }) => id);
/** Creates a private room with a message by the first user. All but the last user join it. */
async function scene(...people: Person[]) {
  const [owner, ...others] = people as [Person, ...Person[]];
  const { id: room } = await site.den(owner, others);
  for (const person of people.slice(0, -1)) await person.request('room:join', { room });
  const { seq: thread } = await say(owner, room, 'the question');
  return {
    room,
    thread,
    reply: (who: Person, over: object = {}) => say(who, room, 'an answer', { replyTo: thread, ...over }),
  };
}
/** Returns the latest state of the thread in the user's events. */
const announced = (who: Person, thread: number) =>
  eventsOf(who, 'thread:changed')
    .flatMap(({ threads }) => threads)
    .findLast((state) => state.thread === thread);

describe('a thread', () => {
  test('is announced to joined users, and returned with its number of new replies', async () => {
    const [ann, ben, cat] = await site.people(3);
    const { room, thread, reply } = await scene(ann, ben, cat);
    const replies = [await reply(ben), await reply(ann), await reply(ben)];
    expect(replies[0]).toMatchObject({ replyTo: 1, thread: 1 });
    const last = replies[2]?.sentAt;
    const shown = { thread, root: thread, replies: 3, lastAt: last };
    await expect.poll(() => announced(ann, thread)).toMatchObject(shown);
    expect(ids(announced(ann, thread)?.authors ?? [])).toEqual([ben.id, ann.id]);
    // At most one event per second, the first at once.
    expect(eventsOf(ann, 'thread:changed').length).toBeLessThanOrEqual(3);
    expect(eventsOf(cat, 'thread:changed')).toEqual([]);

    const joined = await cat.request('room:join', { room });
    expect(joined.threads).toEqual([{ ...announced(ann, thread), new: 3 }]);
    const got = await cat.request('thread:get', { room, thread: 3, limit: 2 });
    expect(got).toMatchObject({
      root: { seq: 1 },
      thread: joined.threads?.[0],
      following: false,
      complete: false,
    });
    expect(got.messages.map(({ seq }) => seq)).toEqual([3, 4]);
    const first = await cat.request('thread:get', { room, thread, after: 0, limit: 1 });
    expect(first.messages.map(({ seq }) => seq)).toEqual([2]);
    await cat.request('read:mark', { room, seq: 4 });
    expect((await cat.request('message:history', { room })).threads).toEqual([announced(ann, thread)]);
    // A client that missed only the last reply gets the total count with it.
    const missed = await cat.request('room:sync', { room, since: 3 });
    expect(missed).toMatchObject({ messages: [{ seq: 4 }], threads: [{ thread, replies: 3 }] });
    for (const { seq } of replies) {
      const author = seq === 3 ? ann : ben;
      await author.request('message:delete', { room, seq });
    }
    await expect
      .poll(() => announced(cat, thread))
      .toEqual({ thread, root: thread, replies: 0, authors: [] });
    const gone = await cat.request('room:sync', { room, since: 4 });
    expect(gone.threads).toEqual([announced(cat, thread)]);
    expect((await cat.request('message:history', { room, before: 2 })).threads).toBeUndefined();
  });

  test('excludes replies by blocked users', async () => {
    const [ann, ben, cat, eve] = (await Promise.all([1, 2, 3, 4].map(() => site.person()))) as [
      Person,
      Person,
      Person,
      Person,
    ];
    const { room, thread, reply } = await scene(ann, ben, eve, cat);
    await ann.request('user:block', { user: eve.id, blocked: true });
    const { sentAt } = await reply(ben);
    await reply(eve);
    await reply(eve);
    await expect.poll(() => announced(ben, thread)?.replies).toBe(3);
    const shown = {
      thread,
      root: thread,
      replies: 1,
      authors: [{ id: ben.id, name: `Name of ${ben.id}` }],
      lastAt: sentAt,
    };
    await expect.poll(() => announced(ann, thread)).toEqual(shown);
    expect((await ann.request('message:history', { room })).threads).toEqual([{ ...shown, new: 1 }]);
    expect((await ann.request('room:join', { room })).threads).toEqual([{ ...shown, new: 1 }]);
    const { thread: got, messages } = await ann.request('thread:get', { room, thread });
    expect(got).toEqual({ ...shown, new: 1 });
    expect(messages.map(({ hidden }) => hidden)).toEqual([undefined, true, true]);
    const { rooms } = await ann.request('room:list', {});
    // Only Ben's reply counts.
    expect(rooms.find(({ id }) => id === room)?.mentions).toBe(1);

    // A thread with replies by only the blocked user looks like a message without replies.
    const other = await say(ben, room, 'another question');
    const before = await ann.request('message:history', { room, after: other.seq - 1 });
    await say(eve, room, 'an answer', { replyTo: other.seq });
    const after = await ann.request('message:history', { room, after: other.seq - 1, limit: 1 });
    expect(after.threads).toEqual(before.threads);
    expect(after.threads).toBeUndefined();
  });

  test('does not notify followers who lost the room', async () => {
    const [ann, ben] = await site.people(2);
    const { room, thread, reply } = await scene(ann, ben);
    await ann.request('room:join', { room });
    await reply(ann);
    await ben.request('thread:follow', { room, thread, following: true });
    await ann.request('room:remove', { room, user: ben.id });
    const mentionsBefore = eventsOf(ben, 'mention').length;
    await reply(ann);
    await say(ann, room);
    await ben.request('room:list', {});
    expect(eventsOf(ben, 'mention')).toHaveLength(mentionsBefore);
  });
});

describe('following a thread', () => {
  test('notifies the user of replies like a mention', async () => {
    const [ann, ben, cat] = await site.people(3);
    const { room, thread, reply } = await scene(ann, ben, cat);
    const second = await site.again(ann);
    await reply(ben);
    await expect.poll(() => eventsOf(ann, 'thread:followed')).toEqual([{ room, thread, following: true }]);
    expect((await ann.request('thread:get', { room, thread })).following).toBe(true);
    const followed = nextOf(cat, 'thread:followed');
    await cat.request('thread:follow', { room, thread: 2, following: true });
    expect(await followed).toEqual({ room, thread, following: true });
    const notified = nextOf(cat, 'mention');
    const answer = await reply(ben);
    expect(await notified).toEqual({ message: answer, followed: true });
    // Ann has the room open on one connection.
    expect(eventsOf(ann, 'mention')).toEqual([]);
    const mentions = async (who: Person) =>
      (await who.request('room:list', {})).rooms.find(({ id }) => id === room)?.mentions;
    expect([await mentions(ann), await mentions(cat), await mentions(ben)]).toEqual([2, 1, 0]);
    // A reply that also mentions the user sends one event and counts once.
    const name = [{ user: cat.id, start: 0, length: 1 }];
    const named = nextOf(cat, 'mention');
    const { seq } = await reply(ben, { mentions: name });
    expect(await named).not.toHaveProperty('followed');
    expect(await mentions(cat)).toBe(2);
    const changed = nextOf(cat, 'room:changed');
    await ben.request('message:delete', { room, seq });
    expect((await changed).mentions).toBe(1);
    await cat.request('thread:follow', { room, thread, following: false });
    await reply(ben);
    expect(await mentions(cat)).toBe(1);
    second.close();
  });

  test('ends with the membership, and does not start without one', async () => {
    const [ann, ben, cat] = await site.people(3);
    const room = 'lobby';
    for (const client of [ann, ben, cat]) await client.request('room:join', { room });
    const { seq: thread } = await say(ann, room, 'the question');
    const { seq: other } = await say(ann, room, 'another question');
    await say(ben, room, 'an answer', { replyTo: thread });
    for (const client of [ann, ben]) await client.request('room:remove', { room, user: client.id });
    for (const replyTo of [thread, other]) await say(cat, room, 'an answer', { replyTo });
    // Mentions are announced after the replies.
    for (const { id: user } of [ann, ben]) {
      await say(cat, room, 'x', { mentions: [{ user, start: 0, length: 1 }] });
    }
    for (const client of [ann, ben]) {
      await expect.poll(() => eventsOf(client, 'mention').length).toBeGreaterThan(0);
      expect(eventsOf(client, 'mention').map(({ followed }) => followed)).toEqual([undefined]);
      await client.request('room:join', { room });
      const { following } = await client.request('thread:get', { room, thread });
      expect(following).toBe(false);
    }
  });
});

describe('a reply that is shown only in its thread', () => {
  const threadOnly = true;
  const summary = async (who: Person, room: string) =>
    (await who.request('room:list', {})).rooms.find(({ id }) => id === room);

  test('counts as unread only for followers and mentioned users', async () => {
    const [ann, ben, cat, dan] = (await site.people(4)) as [Person, Person, Person, Person];
    const { room, thread, reply } = await scene(ann, ben, cat, dan);
    await ben.request('room:leave', { room });
    for (const who of [cat, dan]) await who.request('read:mark', { room, seq: 1 });
    await ann.request('room:leave', { room });
    const first = await reply(cat, { threadOnly });
    expect(first).toMatchObject({ seq: 2, replyTo: thread, thread, threadOnly });
    await reply(cat, { threadOnly, mentions: [{ user: ben.id, start: 0, length: 1 }] });
    // The author of the question follows the thread, Ben is mentioned, and Dan has nothing to read.
    const counts = ({ unread = 0, mentions = 0, threadOnly = 0 } = {}) => ({ unread, mentions, threadOnly });
    expect(counts(await summary(ann, room))).toEqual({ unread: 0, mentions: 2, threadOnly: 2 });
    expect(counts(await summary(ben, room))).toEqual({ unread: 1, mentions: 1, threadOnly: 2 });
    expect(counts(await summary(dan, room))).toEqual({ unread: 0, mentions: 0, threadOnly: 2 });
    // They do not follow the newest message in the list of rooms, and are no news there.
    const activity = () => eventsOf(dan, 'room:activity').findLast((event) => event.room === room);
    await expect.poll(activity).toMatchObject({ lastSeq: 3, threadOnly: 2, last: { seq: 1 } });
    expect((await summary(dan, room))?.last?.seq).toBe(1);
    expect([await site.me(ann), await site.me(ben), await site.me(dan)]).toEqual([
      { unread: 2, mentions: 2 },
      { unread: 1, mentions: 1 },
      { unread: 0, mentions: 0 },
    ]);
    // An ordinary message counts again, and a read marker in between is exact.
    await say(cat, room, 'in the room');
    await reply(cat, { threadOnly });
    expect((await summary(dan, room))?.unread).toBe(1);
    expect((await summary(dan, room))?.last).toMatchObject({ seq: 4, text: 'in the room' });
    await dan.request('read:mark', { room, seq: 3 });
    expect((await summary(dan, room))?.unread).toBe(1);
    await dan.request('read:mark', { room, seq: 4 });
    expect((await summary(dan, room))?.unread).toBe(0);
    await cat.request('message:delete', { room, seq: 2 });
    const { messages } = await dan.request('message:history', { room });
    expect(messages.map((one) => [one.seq, one.threadOnly])).toEqual([
      [1, undefined],
      [2, true],
      [3, true],
      [4, undefined],
      [5, true],
    ]);
    expect((await dan.request('thread:get', { room, thread })).thread.replies).toBe(2);
  });

  test('needs a message to reply to, and is an ordinary message in a direct room', async () => {
    const [ann, ben] = await site.people(2);
    const { room } = await scene(ann, ben);
    await expect(say(ann, room, 'x', { threadOnly })).rejects.toThrow('bad_request');
    const { room: direct } = await ann.request('direct:open', { user: ben.id });
    await ann.request('room:join', { room: direct.id });
    await say(ann, direct.id);
    const reply = await say(ann, direct.id, 'y', { replyTo: 1, threadOnly });
    expect(reply).toMatchObject({ replyTo: 1, thread: 1 });
    expect(reply).not.toHaveProperty('threadOnly');
    expect((await summary(ben, direct.id))?.unread).toBe(2);
  });

  test('stays only in its thread when it is scheduled or pending approval', async () => {
    const [ann, ben] = await site.people(2);
    const { room, thread } = await scene(ann, ben);
    await ben.request('room:join', { room });
    const content = { room, text: 'Cheap pallets', replyTo: thread, threadOnly } as const;
    const added = await ben.request('scheduled:add', { ...content, clientId: 's', at: Date.now() + 60_000 });
    const { scheduled } = added as { scheduled: { id: string } };
    expect(scheduled).toMatchObject({ replyTo: thread, threadOnly });
    const edited = await ben.request('scheduled:edit', { id: scheduled.id, text: 'Cheap pallets today' });
    expect(edited.scheduled).toMatchObject({ threadOnly });
    const sent = await ben.request('scheduled:send', { id: scheduled.id });
    const { held } = sent as { held: { id: string } };
    expect(held).toMatchObject({ replyTo: thread, threadOnly });
    const { message } = await ann.request('held:approve', { id: held.id });
    expect(message).toMatchObject({ text: 'Cheap pallets today', thread, threadOnly });
    expect((await summary(ann, room))?.last?.seq).toBe(1);
  });
});
