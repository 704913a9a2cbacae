import { foldingVersion } from '../../text/folding.ts';
import { sql } from '../engine/dialect.ts';
import type { Kept, KeptKind } from '../engine/kept.ts';
import { deleteRows } from '../engine/store.ts';
import { table } from '../engine/table.ts';
import {
  type Loader,
  missing,
  type Need,
  needOf,
  type Query,
  type ValueLoader,
  type Work,
  type WriteContext,
} from '../engine/work.ts';
import type { Value } from '../records/columns.ts';
import { acted } from '../records/member.ts';
import { findKeys, storedFindKey, storedMemberKey } from '../records/text-keys.ts';
import { type UserRecord, userFrom } from '../records/user.ts';

/** The IDs of guests are between these two: they begin with `g-`, and `.` follows `-`. */
export const guestIds = { from: 'g-', to: 'g.' };

/** When users first connected. */
export const arrivals = table<{ user: string; at: number }>(
  'chat_arrivals',
  ['user'],
  { user: 'user_id', at: 'at' },
  { users: ['user'], without: () => ({ row: null }) },
);

/** Users that the site added with its API, and when. */
export const siteUsers = table<{ user: string; at: number }>(
  'chat_site_users',
  ['user'],
  { user: 'user_id', at: 'at' },
  { users: ['user'], without: () => ({ row: null }) },
);

// The users that a transaction has loaded.

interface LoadedUser {
  row: UserRecord | undefined;
  /** The row in the database; undefined if there is none. */
  stored: UserRecord | undefined;
  isDeleted?: true;
  /** Whether the stored keys are of an earlier `foldingVersion`. */
  isOutdated?: true;
}

export const loadedUsers = (): Map<string, LoadedUser> => new Map();

const keptUsers: KeptKind<UserRecord> = { name: 'user' };

const userLoader: Loader<{ id: string }> = {
  name: 'user',
  ask({ dialect, kept }, work, needs): Query[] {
    const users = work.part(loadedUsers);
    const ids = [...new Set(needs.map(({ id }) => id))].filter((id) => {
      if (users.has(id)) return false;
      const cached = kept?.get(keptUsers, id);
      if (cached !== undefined) users.set(id, { row: cached, stored: cached });
      return cached === undefined;
    });
    if (ids.length === 0) return [];
    const isWanted = dialect.each(
      ['id'],
      ids.map((id) => [id]),
    );
    return [
      {
        sql: sql`SELECT id, name, acted_public, site_role FROM chat_users WHERE ${isWanted}`,
        take(rows) {
          for (const id of ids) users.set(id, { row: undefined, stored: undefined });
          for (const row of rows.map(userFrom)) users.set(row.id, { row, stored: row });
        },
      },
    ];
  },
};

export const userNeed = (id: string): Need => needOf(userLoader, { id });

export function getUser(work: Work, id: string): UserRecord | undefined {
  const user = work.part(loadedUsers).get(id);
  return user === undefined ? missing(userLoader, { id }) : user.row;
}

export function setUser(work: Work, row: UserRecord): void {
  getUser(work, row.id);
  const users = work.part(loadedUsers);
  work.set(users, row.id, { row, stored: users.get(row.id)?.stored });
}

/**
 * Loads up to `most` users whose keys are of an earlier `foldingVersion`. Only for rules that run `alone`, because
 * changes of the same transaction are not taken into account.
 */
const outdatedLoader: ValueLoader<{ most: number }, readonly string[]> = {
  name: 'outdated keys',
  *find({ dialect, transaction }, work, needs) {
    const all: string[] = [];
    for (const need of needs) {
      // Locked before the users are loaded, so that another server cannot rename or erase them in between.
      const rows = yield* transaction.query(
        sql`SELECT id FROM chat_users WHERE folding < ${foldingVersion} ORDER BY folding, id LIMIT ${need.most} ${dialect.lock}`,
      );
      const ids = rows.map(({ id }) => id as string);
      work.keep(outdatedLoader, need, ids);
      all.push(...ids);
    }
    return all.map(userNeed);
  },
};

export const outdatedNeed = (most: number): Need => needOf(outdatedLoader, { most });

/** Stores current keys of up to `most` users whose keys are outdated. @returns the number of these users */
export function renewUsers(work: Work, most: number): number {
  const ids = work.value(outdatedLoader, { most });
  const users = work.part(loadedUsers);
  for (const id of ids) {
    const row = getUser(work, id);
    if (row !== undefined) work.set(users, id, { row, stored: users.get(id)?.stored, isOutdated: true });
  }
  return ids.length;
}

