import { type Asking, ask, type Dialect, inList, raw, sql } from '../engine/dialect.ts';
import type { ReadsOf } from '../engine/read.ts';
import { type ErasureStage, isBeforeEnd } from '../erasure.ts';
import type { UserReads, UserRecord } from '../history.ts';
import { userFrom } from '../rows.ts';

/** The columns of a `UserRecord`. */
export const userSelection = raw('id, name, acted_public, site_role');

/** The users with these ids, as far as they are stored. */
export function* findUsersById(dialect: Dialect, ids: readonly string[]): Asking<Map<string, UserRecord>> {
  if (ids.length === 0) return new Map();
  const rows = yield* ask(sql`SELECT ${userSelection} FROM chat_users WHERE ${inList(dialect, 'id', ids)}`);
  return new Map(rows.map((row) => [row.id as string, userFrom(row)]));
}

export const userReads: ReadsOf<UserReads> = {
  *users({ dialect }, { ids }) {
    const userById = yield* findUsersById(dialect, ids);
    return ids.flatMap((id) => userById.get(id) ?? []);
  },
  *unerased({ dialect }, { user: id }) {
    // The erasure is read first because it may end in between.
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
