import { sql } from '../engine/dialect.ts';
import { dueRows, dueRowsNeed } from '../engine/due-rows.ts';
import { type Need, rows, type Work } from '../engine/work.ts';
import { erasureNeed, erasureOf } from '../erasure/erasures.ts';
import { isBeforeEnd } from '../erasure.ts';
import {
  acted,
  type DueWrites,
  lookThroughPause,
  type MemberRecord,
  type NoticeWrites,
  type StoredNotices,
} from '../history.ts';
import { getMember, memberNeed, setMember } from '../members/loaded.ts';
import {
  lookAgain,
  markDue,
  markPushes,
  markPushing,
  markSending,
  settleDueRoom,
  settleDueUser,
  settlePush,
} from '../notifications/due.ts';
import { getUser, userNeed } from '../people/loaded.ts';
import { getRoom } from '../rooms/loaded.ts';
import {
  active,
  due,
  dueRooms,
  lastNotified,
  notices,
  notified,
  pushes,
  type Table,
  webhooks,
} from '../tables.ts';
import { existing } from './room-changes.ts';
import type { Rule } from './rule.ts';

// The users who are to be notified of what is unread: see `Writes`. The log of changes says whom it may concern: see change-log.ts.

/** Milliseconds by which the clocks of two servers may differ. */
const furthestAhead = 2 * 60_000;

export const aboutUser = (user: string): Need[] => [userNeed(user), erasureNeed(user)];

/** Whether rows of this user would not be found any more by an erasure, or belong to nobody. */
export function isGone(work: Work, user: string): boolean {
  const erasure = erasureOf(work, user);
  return getUser(work, user) === undefined || (erasure !== undefined && isBeforeEnd(erasure));
}

/** The choices that say when a user is notified, if at all. */
const times = ['mail', 'push', 'quiet', 'zone'] as const satisfies readonly (keyof StoredNotices)[];

export const setNotices: Rule<NoticeWrites['setNotices']> = {
  needs: ({ user }) => [rows(notices, { user }), ...aboutUser(user)],
  run(work, { user, set }) {
    const [known] = work.find(notices, { user });
    if (isGone(work, user)) return {};
    const chosen = Object.entries({ ...known, ...set }).filter(([, value]) => value !== null);
    const now = Object.fromEntries(chosen) as StoredNotices;
    work.put(notices, { ...now, user });
    // A push or mail that waits has its time by the earlier choice, such as by quiet hours that are off now.
    if (times.some((name) => now[name] !== known?.[name])) lookAgain(work, user);
    return {};
  },
};

export const noteActive: Rule<NoticeWrites['noteActive']> = {
  needs: ({ user }) => [rows(active, { user }), ...aboutUser(user)],
  run(work, { user, at }) {
    const [known] = work.find(active, { user });
    // An older act may come later, from another server. A stored act of the far future was noted before the clock was set back.
    const isKnown = known !== undefined && known.at >= at && known.at < at + furthestAhead;
    if (isGone(work, user) || isKnown) return {};
    work.put(active, { user, at });
    return {};
  },
};

export const noteOpened: Rule<NoticeWrites['noteOpened']> = {
  needs: ({ room, user }) => [memberNeed(room, user), ...aboutUser(user)],
  run(work, { room: id, user, seq }) {
    const room = existing(work, id);
    const none: MemberRecord = { sources: 0, role: 'member', readSeq: 0, acted: acted.never };
    const member = getMember(work, id, user) ?? none;
    if (room.kind !== 'public' || member.sources !== 0 || isGone(work, user)) return {};
    if (seq <= room.lastSeq && seq > member.readSeq) setMember(work, id, user, { ...member, readSeq: seq });
    return {};
  },
};

export const forgetActive: Rule<NoticeWrites['forgetActive']> = {
  needs: () => [],
  run(work, { before }) {
    work.later(() => sql`DELETE FROM chat_active WHERE at < ${before}`);
    return {};
  },
};

/**
 * Gives the rows that are due to one server: they are due again at `until`, in case it ends.
 * @param kept what stays of a row that is given
 */
function claim<Of extends { due?: number; claimed?: 1 }>(
  work: Work,
  table: Table<Of>,
  { at, until, most }: { at: number; until: number; most: number },
  kept: (row: Of) => Of = (row) => row,
): { rows: readonly Of[]; next?: number } {
  const found = dueRows(work, table, at, most);
  for (const row of found.rows) work.put(table, { ...kept(row), due: until, claimed: 1 });
  return { rows: found.rows, ...(found.next === undefined ? {} : { next: found.next }) };
}

