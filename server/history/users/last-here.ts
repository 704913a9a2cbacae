import { ask, inList, raw, type Sql, sql } from '../engine/dialect.ts';
import { expiryOf, type Forget, forgetting } from '../engine/expired-rows.ts';
import { askNumber, type ReadsOf } from '../engine/read.ts';
import type { Nothing, Rule } from '../engine/rule.ts';
import { subject } from '../engine/subject.ts';
import { table } from '../engine/table.ts';
import { rows } from '../engine/work.ts';
import { aboutUser, isGone } from '../rows/erasures.ts';

export interface LastHereWrites {
  /** Stores when the user was last here. No-op if the user hides it, is being erased, or does not exist. */
  noteHere: { in: { user: string; at: number }; out: Nothing };
  /**
   * Hides from other users when this user was last here, and deletes the stored time; or shows it again. No-op if the
   * user is being erased or does not exist.
   */
  hideHere: { in: { user: string; hidden: boolean }; out: Nothing };
  /** Deletes times before `before`. */
  forgetHere: Forget;
}

export interface LastHereReads {
  /**
   * The number of users who were last seen at `since` or later (`all`), and how many of them are in `users` (`among`).
   * Excludes users who hide this time.
   */
  recentlyHere: {
    in: { since: number; users: readonly string[] };
    out: { all: number; among: number };
  };
  /** When the user was last here. `at` is absent if the user hides it, or if user or asker blocked the other. */
  lastHere: { in: { user: string; asker: string }; out: { at?: number; hidden: boolean } };
}

/** When users were last here. `hidden`: the user hides it, and `at` is 0. */
export const lastHere = table<{ user: string; at: number; hidden?: 1 }>(
  'chat_last_here',
  ['user'],
  { user: 'user_id', at: 'at', hidden: 'hidden' },
  { users: ['user'], without: () => ({ row: null }) },
);

const noteHere: Rule<LastHereWrites['noteHere']> = {
  needs: ({ user }) => [rows(lastHere, { user }), ...aboutUser(user)],
  run(work, { user, at }) {
    const [stored] = work.find(lastHere, { user });
    if (isGone(work, user) || stored?.hidden === 1 || (stored !== undefined && stored.at >= at)) return {};
    work.put(lastHere, { user, at });
    return {};
  },
};

const hideHere: Rule<LastHereWrites['hideHere']> = {
  needs: ({ user }) => [rows(lastHere, { user }), ...aboutUser(user)],
  run(work, { user, hidden }) {
    const [stored] = work.find(lastHere, { user });
    if (isGone(work, user) || (stored?.hidden === 1) === hidden) return {};
    if (hidden) work.put(lastHere, { user, at: 0, hidden: 1 });
    else work.remove(lastHere, { user });
    return {};
  },
};

// `at` is 0 for users who hide it. These rows are first in the index, and stay.
const forgetHere = forgetting(expiryOf(lastHere, 'at', (before) => sql`at > 0 AND at < ${before}`));

const usersPerStatement = 500;

const reads: ReadsOf<LastHereReads> = {
  *lastHere(_, { user, asker }) {
    const [row] = yield* ask(sql`SELECT at, hidden FROM chat_last_here WHERE user_id = ${user}`);
    const [block] = yield* ask(
      sql`SELECT since FROM chat_blocked WHERE (user_id = ${user} AND other_id = ${asker})
          OR (user_id = ${asker} AND other_id = ${user}) LIMIT 1`,
    );
    const hidden = row?.hidden === 1;
    const isVisible = row !== undefined && !hidden && block === undefined;
    return { at: isVisible ? (row.at as number) : undefined, hidden };
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

export const lastHereSubject = subject<LastHereWrites, LastHereReads>({
  tables: [lastHere],
  rules: { noteHere, hideHere, forgetHere },
  reads,
});
