import { ask, inList, raw, type Sql, sql } from '../engine/dialect.ts';
import { askNumber, type ReadsOf } from '../engine/read.ts';
import type { LastHereReads } from '../history.ts';

const usersPerStatement = 500;

export const lastHereReads: ReadsOf<LastHereReads> = {
  *lastHere(_, { user, asker }) {
    const [row] = yield* ask(sql`SELECT at, hidden FROM chat_last_here WHERE user_id = ${user}`);
    const [block] = yield* ask(
      sql`SELECT since FROM chat_blocked WHERE (user_id = ${user} AND other_id = ${asker})
          OR (user_id = ${asker} AND other_id = ${user}) LIMIT 1`,
    );
    const hidden = row?.hidden === 1;
    const isVisible = row !== undefined && !hidden && block === undefined;
    return { ...(isVisible ? { at: row.at as number } : {}), hidden };
  },
  *recentlyHere({ dialect }, { since, users }) {
    const count = (condition: Sql) =>
      askNumber(
        sql`SELECT count(*) AS num FROM chat_last_here WHERE at >= ${since} AND hidden IS NULL ${condition}`,
      );
    let among = 0;
    for (let n = 0; n < users.length; n += usersPerStatement) {
      among += yield* count(sql`AND ${inList(dialect, 'user_id', users.slice(n, n + usersPerStatement))}`);
    }
    return { all: yield* count(raw('')), among };
  },
};
