import { expect, test } from 'vitest';
import { maxPendingOfUser, type Writes } from '../../server/history/history.ts';
import { carryOutErasures } from '../helpers/erasures.ts';
import { ann, at, ben, callsOf, expectRefusal, type Now, pagesOf, refused } from './history-tested.ts';

const later = at + 60_000;
let n = 0;

/** Tests messages pending approval in every history. `now`: as for `moderationContract`. */
export function pendingContract(now: Now) {
  const { write, read } = callsOf(now);
  const room = 'lobby';
  const join = (...users: (typeof ann)[]) => Promise.all(users.map((user) => write.join({ room, user })));
  const input = (over: Partial<Writes['hold']['in']> = {}): Writes['hold']['in'] => ({
    room,
    clientId: `h${n++}`,
    user: ben,
    text: 'pallets',
    sentAt: at,
    asMember: true,
    why: 'all',
    ...over,
  });
  const hold = async (over: Partial<Writes['hold']['in']> = {}) => {
    const done = await write.hold(input(over));
    if (!('held' in done)) throw new Error('the message is not pending');
    return done.held;
  };
  const say = async (user = ann, text = 'hello', over: { files?: { id: string; alt?: string }[] } = {}) =>
    (await write.send({ room, clientId: `s${n++}`, user, text, sentAt: at, asMember: true, ...over }))
      .message;
  const approve = ({ id, user }: { id: string; user: string }) =>
    write.approvePending({ room, id, user, by: ann.id, siteModerator: true, at: later });
  const reject = (id: string, reason?: string) =>
    write.rejectPending({
      ...{ room, id, by: ann.id, siteModerator: true, at: later },
      reason,
    });
  const texts = async () =>
    (await read.newest({ room, upTo: 99, limit: 99 })).messages.map(({ text }) => text);
  const kinds = () => now().changes.flatMap((change) => (change.type === 'held' ? change.is : []));

  test('stores a pending message once, and gives it the newest place on approval', async () => {
    await join(ann, ben);
    await say();
    const sent = input();
    const { head } = (await read.room({ room })) ?? {};
    const held = await hold(sent);
    expect(held).toMatchObject({ user: ben.id, clientId: sent.clientId, at, content: { text: 'pallets' } });
    expect((await read.room({ room }))?.head).toBe(head);
    expect(await texts()).toEqual(['hello']);
    expect(
      (await read.search({ query: 'pallets', rooms: [room], everyPublic: true, limit: 9 })).messages,
    ).toEqual([]);
    expect(await read.hasWritten({ user: ben.id, room })).toBe(false);
    expect(await write.hold(sent)).toEqual({ held, repeated: true });
    expect(await write.hold({ ...sent, why: null })).toEqual({ held, repeated: true });
    await expectRefusal(write.hold({ ...sent, text: 'other' }), 'conflict');
    await say(ann, 'meanwhile');
    const { message } = await approve(held);
    expect(message).toMatchObject({ id: held.id, clientId: sent.clientId, seq: 3, user: ben, sentAt: later });
    expect(await texts()).toEqual(['hello', 'meanwhile', 'pallets']);
    expect(await write.hold(sent)).toEqual({ message, repeated: true });
    expect(await write.send(sent)).toEqual({ message, repeated: true });
    expect(await read.pendingMessage({ id: held.id })).toBeNull();
    await expectRefusal(approve(held), 'unknown_message');
    expect(await read.hasWritten({ user: ben.id, room })).toBe(true);
    expect(kinds()).toEqual(['held', 'approved']);
  });

  test('recognises users who wrote in the room or a site room, members or not', async () => {
    const cat = { id: '3', name: 'Cat' };
    await write.putRoom({ id: 'garden', kind: 'public', name: 'garden' });
    await write.createRoom({ id: 'own', clientId: 'own', kind: 'public', name: 'own', by: ann, most: 9 });
    const wrote = (where: string) => read.hasWritten({ user: cat.id, room: where });
    const sent = { clientId: 'c', user: cat, text: 'hello', sentAt: at, asMember: false };
    await write.send({ ...sent, room: 'own' });
    expect([await wrote('own'), await wrote(room)]).toEqual([true, false]);
    const { message } = await write.send({ ...sent, room: 'garden' });
    expect(await wrote(room)).toBe(true);
    const ban = (restriction: { by: string } | null) =>
      write.restrict({ room: 'garden', user: cat.id, kind: 'banned', restriction, actor: ann.id });
    await ban({ by: ann.id });
    expect([await wrote('garden'), await wrote(room)]).toEqual([true, false]);
    await ban(null);
    expect(await wrote(room)).toBe(true);
    await write.delete({ room: 'garden', seq: message.seq, user: ann.id, moderator: true, anywhere: true });
    expect([await wrote('garden'), await wrote(room)]).toEqual([false, false]);
  });

  test('does not treat a room created by an erased user as a site room', async () => {
    const cat = { id: '3', name: 'Cat' };
    const made = { clientId: 'own', kind: 'public', name: 'own', by: ben, most: 9, at } as const;
    await write.createRoom({ id: 'u-own', ...made });
    await write.send({ room: 'u-own', clientId: 'c', user: cat, text: 'hello', sentAt: at, asMember: false });
    await write.erase({ user: ben.id, messages: 'delete' });
    await carryOutErasures(now().history);
    expect(await read.hasWritten({ user: cat.id, room: 'u-own' })).toBe(true);
    expect(await read.hasWritten({ user: cat.id, room })).toBe(false);
  });

  test("checks the moderator's right when the decision is stored", async () => {
    await join(ann, ben);
    const held = await hold();
    const place = { room, id: held.id, by: ann.id, at: later };
    const approveNow = (over = {}) => write.approvePending({ ...place, user: held.user, ...over });
    const refusedAll = async (over = {}) => {
      for (const attempt of [() => approveNow(over), () => write.rejectPending({ ...place, ...over })])
        await expectRefusal(attempt(), 'unknown_message');
    };
    const setRole = (role: 'moderator' | 'member') => write.setRole({ room, user: ann.id, role });
    const ban = (restriction: { by: string } | null) =>
      write.restrict({ room, user: ann.id, kind: 'banned', restriction, actor: ben.id });
    await refusedAll();
    await setRole('moderator');
    await setRole('member');
    await refusedAll();
    await ban({ by: ben.id });
    await refusedAll({ siteModerator: true });
    await ban(null);
    await setRole('moderator');
    expect(await approveNow()).toMatchObject({ message: { text: 'pallets' } });
  });

  test('does not publish a message again on approval if a repeat already published it', async () => {
    await join(ann, ben);
    const sent = input();
    const held = await hold(sent);
    const { message } = await write.send(sent);
    expect((await approve(held)).message).toEqual(message);
    expect(await texts()).toEqual(['pallets']);
  });

  test('keeps a rejected message for its author until it is discarded', async () => {
    await join(ann, ben);
    const held = await hold();
    await reject(held.id, 'an advertisement');
    const known = { ...held, closed: { at: later, reason: 'an advertisement' } };
    await now().reload();
    expect(await read.pendingBy({ user: ben.id })).toEqual([known]);
    expect((await read.pendingIn({ rooms: [], everyPublic: true, limit: 9 })).held).toEqual([]);
    for (const again of [reject(held.id), approve(held)]) await expectRefusal(again, 'unknown_message');
    await write.discardPending({ room, id: held.id, user: ann.id, at });
    expect(await read.pendingMessage({ id: held.id })).toEqual(known);
    await write.discardPending({ room, id: held.id, user: ben.id, at });
    expect(await read.pendingMessage({ id: held.id })).toBeNull();
    expect(await texts()).toEqual([]);
  });

  test('lets only another user approve a message, and only while its author may write', async () => {
    await join(ann, ben);
    const [own, other] = [await hold({ user: ann }), await hold()];
    // Ann was not a moderator when she sent it. Now she is.
    await expectRefusal(approve(own), 'forbidden');
    await expectRefusal(reject(own.id), 'forbidden');
    await write.restrict({ room, user: ben.id, restriction: { by: ann.id } });
    await expectRefusal(approve(other), 'muted');
    await write.removeMembers({ room, users: [ben.id], sources: 7 });
    await expectRefusal(approve(other), 'forbidden');
    expect(await texts()).toEqual([]);
    await reject(other.id);
  });

  test('keeps the text during a pending edit, which a later edit or deletion discards', async () => {
    await join(ann, ben);
    const { seq } = await say(ben, 'before');
    const edit = (text: string) => write.holdEdit({ room, seq, user: ben.id, text, why: 'links', at: later });
    const waits = async (text: string) => {
      const done = await edit(text);
      if (!('held' in done)) throw new Error('the edit is not pending');
      return done.held;
    };
    const first = await waits('first');
    const second = await waits('second');
    expect(await read.pendingMessage({ id: first.id })).toBeNull();
    expect(await texts()).toEqual(['before']);
    expect((await approve(second)).message).toMatchObject({ seq, text: 'second', editedAt: later });
    const third = await waits('third');
    await write.edit({ room, seq, user: ben.id, text: 'by hand', at: later });
    expect(await read.pendingMessage({ id: third.id })).toBeNull();
    const fourth = await waits('fourth');
    await write.delete({ room, seq, user: ben.id, at: later });
    expect(await read.pendingMessage({ id: fourth.id })).toBeNull();
    expect(await edit('by hand').catch((error) => error)).toEqual(refused('unknown_message'));
  });

  test('publishes the mentions of an edit on approval', async () => {
    await join(ann, ben);
    const { seq } = await say(ben, 'before');
    const mentions = [{ user: ann.id, start: 0, length: 3 }];
    const edit = { room, seq, user: ben.id, text: 'Ann?', mentions, why: 'links' as const, at: later };
    const done = await write.holdEdit(edit);
    if (!('held' in done)) throw new Error('the edit is not pending');
    expect(done.held.content.mentions).toMatchObject(mentions);
    expect((await approve(done.held)).message.mentions).toMatchObject(mentions);
  });

  test('orphans the files of a pending message only when it is discarded', async () => {
    await join(ann, ben);
    const about = { name: 'a.png', type: 'image/png', size: 1 };
    const add = async (id: string) => {
      await write.addFile({ room, user: ben.id, file: { id, ...about } });
      return [{ id }];
    };
    const [kept, freed] = [await hold({ files: await add('f1') }), await hold({ files: await add('f2') })];
    await expectRefusal(write.hold(input({ files: [{ id: 'f1' }] })), 'unknown_file');
    expect((await write.dropFiles({ before: later, most: 9 })).ids).toEqual([]);
    expect((await approve(kept)).message.files).toEqual([{ id: 'f1', ...about }]);
    await write.discardPending({ room, id: freed.id, user: ben.id, at });
    expect((await write.dropFiles({ before: later, most: 9 })).ids).toEqual(['f2']);
  });

  test('publishes only a preview that was stored before the approval', async () => {
    await join(ann, ben);
    const url = 'https://garden.example/spring';
    const about = { name: 'preview.webp', type: 'image/webp', size: 1 };
    const fetched = async (id: string, picture: string) => {
      await write.addFile({ room, user: ben.id, file: { id: picture, ...about } });
      const page = { title: 'Spring', image: { id: picture, width: 4, height: 3 } };
      return write.pendingPreview({ room, id, url, page, at });
    };
    const waiting = () => hold({ text: url, preview: url });
    const stateOf = async (id: string) => (await read.file({ id, user: ben.id }))?.file.state;
    const [early, late, rejected, discarded] = [
      await waiting(),
      await waiting(),
      await waiting(),
      await waiting(),
    ];
    expect(early.content.preview).toEqual({ url });
    expect(await fetched(early.id, 'e')).toEqual({ changed: true });
    expect(await fetched(early.id, 'f')).toEqual({ changed: false });
    const preview = { url, title: 'Spring', image: { id: 'e', width: 4, height: 3 } };
    expect((await read.pendingMessage({ id: early.id }))?.content.preview).toEqual(preview);
    // The picture is not orphaned while the message is pending.
    expect((await write.dropFiles({ before: later, most: 9 })).ids).toEqual(['f']);
    const { message } = await approve(early);
    expect(message.preview).toEqual(preview);
    expect(await stateOf('e')).toBe('carried');

    const unseen = await waiting();
    await fetched(unseen.id, 'u');
    const blind = { room, id: unseen.id, user: ben.id, by: ann.id, siteModerator: true, preview: false };
    expect((await write.approvePending({ ...blind, at: later })).message).not.toHaveProperty(
      'preview',
      expect.anything(),
    );
    expect((await approve(late)).message).not.toHaveProperty('preview', expect.anything());
    expect(await fetched(late.id, 'l')).toEqual({ changed: false });
    await reject(rejected.id);
    expect(await fetched(rejected.id, 'r')).toEqual({ changed: false });
    await fetched(discarded.id, 'd');
    await write.discardPending({ room, id: discarded.id, user: ben.id, at });
    expect((await write.dropFiles({ before: later, most: 9 })).ids.toSorted()).toEqual([
      'd',
      'f',
      'l',
      'r',
      'u',
    ]);
  });

  test('rejects a copy if its original was edited after the check', async () => {
    await join(ann, ben);
    const about = { name: 'a.png', type: 'image/png', size: 1 };
    await write.addFile({ room, user: ben.id, file: { id: 'f1', ...about } });
    const { seq, files = [] } = await say(ben, 'checked', { files: [{ id: 'f1', alt: 'a cat' }] });
    const copy = { room, from: { room, seq }, user: ben, clientId: 'copy', sentAt: at, asMember: true };
    const text = 'checked';
    for (const checked of [
      { text: 'other', files },
      { text },
      { text, files: [{ id: 'f1', ...about }] },
      { text, files: [{ id: 'f1', ...about, alt: 'another cat' }] },
    ])
      await expectRefusal(write.forward({ ...copy, checked }), 'forbidden');
    const { message } = await write.forward({ ...copy, checked: { text, files } });
    expect(message).toMatchObject({ text, files: [{ name: 'a.png', alt: 'a cat' }] });
  });

  test('limits the number of pending messages and counts them for slow mode', async () => {
    await join(ann, ben);
    await write.updateRoom({ room, slow: 60 });
    await hold();
    await expectRefusal(write.hold(input()), 'rate_limited');
    await write.updateRoom({ room, slow: 0 });
    for (let more = 1; more < maxPendingOfUser; more++) await hold();
    await expectRefusal(write.hold(input()), 'limit_reached');
  });

  test('publishes messages of moderators, the PHP application and direct rooms immediately', async () => {
    await join(ann, ben);
    await write.setRole({ room, user: ben.id, role: 'moderator' });
    const direct = await write.openDirect({ id: `d${n++}`, by: ben, other: ann.id });
    for (const over of [
      {},
      { user: ann, siteModerator: true },
      { user: ann, asMember: false },
      { room: direct.room.id },
    ])
      expect(await write.hold(input(over))).toHaveProperty('message');
  });

  test('limits the bytes of a page of pending messages, but returns at least one', async () => {
    await join(ann, ben);
    const sizes = [300_000, 100_000, 100_000, 100_000];
    for (const size of sizes) await hold({ text: 'x'.repeat(size) });
    const all = { rooms: [room], everyPublic: false, limit: 9 };
    const pages = await pagesOf((place) => read.pendingIn({ ...all, ...place }));
    expect(pages.map(({ held }) => held.length)).toEqual([2, 1, 1]);
  });

  test('lists pending messages of several rooms once, newest first, without excluded rooms', async () => {
    await join(ann, ben);
    for (const id of ['den', 'attic']) {
      await write.putRoom({ id, kind: 'private', name: id });
      await write.addMembers({ room: id, users: [ben], source: 'api', mayReturn: true });
    }
    await write.putRoom({ id: 'garden', kind: 'public', name: 'garden' });
    await write.join({ room: 'garden', user: ben });
    const ids: string[] = [];
    for (const id of ['den', room, 'attic', 'den', 'garden', 'attic'])
      ids.unshift((await hold({ room: id })).id);
    const list = async (of: { rooms: string[]; everyPublic: boolean; except?: string[] }) =>
      (await pagesOf((place) => read.pendingIn({ ...of, limit: 2, ...place }))).map(({ held }) =>
        held.map((one) => ids.indexOf(one.id)),
      );
    const rooms = ['den', 'attic'];
    expect(await list({ rooms, everyPublic: false })).toEqual([
      [0, 2],
      [3, 5],
    ]);
    expect(await list({ rooms, everyPublic: true })).toEqual([
      [0, 1],
      [2, 3],
      [4, 5],
    ]);
    expect(await list({ rooms, everyPublic: true, except: ['garden'] })).toEqual([[0, 2], [3, 4], [5]]);
    expect(await list({ rooms: [], everyPublic: true, except: ['garden', room] })).toEqual([[]]);
  });

  test('lists pending messages in pages by room, and deletes expired ones', async () => {
    await join(ann, ben);
    const all = [await hold(), await hold(), await hold()].map(({ id }) => id).reverse();
    const of = { rooms: [room], everyPublic: false, limit: 2 };
    const pages = await pagesOf((place) => read.pendingIn({ ...of, ...place }));
    expect(pages.flatMap(({ held }) => held.map(({ id }) => id))).toEqual(all);
    expect((await read.pendingIn({ rooms: ['none'], everyPublic: false, limit: 2 })).held).toEqual([]);
    const old = await read.pendingBefore({ before: at + 1, limit: 9 });
    expect(old.map(({ id }) => id).sort()).toEqual([...all].sort());
    await write.forgetPending({ of: old, at: later });
    expect(await read.pendingBy({ user: ben.id })).toEqual([]);
  });

  test('removes mentions of erased users from pending messages', async () => {
    await join(ann, ben);
    const cat = { id: 'c"_%', name: 'Cat' };
    await join(cat);
    const of = ({ id }: typeof ann, start: number) => ({ user: id, start, length: 3 });
    const both = await hold({ mentions: [of(ann, 0), of(cat, 4)] });
    const only = await hold({ mentions: [of(cat, 0)] });
    await reject(only.id);
    const other = await hold({ mentions: [of(ann, 0)] });
    await write.erase({ user: cat.id });
    await carryOutErasures(now().history, 'one', at + 1);
    const mentions = (await read.pendingBy({ user: ben.id })).map(({ content }) => content.mentions);
    expect(mentions).toEqual([[of(ann, 0)], undefined, other.content.mentions]);
    expect(both.content.mentions).toHaveLength(2);
  });

  test('deletes pending messages with their room', async () => {
    await join(ann, ben);
    const held = await hold();
    await write.deleteRoom({ room });
    expect(await read.pendingMessage({ id: held.id })).toBeNull();
    await write.forgetPending({ of: [{ room, id: held.id }], at: later });
    await expectRefusal(approve(held), 'unknown_room');
  });

  test('deletes pending messages with their room even in the same transaction', async () => {
    await join(ann, ben);
    const { write: direct } = now().history;
    const [, waiting] = await Promise.all([
      // The next calls share one transaction, because they wait for these.
      Promise.all(Array.from({ length: 20 }, () => say())),
      direct.hold(input()),
      direct.deleteRoom({ room }),
      direct.putRoom({ id: room, kind: 'private', name: 'Again', at }),
    ]);
    expect(waiting).toHaveProperty('held');
    expect(await read.pendingIn({ rooms: [room], everyPublic: false, limit: 9 })).toMatchObject({ held: [] });
    expect(await read.pendingBy({ user: ben.id })).toEqual([]);
  });
}
