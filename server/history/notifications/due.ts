import { raw, type Sql, sql } from '../engine/dialect.ts';
import type { Work } from '../engine/work.ts';
import type { Pushed, PushPlace, SettledPush } from '../history.ts';
import type { Columns, Value } from '../tables.ts';
// Changes of many rows at once of the users, rooms and pushes that are due: see the rules in notify.ts.

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
