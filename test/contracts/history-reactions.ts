import { beforeEach, expect, test } from 'vitest';
import type { Writes } from '../../server/history/history.ts';
import { actionsOf, type ann, at, callsOf, expectRefusal, message, type Now } from './history-tested.ts';

/** Tests reactions in every history. `now`: the current history, with the public rooms `lobby` and `garden`. */
export function reactionsContract(now: Now) {
  const { write, read } = callsOf(now);
  const { send, newest, since, join } = actionsOf(now);

  const people = Array.from({ length: 13 }, (_, i) => ({ id: `p${i}`, name: `Person ${i}` }));
  const ids = people.map(({ id }) => id);
  const react = (reactions: Writes['react']['in']['reactions'], seq = 1) =>
    write.react({ room: 'lobby', seq, reactions });
  const all = (emoji: string, users: readonly string[], on = true) =>
    users.map((user) => ({ user, emoji, on }));
  const reactors = async (emoji: string, after = 0, limit = 100) =>
    read.reactors({ room: 'lobby', seq: 1, emoji, after, limit });
  beforeEach(async () => {
    await join(...people);
    await send(message());
    await send(message({ user: people[0] as typeof ann, text: 'two' }));
    now().changes.length = 0;
  });

  test('names the first ten users of a reaction by time', async () => {
    const { message: first, results } = await react([
      ...all('👍', ids),
      ...all('❤️', ['p3']),
      ...all('🎉', ['p3']),
      ...all('🎉', ['p3'], false),
    ]);
    expect(results).toEqual([...Array(14).fill('changed'), 'same', 'same']);
    expect(first).toMatchObject({
      rev: 3,
      reactions: [
        { emoji: '👍', count: 13, users: ids.slice(0, 10) },
        { emoji: '❤️', count: 1, users: ['p3'] },
      ],
    });
    expect(now().changes).toEqual([
      {
        type: 'message',
        is: 'changed',
        message: first,
        reacted: [
          { emoji: '👍', count: 13, added: ids },
          { emoji: '❤️', count: 1, added: ['p3'] },
        ],
      },
    ]);
    await now().reload();
    // Several operations share one transaction.
    await Promise.all([
      react([...all('👍', ['p2', 'p0', 'p12'], false), ...all('❤️', ['p3'], false)]),
      react([...all('👍', ['p0', 'p1'], true), ...all('👍', ['p3'], false)]),
    ]);
    const left = ['p1', ...ids.slice(4, 12), 'p0'];
    expect((await newest('lobby', 1)).messages).toMatchObject([
      { rev: 5, reactions: [{ emoji: '👍', count: 10, users: left }] },
    ]);
    expect((await since('lobby', 3, 5)).messages).toMatchObject([{ seq: 1, rev: 5 }]);
    expect(await reactors('👍', 0, 4)).toEqual({ users: left.slice(0, 4), next: expect.any(Number) });
    const { next } = (await reactors('👍', 0, 9)) ?? {};
    expect(await reactors('👍', next)).toEqual({ users: ['p0'] });
    expect(await reactors('❤️')).toEqual({ users: [] });
    const of = ['👍', '❤️'].map((emoji) => ({ room: 'lobby', seq: 1, emoji }));
    expect(await read.reactionsOf({ user: 'p1', of })).toEqual([of[0]]);
    expect(await read.reactionsOf({ user: 'p12', of })).toEqual([]);
  });

  test('rejects a thirteenth emoji and ignores a repeated reaction', async () => {
    const emojis = [...'😀😃😄😁😆😅😂🙂😉😊😇🥰'];
    const firstUsers = ['p1', 'p3', 'p4'];
    await react(emojis.map((emoji, n) => ({ user: firstUsers[n % 3] as string, emoji, on: true })));
    const { message: full, results } = await react([
      { user: 'p1', emoji: '😀', on: true },
      { user: 'p2', emoji: '😍', on: true },
      { user: 'p2', emoji: '😘', on: false },
      { user: 'nobody', emoji: '😀', on: true },
    ]);
    expect(results).toEqual(['same', 'limit_reached', 'same', 'unknown_room']);
    expect(full).toMatchObject({ rev: 3 });
    expect(now().changes).toHaveLength(1);
    const freed = await react([
      { user: 'p2', emoji: '😀', on: true },
      { user: 'p3', emoji: '😃', on: false },
      { user: 'p2', emoji: '😍', on: true },
    ]);
    expect(freed.results).toEqual(['changed', 'changed', 'changed']);
    expect(freed.message.reactions).toHaveLength(12);
    const again = { room: 'lobby', seq: 1, reactions: [{ user: 'p2', emoji: '😍', on: true }] };
    expect(await now().history.probe.react(again)).toEqual({ message: freed.message, results: ['same'] });
    const news = { ...again, reactions: [{ user: 'p2', emoji: '😍', on: false }] };
    expect(await now().history.probe.react(news)).toBeNull();
    expect((await newest('lobby', 1)).messages).toEqual([freed.message]);
  });

  test('rejects a fifth emoji whose first user is the same', async () => {
    const [own, foreign] = [[...'😀😃😄😁'], '🥰'];
    const on = (user: string, emoji: string) => ({ user, emoji, on: true });
    const { results } = await react([
      ...[...own, '😍'].map((emoji) => on('p1', emoji)),
      on('p2', foreign),
      on('p1', foreign),
    ]);
    expect(results).toEqual([...own.map(() => 'changed'), 'limit_reached', 'changed', 'changed']);
    await now().reload();
    const again = await react([on('p1', '😍'), on('p3', '😀'), { ...on('p1', '😀'), on: false }]);
    expect(again.results).toEqual(['limit_reached', 'changed', 'changed']);
    expect((await react([on('p1', '😍')])).results).toEqual(['changed']);
  });

  test('includes messages overtaken by reactions in every page of changes', async () => {
    // These changes exceed one page and are not published yet.
    for (let seq = 3; seq < 9; seq++) {
      await send(message({ text: 'long '.repeat(10_000) }));
      await react(all('👍', ['p1']), seq);
    }
    await react(all('👍', ['p1']), 1);
    await react(all('👍', ['p1']), 2);
    for (const limit of [1, 2, 6, 500]) {
      const { messages, complete } = await since('lobby', 0, 2, limit);
      const places = messages.map(({ seq, rev }) => [seq, rev]);
      expect({ limit, places, complete }).toEqual({
        limit,
        places: [
          [1, 15],
          [2, 16],
        ],
        complete: true,
      });
    }
    const { messages, complete } = await since('lobby', 0, 3, 1);
    expect([messages.map(({ seq }) => seq), complete]).toEqual([[3, 1, 2], true]);
  });

  test('keeps reactions through an edit and removes them with a deleted message', async () => {
    await react(all('👍', ['p1']), 2);
    const edit = (text: string, rev: number) => write.edit({ room: 'lobby', seq: 2, user: 'p0', text, rev });
    const { message: edited } = await edit('dos', 2);
    expect(edited).toMatchObject({ rev: 4, reactions: [{ emoji: '👍', count: 1, users: ['p1'] }] });
    await react(all('👍', ['p2']), 2);
    // An unpublished reaction does not reveal the earlier text, so the message is returned.
    for (const upTo of [4, 5]) {
      const { messages, complete } = await since('lobby', 2, upTo);
      expect({ messages, complete }).toMatchObject({ complete: true, messages: [{ rev: 5, text: 'dos' }] });
    }
    await send(message());
    expect((await since('lobby', 4, 4, 1)).messages).toMatchObject([{ rev: 5 }]);
    expect((await since('lobby', 0, 4, 2)).messages.map(({ rev }) => rev)).toEqual([1, 5]);
    expect(await since('lobby', 0, 4, 1)).toMatchObject({ complete: false, messages: [{ rev: 1 }] });
    await expectRefusal(edit('deux', 3), 'conflict', { current: { rev: 5 } });
    expect((await edit('deux', 4)).message).toMatchObject({ rev: 7, reactions: [{ count: 2 }] });
    const where = { room: 'lobby', seq: 2, user: 'p0' };
    const { message: deleted } = await write.delete({ ...where, moderator: false, at });
    expect(deleted).not.toHaveProperty('reactions', expect.anything());
    expect((await newest('lobby', 2)).messages.at(-1)).toEqual(deleted);
    await expectRefusal(react(all('👍', ['p1']), 2), 'unknown_message');
    await expectRefusal(react(all('👍', ['p1']), 9), 'unknown_message');
    const gone = { room: 'lobby', seq: 2, emoji: '👍' };
    expect(await read.reactors({ ...gone, after: 0, limit: 9 })).toBeNull();
    expect(await read.reactionsOf({ user: 'p1', of: [gone] })).toEqual([]);
  });
}
