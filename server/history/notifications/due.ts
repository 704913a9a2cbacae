import { raw, type Sql, sql } from '../engine/dialect.ts';
import { claimRows, dueRowsNeed, markRows } from '../engine/due-rows.ts';
import type { Nothing, Rule } from '../engine/rule.ts';
import { table } from '../engine/table.ts';
import { rows, type Work } from '../engine/work.ts';
import { aboutUser, isGone } from '../erasure/erasures.ts';
import { getRoom } from '../rooms/loaded.ts';
import { type StoredEvent, webhooks } from '../webhooks.ts';
import { markPushes, type PushPlace } from './pushes.ts';

// Users who are to be notified of what is unread. The log of changes says whom it may concern: see consuming.ts.

/** Messages that concern users who may not have read them. Ids alone. */
export interface Concerned {
  users: readonly string[];
  /** The members of these rooms who want to hear of each message, or (`everyone`) all members but those who want none. */
  rooms: readonly { room: string; everyone: boolean }[];
  /** When to look whether users have read it, in milliseconds since 1970. */
  due: number;
  /** Likewise of the members of rooms. */
  roomsDue: number;
  /** The users among them who have devices. */
  pushes: readonly PushPlace[];
  pushDue: number;
}

/** Milliseconds between two times that the members of a large room are looked through. */
export const lookThroughPause = 60_000;

export interface DueWrites {
  /**
   * Gives users who are due: they are due again at `until`, in case this server ends. `sending`: a server has ended while it
   * sent to this user. `next`: when the first of all others is due.
   */
  claimDueUsers: {
    in: { at: number; until: number; most: number };
    out: { users: { user: string; sending: boolean }[]; next?: number };
  };
  /** Gives rooms whose members are to be looked through, likewise. */
  claimDueRooms: {
    in: { at: number; until: number; most: number };
    out: { rooms: { room: string; everyone: boolean }[]; next?: number };
  };
  /**
   * Users are looked at: again at that time (`due`), or when something more concerns them: now, if there was more meanwhile.
   * @param in.until that of `claimDueUsers`: a user whom another server has taken over is left to it
   */
  settleDue: {
    in: { users: readonly { user: string; due?: number }[]; until: number; at: number };
    out: Nothing;
  };
  /** These members of a room are to be looked at (`due`). `next`: no others are left, and when to begin again if there is more. */
  noteDue: {
    in: {
      room: string;
      users: readonly string[];
      due: number;
      /** The users among them who have devices. */
      pushes: readonly string[];
      pushDue: number;
      next?: number;
    };
    out: Nothing;
  };
  /**
   * The user is being notified of what is unread in these rooms. `sending`: it is noted that the outcome is not known yet;
   * otherwise the user has been looked at. `event` is stored along with that. `lost`: another server has taken over, since
   * this one has taken longer than until then; nothing is stored.
   */
  noteNotified: {
    in: {
      user: string;
      rooms: readonly string[];
      until: number;
      at: number;
      sending: boolean;
      event?: StoredEvent;
    };
    out: { lost: boolean };
  };
  /** The user was not notified of these rooms after all; `at` and `lastNotified`: the earlier times, if there were any. */
  forgetNotified: {
    in: { user: string; rooms: readonly { room: string; at?: number }[]; lastNotified?: number };
    out: Nothing;
  };
}

/** The users whom something concerns that they may not have read: see `claimDueUsers`. */
export const due = table<{ user: string; due: number; claimed?: 1; again?: 1; sending?: 1 }>(
  'chat_due',
  ['user'],
  { user: 'user_id', due: 'due', claimed: 'claimed', again: 'again', sending: 'sending' },
  { users: ['user'], without: () => ({ row: null }) },
);

