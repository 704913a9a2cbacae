import { ask, raw, type Sql, sql } from '../engine/dialect.ts';
import { claimRows, dueRowsNeed, markRows } from '../engine/due-rows.ts';
import type { ReadsOf } from '../engine/read.ts';
import type { Nothing, Rule } from '../engine/rule.ts';
import { subject } from '../engine/subject.ts';
import { table } from '../engine/table.ts';
import { rows, type Work } from '../engine/work.ts';
import { aboutUser, isGone } from '../rows/erasures.ts';
import { getRoom } from '../rows/rooms.ts';
import { queueEvents, turnsNeed } from '../webhook-turns.ts';
import { type StoredEvent, webhooks } from '../webhooks.ts';
import { markPushes, type PushRef } from './pushes.ts';

// The queue of users to notify of unread messages. A consumer of the change log fills it: see consuming.ts.

/**
 * The notification targets of new messages, as IDs. Whether they have read the messages is checked when they are due.
 */
export interface Concerned {
  users: readonly string[];
  /**
   * Rooms whose members must be scanned for members who want notifications of every message. With `everyone` (for
   * @all), all members are targets unless they turned notifications off.
   */
  rooms: readonly { room: string; everyone: boolean }[];
  /** When to check whether `users` have read the messages, as Unix ms. */
  due: number;
  /** When to scan the members of `rooms`, as Unix ms. */
  roomsDue: number;
  /** Targets among `users` who have devices. */
  pushes: readonly PushRef[];
  pushDue: number;
}

/** The minimum time between two scans of the members of a large room, in ms. */
export const lookThroughPause = 60_000;

export interface DueWrites {
  /**
   * Claims users who are due. They become due again at `until`, in case this server crashes. `sending`: a server
   * crashed while it was notifying this user. `next`: when the first of the other users is due.
   */
  claimDueUsers: {
    in: { at: number; until: number; most: number };
    out: { users: { user: string; sending: boolean }[]; next?: number };
  };
  /** Claims rooms whose members must be scanned, like `claimDueUsers`. */
  claimDueRooms: {
    in: { at: number; until: number; most: number };
    out: { rooms: { room: string; everyone: boolean }[]; next?: number };
  };
  /**
   * Ends the claims of users after a check. A user with `due` is due again at that time, and a user without it leaves
   * the queue. If a new message concerned the user during the check, the user is due now.
   * @param in.until the value passed to `claimDueUsers`. Users whom another server has claimed since are skipped.
   */
  settleDue: {
    in: { users: readonly { user: string; due?: number }[]; until: number; at: number };
    out: Nothing;
  };
  /**
   * Queues members that a scan of a room found. `next` ends the claim of the room: the scan is complete, and starts
   * again at that time if there was a new message during the scan.
   */
  noteDue: {
    in: {
      room: string;
      users: readonly string[];
      due: number;
      /** The users among `users` who have devices. */
      pushes: readonly string[];
      pushDue: number;
      next?: number;
    };
    out: Nothing;
  };
  /**
   * Records that the user is notified of the unread messages in these rooms, before a mail is sent or together with
   * `event`. With `sending`, marks the notification as in flight. Otherwise ends the claim of the user. `lost`: nothing
   * was stored, because the claim expired at `until` and another server took the user over, or because the user is
   * being erased.
   */
  noteNotified: {
    in: {
      user: string;
      rooms: readonly string[];
      until: number;
      at: number;
      sending: boolean;
      event?: StoredEvent;
      /** When to check the user again; absent if nothing is left. Only without `sending`. */
      next?: number | undefined;
    };
    out: { lost: boolean };
  };
  /** Reverts `noteNotified` because nothing was sent. `at` and `lastNotified` are the times before it, if any. */
  forgetNotified: {
    in: { user: string; rooms: readonly { room: string; at?: number }[]; lastNotified?: number };
    out: Nothing;
  };
}

export interface DueReads {
  /** Returns the number of queued users, and when the first of them is due, as Unix ms. */
  waitingUsers: { in: null; out: { users: number; next?: number } };
}

/**
 * The queue of users who may have unread messages: see `claimDueUsers`. `again`: a new message concerned the user
 * during the claim. `sending`: a notification is in flight.
 */
