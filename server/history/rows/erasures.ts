import { raw, sql } from '../engine/dialect.ts';
import { type Loader, type Need, needOf, type Query, type ValueLoader, type Work } from '../engine/work.ts';
import { type Erasure, erasureColumns, erasureFrom, erasureRow, isBeforeEnd } from '../records/erasure.ts';
import { existingRoom } from './rooms.ts';
import { getUser, userNeed } from './users.ts';

export const aboutUser = (user: string): Need[] => [userNeed(user), erasureNeed(user)];

/** Whether rows about the user must not be stored: the user does not exist, or an erasure could miss the rows. */
export function isGone(work: Work, user: string): boolean {
  const erasure = erasureOf(work, user);
  return getUser(work, user) === undefined || (erasure !== undefined && isBeforeEnd(erasure));
}

// Erasures in a transaction.

export const selectErasures = sql`SELECT ${raw(erasureColumns.join(', '))} FROM chat_erasures`;

/** Locks the erasure, so that its steps wait. */
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

/** Reads without a lock, so that steps need not wait. The value is undefined if the user is not being erased. */
const erasureLoader: ValueLoader<{ user: string }, Erasure | undefined> = {
  name: 'erasure',
  keyOf: ({ user }) => user,
  ask({ dialect }, work, needs): Query[] {
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

/** Returns the erasure of the user that is in progress. */
export const erasureOf = (work: Work, user: string): Erasure | undefined =>
  work.value(erasureLoader, { user });

export function setErasure(work: Work, erasure: Erasure): void {
  const row = erasureRow(erasure);
  work.later((dialect) => dialect.upsert('chat_erasures', ['user_id'], erasureColumns, [row]));
  work.set(work.valuesOf(erasureLoader), erasure.user, erasure);
}

/** Deletes the state of a completed erasure. */
export function endErasure(work: Work, user: string): void {
  work.later(() => sql`DELETE FROM chat_erasures WHERE user_id = ${user}`);
  work.later(() => sql`DELETE FROM chat_erased_rooms WHERE user_id = ${user}`);
}

/**
 * Records that the erasure changed the room without announcing it. The stage `resets` announces a reset of the room.
 */
export function noteErased(work: Work, user: string, id: string): void {
  const { num: room } = existingRoom(work, id);
  if (room === undefined) return;
  work.later((dialect) => dialect.insertNew('chat_erased_rooms', ['user_id', 'room'], [[user, room]]));
}

/** Removes the record of `noteErased`, because the reset is announced. */
export function settleErased(work: Work, user: string, id: string): void {
  const { num: room } = existingRoom(work, id);
  if (room === undefined) return;
  work.later(() => sql`DELETE FROM chat_erased_rooms WHERE user_id = ${user} AND room = ${room}`);
}
