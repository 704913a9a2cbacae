import { expect, test } from 'vitest';
import {
  maxPageBytes,
  mostBlocked,
  type RoomRecord,
  sources,
  type Writes,
} from '../../server/history/history.ts';
import { ann, at, ben, callsOf, expectRefusal, type Now, pagesOf, refused } from './history-tested.ts';

let n = 0;

/** Tests moderation in every history. `now`: the current history, with the public room `lobby`. */
export function moderationContract(now: Now) {
  const { write, read } = callsOf(now);
  const join = (...users: (typeof ann)[]) =>
    Promise.all(users.map((user) => write.join({ room: 'lobby', user })));
  const send = async (user: typeof ann, over: Partial<Writes['send']['in']> = {}) =>
    (
      await write.send({
        room: 'lobby',
        clientId: `m${n++}`,
        user,
        text: 'hello',
        sentAt: at,
        asMember: true,
        ...over,
      })
    ).message;

  test('returns the latest last-seen time, unless the user hides it', async () => {
    await join(ann, ben);
    const here = (user: string, when: number) => write.noteHere({ user, at: when });
    const known = (user: string, asker = ben.id) => read.lastHere({ user, asker });
    await here(ann.id, at);
    await here(ann.id, at - 1);
    await here('stranger', at);
    await write.hideHere({ user: 'stranger', hidden: true });
    expect(await known(ann.id)).toEqual({ at, hidden: false });
    expect(await known('stranger')).toEqual({ hidden: false });
    await write.hideHere({ user: ann.id, hidden: true });
    await here(ann.id, at + 1);
    await write.forgetHere({ before: at + 9, most: 9 });
    expect(await known(ann.id)).toEqual({ hidden: true });
    await write.hideHere({ user: ann.id, hidden: false });
    expect(await known(ann.id)).toEqual({ hidden: false });
    await here(ann.id, at + 1);
    await write.forgetHere({ before: at + 1, most: 9 });
    expect(await known(ann.id)).toEqual({ at: at + 1, hidden: false });
    await write.forgetHere({ before: at + 2, most: 9 });
    expect(await known(ann.id)).toEqual({ hidden: false });
    // An erasure closes connections, which also record a last-seen time.
    await write.erase({ user: ann.id });
    await here(ann.id, at + 3);
    await write.hideHere({ user: ann.id, hidden: true });
    expect(await known(ann.id)).toEqual({ hidden: false });
  });

  test('lists members who read a message, except hidden, blocked and newer members', async () => {
    const [cat, dan] = [
      { id: '3', name: 'Cat' },
      { id: '4', name: 'Dan' },
    ];
    await join(ann, ben, cat);
    const first = (await send(ann)).seq;
    await join(dan);
    await send(ann);
    const seen = async (seq = first, asker = ann.id, limit = 9) => {
      const found = await read.seenBy({ room: 'lobby', seq, asker, limit });
      return found?.seers.map(({ user }) => user.id);
    };
    const mark = (user: string, seq: number) => write.markRead({ room: 'lobby', user, seq });
    expect(await seen()).toEqual([]);
    for (const { id } of [cat, ben, dan]) await mark(id, first + 1);
    expect(await seen()).toEqual([ben.id, cat.id]);
    expect(await seen(first + 1)).toEqual([ben.id, cat.id, dan.id]);
    expect(await seen(first + 1, ann.id, 2)).toEqual([ben.id, cat.id]);
    expect(await seen(first, ben.id)).toEqual([]);
    expect(await seen(first + 2)).toBeUndefined();
    // Moving the read marker back does not change who has seen a message.
    await write.markUnread({ room: 'lobby', user: ben.id, seq: first - 1 });
    expect(await seen()).toEqual([ben.id, cat.id]);
    await write.hideHere({ user: ben.id, hidden: true });
    expect(await seen()).toEqual([cat.id]);
    await write.hideHere({ user: ben.id, hidden: false });
    for (const [user, other] of [
      [ann.id, cat.id],
      [cat.id, ann.id],
    ] as const) {
      await write.block({ user, other });
      expect(await seen()).toEqual([ben.id]);
      await write.block({ user, other, blocked: false });
    }
    const by = { room: 'lobby', user: cat.id, kind: 'banned', at } as const;
    await write.restrict({ ...by, restriction: { by: ann.id } });
    expect(await seen()).toEqual([ben.id]);
    // After the ban, Cat is a new member and has not seen earlier messages.
    await write.restrict({ ...by, restriction: null });
    expect(await seen()).toEqual([ben.id]);
    await write.delete({ room: 'lobby', seq: first, user: ann.id });
    expect(await seen()).toBeUndefined();
  });

  test('keeps the posting permission and slow mode of a room', async () => {
    const { room } = await write.updateRoom({ room: 'lobby', write: 'moderators', slow: 30 });
    const settings = { write: 'moderators', slow: 30 };
    expect(room).toMatchObject({ name: 'lobby', settings });
    expect(now().changes).toMatchObject([{ type: 'room', is: 'changed', room: { settings } }]);
    await write.updateRoom({ room: 'lobby', write: 'moderators', slow: 30, name: 'lobby' });
    expect(now().changes).toHaveLength(1);
    await now().reload();
    expect(await read.room({ room: 'lobby' })).toMatchObject({ settings });
    await write.updateRoom({ room: 'lobby', write: 'all', slow: 0 });
    expect((await read.room({ room: 'lobby' }))?.settings).toEqual({});
  });

  test('keeps the colour and emoji of a room', async () => {
    const settings = { color: 'teal', emoji: '👩🏽‍💻' } as const;
    const { room } = await write.updateRoom({ room: 'lobby', ...settings });
    expect(room).toMatchObject({ settings });
    expect(now().changes).toMatchObject([{ type: 'room', is: 'changed', room: { settings } }]);
    await now().reload();
    expect(await read.room({ room: 'lobby' })).toMatchObject({ settings });
    await write.updateRoom({ room: 'lobby', color: '' });
    expect((await read.room({ room: 'lobby' }))?.settings).toEqual({ emoji: settings.emoji });
    await write.updateRoom({ room: 'lobby', emoji: '' });
    expect((await read.room({ room: 'lobby' }))?.settings).toEqual({});
  });

  test('accepts new messages only from moderators and the site in a restricted room', async () => {
    await join(ann, ben);
    const before = { clientId: 'once' };
    const first = await send(ben, before);
    await write.setRole({ room: 'lobby', user: ann.id, role: 'moderator' });
    await write.updateRoom({ room: 'lobby', write: 'moderators' });
    await expectRefusal(send(ben, { replyTo: 99 }), 'forbidden');
    expect(await send(ben, before)).toEqual(first);
    await send(ben, { siteModerator: true });
    await send(ben, { asMember: false });
    await send(ann);
    // Ann is no longer a moderator, even if the calling server still assumes it.
    await write.setRole({ room: 'lobby', user: ann.id, role: 'member' });
    await expectRefusal(send(ann), 'forbidden');
  });

  test('counts slow mode from the last stored message, except for moderators', async () => {
    await join(ann, ben);
    await send(ben);
    await write.updateRoom({ room: 'lobby', slow: 10 });
    const soon = (over = {}) => send(ben, { sentAt: at + 4000, ...over });
    await expectRefusal(soon(), 'rate_limited', { retryAfterMs: 6000 });
    await now().reload();
    const sent = {
      room: 'lobby',
      user: ben,
      text: 'x',
      asMember: true,
      clientId: 'later',
      sentAt: at + 9999,
    };
    await expectRefusal(write.send(sent), 'rate_limited', { retryAfterMs: 1 });
    expect(await write.send({ ...sent, sentAt: at + 10_000 })).toMatchObject({ repeated: false });
    expect(await write.send(sent)).toMatchObject({ repeated: true });
    await write.send({ ...sent, clientId: 'site', siteModerator: true });
    await write.setRole({ room: 'lobby', user: ben.id, role: 'moderator' });
    await write.send({ ...sent, clientId: 'moderator' });
  });

  test('delays a message in slow mode even if its time is before the previous message', async () => {
    await join(ben);
    await write.updateRoom({ room: 'lobby', slow: 10 });
    await send(ben);
    for (const behind of [1, 10_000]) {
      await expectRefusal(send(ben, { sentAt: at - behind }), 'rate_limited', { retryAfterMs: 10_000 });
    }
    await send(ben, { sentAt: at - 10_001 });
  });

  test('uses the measured time for slow mode if the clock was changed', async () => {
    await join(ben);
    await write.updateRoom({ room: 'lobby', slow: 10 });
    await send(ben);
    const hour = 3_600_000;
    const measured = (ms: number) => ({ lastOwn: { sentAt: at, ms } });
    // The clock is set forward and back.
    await expectRefusal(send(ben, { sentAt: at + hour, ...measured(3000) }), 'rate_limited', {
      retryAfterMs: 7000,
    });
    await expectRefusal(send(ben, { sentAt: at - hour, ...measured(3000) }), 'rate_limited', {
      retryAfterMs: 7000,
    });
    await send(ben, { sentAt: at - hour, ...measured(10_000) });
    // The measured time belongs to an earlier message.
    await expectRefusal(send(ben, { sentAt: at - hour, ...measured(60_000) }), 'rate_limited', {
      retryAfterMs: 10_000,
    });
    // Without a measured time, one message is accepted.
    await send(ben, { sentAt: at - 2 * hour });
  });

  const memberOf = async (user: string, room = 'lobby') => (await read.membersOf({ room, users: [user] }))[0];
  const restrict = (
    user: string,
    kind: 'muted' | 'banned',
    restriction: Writes['restrict']['in']['restriction'],
    over: Partial<Writes['restrict']['in']> = {},
  ) => write.restrict({ room: 'lobby', user, kind, restriction, at, ...over });
  const lobbyNow = async () => (await read.room({ room: 'lobby' })) as RoomRecord;
  const by = '1';

  test('rejects messages and edits of a muted user until the mute ends', async () => {
    await join(ann, ben);
    await send(ben);
    const decidedFor = await lobbyNow();
    now().changes.length = 0;
    const mute = { until: at + 5000, reason: 'spam', by };
    await restrict(ben.id, 'muted', mute);
    expect(now().changes).toMatchObject([{ type: 'restricted', user: ben.id, kind: 'muted', now: mute }]);
    expect(await restrict(ben.id, 'muted', null, { decidedFor })).toEqual({ stale: true });
    const refusal = refused('muted', { retryAfterMs: 4000 });
    await expect(send(ben, { sentAt: at + 1000, replyTo: 99 })).rejects.toEqual(refusal);
    const edit = { room: 'lobby', seq: 1, user: ben.id, text: 'x' };
    await expect(write.edit({ ...edit, at: at + 1000 })).rejects.toEqual(refusal);
    await send(ben, { sentAt: at + 1000, asMember: false });
    await write.removeMembers({ room: 'lobby', users: [ben.id], cause: 'left' });
    await now().reload();
    await write.join({ room: 'lobby', user: ben });
    expect(await read.restrictions(null)).toEqual([
      { room: 'lobby', user: ben.id, restricted: { muted: mute } },
    ]);
    const sent = { room: 'lobby', user: ben, text: 'x', asMember: true, clientId: 'muted' };
    await expectRefusal(write.send({ ...sent, sentAt: at }), 'muted', { retryAfterMs: 5000 });
    await write.send({ ...sent, sentAt: at + 5000 });
    const before = (await lobbyNow()).access;
    expect(await write.endRestrictions({ before: at + 4999, most: 9 })).toEqual({ ended: 0 });
    expect(await write.endRestrictions({ before: at + 5000, most: 9 })).toEqual({ ended: 1 });
    expect(await write.endRestrictions({ before: at + 5000, most: 9 })).toEqual({ ended: 0 });
    expect([before - decidedFor.access, (await lobbyNow()).access]).toEqual([3, before + 1]);
    expect(await read.restrictions(null)).toEqual([]);
  });

  test("suspends a banned user's membership and restores it when the ban is lifted", async () => {
    const lobby = [{ id: 'lobby', name: 'lobby' }];
    await join(ann, ben);
    await write.setRole({ room: 'lobby', user: ben.id, role: 'owner' });
    await send(ann);
    now().changes.length = 0;
    await restrict(ben.id, 'banned', { by });
    expect(now().changes).toMatchObject([
      { type: 'restricted', kind: 'banned', room: { members: 1 } },
      { type: 'member', user: { id: ben.id }, now: { sources: 0, role: 'member' }, cause: 'banned' },
      { type: 'member', user: { id: ann.id }, now: { role: 'owner' } },
    ]);
    const found = await read.members({ room: 'lobby', limit: 9 });
    expect(found.members.map(({ user }) => user.id)).toEqual([ann.id]);
    await expectRefusal(join(ben), 'unknown_room');
    await expectRefusal(send(ben), 'unknown_room');
    await expectRefusal(write.markRead({ room: 'lobby', user: ben.id, seq: 1 }), 'unknown_room');
    const add = (source: 'people' | 'api') =>
      write.addMembers({ room: 'lobby', users: [ben], source, mayReturn: true });
    expect((await add('people')).results).toEqual(['forbidden']);
    expect((await add('api')).results).toEqual([null]);
    await write.arrive({ user: ben, rooms: lobby });
    expect(await read.room({ room: 'lobby' })).toMatchObject({ members: 1 });
    // The source of the membership may end during the ban.
    const take = { room: 'lobby', users: [ben.id], by: 'people', cause: 'removed', at } as const;
    await write.removeMembers({ ...take, sources: sources.people });
    expect(await memberOf(ben.id)).toMatchObject({ sources: 0, held: sources.api | sources.session });
    await write.arrive({ user: ben, rooms: [] });
    await restrict(ben.id, 'muted', { by });
    now().changes.length = 0;
    await restrict(ben.id, 'banned', null);
    expect(now().changes).toMatchObject([
      { type: 'restricted', kind: 'banned', now: null, room: { members: 2 } },
      { type: 'member', before: { sources: 0 }, now: { sources: sources.api, readSeq: 1 }, cause: 'other' },
    ]);
    expect(await memberOf(ben.id)).toEqual({
      sources: sources.api,
      role: 'member',
      fromSeq: 1,
      readSeq: 1,
      acted: 1,
      restricted: { muted: { by } },
    });
  });

  test('counts mentions changed earlier in the batch when a read marker moves back', async () => {
    await join(ann, ben);
    const mention = [{ user: ben.id, start: 0, length: 1 }];
    const edited = await send(ann);
    const deleted = await send(ann, { mentions: mention });
    await write.markRead({ room: 'lobby', user: ben.id, seq: deleted.seq });
    now().changes.length = 0;
    const { seq } = edited;
    await Promise.all([
      write.edit({ room: 'lobby', seq, user: ann.id, text: 'other', mentions: mention, at }),
      write.delete({ room: 'lobby', seq: deleted.seq, user: ann.id, moderator: false, at }),
      write.markUnread({ room: 'lobby', user: ben.id, seq: 0 }),
    ]);
    const [change] = now().changes.filter(({ type }) => type === 'read');
    expect(change).toMatchObject({ user: ben.id, readSeq: 0, unread: [[seq, ann.id]] });
  });

  test('resets the notification setting of a member after a ban', async () => {
    await join(ann, ben);
    await write.setPreferences({ room: 'lobby', user: ben.id, set: { notify: 'none' } });
    await restrict(ben.id, 'banned', { by });
    await restrict(ben.id, 'banned', null);
    expect(await memberOf(ben.id)).not.toHaveProperty('notify', expect.anything());
  });

  test('lets members add a muted user, but not a banned user or a user who left', async () => {
    const room = 'den';
    await write.putRoom({ id: room, name: room });
    const add = async (...ids: string[]) => {
      const users = ids.map((id) => ({ id }));
      return (await write.addMembers({ room, users })).results;
    };
    await add('1');
    await write.removeMembers({ room, users: ['1'], cause: 'left' });
    for (const user of ['1', '2', '3']) await restrict(user, 'muted', { by }, { room });
    for (const user of ['1', '2']) await restrict(user, 'muted', null, { room });
    await restrict('4', 'banned', { by }, { room });
    await restrict('5', 'banned', { by }, { room });
    await restrict('5', 'banned', null, { room });
    expect(await add('1', '2', '3', '4', '5')).toEqual(['forbidden', null, null, 'forbidden', null]);
    // The site can add a user who left, even during a ban.
    await restrict('1', 'banned', { by }, { room });
    await write.addMembers({ room, users: [{ id: '1' }], source: 'api', mayReturn: true });
    await restrict('1', 'banned', null, { room });
    expect(await memberOf('1', room)).toMatchObject({ sources: sources.api });
    expect(await memberOf('1', room)).not.toHaveProperty('left', expect.anything());
  });

  test('ends bans of users who are not members when they expire or the room is deleted', async () => {
    await join(ann);
    for (const [n, user] of ['2', '3', '4'].entries()) {
      await restrict(user, 'banned', { until: at + n, by });
      await restrict(user, 'banned', { until: at + n, by, reason: 'again' });
    }
    await expectRefusal(join(ben), 'unknown_room');
    const end = (most: number) => write.endRestrictions({ before: at + 1, most });
    expect([await end(1), await end(5), await end(5)]).toEqual([{ ended: 1 }, { ended: 1 }, { ended: 0 }]);
    await join(ben);
    expect(await memberOf(ben.id)).toMatchObject({ sources: sources.people, role: 'member' });
    await write.deleteRoom({ room: 'lobby' });
    expect(await read.restrictions(null)).toEqual([]);
    expect(await write.endRestrictions({ before: at + 9, most: 5 })).toEqual({ ended: 0 });
  });

  test("rejects a blocked user's use of the direct room", async () => {
    const block = (other: string, blocked = true, when = at) =>
      write.block({ user: ann.id, other, blocked, at: when });
    await block('3', true, at - 1);
    await Promise.all([block(ben.id), block(ben.id), block('4', true, at + 1), block('4', false)]);
    expect(now().changes).toEqual(
      [
        ['3', true],
        [ben.id, true],
        ['4', true],
        ['4', false],
      ].map(([other, blocked]) => ({ type: 'blocked', user: ann.id, other, blocked })),
    );
    await now().reload();
    const blockedBy = async (user: string) => (await read.user({ user })).blocked;
    expect([await blockedBy(ann.id), await blockedBy(ben.id)]).toEqual([[ben.id, '3'], []]);
    const open = (by: typeof ann, other: string, id: string) => write.openDirect({ id, by, other });
    await expectRefusal(open(ben, ann.id, 'd-1'), 'forbidden');
    await open(ann, ben.id, 'd-1');
    const direct = (user: typeof ann, clientId: string, over = {}) =>
      write.send({ room: 'd-1', clientId, user, text: 'x', sentAt: at, asMember: true, ...over });
    await direct(ann, 'first');
    await expectRefusal(direct(ben, 'second', { replyTo: 99 }), 'forbidden');
    await write.block({ user: ann.id, other: ben.id, blocked: false });
    await direct(ben, 'second');
    await write.block({ user: ann.id, other: ben.id });
    expect(await direct(ben, 'second')).toMatchObject({ repeated: true });
    await expectRefusal(write.edit({ room: 'd-1', seq: 2, user: ben.id, text: 'y' }), 'forbidden');
    await expectRefusal(open(ben, ann.id, 'd-2'), 'forbidden');
    const react = (...users: string[]) => ({
      room: 'd-1',
      seq: 1,
      reactions: users.map((user) => ({ user, emoji: '👍', on: true })),
    });
    expect(await write.react(react(ben.id, ann.id))).toMatchObject({
      results: ['forbidden', 'changed'],
      message: { reactions: [{ count: 1, users: [ann.id] }] },
    });
    await expectRefusal(write.react({ ...react(ben.id), seq: 9 }), 'forbidden');
  });

  test('limits how many users a user can block', async () => {
    const block = (other: string) => write.block({ user: ann.id, other });
    await Promise.all(Array.from({ length: mostBlocked - 1 }, (_, i) => block(`o${i}`)));
    const answers = await Promise.allSettled([block('last'), block('more'), block('last')]);
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    await write.block({ user: ann.id, other: 'o1', blocked: false });
    await block('more');
    await expectRefusal(block('beyond'), 'limit_reached');
  });

  test('stores one report per user and message, with the reported text', async () => {
    await join(ann, ben, { id: '3', name: 'Cy' });
    await send(ben, { text: 'rude' });
    await send(ben, { text: 'ruder' });
    await send(ben, { text: 'rudest' });
    const report = (over = {}) =>
      write.report({
        room: 'lobby',
        seq: 1,
        by: ann.id,
        reason: 'abuse',
        text: 'look',
        at,
        ...over,
      } as never);
    now().changes.length = 0;
    const answers = await Promise.all([
      report(),
      report({ reason: 'spam' }),
      report({ by: '3' }),
      report({ seq: 2 }),
    ]);
    expect(answers.map(({ repeated }) => repeated)).toEqual([false, true, false, false]);
    expect(now().changes).toMatchObject(
      [1, 2, 3].map((reports) => ({ type: 'report', closed: false, room: { reports } })),
    );
    await expectRefusal(report({ by: ben.id }), 'forbidden');
    await expectRefusal(report({ seq: 9 }), 'unknown_message');
    await write.edit({ room: 'lobby', seq: 1, user: ben.id, text: 'nice' });
    await write.delete({ room: 'lobby', seq: 1, user: ben.id });
    await now().reload();
    const list = async (rooms: string[] | null, from?: string, limit = 9) =>
      read.reports({ rooms, limit, from });
    const { reports } = await list(['lobby', 'garden']);
    expect(reports).toMatchObject([
      { seq: 2, by: ann.id, message: { text: 'ruder' } },
      { seq: 1, by: '3', message: { text: 'rude' } },
      { seq: 1, by: ann.id, reason: 'abuse', text: 'look', at, message: { text: 'rude', seq: 1 } },
    ]);
    const first = await list(null, undefined, 2);
    expect([...first.reports, ...(await list(null, first.next, 2)).reports]).toEqual(reports);
    expect((await list(['garden'])).reports).toEqual([]);
    const without = async (except: string[]) =>
      (await read.reports({ rooms: null, except, limit: 9 })).reports;
    expect(await without(['lobby'])).toEqual([]);
    expect(await without(['garden', 'none'])).toEqual(reports);
    const id = reports[2]?.id as string;
    const close = (over = {}) =>
      write.closeReport({ room: 'lobby', seq: 1, id, by: ben.id, done: 'nothing', at, ...over });
    await expectRefusal(close({ id: 'none' }), 'unknown_message');
    await expectRefusal(close({ room: 'garden' }), 'unknown_message');
    const both = await Promise.all([close(), close({ done: 'deleted' })]);
    expect(both.map(({ decided }) => decided)).toEqual([true, false]);
    expect(await read.report({ id })).toEqual({
      id,
      room: 'lobby',
      seq: 1,
      by: ann.id,
      author: ben.id,
      reason: 'abuse',
      at,
      closed: { by: ben.id, done: 'nothing', at },
    });
    expect(await read.room({ room: 'lobby' })).toMatchObject({ reports: 2 });
    // The closed report still counts as this user's report.
    expect(await write.report({ room: 'lobby', seq: 1, by: ann.id })).toEqual({
      repeated: true,
    });
    // Reports are deleted with their expired messages.
    await write.expire({ room: 'lobby', firstSeq: 2 });
    expect(await read.room({ room: 'lobby' })).toMatchObject({ reports: 1 });
    expect((await list(null)).reports.map(({ seq }) => seq)).toEqual([2]);
    const own = (user: string, from?: string) => read.reportsBy({ user, limit: 1, from });
    await write.report({ room: 'lobby', seq: 3, by: ann.id });
    await write.closeReport({
      room: 'lobby',
      seq: 3,
      id: (await own(ann.id)).reports[0]?.id ?? '',
      by: ben.id,
    });
    const page = await own(ann.id);
    expect(page).toMatchObject({ reports: [{ seq: 3, closed: { by: ben.id } }], next: expect.any(String) });
    const last = await own(ann.id, page.next);
    expect([last.reports.map(({ seq }) => seq), last.next]).toEqual([[2], undefined]);
    expect(await own('3')).toEqual({ reports: [] });
    await write.deleteRoom({ room: 'lobby' });
    expect((await list(null)).reports).toEqual([]);
    expect((await own(ann.id)).reports).toEqual([]);
  });

  test('closes a report on the first decision, together with other reports of the message', async () => {
    await join(ann, ben);
    const { seq } = await send(ben);
    const other = (await send(ben)).seq;
    for (const by of ['3', '4', '5']) await write.report({ room: 'lobby', seq, by });
    await write.report({ room: 'lobby', seq: other, by: '3' });
    const read = now().history.read;
    const open = async (of = seq, limit = 9) =>
      (await read.reportsOf({ room: 'lobby', seq: of, limit })).map(({ by, id }) => ({ by, id }));
    const [third, second, first] = await open();
    expect([first?.by, second?.by, third?.by]).toEqual(['3', '4', '5']);
    expect(await open(seq, 1)).toEqual([third]);
    const [elsewhere] = await open(other);
    const acts: unknown[] = [];
    now().history.onChange((change) => {
      if (change.type === 'act') acts.push(change.act);
    });
    const close = (id = '', over: Partial<Writes['closeReport']['in']> = {}) =>
      write.closeReport({ room: 'lobby', seq, id, by: ann.id, done: 'deleted', at, ...over });
    const restriction = { by: ann.id, until: at + 9, reason: 'rude' };
    const muted = { done: 'muted', author: ben.id, restriction } as const;
    const decidedFor = await lobbyNow();
    const earlier = { ...decidedFor, access: decidedFor.access - 1 };
    now().changes.length = 0;
    expect(await close(second?.id, { ...muted, decidedFor: earlier })).toEqual({
      decided: false,
      stale: true,
    });
    const others = [first?.id, 'none', elsewhere?.id].map(String);
    const answers = await Promise.all([
      close(second?.id, { others, reason: 'why', decidedFor }),
      close(second?.id, muted),
      close(first?.id, muted),
    ]);
    expect(answers.map(({ decided }) => decided)).toEqual([true, false, false]);
    expect(now().changes.map(({ type }) => type)).toEqual(['message', 'report', 'report']);
    expect(await read.newest({ room: 'lobby', upTo: seq, limit: 1 })).toMatchObject({
      messages: [{ deletedAt: at, deletedBy: 'moderator' }],
    });
    expect(await read.restrictions(null)).toEqual([]);
    expect([await open(), await open(other)]).toEqual([[third], [elsewhere]]);
    expect(await read.room({ room: 'lobby' })).toMatchObject({ reports: 2 });
    expect(await close(third?.id, { again: true, done: 'nothing' })).toEqual({ decided: true, stale: false });
    expect(await close(elsewhere?.id, { seq: other, ...muted, reason: 'rude' })).toMatchObject({
      decided: true,
    });
    expect(await read.restrictions(null)).toMatchObject([{ restricted: { muted: restriction } }]);
    const of = { by: ann.id, user: ben.id, room: 'lobby', open: true };
    expect(acts).toEqual([
      { kind: 'message_deleted', ...of, seq, reason: 'why' },
      { kind: 'report_closed', ...of, seq, reason: 'why', to: { done: 'deleted' } },
      { kind: 'muted', ...of, reason: 'rude', to: { until: at + 9 } },
      { kind: 'report_closed', ...of, seq: other, reason: 'rude', to: { done: 'muted' } },
    ]);
  });

  test('returns reports in pages of limited size', async () => {
    await join(ann, ben);
    const length = maxPageBytes / 4;
    for (let seq = 1; seq <= 6; seq++) {
      await send(ben, { text: 'x'.repeat(seq === 6 ? 2 * maxPageBytes : length) });
      await write.report({ room: 'lobby', seq, by: ann.id });
    }
    for (const rooms of [null, ['lobby']]) {
      const pages = await pagesOf((place) => read.reports({ rooms, limit: 100, ...place }));
      const seqs = pages.map(({ reports }) => reports.map(({ seq }) => seq));
      expect(seqs).toEqual([[6], [5, 4, 3], [2, 1]]);
    }
  });

  test('keeps one pin per message until it is unpinned, expired or deleted', async () => {
    await join(ann, ben);
    for (const text of ['first', 'second', 'third']) await send(ben, { text });
    const decidedFor = await lobbyNow();
    const pin = (seq: number, over: Partial<Writes['pin']['in']> = {}) =>
      write.pin({ room: 'lobby', seq, user: ann.id, pinned: true, decidedFor, at, ...over });
    now().changes.length = 0;
    const done = { changed: true, stale: false };
    const same = { changed: false, stale: false };
    expect(await Promise.all([pin(2), pin(1), pin(2, { user: ben.id }), pin(3)])).toEqual([
      done,
      done,
      same,
      done,
    ]);
    expect(now().changes).toMatchObject(
      [2, 1, 3].map((seq, n) => ({ type: 'pin', seq, room: { pins: n + 1 } })),
    );
    const later = { ...decidedFor, access: decidedFor.access + 1 };
    expect(await pin(1, { decidedFor: later })).toEqual({ changed: false, stale: true });
    await expectRefusal(pin(1, { user: 'nobody' }), 'unknown_room');
    for (const pinned of [true, false]) await expectRefusal(pin(9, { pinned }), 'unknown_message');
    await write.delete({ room: 'lobby', seq: 1, user: ben.id });
    await now().reload();
    const list = () => read.pins({ room: 'lobby' });
    expect(await list()).toMatchObject([
      { pin: { room: 'lobby', seq: 3, by: ann.id, at, after: 3 }, message: { text: 'third', user: ben } },
      { pin: { seq: 1 }, message: { text: '', deletedAt: at } },
      { pin: { seq: 2 }, message: { text: 'second' } },
    ]);
    expect(await read.pins({ room: 'lobby', seq: 2 })).toHaveLength(1);
    const first = await read.pinsBy({ user: ann.id, from: '', limit: 2 });
    const rest = await read.pinsBy({ user: ann.id, from: first.next ?? '', limit: 2 });
    expect([...first.pins, ...rest.pins]).toEqual([1, 2, 3].map((seq) => ({ room: 'lobby', seq, at })));
    expect(rest).not.toHaveProperty('next', expect.anything());
    expect(await pin(1, { pinned: false })).toEqual(done);
    expect(await pin(1, { pinned: false })).toEqual(same);
    await expectRefusal(pin(1), 'unknown_message');
    await write.expire({ room: 'lobby', firstSeq: 3 });
    expect((await list()).map(({ pin }) => pin.seq)).toEqual([3]);
    expect(await read.room({ room: 'lobby' })).toMatchObject({ pins: 1 });
    await pin(3, { pinned: false });
    expect(await read.room({ room: 'lobby' })).not.toHaveProperty('pins', expect.anything());
    await pin(3);
    await write.deleteRoom({ room: 'lobby' });
    expect(await list()).toEqual([]);
    expect((await read.pinsBy({ user: ann.id, from: '', limit: 9 })).pins).toEqual([]);
  });

  test('lists current messages by content type, newest first', async () => {
    await join(ann);
    const file = (id: string, image?: object) => ({
      room: 'lobby',
      user: ann.id,
      file: { id, name: id, type: 'x/y', size: 1, image: image || undefined } as never,
      at,
    });
    for (const id of ['p1', 'p2', 'p3']) await write.addFile(file(id, { width: 1, height: 1, blur: 'L' }));
    for (const id of ['f1', 'f2']) await write.addFile(file(id));
    await send(ann, { text: 'plain', files: [{ id: 'p1' }] });
    await send(ann, { text: 'see www.example.org', files: [{ id: 'p2' }, { id: 'f1' }] });
    await send(ann, { text: 'nothing, xhttp://no' });
    await send(ann, { text: 'HTTPS://example.org' });
    await send(ann, { files: [{ id: 'p3' }] });
    const list = async (what: 'pictures' | 'files' | 'links', before = 99, limit = 9) => {
      const { messages, complete } = await read.holding({ room: 'lobby', what, before, limit });
      return [messages.map(({ seq }) => seq), complete];
    };
    expect(await list('pictures')).toEqual([[5, 2, 1], true]);
    expect(await list('pictures', 99, 2)).toEqual([[5, 2], false]);
    expect(await list('pictures', 2, 2)).toEqual([[1], true]);
    expect(await list('files')).toEqual([[2], true]);
    expect(await list('links')).toEqual([[4, 2], true]);
    await write.edit({ room: 'lobby', seq: 3, user: ann.id, text: 'http://now', files: [{ id: 'f2' }] });
    await write.edit({ room: 'lobby', seq: 4, user: ann.id, text: 'gone' });
    await write.delete({ room: 'lobby', seq: 5, user: ann.id });
    expect([await list('pictures'), await list('files'), await list('links')]).toEqual([
      [[2, 1], true],
      [[3, 2], true],
      [[3, 2], true],
    ]);
    await write.expire({ room: 'lobby', firstSeq: 3 });
    expect([await list('pictures'), await list('files'), await list('links')]).toEqual([
      [[], true],
      [[3], true],
      [[3], true],
    ]);
  });

  test('lists important messages while they are important', async () => {
    await join(ann);
    for (const important of [true, false, true, true]) await send(ann, { text: 'plan', important });
    const list = async () =>
      (await read.holding({ room: 'lobby', what: 'important', before: 99, limit: 9 })).messages.map(
        ({ seq }) => seq,
      );
    expect(await list()).toEqual([4, 3, 1]);
    await write.edit({ room: 'lobby', seq: 3, user: ann.id, text: 'plan', important: false });
    await write.edit({ room: 'lobby', seq: 2, user: ann.id, text: 'plan', important: true });
    await write.delete({ room: 'lobby', seq: 1, user: ann.id });
    expect(await list()).toEqual([4, 2]);
  });

  test('lets moderators mark any message, if only they may write', async () => {
    await join(ann, ben);
    for (const { id: user } of [ann, ben]) await write.setRole({ room: 'lobby', user, role: 'moderator' });
    const { seq } = await send(ben);
    await write.react({ room: 'lobby', seq, reactions: [{ user: ann.id, emoji: '👍', on: true }] });
    const mark = (over: Partial<Writes['mark']['in']> = {}) =>
      write.mark({ room: 'lobby', seq, user: ann.id, important: true, at, ...over });
    const stored = async () => {
      await now().reload();
      return (await read.holding({ room: 'lobby', what: 'important', before: 99, limit: 9 })).messages;
    };
    await expectRefusal(mark(), 'forbidden', { message: expect.stringContaining('all members may write') });
    await write.updateRoom({ room: 'lobby', write: 'moderators' });
    await expectRefusal(mark({ user: '3' }), 'unknown_room');
    await expectRefusal(mark({ seq: 99 }), 'unknown_message');
    await write.setRole({ room: 'lobby', user: ann.id, role: 'member' });
    await expectRefusal(mark(), 'forbidden');
    await restrict(ann.id, 'muted', { by });
    await expectRefusal(mark({ siteModerator: true }), 'muted');
    await restrict(ann.id, 'muted', null);
    now().changes.length = 0;
    const { message, changed } = await mark({ siteModerator: true });
    expect(changed).toBe(true);
    expect(message).toMatchObject({ important: true, text: 'hello', reactions: [{ emoji: '👍' }] });
    expect(message.editedAt).toBeUndefined();
    expect(now().changes).toEqual([{ type: 'message', is: 'changed', message }]);
    expect(await stored()).toEqual([message]);
    now().changes.length = 0;
    expect(await mark({ siteModerator: true })).toEqual({ message, changed: false });
    expect(now().changes).toEqual([]);

    // Its author read the message before it was marked.
    const edit = { room: 'lobby', seq, user: ben.id, text: 'hello', rev: seq, at };
    expect((await write.edit({ ...edit, text: 'hi' })).message).toMatchObject({
      text: 'hi',
      important: true,
    });
    expect((await mark({ user: ben.id, important: false })).message.important).toBeUndefined();
    expect(await stored()).toEqual([]);
    await write.delete({ room: 'lobby', seq, user: ben.id, moderator: false, at });
    await expectRefusal(mark({ user: ben.id }), 'unknown_message');
  });

  test('accepts a report only from users who can read the room', async () => {
    await join(ben);
    await send(ben);
    const report = (by: string, room = 'lobby') => write.report({ room, seq: 1, by });
    await restrict(ann.id, 'banned', { by });
    await expectRefusal(report(ann.id), 'unknown_room');
    expect(await report('3')).toEqual({ repeated: false });
    await write.openDirect({ id: 'd-1', by: ann, other: ben.id });
    await send(ann, { room: 'd-1' });
    await expectRefusal(report('3', 'd-1'), 'unknown_room');
    expect(await report(ben.id, 'd-1')).toEqual({ repeated: false });
  });
}