export const claimDueUsers: Rule<DueWrites['claimDueUsers']> = {
  needs: ({ at, most }) => [dueRowsNeed(due, at, most)],
  run(work, input) {
    const { rows, ...next } = claim(work, due, input);
    return { users: rows.map(({ user, sending }) => ({ user, sending: sending === 1 })), ...next };
  },
};

export const claimDueRooms: Rule<DueWrites['claimDueRooms']> = {
  needs: ({ at, most }) => [dueRowsNeed(dueRooms, at, most)],
  run(work, input) {
    const { rows, ...next } = claim(work, dueRooms, input);
    return {
      rooms: rows.map(({ roomId, everyone }) => ({ room: roomId, everyone: everyone === 1 })),
      ...next,
    };
  },
};

export const settleDue: Rule<DueWrites['settleDue']> = {
  needs: () => [],
  run(work, { users, until, at }) {
    for (const { user, due } of users) settleDueUser(work, user, until, at, due);
    return {};
  },
};

export const noteDue: Rule<DueWrites['noteDue']> = {
  needs: () => [],
  run(work, { room, users, due, pushes, pushDue, next }) {
    markDue(work, users, due);
    markPushes(
      work,
      pushes.map((user) => ({ user, room })),
      pushDue,
    );
    // A small room is looked through again sooner, as if it had been done earlier.
    if (next !== undefined) settleDueRoom(work, room, next - lookThroughPause, next);
    return {};
  },
};

export const noteNotified: Rule<DueWrites['noteNotified']> = {
  needs: ({ user, rooms }) => [
    rows(due, { user }),
    ...rooms.map((room) => rows(notified, { room, user })),
    rows(lastNotified, { user }),
    rows(webhooks, { user, type: 'notify.due' }),
    ...aboutUser(user),
  ],
  run(work, { user, rooms, until, at, sending, event }) {
    const [row] = work.find(due, { user });
    if (row?.due !== until || isGone(work, user)) return { lost: true };
    // The site has not heard what is in an event that still waits.
    const waiting = new Set(work.find(webhooks, { user, type: 'notify.due' }).map((one) => one.at));
    for (const room of rooms) {
      if (getRoom(work, room) === undefined) continue;
      const [known] = event === undefined ? [] : work.find(notified, { room, user });
      const before = known !== undefined && waiting.has(known.at) ? known.before : known?.at;
      work.put(notified, { room, user, at, ...(before === undefined ? {} : { before }) });
    }
    work.put(lastNotified, { user, at });
    if (sending) markSending(work, user);
    else settleDueUser(work, user, until, at);
    if (event !== undefined) work.put(webhooks, event);
    return { lost: false };
  },
};

export const forgetNotified: Rule<DueWrites['forgetNotified']> = {
  needs: ({ user, rooms }) => [
    ...rooms.map(({ room }) => rows(notified, { room, user })),
    rows(lastNotified, { user }),
    ...aboutUser(user),
  ],
  run(work, { user, rooms, lastNotified: last }) {
    const isErased = isGone(work, user);
    if (last === undefined || isErased) work.remove(lastNotified, { user });
    else work.put(lastNotified, { user, at: last });
    for (const { room, at } of rooms) {
      if (getRoom(work, room) === undefined) continue;
      if (at === undefined || isErased) work.remove(notified, { room, user });
      else work.put(notified, { room, user, at });
    }
    return {};
  },
};

export const claimPushes: Rule<DueWrites['claimPushes']> = {
  needs: ({ at, most }) => [dueRowsNeed(pushes, at, most)],
  run(work, input) {
    const { rows, ...next } = claim(work, pushes, input, ({ sending, done, ...row }) => row);
    work.later(() => sql`DELETE FROM chat_pushes WHERE done < ${input.before} AND due IS NULL`);
    return {
      pushes: rows.map(({ user, roomId, sending, pushed }) => ({
        user,
        room: roomId,
        sending: sending === 1,
        ...(pushed === undefined ? {} : { pushed }),
      })),
      ...next,
    };
  },
};

export const settlePushes: Rule<DueWrites['settlePushes']> = {
  needs: () => [],
  run(work, { pushes, until, at }) {
    for (const push of pushes) settlePush(work, push, until, at);
    return {};
  },
};

export const notePushing: Rule<DueWrites['notePushing']> = {
  needs: ({ user, room }) => [rows(pushes, { user, roomId: room })],
  run(work, { until, pushed, ...place }) {
    const [row] = work.find(pushes, { user: place.user, roomId: place.room });
    if (row?.due !== until) return { lost: true };
    markPushing(work, place, pushed);
    return { lost: false };
  },
};