/** The rooms whose members are to be looked through for that. */
export const dueRooms = table<{
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

/** When users were last notified of a room; `before`: see `Reads.notices`. */
export const notified = table<{ room: string; user: string; at: number; before?: number }>(
  'chat_notified',
  ['room', 'user'],
  { room: 'room', user: 'user_id', at: 'at', before: 'at_before' },
  { users: ['user'], without: () => ({ row: null }) },
);

/** When users were last notified of anything, also of a room that is deleted since. */
export const lastNotified = table<{ user: string; at: number }>(
  'chat_last_notified',
  ['user'],
  { user: 'user_id', at: 'at' },
  { users: ['user'], without: () => ({ row: null }) },
);

export const claimDueUsers: Rule<DueWrites['claimDueUsers']> = {
  alone: true,
  needs: ({ at, most }) => [dueRowsNeed(due, at, most)],
  run(work, input) {
    const { rows, ...next } = claimRows(work, due, input);
    return { users: rows.map(({ user, sending }) => ({ user, sending: sending === 1 })), ...next };
  },
};

export const claimDueRooms: Rule<DueWrites['claimDueRooms']> = {
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

/** Something concerns these users. Rows that are there stay, and those that a server looks at are looked at again. */
export function markDue(work: Work, users: readonly string[], due: number): void {
  markRows(
    work,
    'chat_due',
    ['user_id'],
    users.map((user) => [user]),
    due,
  );
}

/** Whatever waits for its time to notify this user is looked at now, and again if a server looks at it at the moment. */
export function lookAgain(work: Work, user: string): void {
  for (const table of ['chat_due', 'chat_pushes']) {
    work.later(
      () =>
        sql`UPDATE ${raw(table)}
            SET due = CASE WHEN claimed = 1 OR due IS NULL THEN due ELSE 0 END, again = claimed
            WHERE user_id = ${user}`,
    );
  }
}

/** The members of these rooms are to be looked through: at once, or `pause` ms after they last were. */
export function markDueRooms(
  work: Work,
  rooms: readonly string[],
  { everyone, due, pause }: { everyone: boolean; due: number; pause: number },
) {
  if (rooms.length === 0) return;
  const ids = rooms.map((room) => [room]);
  const update = (set: Sql, where: Sql) =>
    work.later(
      (dialect) => sql`UPDATE chat_due_rooms SET ${set} WHERE ${dialect.each(['room_id'], ids)} AND ${where}`,
    );
  if (everyone) update(sql`everyone = 1`, sql`everyone IS NULL`);
  update(sql`again = 1`, sql`claimed = 1`);
  // A time of the far future is one of before the clock was set back.
  update(
    sql`due = done + ${pause}`,
    sql`due IS NULL AND done + ${pause} > ${due} AND done <= ${due + pause}`,
  );
  update(sql`due = ${due}`, sql`(due IS NULL OR due > ${due + 2 * pause}) AND claimed IS NULL`);
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
 * A server has looked at the user, whom it has until then. If there was more, it looks again now; only a mail that could not be
 * sent waits for its next try.
 * @param again when to look again; absent if nothing is left
 */
function settleDueUser(work: Work, user: string, until: number, at: number, again?: number): void {
  const where = sql`user_id = ${user} AND due = ${until}`;
  if (again === undefined) work.later(() => sql`DELETE FROM chat_due WHERE ${where} AND again IS NULL`);
  work.later(
    () =>
      sql`UPDATE chat_due
          SET due = coalesce(CASE WHEN sending IS NULL THEN again * ${at} END, ${again ?? at}),
              claimed = NULL, again = NULL, sending = NULL
          WHERE ${where}`,
  );
}

/** A server has looked through the members of a room. @param next when to do so again if there was more */
function settleDueRoom(work: Work, room: string, at: number, next: number): void {
  const update = (set: Sql, where = sql``) =>
    work.later(() => sql`UPDATE chat_due_rooms SET ${set} WHERE room_id = ${room} ${where}`);
  update(sql`due = NULL, everyone = NULL`, sql`AND again IS NULL`);
  update(sql`due = ${next}`, sql`AND again = 1`);
  update(sql`done = ${at}, claimed = NULL, again = NULL`);
}
