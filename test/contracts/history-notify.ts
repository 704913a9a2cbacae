import { expect, test } from 'vitest';
import type { PushRef, Writes } from '../../server/history/history.ts';
import { carryOutErasures } from '../helpers/erasures.ts';
import { at, callsOf, type Now } from './history-tested.ts';

const until = at + 60_000;
const minute = 60_000;
const hour = 60 * minute;
let n = 0;

/** Tests the notification queue for users with unread messages in every history. */
export function notifyContract(now: Now) {
  const { write, read } = callsOf(now);

  /** Queues notifications like the consumer of the change log. */
  const note = async (
    users: string[],
    rooms: { room: string; everyone: boolean }[] = [],
    roomsDue = at,
    pushes: PushRef[] = [],
  ) => {
    const consumer = { name: 'notify', by: 'me', types: ['message'], lease: 60_000, most: 9 } as const;
    const taken = await write.consume(consumer);
    if ('leasedForMs' in taken) throw new Error('another server has the lease');
    const concerned = { users, rooms, due: at, roomsDue, pushes, pushDue: at };
    await write.consume({ ...consumer, done: taken.upTo, rows: { concerned } });
  };
  /** When the last claim expires. */
  let held = 0;
  const claim = async (over: Partial<Writes['claimDueUsers']['in']> = {}) => {
    const input = { at, until: (over.at ?? at) + minute, most: 9, ...over };
    held = input.until;
    const { users, next = Number.POSITIVE_INFINITY } = await write.claimDueUsers(input);
    const { rooms, next: nextRoom = Number.POSITIVE_INFINITY } = await write.claimDueRooms(input);
    const first = Math.min(next, nextRoom);
    return { users, rooms, ...(first === Number.POSITIVE_INFINITY ? {} : { next: first }) };
  };
  const settle = (users: { user: string; due?: number }[], now = at) =>
    write.settleDue({ users, until: held, at: now });
  /** Creates a private room with these members and a message from the owner that the others have not read. */
  const unread = async (owner: string, ...members: string[]) => {
    for (const id of [owner, ...members]) await write.arrive({ user: { id, name: id } });
    const room = `den-${n++}`;
    const by = { id: owner, name: owner };
    await write.createRoom({ id: room, name: 'Den', by, clientId: room });
    const users = members.map((id) => ({ id }));
    await write.addMembers({ room, users });
    await write.send({ room, clientId: 'c', user: by, text: 'x', sentAt: at, asMember: true });
    return room;
  };
  const concerned = async (room: string, everyone = false) =>
    (await read.concernedMembers({ room, everyone, after: '', limit: 9 })).users;

  test('gives a queued user to one server at a time until the claim is settled', async () => {
    await note(['1', '2']);
    await note(['2']);
    expect(await claim({ at: at - 1 })).toEqual({ users: [], rooms: [], next: at });
    expect((await claim()).users).toEqual([
      { user: '1', sending: false },
      { user: '2', sending: false },
    ]);
    expect((await claim()).users).toEqual([]);
    await now().reload();
    expect((await claim({ at: until })).users).toHaveLength(2);
    await settle([{ user: '1' }, { user: '2', due: until + 5 }], until);
    expect(await claim({ at: until })).toEqual({ users: [], rooms: [], next: until + 5 });
    expect((await claim({ at: until + 5 })).users).toEqual([{ user: '2', sending: false }]);
    await settle([{ user: '2' }]);
  });

  test('keeps a user due if the user is queued again during a claim', async () => {
    await note(['1']);
    await claim();
    await note(['1']);
    await settle([{ user: '1' }], at + 5);
    expect((await claim({ at: at + 5 })).users).toEqual([{ user: '1', sending: false }]);
    await settle([{ user: '1' }]);
    expect(await claim({ at: 2 * until })).toEqual({ users: [], rooms: [] });
  });

  test('scans the members of a busy room again only after a delay', async () => {
    await note([], [{ room: 'den', everyone: false }]);
    await note([], [{ room: 'den', everyone: true }]);
    expect((await claim()).rooms).toEqual([{ room: 'den', everyone: true }]);
    const noted = (users: string[], next: number) =>
      write.noteDue({ room: 'den', users, due: at, pushes: [], pushDue: at, next });
    await noted(['1', '2'], at + minute);
    expect((await claim()).users).toHaveLength(2);
    await note([], [{ room: 'den', everyone: false }], at + 5);
    expect((await claim({ at: at + minute - 1 })).rooms).toEqual([]);
    expect((await claim({ at: at + minute, until: at + 2 * minute })).rooms).toEqual([
      { room: 'den', everyone: false },
    ]);
    // New activity arrives during a scan.
    await note([], [{ room: 'den', everyone: false }], at + minute);
    await noted([], at + 2 * minute);
    expect((await claim({ at: at + 2 * minute, until: at + 3 * minute })).rooms).toHaveLength(1);
    // A small room is scanned sooner.
    await noted([], at + 2 * minute + 5);
    await note([], [{ room: 'den', everyone: false }], at + 2 * minute);
    expect((await claim({ at: at + 2 * minute + 4, until: at + 3 * minute })).rooms).toEqual([]);
    expect((await claim({ at: at + 2 * minute + 5, until: at + 3 * minute })).rooms).toHaveLength(1);
    await noted([], at + 3 * minute);
    expect((await claim({ at: at + 9 * minute })).rooms).toEqual([]);
    await settle([{ user: '1' }, { user: '2' }]);
  });

  test('selects unnotified members with unread messages who want notifications', async () => {
    const room = await unread('ann', 'ben', 'cat', 'dan');
    expect(await concerned(room)).toEqual(['ben', 'cat', 'dan']);
    expect(await read.concernedMembers({ room, everyone: false, after: 'ben', limit: 1 })).toEqual({
      users: ['cat'],
      next: 'cat',
    });
    await write.markRead({ room, user: 'ben', seq: 1 });
    await write.setPreferences({ room, user: 'cat', set: { notify: 'mentions' } });
    expect(await concerned(room)).toEqual(['dan']);
    expect(await concerned(room, true)).toEqual(['cat', 'dan']);
    await write.setPreferences({ room, user: 'cat', set: { notify: 'none' } });
    await note(['dan']);
    await claim();
    const notice = { user: 'dan', rooms: [room], at, sending: false };
    expect(await write.noteNotified({ ...notice, until: held + 1 })).toEqual({ lost: true });
    expect(await write.noteNotified({ ...notice, until: held })).toEqual({ lost: false });
    expect(await concerned(room, true)).toEqual([]);
    await write.noteActive({ user: 'dan', at: at + 1 });
    expect(await concerned(room)).toEqual(['dan']);
    expect(await read.notices({ user: 'dan' })).toEqual({
      notices: {},
      activeAt: at + 1,
      notified: [{ room, at }],
      lastNotified: at,
    });
    // Another server reports an earlier time. A much earlier one means that the clock was set back.
    const activeAt = async () => (await read.notices({ user: 'dan' })).activeAt;
    await write.noteActive({ user: 'dan', at });
    expect(await activeAt()).toBe(at + 1);
    await write.noteActive({ user: 'dan', at: at - 60 * minute });
    expect(await activeAt()).toBe(at - 60 * minute);
    await write.deleteRoom({ room });
    expect(await read.notices({ user: 'dan' })).toMatchObject({ notified: [], lastNotified: at });
    await write.erase({ user: 'dan' });
    await carryOutErasures(now().history, 'one', at + 1);
    expect(await read.notices({ user: 'dan' })).toEqual({ notices: {}, notified: [] });
  });

  test('selects no member whose notification waits already, until a server checks it', async () => {
    const room = await unread('ann', 'fay', 'gil');
    await write.registerDevice({ id: 'phone', user: 'gil', kind: 'app', sealed: 'sealed', at });
    const pushes = [{ user: 'gil', room }];
    const claimPushes = (over: object = {}) =>
      write.claimPushes({ at, until: at + minute, most: 9, before: 0, ...over });
    const settlePush = (result: object, until = at + minute) =>
      write.settlePushes({ pushes: [{ user: 'gil', room, ...result }], until, at });
    await note(['fay', 'gil']);
    // The push of another room does not count.
    await note([], [], at, [{ user: 'gil', room: 'other' }]);
    expect(await concerned(room)).toEqual(['gil']);
    await claimPushes();
    await write.settlePushes({ pushes: [{ user: 'gil', room: 'other' }], until: at + minute, at });
    await note([], [], at, pushes);
    expect(await concerned(room)).toEqual([]);
    // The servers that check the mails and the push may have read the unread messages before this one.
    await claim();
    expect(await concerned(room)).toEqual(['fay', 'gil']);
    await settle(['fay', 'gil'].map((user) => ({ user, due: at + hour })));
    expect(await concerned(room)).toEqual([]);
    await claimPushes();
    expect(await concerned(room)).toEqual(['gil']);
    // The push waits for the end of the quiet hours.
    await settlePush({ due: at + hour });
    expect(await concerned(room)).toEqual([]);
    // A new message replaces the time of a retry.
    await claimPushes({ at: at + hour, until: at + 2 * hour });
    await settlePush({ due: at + 3 * hour, yields: true }, at + 2 * hour);
    expect(await concerned(room)).toEqual(['gil']);
    await note([], [], at, pushes);
    await claimPushes();
    const pushed = { message: 'm', mentions: 0 };
    await settlePush({ pushed });
    expect(await concerned(room)).toEqual(['gil']);
    // The mail does not wait while the push does.
    await note([], [], at, pushes);
    await claim({ at: at + hour });
    await settle([{ user: 'fay' }, { user: 'gil' }]);
    expect(await concerned(room)).toEqual(['fay', 'gil']);
    await claimPushes();
    await settlePush({});
    await write.deleteRoom({ room });
  });

  test('keeps the previous notification time until the site accepts the event', async () => {
    const room = await unread('ann', 'eli');
    const notify = async (at: number) => {
      await note(['eli']);
      await claim();
      const event = { id: `eli${at}`, type: 'notify.due', at, due: at, tries: 0, user: 'eli' } as const;
      await write.noteNotified({ user: 'eli', rooms: [room], at, sending: false, until: held, event });
      return (await read.notices({ user: 'eli' })).notified;
    };
    expect(await notify(at)).toEqual([{ room, at }]);
    expect(await notify(at + 1)).toEqual([{ room, at: at + 1 }]);
    await write.claimEvents({ sent: [`eli${at + 1}`], failed: [], at, until, most: 0, mostRetries: 0 });
    expect(await notify(at + 2)).toEqual([{ room, at: at + 2, before: at + 1 }]);
    expect(await notify(at + 3)).toEqual([{ room, at: at + 3, before: at + 1 }]);
    await write.claimEvents({
      sent: [at, at + 2, at + 3].map((n) => `eli${n}`),
      failed: [],
      at,
      until,
      most: 0,
      mostRetries: 0,
    });
  });

  test('keeps a notified user queued until the given time, and reports what is queued', async () => {
    const room = await unread('ann', 'fay');
    await note(['fay']);
    await claim();
    const next = at + 60 * minute;
    const notice = { user: 'fay', rooms: [room], at, sending: false, until: held };
    await write.noteNotified({ ...notice, next });
    expect(await read.waitingUsers(null)).toEqual({ users: 1, next });
    expect((await claim({ at: next, until: next + 1 })).users).toEqual([{ user: 'fay', sending: false }]);
    await write.settleDue({ users: [{ user: 'fay' }], until: next + 1, at: next });
    expect(await read.waitingUsers(null)).toEqual({ users: 0 });
  });

  test('recognises an interrupted mail, and restores the earlier state if it was not sent', async () => {
    const room = await unread('ann', 'eve');
    await note(['eve']);
    await claim();
    await write.noteNotified({ user: 'eve', rooms: [room], until: held, at, sending: true });
    // The slow server loses the user to the server that took over.
    const late = held;
    expect((await claim({ at: until })).users).toEqual([{ user: 'eve', sending: true }]);
    await write.settleDue({ users: [{ user: 'eve' }], until: late, at });
    expect((await claim({ at: held })).users).toHaveLength(1);
    await write.forgetNotified({ user: 'eve', rooms: [{ room, at: at - 9 }], lastNotified: at - 5 });
    const earlier = { notices: {}, notified: [{ room, at: at - 9 }], lastNotified: at - 5 };
    expect(await read.notices({ user: 'eve' })).toEqual(earlier);
    await write.forgetNotified({ user: 'eve', rooms: [{ room }] });
    expect(await read.notices({ user: 'eve' })).toEqual({ notices: {}, notified: [] });
    await settle([{ user: 'eve' }]);
    expect((await claim({ at: 2 * until })).users).toEqual([]);
  });

  test('dispatches a push once, or again if its server crashed or another message arrived', async () => {
    const push = { user: '1', room: 'den' };
    await note([], [], at, [push, { ...push, room: 'lobby' }]);
    const claim = (time: number) => {
      held = time + minute;
      return write.claimPushes({ at: time, until: held, most: 9, before: at });
    };
    const pushed = { message: 'm', mentions: 1, got: ['phone'] };
    expect((await claim(at)).pushes).toEqual([
      { ...push, sending: false },
      { ...push, room: 'lobby', sending: false },
    ]);
    expect(await write.notePushing({ ...push, until: held - 1, pushed })).toEqual({ lost: true });
    expect(await write.notePushing({ ...push, until: held, pushed })).toEqual({ lost: false });
    await write.settlePushes({ pushes: [{ ...push, room: 'lobby', due: at + 5 }], until: held, at });
    expect((await claim(at + 5)).pushes).toEqual([{ ...push, room: 'lobby', sending: false }]);
    await write.settlePushes({ pushes: [{ ...push, room: 'lobby' }], until: held, at });
    expect((await claim(until)).pushes).toEqual([{ ...push, sending: true, pushed }]);
    await note([], [], at, [push]);
    await write.settlePushes({ pushes: [push], until: held, at: until });
    expect((await claim(until)).pushes).toEqual([{ ...push, sending: false }]);
    await write.settlePushes({ pushes: [push], until: held, at: until });
    expect(await claim(2 * until)).toEqual({ pushes: [] });
  });

  test('remembers pushed messages for a while without delaying newer ones', async () => {
    const [sent, waiting] = [
      { user: '1', room: 'sent' },
      { user: '1', room: 'waiting' },
    ];
    const pushed = { message: 'm', mentions: 1 };
    const all = [sent, waiting];
    const claim = (time: number, before = at) => {
      held = time + minute;
      return write.claimPushes({ at: time, until: held, most: 9, before });
    };
    const settled = (time: number) =>
      write.settlePushes({
        pushes: [
          { ...sent, pushed },
          { ...waiting, pushed: { ...pushed, got: ['phone'] }, due: time + hour, yields: true },
        ],
        until: held,
        at: time,
      });
    const claimedPushes = [
      { ...sent, sending: false, pushed },
      { ...waiting, sending: false, pushed: { ...pushed, got: ['phone'] } },
    ];
    await note([], [], at, all);
    await claim(at);
    await settled(at + 1);
    expect(await claim(at + 2)).toEqual({ pushes: [], next: at + 1 + hour });
    await note([], [], at, all);
    expect((await claim(at)).pushes).toEqual(claimedPushes);
    // A message arrives during the claim.
    await note([], [], at, all);
    await settled(at + 3);
    expect((await claim(at + 2)).pushes).toEqual([]);
    expect((await claim(at + 3)).pushes).toEqual(claimedPushes);
    await settled(at + 4);
    // A push for a user who is online or in quiet hours stays delayed.
    await note([], [], at, [waiting]);
    await claim(at);
    await write.settlePushes({ pushes: [{ ...waiting, pushed, due: at + hour }], until: held, at });
    await note([], [], at, [waiting]);
    expect(await claim(at + 9, at + 5)).toEqual({ pushes: [], next: at + hour });
    // The claim with `before: at + 5` deleted the completed push of `sent`, so its message is forgotten.
    await note([], [], at, [sent]);
    expect((await claim(at + hour)).pushes).toEqual([
      { ...sent, sending: false },
      { ...waiting, sending: false, pushed },
    ]);
    await write.settlePushes({ pushes: all, until: held, at });
    expect(await claim(2 * until)).toEqual({ pushes: [] });
    // The rows of an erased user are deleted.
    const kit = { user: 'kit', room: 'sent' };
    await write.arrive({ user: { id: 'kit', name: 'Kit' } });
    await note([], [], at, [kit]);
    await claim(at);
    await write.settlePushes({ pushes: [{ ...kit, pushed }], until: held, at });
    await write.erase({ user: 'kit' });
    await carryOutErasures(now().history, 'one', at + 1);
    await note([], [], at, [kit]);
    expect((await claim(at)).pushes).toEqual([{ ...kit, sending: false }]);
    await write.settlePushes({ pushes: [kit], until: held, at });
  });

  test('deletes at most 1,000 completed pushes with a claim', async () => {
    const all = Array.from({ length: 1002 }, (_, user) => ({ user: `${user}`, room: 'den' }));
    const pushed = { message: 'm', mentions: 1 };
    const claimAll = (before: number) => {
      held = at + minute;
      return write.claimPushes({ at, until: held, most: all.length, before });
    };
    await note([], [], at, all);
    await claimAll(at);
    await write.settlePushes({ pushes: all.map((push) => ({ ...push, pushed })), until: held, at });
    expect(await claimAll(at + 1)).toEqual({ pushes: [] });
    await note([], [], at, all);
    const { pushes } = await claimAll(at);
    expect(pushes).toHaveLength(all.length);
    expect(pushes.filter(({ pushed }) => pushed === undefined)).toHaveLength(1000);
  });

  test('makes queued notifications due when the user changes settings, even during a claim', async () => {
    await write.arrive({ user: { id: 'hal', name: 'Hal' } });
    const push = { user: 'hal', room: 'den' };
    const choose = (set: Writes['setNotices']['in']['set']) => write.setNotices({ user: 'hal', set });
    /** The number of claimed users and pushes. */
    const claimCounts = async (time: number) => {
      const { users } = await claim({ at: time });
      const { pushes } = await write.claimPushes({ at: time, until: held, most: 9, before: at });
      return [users.length, pushes.length];
    };
    const later = at + hour;
    const settleAll = async () => {
      await settle([{ user: 'hal', due: later }], at + 1);
      await write.settlePushes({ pushes: [{ ...push, due: later }], until: held, at: at + 1 });
    };
    await note(['hal'], [], at, [push]);
    expect(await claimCounts(at)).toEqual([1, 1]);
    await settleAll();
    expect(await claimCounts(at + 1)).toEqual([0, 0]);
    await choose({ shows: 'name', lang: 'de' });
    expect(await claimCounts(at + 1)).toEqual([0, 0]);
    const choices: Writes['setNotices']['in']['set'][] = [
      { quiet: 'off' },
      { mail: '5' },
      { push: 0 },
      { zone: 'Asia/Tokyo' },
      { quiet: null },
    ];
    for (const set of choices) {
      await choose(set);
      expect(await claimCounts(at + 1), JSON.stringify(set)).toEqual([1, 1]);
      await settleAll();
      await choose(set);
      expect(await claimCounts(at + 1), JSON.stringify(set)).toEqual([0, 0]);
    }
    await choose({ quiet: 'off' });
    expect(await claimCounts(at + 1)).toEqual([1, 1]);
    await choose({ quiet: null });
    await settleAll();
    expect(await claimCounts(at + 1)).toEqual([1, 1]);
    // A mail rejected by the mail server waits for its next attempt, and a completed push is not sent again.
    await write.noteNotified({ user: 'hal', rooms: [], until: held, at, sending: true });
    await choose({ quiet: 'off' });
    await settle([{ user: 'hal', due: later }], at + 1);
    const pushed = { message: 'm', mentions: 0 };
    await write.settlePushes({ pushes: [{ ...push, pushed }], until: held, at: at + 1 });
    expect(await claimCounts(at + 1)).toEqual([0, 1]);
    await write.settlePushes({ pushes: [{ ...push, pushed }], until: held, at: at + 1 });
    await choose({ quiet: null });
    expect(await claimCounts(at + 1)).toEqual([1, 0]);
    await settle([{ user: 'hal' }], at + 1);
  });

  test('keeps mentions in public rooms unread for users who are not members', async () => {
    const [ivy, jim] = [
      { id: 'ivy', name: 'Ivy' },
      { id: 'jim', name: 'Jim' },
    ];
    for (const user of [ivy, jim]) await write.arrive({ user });
    const room = `hall-${n++}`;
    await write.createRoom({ id: room, kind: 'public', name: room, by: ivy, clientId: room });
    const named = (sentAt: number, user = 'jim') =>
      write.send({
        room,
        clientId: `${sentAt}`,
        user: ivy,
        text: '@J',
        mentions: [{ user, start: 0, length: 2 }],
        sentAt,
        asMember: true,
      });
    const outside = async (since = 0, user = 'jim') =>
      (await read.namedOutside({ user, since })).map((one) => ({
        room: one.room.id,
        readSeq: one.member?.readSeq,
        seqs: [...one.mentions],
      }));
    const none = { room, readSeq: undefined };
    await named(at + 1);
    await named(at + 2, 'nobody');
    await named(at + 3);
    expect(await outside()).toEqual([{ ...none, seqs: [['ivy', [1, 3]]] }]);
    expect(await outside(at + 3)).toEqual([{ ...none, seqs: [['ivy', [3]]] }]);
    expect(await outside(at + 4)).toEqual([]);
    // The marker is not stored for an unknown user or beyond the last message.
    await write.noteOpened({ room, user: 'nobody', seq: 3 });
    expect(await outside(0, 'nobody')).toEqual([{ ...none, seqs: [['ivy', [2]]] }]);
    await write.noteOpened({ room, user: 'jim', seq: 4 });
    await write.noteOpened({ room, user: 'jim', seq: 2 });
    await now().reload();
    expect(await outside()).toEqual([{ room, readSeq: 2, seqs: [['ivy', [3]]] }]);
    expect((await read.user({ user: 'jim' })).memberships).toEqual([]);
    expect(await read.openedBy({ user: 'jim' })).toEqual([{ room, readSeq: 2 }]);
    await write.edit({ room, seq: 3, user: 'ivy', text: 'nobody', at: at + 5 });
    expect(await outside()).toEqual([]);
    await named(at + 6);
    await write.join({ room, user: jim });
    expect(await outside()).toEqual([]);
    expect(await read.openedBy({ user: 'jim' })).toEqual([]);
    expect((await read.room({ room }))?.members).toBe(2);
    await named(at + 7);
    await write.removeMembers({ room, users: ['jim'], sources: 7, cause: 'left' });
    expect(await outside()).toEqual([{ room, readSeq: 4, seqs: [['ivy', [5]]] }]);
    await write.noteOpened({ room, user: 'jim', seq: 5 });
    expect(await read.openedBy({ user: 'jim' })).toEqual([{ room, readSeq: 5 }]);
    await write.erase({ user: 'jim' });
    await carryOutErasures(now().history, 'one', at + 1);
    await write.noteOpened({ room, user: 'jim', seq: 5 });
    expect(await read.openedBy({ user: 'jim' })).toEqual([]);
    expect(await outside()).toEqual([]);
  });

  test('stores mail addresses, rejected addresses and unsubscribe tokens of known users', async () => {
    await write.arrive({ user: { id: 'gil', name: 'Gil' } });
    await write.noteMailAddress({ user: 'gil', address: 'gil@site.example' });
    await write.noteMailAddress({ user: 'gil', refused: 'digest' });
    await write.noteMailAddress({ user: 'nobody', address: 'nobody@site.example' });
    await write.addMailStop({ id: 'old', user: 'gil', at });
    await write.addMailStop({ id: 'new', user: 'gil', at: at + 9 });
    await write.addMailStop({ id: 'none', user: 'nobody', at: at + 9 });
    await write.forgetMailStops({ before: at + 9, most: 9 });
    expect(await read.mailAddress({ user: 'gil' })).toEqual({
      user: 'gil',
      address: 'gil@site.example',
      refused: 'digest',
    });
    expect(await read.mailAddress({ user: 'nobody' })).toEqual({ user: 'nobody' });
    await write.noteMailAddress({ user: 'gil', address: null });
    expect(await read.mailAddress({ user: 'gil' })).toEqual({ user: 'gil', refused: 'digest' });
    expect(await read.mailStop({ id: 'new' })).toEqual({ id: 'new', user: 'gil', at: at + 9 });
    expect([await read.mailStop({ id: 'old' }), await read.mailStop({ id: 'none' })]).toEqual([null, null]);
  });

  test('stores reply tokens of known users until they are forgotten', async () => {
    await write.arrive({ user: { id: 'hal', name: 'Hal' } });
    await write.addMailReply({ id: 'old reply', user: 'hal', roomId: 'lobby', seq: 3, at });
    await write.addMailReply({ id: 'new reply', user: 'hal', roomId: 'lobby', at: at + 9 });
    await write.addMailReply({ id: 'no reply', user: 'nobody', roomId: 'lobby', at: at + 9 });
    expect(await read.mailReply({ id: 'old reply' })).toEqual({
      ...{ id: 'old reply', user: 'hal', roomId: 'lobby', seq: 3, at },
    });
    await write.forgetMailReplies({ before: at + 9, most: 9 });
    const left = { id: 'new reply', user: 'hal', roomId: 'lobby', at: at + 9 };
    expect(await read.mailReply({ id: 'new reply' })).toEqual(left);
    expect([await read.mailReply({ id: 'old reply' }), await read.mailReply({ id: 'no reply' })]).toEqual([
      null,
      null,
    ]);
  });

  test('stores only chosen settings of known users', async () => {
    await write.arrive({ user: { id: 'fay', name: 'Fay' } });
    await write.setNotices({ user: 'fay', set: { mail: '5', push: 0, quiet: 'off', zone: 'Asia/Tokyo' } });
    await write.setNotices({ user: 'fay', set: { mail: null, shows: 'name', lang: 'pt-BR' } });
    expect((await read.notices({ user: 'fay' })).notices).toMatchObject({
      push: 0,
      quiet: 'off',
      zone: 'Asia/Tokyo',
      shows: 'name',
      lang: 'pt-BR',
    });
    await write.setNotices({ user: 'nobody', set: { mail: '5' } });
    await write.noteActive({ user: 'nobody', at });
    expect(await read.notices({ user: 'nobody' })).toEqual({ notices: {}, notified: [] });
  });
}
