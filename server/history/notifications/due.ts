import { raw, type Sql, sql } from '../engine/dialect.ts';
import { dueRows, dueRowsNeed } from '../engine/due-rows.ts';
import type { Nothing, Rule } from '../engine/rule.ts';
import { type Columns, type Table, table, type Value } from '../engine/table.ts';
import { rows, type Work } from '../engine/work.ts';
import { aboutUser, isGone } from '../erasure/erasures.ts';
import { getRoom } from '../rooms/loaded.ts';
import { type StoredEvent, webhooks } from '../webhooks.ts';

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

/** A push to the devices of a user, of what is unread in a room. */
export interface PushPlace {
  user: string;
  room: string;
}

/** The message of a room that was pushed to a user last. */
export interface Pushed {
  /** Its id, and how many unread messages of the room mentioned the user. */
  message: string;
  mentions: number;
  /** The ids of the devices that have got it; absent if nobody else is to get it. */
  got?: readonly string[];
}

/** A push that is due. */
export interface DuePush extends PushPlace {
  /** A server has ended while it sent the message of `pushed`. */
  sending: boolean;
  /** The message that was pushed last, unless that was a while ago. */
  pushed?: Pushed;
}

/** The end of a look at a push. */
export interface SettledPush extends PushPlace {
  /** The message that was pushed last: it is remembered for a while. Absent if that is not needed. */
  pushed?: Pushed | undefined;
  /** When to look again; absent if nothing is left to be sent. */
  due?: number;
  /** Devices wait until `due`; a newer message is due as usual. */
  yields?: boolean;
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
  /**
   * Gives pushes that are due: they are due again at `until`, in case this server ends. `next` as that of `claimDueUsers`.
   * Messages that were pushed before the time `before` are forgotten.
   */
  claimPushes: {
    in: { at: number; until: number; most: number; before: number };
    out: { pushes: DuePush[]; next?: number };
  };
  /** Pushes are looked at. If there was more meanwhile, they are due now. */
  settlePushes: {
    in: { pushes: readonly SettledPush[]; until: number; at: number };
    out: Nothing;
  };
  /**
   * `pushed` is being sent: the outcome is not known yet, and no server sends it to the devices in `got` again.
   * `lost`: another server has taken over.
   */
  notePushing: { in: PushPlace & { until: number; pushed: Pushed }; out: { lost: boolean } };
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

/** The pushes to the devices of users: see `claimPushes`. */
export const pushes = table<{
  user: string;
  roomId: string;
  due?: number;
  claimed?: 1;
  again?: 1;
  sending?: 1;
  pushed?: Pushed;
  done?: number;
}>(
  'chat_pushes',
  ['user', 'roomId'],
  {
    user: 'user_id',
    roomId: 'room_id',
    due: 'due',
    claimed: 'claimed',
    again: 'again',
    sending: 'sending',
    pushed: 'pushed',
    done: 'done',
  },
  { users: ['user'], without: () => ({ row: null }) },
);

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

/** Something concerns these users. Rows that are there stay, and those that a server looks at are looked at again. */
export function markDue(work: Work, users: readonly string[], due: number): void {
  mark(
    work,
    'chat_due',
    ['user_id'],
    users.map((user) => [user]),
    due,
  );
}

/** The same for pushes; those that have ended, or wait for devices, are due as new ones. */
export function markPushes(work: Work, pushes: readonly PushPlace[], due: number): void {
  mark(
    work,
    'chat_pushes',
    ['user_id', 'room_id'],
    pushes.map(({ user, room }) => [user, room]),
    due,
    {
      set: sql`due = CASE WHEN claimed = 1 THEN due ELSE ${due} END, again = claimed, done = NULL`,
      where: sql`(claimed = 1 OR done IS NOT NULL)`,
    },
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

function mark(
  work: Work,
  table: string,
  key: Columns,
  keys: readonly (readonly Value[])[],
  due: number,
  { set, where } = { set: sql`again = 1`, where: sql`claimed = 1` },
): void {
  if (keys.length === 0) return;
  work.later((dialect) => sql`UPDATE ${raw(table)} SET ${set} WHERE ${where} AND ${dialect.each(key, keys)}`);
  work.later((dialect) =>
    dialect.insertNew(
      table,
      [...key, 'due'],
      keys.map((row) => [...row, due]),
    ),
  );
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

export function markSending(work: Work, user: string): void {
  work.later(() => sql`UPDATE chat_due SET sending = 1 WHERE user_id = ${user}`);
}

export function markPushing(work: Work, { user, room }: PushPlace, pushed: Pushed): void {
  work.later(
    () =>
      sql`UPDATE chat_pushes SET sending = 1, pushed = ${JSON.stringify(pushed)}
          WHERE user_id = ${user} AND room_id = ${room}`,
  );
}

/**
 * A server has looked at the user, whom it has until then. If there was more, it looks again now; only a mail that could not be
 * sent waits for its next try.
 * @param again when to look again; absent if nothing is left
 */
export function settleDueUser(work: Work, user: string, until: number, at: number, again?: number): void {
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

/** A server has looked at a push, which it has until then. */
export function settlePush(
  work: Work,
  { user, room, pushed, due, yields }: SettledPush,
  until: number,
  at: number,
): void {
  const where = sql`user_id = ${user} AND room_id = ${room} AND due = ${until}`;
  const isOver = due === undefined;
  if (isOver && pushed === undefined) {
    work.later(() => sql`DELETE FROM chat_pushes WHERE ${where} AND again IS NULL`);
  }
  const done = isOver || yields === true ? at : null;
  const stored = pushed === undefined ? null : JSON.stringify(pushed);
  // If there was more, `again` is 1, else NULL. MariaDB goes from one column to the next: it is read before it is set.
  work.later(
    () =>
      sql`UPDATE chat_pushes
          SET due = coalesce(again * ${at}, ${due ?? null}), done = ${done}, pushed = ${stored},
              claimed = NULL, again = NULL, sending = NULL
          WHERE ${where}`,
  );
}

/** A server has looked through the members of a room. @param next when to do so again if there was more */
export function settleDueRoom(work: Work, room: string, at: number, next: number): void {
  const update = (set: Sql, where = sql``) =>
    work.later(() => sql`UPDATE chat_due_rooms SET ${set} WHERE room_id = ${room} ${where}`);
  update(sql`due = NULL, everyone = NULL`, sql`AND again IS NULL`);
  update(sql`due = ${next}`, sql`AND again = 1`);
  update(sql`done = ${at}, claimed = NULL, again = NULL`);
}
