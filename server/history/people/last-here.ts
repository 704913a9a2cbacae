import { ask, inList, raw, type Sql, sql } from '../engine/dialect.ts';
import { askNumber, type ReadsOf } from '../engine/read.ts';
import type { Nothing, Rule } from '../engine/rule.ts';
import { table } from '../engine/table.ts';
import { rows } from '../engine/work.ts';
import { aboutUser, isGone } from '../erasure/erasures.ts';

export interface LastHereWrites {
  /** A user was here at that time. If the user is hidden, being erased, or not known, nothing is stored. */
  noteHere: { in: { user: string; at: number }; out: Nothing };
  /**
   * From now on others learn when this user was last here, or do not; then nothing is stored of it. If the user is being
   * erased, or not known, nothing is stored.
   */
  hideHere: { in: { user: string; hidden: boolean }; out: Nothing };
  /** Forgets who was last here before that time. */
  forgetHere: { in: { before: number }; out: Nothing };
}

export interface LastHereReads {
  /** How many users were here last since that time, and how many of `users` were. Nobody who hides it. */
  recentlyHere: {
    in: { since: number; users: readonly string[] };
    out: { all: number; among: number };
  };
  /** When a user was last here: not for an asker whom the user has blocked, or who has blocked the user. */
  lastHere: { in: { user: string; asker: string }; out: { at?: number; hidden: boolean } };
}

/** When users were last here; `hidden`: this user does not want others to know. */
export const lastHere = table<{ user: string; at: number; hidden?: 1 }>(
  'chat_last_here',
  ['user'],
  { user: 'user_id', at: 'at', hidden: 'hidden' },
  { users: ['user'], without: () => ({ row: null }) },
);

export const noteHere: Rule<LastHereWrites['noteHere']> = {
  needs: ({ user }) => [rows(lastHere, { user }), ...aboutUser(user)],
  run(work, { user, at }) {
    const [known] = work.find(lastHere, { user });
    if (isGone(work, user) || known?.hidden === 1 || (known !== undefined && known.at >= at)) return {};
    work.put(lastHere, { user, at });
    return {};
  },
};

export const hideHere: Rule<LastHereWrites['hideHere']> = {
  needs: ({ user }) => [rows(lastHere, { user }), ...aboutUser(user)],
  run(work, { user, hidden }) {
    const [known] = work.find(lastHere, { user });
    if (isGone(work, user) || (known?.hidden === 1) === hidden) return {};
    if (hidden) work.put(lastHere, { user, at: 0, hidden: 1 });
    else work.remove(lastHere, { user });
    return {};
  },
};

export const forgetHere: Rule<LastHereWrites['forgetHere']> = {
  needs: () => [],
  run(work, { before }) {
    work.later(() => sql`DELETE FROM chat_last_here WHERE at < ${before} AND hidden IS NULL`);
    return {};
  },
};

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
