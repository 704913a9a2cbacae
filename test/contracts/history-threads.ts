import { expect, test } from 'vitest';
import {
  deletedUser,
  mostFollowers,
  mostNewReplies,
  type Reads,
  type Writes,
} from '../../server/history/history.ts';
import { carryOutErasures } from '../helpers/erasures.ts';
import { ann, at, ben, callsOf, expectRefusal, type Now } from './history-tested.ts';

const cat = { id: '3', name: 'Cat' };
const dan = { id: '4', name: 'Dan' };
let n = 0;

/** Tests threads in every history. `now`: the current history, with the public room `lobby`. */
export function threadsContract(now: Now) {
  const room = 'lobby';
  const { write, read } = callsOf(now);
  const join = (...users: (typeof ann)[]) => Promise.all(users.map((user) => write.join({ room, user })));
  const send = async (user: typeof ann, replyTo?: number, over: Partial<Writes['send']['in']> = {}) =>
    (
      await write.send({
        ...{ room, user, clientId: `t${n++}`, text: 'hello', sentAt: at + n, asMember: true },
        replyTo,
        ...over,
      })
    ).message;
  const remove = (user: typeof ann, seq: number) => write.delete({ room, seq, user: user.id });
  const of = async (thread: number, over: Partial<Reads['threads']['in']> = {}) =>
    (await read.threads({ room, threads: [thread], ...over }))[0];
  const ids = (people: { user: { id: string } }[] = []) => people.map(({ user }) => user.id);
  const mentionsOf = async (user: typeof ann) => {
    const { memberships } = await read.user({ user: user.id });
    return [...(memberships.find((one) => one.room.id === room)?.mentions ?? new Map()).values()]
      .flat()
      .sort();
  };
  /** Whether each user follows the thread. */
  const following = async (thread: number, ...users: (typeof ann)[]) => {
    const all = await Promise.all(users.map(({ id }) => read.thread({ room, thread, user: id })));
    return all.map((one) => one?.following);
  };

  test('collects all replies to one message at any depth', async () => {
    await join(ann, ben, cat, dan);
    await send(ann);
    await send(ben);
    expect(await send(ben, 1)).toMatchObject({ seq: 3, replyTo: 1, thread: 1 });
    expect(await send(cat, 3)).toMatchObject({ seq: 4, replyTo: 3, thread: 1 });
    await send(dan, 4);
    const last = await send(ann, 1);
    await send(cat, 2);
    expect(await of(1)).toMatchObject({ thread: 1, root: 1, replies: 4, apart: [], fresh: 0 });
    expect(ids((await of(1))?.authors)).toEqual(['1', '4', '3']);
    expect((await of(1))?.authors[0]).toEqual({ user: ann, replies: 1, seq: 6, at: last.sentAt });
    expect(await read.threads({ room, threads: [1, 2, 3, 4] })).toMatchObject([{ thread: 1 }, { thread: 2 }]);
    const page = await read.replies({ room, thread: 1, after: 0, before: 99, from: 'end', limit: 2 });
    expect(page).toMatchObject({ messages: [{ seq: 5 }, { seq: 6 }], complete: false });
    const first = await read.replies({ room, thread: 1, after: 3, before: 99, from: 'start', limit: 9 });
    expect(first).toMatchObject({ messages: [{ seq: 4 }, { seq: 5 }, { seq: 6 }], complete: true });
    // Any message of the thread identifies it.
    for (const seq of [1, 4]) {
      const found = await read.thread({ room, thread: seq, user: ann.id });
      expect(found).toMatchObject({ thread: 1, root: { seq: 1 }, following: true });
    }
    expect(await read.thread({ room, thread: 99, user: ann.id })).toBeNull();
    await expectRefusal(send(ann, 99), 'unknown_message');
  });

  test('lists and counts excluded authors, such as blocked ones, separately', async () => {
    await join(ann, ben, cat, dan);
    await send(ann);
    for (const user of [ben, cat, cat, dan]) await send(user, 1);
    const unread = { after: 2, user: dan.id };
    const found = await of(1, { apart: [cat.id, 'nobody'], unread });
    expect(found).toMatchObject({ replies: 4, apart: [{ user: cat, replies: 2, seq: 4 }], fresh: 0 });
    expect(ids(found?.authors)).toEqual(['4', '2']);
    expect((await of(1, { unread }))?.fresh).toBe(2);
    expect((await of(1, { unread: { after: 0, user: 'other' } }))?.fresh).toBe(4);
    for (let count = 0; count < mostNewReplies; count++) await send(ben, 1);
    expect((await of(1, { unread: { after: 0, user: 'other' } }))?.fresh).toBe(mostNewReplies);
  });

  test('does not count deleted replies or list their authors', async () => {
    await join(ann, ben);
    await send(ann);
    await send(ben, 1);
    await send(ann, 1);
    const kept = await send(ben, 1);
    await send(ben, 1);
    // Two deletions by one author in one transaction, the older reply first.
    await Promise.all([send(ben, 1), remove(ben, 2), remove(ben, 5)]);
    await remove(ben, 6);
    expect((await of(1))?.authors[0]).toEqual({ user: ben, replies: 1, seq: 4, at: kept.sentAt });
    expect((await of(1))?.replies).toBe(2);
    await remove(ben, 4);
    await remove(ann, 1);
    expect(await of(1)).toMatchObject({ root: 1, replies: 1, authors: [{ user: ann }] });
    const root = await read.thread({ room, thread: 1, user: ann.id });
    expect(root?.root).toMatchObject({ seq: 1, text: '', deletedBy: 'author' });
    await remove(ann, 3);
    expect(await of(1)).toBeUndefined();
    // A second deletion does not change the count.
    await remove(ann, 3);
    await send(ben, 3);
    expect((await of(1))?.replies).toBe(1);
  });

  test("makes the root's author and repliers follow a thread unless they opted out", async () => {
    await join(ann, ben, cat);
    await send(ann);
    expect(await following(1, ann)).toEqual([false]);
    await send(ben, 1);
    expect(await following(1, ann, ben, cat)).toEqual([true, true, false]);
    const followed = (user: string, is: boolean) => ({
      type: 'followed',
      room,
      thread: 1,
      user,
      following: is,
    });
    expect(now().changes).toEqual(
      expect.arrayContaining(
        [followed('1', true), followed('2', true)].map((one) => expect.objectContaining(one)),
      ),
    );
    await write.follow({ room, thread: 1, user: ben.id, following: false });
    await send(ben, 1);
    await write.follow({ room, thread: 1, user: cat.id, following: true });
    now().changes.length = 0;
    await write.follow({ room, thread: 1, user: cat.id, following: true });
    expect(now().changes).toEqual([]);
    await now().reload();
    expect(await following(1, ann, ben, cat)).toEqual([true, false, true]);
    expect(await read.followedBy({ user: cat.id, from: '', limit: 9 })).toEqual({
      threads: [{ room, thread: 1 }],
    });
    await send(cat);
    await write.follow({ room, thread: 4, user: cat.id, following: true });
    const pages = await read.followedBy({ user: cat.id, from: '', limit: 1 });
    expect(pages.threads).toEqual([{ room, thread: 1 }]);
    const rest = await read.followedBy({ user: cat.id, from: pages.next as string, limit: 1 });
    expect(rest).toEqual({ threads: [{ room, thread: 4 }] });
    const none = { room, user: cat.id, following: true };
    for (const thread of [2, 99]) {
      await expectRefusal(write.follow({ ...none, thread }), 'unknown_message');
    }
    await expectRefusal(write.follow({ ...none, thread: 1, user: 'x' }), 'unknown_room');
  });

  test('counts a reply in a followed thread like a mention until read or deleted', async () => {
    await join(ann, ben, cat);
    await send(ann);
    await send(ben, 1);
    await send(cat, 1);
    expect([await mentionsOf(ann), await mentionsOf(ben), await mentionsOf(cat)]).toEqual([[2, 3], [3], []]);
    const named = [{ user: ben.id, start: 0, length: 1 }];
    // It counts once although it also mentions Ben, even after the mention is removed.
    await send(cat, 1, { mentions: named });
    expect(await mentionsOf(ben)).toEqual([3, 4]);
    now().changes.length = 0;
    await write.edit({ room, seq: 4, user: cat.id, text: 'other', mentions: [] });
    expect(now().changes.map(({ type }) => type)).toEqual(['message', 'mentions', 'concerned']);
    expect(now().changes.at(-1)).toMatchObject({ users: [ben.id], is: 'again' });
    expect(await mentionsOf(ben)).toEqual([3, 4]);
    await remove(cat, 3);
    expect(now().changes.at(-1)).toMatchObject({ type: 'concerned', users: ['1', '2'], is: 'deleted' });
    expect([await mentionsOf(ann), await mentionsOf(ben)]).toEqual([[2, 4], [4]]);
    await write.markRead({ room, user: ann.id, seq: 4 });
    expect(await mentionsOf(ann)).toEqual([]);
  });

  test(`limits a thread to ${mostFollowers} followers`, async () => {
    await join(ann, ben);
    await send(ann);
    const many = Array.from({ length: mostFollowers }, (_, each) => ({ id: `f${each}`, name: `F${each}` }));
    await join(...many);
    await Promise.all(many.map(({ id }) => write.follow({ room, thread: 1, user: id, following: true })));
    const more = { room, thread: 1, user: ben.id, following: true };
    await expectRefusal(write.follow(more), 'limit_reached');
    await send(ben, 1);
    expect(await following(1, ann, ben)).toEqual([false, false]);
    await write.follow({ ...more, user: 'f0', following: false });
    await write.follow(more);
    expect(await following(1, ben)).toEqual([true]);
  });

  test('makes the oldest remaining reply the root after the first messages expire', async () => {
    await join(ann, ben, cat);
    await send(ann);
    for (const user of [ben, cat, ben, cat]) await send(user, 1);
    await write.expire({ room, firstSeq: 3 });
    expect(await of(1)).toMatchObject({ thread: 1, root: 3, replies: 2 });
    expect(ids((await of(1))?.authors)).toEqual(['3', '2']);
    expect(await of(1, { apart: [cat.id] })).toMatchObject({ replies: 2, apart: [{ replies: 1 }] });
    expect(await read.thread({ room, thread: 1, user: cat.id })).toMatchObject({
      ...{ thread: 1, following: true },
      root: { seq: 3 },
    });
    expect(await send(ann, 3)).toMatchObject({ seq: 6, thread: 1 });
    await write.expire({ room, firstSeq: 6 });
    expect(await of(1)).toMatchObject({ root: 6, replies: 0 });
    await write.expire({ room, firstSeq: 7 });
    expect(await of(1)).toBeUndefined();
    expect(await read.thread({ room, thread: 1, user: cat.id })).toBeNull();
    expect(await read.followedBy({ user: cat.id, from: '', limit: 9 })).toEqual({ threads: [] });
  });

  test('removes an erased user from authors, followers and notifications of a thread', async () => {
    await join(ann, ben, cat);
    await send(ann);
    for (const user of [ben, cat, ben]) await send(user, 1);
    await write.erase({ user: ben.id });
    await carryOutErasures(now().history);
    expect(await of(1)).toMatchObject({
      replies: 3,
      authors: [{ user: deletedUser, replies: 2, seq: 4 }, { user: cat }],
    });
    expect(await following(1, ben)).toEqual([false]);
    await write.erase({ user: cat.id, messages: 'delete' });
    await carryOutErasures(now().history);
    expect(await of(1)).toMatchObject({ replies: 2, authors: [{ user: deletedUser }] });
    await join(ben);
    expect(await mentionsOf(ben)).toEqual([]);
    // The deleted reply is no longer unread for others.
    expect(await mentionsOf(ann)).toEqual([2, 4]);
  });

  test('keeps apart which replies are shown only in their thread', async () => {
    await join(ann, ben);
    const threadOnly = true as const;
    const root = await send(ann);
    const first = await send(ben, root.seq, { threadOnly });
    await send(ann);
    await send(ann, root.seq, { threadOnly });
    const last = await send(ben, root.seq, { threadOnly, clientId: 'same' });
    expect(first).toMatchObject({ seq: 2, replyTo: 1, thread: 1, threadOnly });
    await expectRefusal(send(ben, root.seq, { clientId: 'same' }), 'conflict');
    expect(await send(ben, root.seq, { threadOnly, clientId: 'same' })).toEqual(last);
    await write.edit({ room, seq: first.seq, user: ben.id, text: 'edited', at });
    await remove(ben, last.seq);
    await now().reload();
    const { messages } = await read.newest({ room, upTo: 9, limit: 9 });
    expect(messages.map(({ threadOnly }) => threadOnly)).toEqual([undefined, true, undefined, true, true]);
    expect(messages.map(({ text }) => text)).toEqual(['hello', 'edited', 'hello', 'hello', '']);
    const stored = await read.room({ room });
    expect(stored).toMatchObject({
      lastSeq: 5,
      last: { seq: 3 },
      threadOnly: {
        total: 3,
        runs: [
          [2, 1],
          [4, 2],
        ],
      },
    });
    // They are announced with each change of the room.
    now().changes.length = 0;
    await join(cat);
    const [{ room: changed } = {}] = now().changes.filter((change) => change.type === 'member');
    expect(changed).toMatchObject({ last: { seq: 3 }, threadOnly: { total: 3 } });
    const unread = (over: object) =>
      read.unread({ ...{ room, after: 0, upTo: 5, without: [], limit: 9 }, ...over });
    const seqs = async (over: object = {}) => (await unread(over)).map(({ seq }) => seq);
    expect(await seqs()).toEqual([1, 3]);
    expect(await seqs({ concerned: [4] })).toEqual([1, 3, 4]);
    await write.expire({ room, firstSeq: 4 });
    expect((await read.room({ room }))?.last).toBeUndefined();
  });
}
