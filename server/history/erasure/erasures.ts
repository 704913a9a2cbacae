import { raw, sql } from '../engine/dialect.ts';
import {
  type Loader,
  type Need,
  needOf,
  type Question,
  type ValueLoader,
  type Work,
} from '../engine/work.ts';
import { getUser, userNeed } from '../people/loaded.ts';
import { existingRoom } from '../rooms/loaded.ts';
import { type Erasure, erasureColumns, erasureFrom, erasureRow, isBeforeEnd } from './erasure.ts';

export const aboutUser = (user: string): Need[] => [userNeed(user), erasureNeed(user)];

/** Whether rows of this user would not be found any more by an erasure, or belong to nobody. */
export function isGone(work: Work, user: string): boolean {
  const erasure = erasureOf(work, user);
  return getUser(work, user) === undefined || (erasure !== undefined && isBeforeEnd(erasure));
}

// Erasures in a transaction.

export const selectErasures = sql`SELECT ${raw(erasureColumns.join(', '))} FROM chat_erasures`;

/** Locks the erasure: no step of it is taken meanwhile. */
const lockedLoader: Loader<{ user: string }> = {
  name: 'erasure',
  *find({ dialect, transaction }, work, needs) {
    for (const { user } of needs) {
      const [row] = yield* transaction.query(sql`${selectErasures} WHERE user_id = ${user} ${dialect.lock}`);
      work.keep(erasureLoader, { user }, row && erasureFrom(row));
    }
    return [];
  },
};

export const lockedErasureNeed = (user: string): Need => needOf(lockedLoader, { user });

/** Without the lock, which steps would not wait for. The value is undefined where there is none. */
const erasureLoader: ValueLoader<{ user: string }, Erasure | undefined> = {
  name: 'erasure',
  keyOf: ({ user }) => user,
  ask({ dialect }, work, needs): Question[] {
    const known = work.valuesOf(erasureLoader);
    const users = [...new Set(needs.map(({ user }) => user))].filter((user) => !known.has(user));
    if (users.length === 0) return [];
    const which = dialect.each(
      ['user_id'],
      users.map((user) => [user]),
    );
    return [
      {
        sql: sql`${selectErasures} WHERE ${which}`,
        take(found) {
          for (const user of users) known.set(user, undefined);
          for (const erasure of found.map(erasureFrom)) known.set(erasure.user, erasure);
        },
      },
    ];
  },
};

export const erasureNeed = (user: string): Need => needOf(erasureLoader, { user });

/** The erasure of this user that is under way. */
export const erasureOf = (work: Work, user: string): Erasure | undefined =>
  work.value(erasureLoader, { user });

export function setErasure(work: Work, erasure: Erasure): void {
  const row = erasureRow(erasure);
  work.later((dialect) => dialect.upsert('chat_erasures', ['user_id'], erasureColumns, [row]));
  work.set(work.valuesOf(erasureLoader), erasure.user, erasure);
}

/** It is done: nothing of it stays. */
export function endErasure(work: Work, user: string): void {
  work.later(() => sql`DELETE FROM chat_erasures WHERE user_id = ${user}`);
  work.later(() => sql`DELETE FROM chat_erased_rooms WHERE user_id = ${user}`);
}

/** The erasure has changed something in the room without a change for it: the stage `resets` makes one. */
export function noteErased(work: Work, user: string, id: string): void {
  const { num: room } = existingRoom(work, id);
  if (room === undefined) return;
  work.later((dialect) => dialect.insertNew('chat_erased_rooms', ['user_id', 'room'], [[user, room]]));
}

/** The reset of the room is made. */
export function settleErased(work: Work, user: string, id: string): void {
  const { num: room } = existingRoom(work, id);
  if (room === undefined) return;
  work.later(() => sql`DELETE FROM chat_erased_rooms WHERE user_id = ${user} AND room = ${room}`);
}
