import type { User } from '../../wire/events.ts';
import { type Asking, ask, type Dialect, inList, raw, sql } from '../engine/dialect.ts';
import type { ReadsOf } from '../engine/read.ts';
import type { Rule } from '../engine/rule.ts';
import { subject } from '../engine/subject.ts';
import type { Work } from '../engine/work.ts';
import type { Change } from '../records/changes.ts';
import { type ErasureStage, isBeforeEnd } from '../records/erasure.ts';
import { type UserRecord, userFrom } from '../records/user.ts';
import { getUser, outdatedNeed, renewUsers, setUser, storeUsers } from '../rows/users.ts';

export interface UserWrites {
  /**
   * Renews the search keys of up to `most` users, and their sort keys in the lists of members, if they are of an
   * earlier `foldingVersion`. `users`: how many; fewer than `most` if no other users are left.
   */
  renewKeys: { in: { most: number }; out: { users: number } };
}

export interface UserReads {
  /** The IDs that the site added: see `putSiteUsers`. */
  siteUsers: { in: { ids: readonly string[] }; out: string[] };
  /** The users with these IDs. Unknown IDs are left out. */
  users: { in: { ids: readonly string[] }; out: UserRecord[] };
  /** The user, or null if the ID is unknown or the user is being erased. */
  unerased: { in: { user: string }; out: UserRecord | null };
}

export function named(work: Work, id: string): User {
  return { id, name: getUser(work, id)?.name ?? id };
}

/** Stores the name of a user, and the user if it is new. */
export function rename(work: Work, { id, name }: User, changes: Change[]): void {
  const stored = getUser(work, id);
  if (stored?.name === name) return;
  putUser(work, { ...stored, id, name, actedPublic: stored?.actedPublic ?? false }, changes);
}

export function actInPublic(work: Work, { id, name }: User, changes: Change[]): void {
  const stored = getUser(work, id);
  if (stored?.actedPublic) return;
  putUser(work, { ...stored, id, name, actedPublic: true }, changes);
}

export function putUser(work: Work, user: UserRecord, changes: Change[]): void {
  setUser(work, user);
  changes.push({ type: 'user', user });
}

const renewKeys: Rule<UserWrites['renewKeys']> = {
  alone: true,
  needs: ({ most }) => [outdatedNeed(most)],
  run: (work, { most }) => ({ users: renewUsers(work, most) }),
};

/** The columns of a `UserRecord`. */
export const userSelection = raw('id, name, acted_public, site_role');

/** Reads the users with these IDs, by ID. Unknown IDs are left out. */
export function* findUsersById(dialect: Dialect, ids: readonly string[]): Asking<Map<string, UserRecord>> {
  if (ids.length === 0) return new Map();
  const rows = yield* ask(sql`SELECT ${userSelection} FROM chat_users WHERE ${inList(dialect, 'id', ids)}`);
  return new Map(rows.map((row) => [row.id as string, userFrom(row)]));
}

const reads: ReadsOf<UserReads> = {
  *users({ dialect }, { ids }) {
    const userById = yield* findUsersById(dialect, ids);
    return ids.flatMap((id) => userById.get(id) ?? []);
  },
  *unerased({ dialect }, { user: id }) {
    // Reads the erasure before the user. In the other order, an erasure could end in between and the user would be
    // returned.
    const [erasure] = yield* ask(sql`SELECT stage FROM chat_erasures WHERE user_id = ${id}`);
    const userById = yield* findUsersById(dialect, [id]);
    const isErased = erasure !== undefined && isBeforeEnd({ stage: erasure.stage as ErasureStage });
    return isErased ? null : (userById.get(id) ?? null);
  },
  *siteUsers({ dialect }, { ids }) {
    if (ids.length === 0) return [];
    const rows = yield* ask(
      sql`SELECT user_id FROM chat_site_users WHERE ${inList(dialect, 'user_id', ids)}`,
    );
    return rows.map(({ user_id }) => user_id as string);
  },
};

export const userSubject = subject<UserWrites, UserReads>({
  rules: { renewKeys },
  reads,
  stores: [storeUsers],
});