export const due = table<{ user: string; due: number; claimed?: 1; again?: 1; sending?: 1 }>(
  'chat_due',
  ['user'],
  { user: 'user_id', due: 'due', claimed: 'claimed', again: 'again', sending: 'sending' },
  { users: ['user'], without: () => ({ row: null }) },
);

/** The queue of rooms whose members must be scanned. `done`: when the last scan ended, as Unix ms. */
const dueRooms = table<{
  roomId: string;
  due?: number;
  everyone?: 1;
  claimed?: 1;
  again?: 1;
  done?: number;
}>('chat_due_rooms', ['roomId'], {
  roomId: 'room_id',
  due: 'due',
  everyone: 'everyone',
  claimed: 'claimed',
  again: 'again',
  done: 'done',
});

/** When users were last notified of a room. `before`: see `NoticeReads.notices`. */
export const notified = table<{ room: string; user: string; at: number; before?: number }>(
  'chat_notified',
  ['room', 'user'],
  { room: 'room', user: 'user_id', at: 'at', before: 'at_before' },
  { users: ['user'], without: () => ({ row: null }) },
);

/** When users were last notified of any room, including rooms deleted since. */
export const lastNotified = table<{ user: string; at: number }>(
  'chat_last_notified',
  ['user'],
  { user: 'user_id', at: 'at' },
  { users: ['user'], without: () => ({ row: null }) },
);

const claimDueUsers: Rule<DueWrites['claimDueUsers']> = {
  alone: true,
  needs: ({ at, most }) => [dueRowsNeed(due, at, most)],
  run(work, input) {
    const { rows, ...next } = claimRows(work, due, input);
    return { users: rows.map(({ user, sending }) => ({ user, sending: sending === 1 })), ...next };
  },
};

const claimDueRooms: Rule<DueWrites['claimDueRooms']> = {
  alone: true,
  needs: ({ at, most }) => [dueRowsNeed(dueRooms, at, most)],
  run(work, input) {
    const { rows, ...next } = claimRows(work, dueRooms, input);
    return {
      rooms: rows.map(({ roomId, everyone }) => ({ room: roomId, everyone: everyone === 1 })),
      ...next,
    };
  },
};

const settleDue: Rule<DueWrites['settleDue']> = {
  needs: () => [],
  run(work, { users, until, at }) {
    for (const { user, due } of users) settleDueUser(work, user, until, at, due);
    return {};
  },
};

const noteDue: Rule<DueWrites['noteDue']> = {
  needs: () => [],
  run(work, { room, users, due, pushes, pushDue, next }) {
    markDue(work, users, due);
    markPushes(
      work,
      pushes.map((user) => ({ user, room })),
      pushDue,
    );
    // `markDueRooms` adds `lookThroughPause` to the stored time of the last scan. `next` may be sooner for a small
    // room, so the stored time is set back by `lookThroughPause`.
    if (next !== undefined) settleDueRoom(work, room, next - lookThroughPause, next);
    return {};
  },
};

const noteNotified: Rule<DueWrites['noteNotified']> = {
  needs: ({ user, rooms, event }) => [
    rows(due, { user }),
    ...rooms.map((room) => rows(notified, { room, user })),
    rows(lastNotified, { user }),
    rows(webhooks, { user, type: 'notify.due' }),
    ...turnsNeed(event === undefined ? [] : [event]),
    ...aboutUser(user),
  ],
  run(work, { user, rooms, until, at, sending, event, next }) {
    const [row] = work.find(due, { user });
    if (row?.due !== until || isGone(work, user)) return { lost: true };
    // The site has not received the events that are still queued, so `before` must not name the time of such an event.
    const queuedAt = new Set(work.find(webhooks, { user, type: 'notify.due' }).map((queued) => queued.at));
    for (const room of rooms) {
      if (getRoom(work, room) === undefined) continue;
      const [last] = event === undefined ? [] : work.find(notified, { room, user });
      const before = last !== undefined && queuedAt.has(last.at) ? last.before : last?.at;
      work.put(notified, { room, user, at, before });
    }
    work.put(lastNotified, { user, at });
    if (sending) markSending(work, user);
    else settleDueUser(work, user, until, at, next);
    if (event !== undefined) queueEvents(work, [event]);
    return { lost: false };
  },
};

