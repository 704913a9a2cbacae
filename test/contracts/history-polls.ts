import { expect, test } from 'vitest';
import type { Writes } from '../../server/history/history.ts';
import { carryOutErasures } from '../helpers/erasures.ts';
import { at, callsOf, expectRefusal, type Now } from './history-tested.ts';

const [ann, ben, cat] = [
  { id: '1', name: 'Ann' },
  { id: '2', name: 'Ben' },
  { id: '3', name: 'Cat' },
];
const room = 'lobby';
let n = 0;

type NewPoll = NonNullable<Writes['send']['in']['poll']>;

/** Tests polls and events in every history. */
export function pollsContract(now: Now) {
  const { write, read } = callsOf(now);
  const begin = async (poll: NewPoll) => {
    for (const user of [ann, ben, cat]) await write.join({ room, user });
    return ask(poll);
  };
  const ask = async (poll: NewPoll, over = {}) => {
    const message = { room, user: ann, text: 'Lunch?', poll, clientId: `q${n++}`, sentAt: at, ...over };
    return (await write.send({ ...message, asMember: true })).message;
  };
  const vote = async (user: typeof ann, seq: number, choice: number[], votedAt = at) => {
    const { message, results } = await write.react({
      room,
      seq,
      reactions: [{ user: user.id, choice, at: votedAt }],
    });
    return { result: results[0], votes: message.reactions };
  };
  const stored = async (seq: number) => {
    await now().reload();
    return (await read.newest({ room, upTo: seq, limit: 1 })).messages[0];
  };
  const end = (seq: number, user = ann.id, moderator = false) =>
    write.endPoll({ room, seq, user, moderator, at: at + 5 });

  test('stores a poll with its message and one choice of each user', async () => {
    const poll = { options: ['pizza', 'salad', 'soup'] };
    const { seq } = await begin(poll);
    expect(await stored(seq)).toMatchObject({ text: 'Lunch?', poll });
    expect(await vote(ben, seq, [2])).toEqual({
      result: 'changed',
      votes: [{ emoji: '2', count: 1, users: [ben.id] }],
    });
    expect(await vote(ann, seq, [2])).toMatchObject({ result: 'changed' });
    expect(await vote(ben, seq, [2])).toMatchObject({ result: 'same' });
    await write.react({ room, seq, reactions: [{ user: cat.id, emoji: '👍', on: true }] });
    now().changes.length = 0;
    const moved = [
      { emoji: '👍', count: 1, users: [cat.id] },
      { emoji: '1', count: 1, users: [ben.id] },
      { emoji: '2', count: 1, users: [ann.id] },
    ];
    expect(await vote(ben, seq, [1])).toEqual({ result: 'changed', votes: moved });
    expect(now().changes).toMatchObject([
      {
        type: 'message',
        reacted: [
          { emoji: '1', count: 1, added: [ben.id] },
          { emoji: '2', count: 1, removed: [ben.id] },
        ],
      },
    ]);
    expect((await stored(seq))?.reactions).toEqual(moved);
    expect(await vote(ben, seq, [])).toMatchObject({ result: 'changed', votes: [moved[0], moved[2]] });
    expect(await read.reactors({ room, seq, emoji: '2', after: 0, limit: 9 })).toEqual({ users: [ann.id] });
  });

  test('stores one choice of a user who chooses several options at once', async () => {
    const { seq } = await begin({ options: [...'abcdefghij'] });
    await Promise.all([1, 2, 3, 4, 5].map((option) => vote(ben, seq, [option])));
    const reactions = [6, 7].map((option) => ({ user: ben.id, choice: [option], at }));
    expect((await write.react({ room, seq, reactions })).results).toEqual(['same', 'changed']);
    expect((await stored(seq))?.reactions).toEqual([{ emoji: '7', count: 1, users: [ben.id] }]);
    const of = [...'1234567'].map((emoji) => ({ room, seq, emoji }));
    expect(await read.reactionsOf({ user: ben.id, of })).toEqual([{ room, seq, emoji: '7' }]);
  });

  test('accepts several options only in a poll with `multiple`', async () => {
    const one = await begin({ options: ['a', 'b'] });
    const { seq } = await ask({ options: ['a', 'b', 'c'], multiple: true });
    for (const choice of [[1, 2], [3]])
      expect(await vote(ben, one.seq, choice)).toEqual({ result: 'bad_request', votes: undefined });
    expect(await vote(ben, seq, [3, 1])).toMatchObject({ result: 'changed' });
    expect(await vote(ben, seq, [1, 2])).toEqual({
      result: 'changed',
      votes: [
        { emoji: '1', count: 1, users: [ben.id] },
        { emoji: '2', count: 1, users: [ben.id] },
      ],
    });
    expect(await vote(ben, seq, [4])).toMatchObject({ result: 'bad_request' });
    expect(await vote({ id: '9', name: 'Eve' }, seq, [1])).toMatchObject({ result: 'unknown_room' });
    const plain = await write.send({
      room,
      user: ann,
      text: 'x',
      clientId: 'plain',
      sentAt: at,
      asMember: true,
    });
    expect(await vote(ben, plain.message.seq, [1])).toMatchObject({ result: 'unknown_message' });
  });

  test('accepts no votes after the end', async () => {
    const { seq } = await begin({ options: ['a', 'b'], until: at + 2 });
    expect(await vote(ben, seq, [1], at + 1)).toMatchObject({ result: 'changed' });
    expect(await vote(ben, seq, [2], at + 2)).toMatchObject({ result: 'forbidden' });
    // A repeat succeeds, because the client may not know that its vote arrived.
    expect(await vote(ben, seq, [1], at + 2)).toMatchObject({ result: 'same' });
    await expectRefusal(ask({ options: ['a', 'b'], until: at }), 'bad_request');

    const other = await ask({ event: { start: at, place: 'Park' } });
    expect(await vote(ben, other.seq, [3])).toMatchObject({ result: 'changed' });
    expect(await vote(ben, other.seq, [4])).toMatchObject({ result: 'bad_request' });
    await expectRefusal(end(other.seq, ben.id), 'forbidden');
    await expectRefusal(end(other.seq, ben.id, true), 'forbidden');
    await expectRefusal(end(99), 'unknown_message');
    const { message } = await end(other.seq);
    expect(message).toMatchObject({
      rev: other.rev + 2,
      poll: { event: { place: 'Park' }, endedAt: at + 5 },
    });
    expect(await stored(other.seq)).toEqual(message);
    expect((await end(other.seq)).message.rev).toBe(message.rev);
    expect(await vote(ann, other.seq, [1])).toMatchObject({ result: 'forbidden' });
  });

  test('stores who voted in an anonymous poll without naming anyone', async () => {
    const { seq } = await begin({ options: ['a', 'b'], anonymous: true, multiple: true });
    now().changes.length = 0;
    await vote(ben, seq, [2]);
    await vote(cat, seq, [1, 2]);
    const votes = [
      { emoji: '?1', count: 1, users: [] },
      { emoji: '?2', count: 2, users: [] },
    ];
    // The options are in their order, not in the order of the votes.
    expect((await stored(seq))?.reactions).toEqual(votes);
    expect(JSON.stringify(now().changes)).not.toMatch(/"added"|"removed"|"[23]"/);
    expect(await read.reactionsBy({ user: cat.id, from: '', limit: 9 })).toEqual({ reactions: [] });
    const most = { rooms: [room], except: [], most: 9 };
    expect(await read.filesAndReactions({ user: cat.id, ...most })).toMatchObject({ reactions: 0 });
    expect(await read.reactionsOf({ user: ben.id, of: [{ room, seq, emoji: '?2' }] })).toHaveLength(1);
    expect(await vote(ben, seq, [])).toMatchObject({ votes: [votes[0], { ...votes[1], count: 1 }] });

    await write.erase({ user: cat.id, messages: 'anonymise' });
    await carryOutErasures(now().history, 'one', at);
    const after = await stored(seq);
    expect(after).toMatchObject({ poll: { anonymous: true } });
    expect(after).not.toHaveProperty('reactions', expect.anything());
  });

  test('deletes a poll with its message, and copies only its question', async () => {
    const poll = { options: ['a', 'b'] };
    const { seq } = await begin(poll);
    await vote(ben, seq, [1]);
    const copy = { room, from: { room, seq }, user: ben, clientId: 'copy', sentAt: at, asMember: true };
    const { message: forwarded } = await write.forward(copy);
    expect(forwarded).toMatchObject({ text: 'Lunch?', forwarded: {} });
    for (const part of ['poll', 'reactions']) expect(forwarded).not.toHaveProperty(part, expect.anything());
    await expectRefusal(write.edit({ room, seq, user: ann.id, text: 'Dinner?', at }), 'forbidden');
    await write.delete({ room, seq, user: ann.id, moderator: false, at });
    const deleted = await stored(seq);
    expect(deleted).toMatchObject({ deletedBy: 'author', text: '' });
    for (const part of ['poll', 'reactions']) expect(deleted).not.toHaveProperty(part, expect.anything());
    await expectRefusal(end(seq), 'unknown_message');
    expect(await read.reactors({ room, seq, emoji: '1', after: 0, limit: 9 })).toBeNull();
  });

  test('distinguishes a repeated poll from a different poll with the same clientId', async () => {
    const poll = { options: ['a', 'b'] };
    await begin(poll);
    const first = await ask(poll, { clientId: 'same' });
    expect(await ask(poll, { clientId: 'same', sentAt: at + 9 })).toEqual(first);
    for (const other of [{ options: ['a', 'c'] }, { ...poll, anonymous: true as const }])
      await expectRefusal(ask(other, { clientId: 'same' }), 'conflict');
  });
}
