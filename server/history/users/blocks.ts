import { ask, inList, type Sql, sql } from '../engine/dialect.ts';
import { hasRows, type ReadsOf } from '../engine/read.ts';
import { type Nothing, type Rule, refuse } from '../engine/rule.ts';
import { subject } from '../engine/subject.ts';
import { table } from '../engine/table.ts';
import { rows, type Work } from '../engine/work.ts';
import { otherOf, type RoomRow } from '../records/room.ts';

/** The maximum number of users that a user can block. */
export const mostBlocked = 1000;

export interface BlockWrites {
  /** Blocks or unblocks `other` for `user`. Codes: `limit_reached` (`mostBlocked`). */
  block: { in: { user: string; other: string; blocked: boolean; at: number }; out: Nothing };
}

export interface BlockReads {
  /** Whether `user` blocked `other`. */
  hasBlocked: { in: { user: string; other: string }; out: boolean };
  /** The users among `others` who blocked `user`, or whom `user` blocked. */
  blockedBetween: { in: { user: string; others: readonly string[] }; out: string[] };
}

/** `user` blocked `other`. */
export const blocks = table<{ user: string; other: string; since: number }>(
  'chat_blocked',
  ['user', 'other'],
  { user: 'user_id', other: 'other_id', since: 'since' },
  {
    users: ['user', 'other'],
    without: ({ user, other }, erased) => ({
      row: null,
      change: user === erased ? undefined : { type: 'blocked', user, other, blocked: false },
    }),
  },
);

/** Whether `user` blocked `other`. */
export function hasBlocked(work: Work, user: string, other: string): boolean {
  return work.find(blocks, { user, other }).length > 0;
}

/** Whether the room is direct and the peer blocked `user`. */
export function isBlocked(work: Work, { pair }: RoomRow, user: string): boolean {
  const peer = otherOf(pair, user);
  return peer !== undefined && hasBlocked(work, peer, user);
}

const block: Rule<BlockWrites['block']> = {
  needs: ({ user, other, blocked }) => [
    rows(blocks, { user, other }),
    ...(blocked ? [rows(blocks, { user })] : []),
  ],
  run(work, { user, other, blocked, at }, changes) {
    if (hasBlocked(work, user, other) === blocked) return {};
    if (blocked && work.find(blocks, { user }).length >= mostBlocked) refuse('limit_reached');
    if (blocked) work.put(blocks, { user, other, since: at });
    else work.remove(blocks, { user, other });
    changes.push({ type: 'blocked', user, other, blocked });
    return {};
  },
};

/** Returns a sort key: 1 if `user` blocked the author of a message, else 0. Mentions by others come first. */
export const isAuthorBlocked = (user: string): Sql =>
  sql`CASE WHEN EXISTS (SELECT 1 FROM chat_blocked AS blocked
    WHERE blocked.user_id = ${user} AND blocked.other_id = messages.user_id) THEN 1 ELSE 0 END`;

const reads: ReadsOf<BlockReads> = {
  hasBlocked: (_, { user, other }) =>
    hasRows(sql`SELECT since FROM chat_blocked WHERE user_id = ${user} AND other_id = ${other}`),
  *blockedBetween({ dialect }, { user, others }) {
    if (others.length === 0) return [];
    const rows = yield* ask(
      sql`SELECT other_id AS id FROM chat_blocked WHERE user_id = ${user} AND ${inList(dialect, 'other_id', others)}
          UNION SELECT user_id AS id FROM chat_blocked
          WHERE other_id = ${user} AND ${inList(dialect, 'user_id', others)}`,
    );
    return rows.map(({ id }) => id as string);
  },
};

export const blockSubject = subject<BlockWrites, BlockReads>({
  tables: [blocks],
  rules: { block },
  reads,
});
