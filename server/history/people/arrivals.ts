import { ask, type Sql, sql } from '../engine/dialect.ts';
import { countUpTo, cutPage, type ReadsOf } from '../engine/read.ts';
import type { ArrivalPlace, ArrivalReads } from '../history.ts';
import { userFrom } from '../rows.ts';
import { behindNames, nameKey } from '../text-keys.ts';
import { userSelection } from './users.ts';

export const arrivalReads: ReadsOf<ArrivalReads> = {
  *arrival(_, { user }) {
    const [row] = yield* ask(
      sql`SELECT ${userSelection}, at FROM chat_arrivals JOIN chat_users AS users ON users.id = user_id WHERE user_id = ${user}`,
    );
    return row === undefined ? null : { user: userFrom(row), at: row.at as number };
  },
  *arrivals(_, { query, after, limit }) {
    const rows = yield* ask(
      query === undefined ? newestArrivals(after, limit) : arrivalsByName(query, after, limit),
    );
    const { page, last } = cutPage(rows, limit);
    const next = last && {
      key: (query === undefined ? last.at : last.sort) as number | string,
      user: last.id as string,
    };
    return { users: page.map(userFrom), ...(next && { next }) };
  },
  arrived: (_, { most }) => countUpTo(most, sql`SELECT at FROM chat_arrivals WHERE at >= 0`),
};

function newestArrivals(after: ArrivalPlace | undefined, limit: number): Sql {
  const { key, user } = after ?? { key: Number.MAX_SAFE_INTEGER, user: '' };
  return sql`SELECT ${userSelection}, at FROM chat_arrivals JOIN chat_users AS users ON users.id = user_id
             WHERE at <= ${key} AND (at < ${key} OR user_id < ${user}) ORDER BY at DESC, user_id DESC LIMIT ${limit + 1}`;
}

/** Lists each user once, by the first matching key. */
function arrivalsByName(query: string, after: ArrivalPlace | undefined, limit: number): Sql {
  const first = nameKey(query);
  const { key, user } = after ?? { key: first, user: '' };
  return sql`SELECT ${userSelection}, find_key AS sort FROM chat_user_keys AS user_keys
             JOIN chat_arrivals AS arrivals ON arrivals.user_id = user_keys.user_id
             JOIN chat_users AS users ON users.id = user_keys.user_id
             WHERE find_key >= ${key} AND find_key < ${first + behindNames}
               AND (find_key > ${key} OR user_keys.user_id > ${user})
               AND NOT EXISTS (SELECT 1 FROM chat_user_keys AS earlier WHERE earlier.user_id = user_keys.user_id
                 AND earlier.find_key >= ${first} AND earlier.find_key < user_keys.find_key)
             ORDER BY find_key, user_keys.user_id LIMIT ${limit + 1}`;
}