const forgetNotified: Rule<DueWrites['forgetNotified']> = {
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

/** Queues users for a check at `at`. Queued users keep their time, and users whom a server is checking are checked again. */
export function markDue(work: Work, users: readonly string[], at: number): void {
  markRows(
    work,
    due,
    users.map((user) => [user]),
    at,
  );
}

/** Makes the queued notifications of this user due now. A notification that a server is checking is checked again. */
export function recheckNow(work: Work, user: string): void {
  for (const table of ['chat_due', 'chat_pushes']) {
    work.later(
      () =>
        sql`UPDATE ${raw(table)}
            SET due = CASE WHEN claimed = 1 OR due IS NULL THEN due ELSE 0 END, again = claimed
            WHERE user_id = ${user}`,
    );
  }
}

/** Queues rooms for a scan of their members at `due`, but not earlier than `pauseMs` after the end of the last scan. */
export function markDueRooms(
  work: Work,
  rooms: readonly string[],
  { everyone, due, pause: pauseMs }: { everyone: boolean; due: number; pause: number },
) {
  if (rooms.length === 0) return;
  const ids = rooms.map((room) => [room]);
  const update = (set: Sql, where: Sql) =>
    work.later(
      (dialect) => sql`UPDATE chat_due_rooms SET ${set} WHERE ${dialect.each(['room_id'], ids)} AND ${where}`,
    );
  if (everyone) update(sql`everyone = 1`, sql`everyone IS NULL`);
  update(sql`again = 1`, sql`claimed = 1`);
  // Ignores times in the far future, which were stored before the clock was set back.
  update(
    sql`due = done + ${pauseMs}`,
    sql`due IS NULL AND done + ${pauseMs} > ${due} AND done <= ${due + pauseMs}`,
  );
  update(sql`due = ${due}`, sql`(due IS NULL OR due > ${due + 2 * pauseMs}) AND claimed IS NULL`);
  work.later((dialect) =>
    dialect.insertNew(
      'chat_due_rooms',
      ['room_id', 'due', 'everyone'],
      rooms.map((room) => [room, due, everyone ? 1 : null]),
    ),
  );
}

function markSending(work: Work, user: string): void {
  work.later(() => sql`UPDATE chat_due SET sending = 1 WHERE user_id = ${user}`);
}

/**
 * Ends the claim of a user. If a new message concerned the user during the check, the user is due now. A mail that
 * could not be sent still waits for its next attempt.
 * @param until identifies the claim
 * @param nextDue when to check the user again; absent if nothing is left
 */
function settleDueUser(work: Work, user: string, until: number, at: number, nextDue?: number): void {
  const where = sql`user_id = ${user} AND due = ${until}`;
  if (nextDue === undefined) work.later(() => sql`DELETE FROM chat_due WHERE ${where} AND again IS NULL`);
  work.later(
    () =>
      sql`UPDATE chat_due
          SET due = coalesce(CASE WHEN sending IS NULL THEN again * ${at} END, ${nextDue ?? at}),
              claimed = NULL, again = NULL, sending = NULL
          WHERE ${where}`,
  );
}

/** Ends the claim of a room. @param next when to scan it again if there was a new message during the scan */
function settleDueRoom(work: Work, room: string, at: number, next: number): void {
  const update = (set: Sql, where = sql``) =>
    work.later(() => sql`UPDATE chat_due_rooms SET ${set} WHERE room_id = ${room} ${where}`);
  update(sql`due = NULL, everyone = NULL`, sql`AND again IS NULL`);
  update(sql`due = ${next}`, sql`AND again = 1`);
  update(sql`done = ${at}, claimed = NULL, again = NULL`);
}

const reads: ReadsOf<DueReads> = {
  *waitingUsers() {
    const [row] = yield* ask(raw('SELECT count(*) AS num, min(due) AS due FROM chat_due'));
    const next = row?.due as number | null | undefined;
    return { users: (row?.num as number | undefined) ?? 0, next: next ?? undefined };
  },
};

export const dueSubject = subject<DueWrites, DueReads>({
  tables: [due, dueRooms, notified, lastNotified],
  rules: { claimDueUsers, claimDueRooms, settleDue, noteDue, noteNotified, forgetNotified },
  reads,
});
