import { expect, test } from 'vitest';
import type { UnreadMentions, Writes } from '../../server/history/history.ts';
import { actionsOf, ann, at, callsOf, expectRefusal, message, type Now } from './history-tested.ts';

/** Tests mentions in every history. `now`: the current history, with the public rooms `lobby` and `garden`. */
export function mentionsContract(now: Now) {
  const { write, read } = callsOf(now);
  const { send, newest, since, create, addPeople, join } = actionsOf(now);

  const [bob, zoë, eve] = [
    { id: 'b', name: 'Bob' },
    { id: 'z\u00eb 李', name: 'Zoë "O\'Neil", 李 👋🏽' },
    { id: 'e', name: 'Eve' },
  ];
  const named = (...users: string[]) => users.map((user, i) => ({ user, start: 2 * i, length: 1 }));
  const stored = (user: { id: string; name: string }, start = 0, shown = true) => {
    const { id, name } = user;
    return { user: id, start, length: 1, name, shown };
  };
  const text = '1 2 3 4 5';
  const unreadOf = async (user: string) => {
    const { memberships } = await read.user({ user });
    const seqsOf = (mentions: UnreadMentions) => [...mentions.values()].flat().sort((a, b) => a - b);
    return Object.fromEntries(memberships.map(({ room, mentions }) => [room.id, seqsOf(mentions)]));
  };
  const mentionChanges = () =>
    now().changes.flatMap((change) =>
      change.type === 'mentions'
        ? [{ seq: change.message.seq, added: change.added, removed: change.removed }]
        : [],
    );
  const edit = async (seq: number, over: Partial<Writes['edit']['in']> = {}) =>
    (await write.edit({ room: 'lobby', seq, user: ann.id, text, at, ...over })).message;

  test('stores mentions with current names for users who can read the room', async () => {
    await join(ann, bob, zoë);
    const den = (await create({ by: ann })).id;
    await addPeople(den, [bob.id]);
    const everywhere = named(bob.id, zoë.id, 'nobody', '*');
    const sent = message({ text, mentions: everywhere, asMember: true });
    const first = await send(sent);
    expect(first.mentions).toEqual([
      stored(bob),
      stored(zoë, 2),
      stored({ id: 'nobody', name: 'nobody' }, 4, false),
    ]);
    expect(await send({ ...sent, sentAt: 5 })).toEqual(first);
    await expectRefusal(send({ ...sent, mentions: named(bob.id) }), 'conflict');
    await expectRefusal(send(message({ ...sent, mentions: [] })), 'conflict');
    // The right to mention @all is not part of the content.
    expect(await send({ ...sent, siteModerator: true })).toEqual(first);
    const all = await send(message({ text, mentions: everywhere, siteModerator: true }));
    expect(all.mentions?.at(-1)).toEqual({ user: '*', start: 6, length: 1, name: '*', shown: true });
    // Bob joined a public room, so all users may know his name.
    const inDen = await send(message({ room: den, text, mentions: named(zoë.id, bob.id, eve.id) }));
    expect(inDen.mentions).toEqual([stored(bob, 2)]);
    await addPeople(den, [eve.id]);
    expect(await send(message({ room: den, text, mentions: named(eve.id) }))).toMatchObject({
      mentions: [{ user: 'e', name: 'e', shown: false }],
    });
    await write.arrive({ user: { ...eve, name: 'Eva' } });
    await write.arrive({ user: { ...bob, name: 'Robert' } });
    await now().reload();
    now().changes.length = 0;
    const mentions = [stored({ ...bob, name: 'Robert' }), ...(first.mentions?.slice(1) ?? [])];
    const changed = { ...first, mentions };
    expect((await newest('lobby', 1)).messages).toEqual([changed]);
    expect((await since('lobby', 0, 1)).messages).toEqual([changed]);
    expect((await write.send(sent)).message).toEqual(changed);
    const found = { query: '1 2', rooms: ['lobby'], everyPublic: false, limit: 9 };
    expect((await read.search(found)).messages.at(-1)).toEqual(changed);
    const ofEve = (shown: boolean) => [{ user: 'e', start: 0, length: 1, name: 'Eva', shown }];
    expect((await newest(den, 2)).messages.at(-1)?.mentions).toEqual(ofEve(false));
    await write.join({ room: den, user: { ...eve, name: 'Eva' } });
    expect((await newest(den, 2)).messages.at(-1)?.mentions).toEqual(ofEve(true));
  });

  test('mentions the peer of a direct room before the peer is a member', async () => {
    const { room } = await write.openDirect({ id: 'd-1', by: ann, other: bob.id });
    await send(message({ room: room.id, text, mentions: named(bob.id, eve.id), asMember: true }));
    expect(now().changes.slice(-2)).toMatchObject([{ type: 'member' }, { type: 'mentions', added: ['b'] }]);
    expect(await unreadOf(bob.id)).toEqual({ 'd-1': [1] });
  });

  test('counts each unread mention once until it is read, edited or deleted', async () => {
    await join(ann, bob, eve);
    now().changes.length = 0;
    const all = { text, siteModerator: true };
    await send(message({ ...all, mentions: named(bob.id, bob.id, '*') }));
    await send(message({ ...all, mentions: named(bob.id) }));
    await send(message({ ...all, mentions: named('*') }));
    await send(message());
    expect(mentionChanges()).toEqual([
      { seq: 1, added: ['b', '*'], removed: [] },
      { seq: 2, added: ['b'], removed: [] },
      { seq: 3, added: ['*'], removed: [] },
    ]);
    expect(await unreadOf(bob.id)).toEqual({ lobby: [1, 2, 3] });
    expect(await unreadOf(eve.id)).toEqual({ lobby: [1, 3] });
    // Ann sent the messages, so they are read.
    expect(await unreadOf(ann.id)).toEqual({ lobby: [] });
    await write.markRead({ room: 'lobby', user: bob.id, seq: 1 });
    expect(await unreadOf(bob.id)).toEqual({ lobby: [2, 3] });
    now().changes.length = 0;
    expect((await edit(2, { mentions: named(eve.id) })).mentions).toMatchObject([{ user: 'e' }]);
    expect(await edit(3, { mentions: named('*') })).not.toHaveProperty('mentions', expect.anything());
    expect(mentionChanges()).toEqual([
      { seq: 2, added: ['e'], removed: ['b'] },
      { seq: 3, added: [], removed: ['*'] },
    ]);
    expect(await unreadOf(bob.id)).toEqual({ lobby: [] });
    expect(await unreadOf(eve.id)).toEqual({ lobby: [1, 2] });
    now().changes.length = 0;
    await write.delete({ room: 'lobby', seq: 1, user: ann.id });
    expect(mentionChanges()).toEqual([{ seq: 1, added: [], removed: ['b', '*'] }]);
    expect((await newest('lobby', 1)).messages[0]).not.toHaveProperty('mentions', expect.anything());
    await now().reload();
    expect(await unreadOf(eve.id)).toEqual({ lobby: [2] });
    // All earlier messages count as read for a new member.
    await join(zoë);
    expect(await unreadOf(zoë.id)).toEqual({ lobby: [] });
  });

  test('knows which messages are deleted, also after a restart', async () => {
    await join(ann);
    for (let n = 0; n < 5; n++) await send(message());
    const deleted = async () => (await read.room({ room: 'lobby' }))?.deleted;
    expect(await deleted()).toBeUndefined();
    for (const seq of [4, 2, 3]) await write.delete({ room: 'lobby', seq, user: ann.id });
    await write.delete({ room: 'lobby', seq: 3, user: ann.id });
    expect(await deleted()).toEqual([[2, 3]]);
    await now().reload();
    expect(await deleted()).toEqual([[2, 3]]);
    const [membership] = (await read.user({ user: ann.id })).memberships;
    expect(membership?.room.deleted).toEqual([[2, 3]]);
  });

  test('keeps mentions on an edit without mentions only if the text is unchanged', async () => {
    await join(ann, bob);
    await send(message({ text, mentions: named(bob.id) }));
    const same = await edit(1);
    expect(same).toMatchObject({ rev: 1, mentions: [{ user: 'b' }] });
    expect(await edit(1, { mentions: named(bob.id) })).toEqual(same);
    expect(await edit(1, { mentions: [{ user: bob.id, start: 2, length: 3 }] })).toMatchObject({
      rev: 2,
      mentions: [{ user: 'b', start: 2, length: 3 }],
    });
    const reactions = [{ user: bob.id, emoji: '👍', on: true }];
    const { message: reacted } = await write.react({ room: 'lobby', seq: 1, reactions });
    expect(reacted).toMatchObject({ rev: 3, mentions: [{ user: 'b', name: 'Bob' }] });
    expect((await newest('lobby', 1)).messages).toEqual([reacted]);
    expect(await edit(1, { text: 'other' })).not.toHaveProperty('mentions', expect.anything());
    expect(await edit(1, { text: 'other', mentions: [] })).toMatchObject({ rev: 4 });
  });
}