/** Deletes the user and the keys of `findUsers`. */
export function deleteUser(work: Work, id: string): void {
  work.set(work.part(loadedUsers), id, { row: undefined, stored: undefined, isDeleted: true });
  work.later(() => sql`DELETE FROM chat_users WHERE id = ${id}`);
  work.later(() => sql`DELETE FROM chat_user_keys WHERE user_id = ${id}`);
  // Since the memberships were deleted, other users may have added the ID to rooms. The sort keys of these rows may
  // contain the name.
  const sort = storedMemberKey({ id, name: id }, true);
  work.later(() => sql`UPDATE chat_members SET sort = ${sort} WHERE user_id = ${id}`);
}

/** The maximum number of renamed users in one statement. */
const mostNames = 100;

export function storeUsers(context: WriteContext, work: Work): undefined {
  const { dialect, transaction } = context;
  const findable = new Set<string>();
  for (const table of [arrivals, siteUsers]) {
    for (const { row, stored } of work.tables.get(table)?.values() ?? []) {
      if (row !== null && row !== stored) findable.add((row as { user: string }).user);
    }
  }
  const changed = [...work.part(loadedUsers)].flatMap(([id, { row, stored, isOutdated = false }]) =>
    row === undefined || (row === stored && !findable.has(id) && !isOutdated)
      ? []
      : [{ id, row, stored, isOutdated }],
  );
  if (changed.length === 0) return;
  // All servers write users in the same order, so fewer transactions deadlock.
  changed.sort((a, b) => (a.id < b.id ? -1 : 1));
  const rows: Value[][] = [];
  const keys: Value[][] = [];
  const ownersOfKeys: Value[][] = [];
  const uncertain: Value[][] = [];
  const renamed: UserRecord[] = [];
  for (const { id, row, stored, isOutdated } of changed) {
    const { name, actedPublic, siteRole = null } = row;
    if (row !== stored || isOutdated) rows.push([id, name, actedPublic ? 1 : 0, siteRole, foldingVersion]);
    // All versions have the same keys for ASCII names.
    const isRenewed = isOutdated && /[^ -~]/.test(id + name);
    const isChanged = name !== stored?.name || actedPublic !== stored.actedPublic || isRenewed;
    if (isChanged) renamed.push(row);
    if (!isChanged && !findable.has(id)) continue;
    for (const key of new Set(findKeys({ id, name }).map(storedFindKey))) keys.push([key, id]);
    ownersOfKeys.push([id]);
    if (!actedPublic && !findable.has(id)) uncertain.push([id]);
  }
  if (rows.length > 0) {
    transaction.later(
      dialect.upsert('chat_users', ['id'], ['id', 'name', 'acted_public', 'site_role', 'folding'], rows),
    );
  }
  deleteRows(context, 'chat_user_keys', ['user_id'], ownersOfKeys);
  if (ownersOfKeys.length > 0)
    transaction.later(dialect.insert('chat_user_keys', ['find_key', 'user_id'], keys));
  if (uncertain.length > 0) {
    // Users whom only other users added to rooms are not findable. Searches would scan their keys for nothing.
    transaction.later(
      sql`DELETE FROM chat_user_keys WHERE ${dialect.each(['user_id'], uncertain)}
          AND NOT EXISTS (SELECT 1 FROM chat_arrivals AS arrivals WHERE arrivals.user_id = chat_user_keys.user_id)
          AND NOT EXISTS (SELECT 1 FROM chat_site_users AS site_users WHERE site_users.user_id = chat_user_keys.user_id)`,
    );
  }
  sortMembers(
    context,
    renamed.filter(({ actedPublic }) => actedPublic),
    acted.never,
  );
  sortMembers(
    context,
    renamed.filter(({ actedPublic }) => !actedPublic),
    acted.joined,
  );
}

/**
 * Updates the sort keys to the users' names in rooms where `acted` is at least `minActed`, because these rooms show the
 * names.
 */
function sortMembers(
  { dialect, transaction }: WriteContext,
  users: readonly UserRecord[],
  minActed: number,
): void {
  for (let n = 0; n < users.length; n += mostNames) {
    const batch = users.slice(n, n + mostNames);
    const cases = batch.map((user) => sql` WHEN ${user.id} THEN ${storedMemberKey(user, true)}`);
    const keys = {
      text: `CASE user_id${cases.map(({ text }) => text).join('')} END`,
      values: cases.flatMap(({ values }) => values),
    };
    const isInBatch = dialect.among(
      ['user_id'],
      batch.map(({ id }) => [id]),
    );
    transaction.later(
      sql`UPDATE chat_members SET sort = ${keys} WHERE acted >= ${minActed} AND ${isInBatch}`,
    );
  }
}

/**
 * Whether the transaction may change or delete users. That also updates rows that are not loaded: see `sortMembers`.
 */
export const changesUsers = (work: Work): boolean =>
  [...work.part(loadedUsers).values()].some(
    ({ row, stored, isDeleted, isOutdated }) => row !== stored || isDeleted || isOutdated,
  );

export function keepUsers(work: Work, kept: Kept): void {
  for (const [id, { row }] of work.part(loadedUsers)) if (row !== undefined) kept.put(keptUsers, id, row);
}
