import { type Sql, sql } from '../engine/dialect.ts';
import { hasRows, type ReadsOf } from '../engine/read.ts';
import type { BlockReads } from '../history.ts';

/** 1 for a message whose author this user has blocked, or 0. Mentions in such messages must not displace others. */
export const isAuthorBlocked = (user: string): Sql =>
  sql`CASE WHEN EXISTS (SELECT 1 FROM chat_blocked AS blocked
    WHERE blocked.user_id = ${user} AND blocked.other_id = messages.user_id) THEN 1 ELSE 0 END`;

export const blockReads: ReadsOf<BlockReads> = {
  hasBlocked: (_, { user, other }) =>
    hasRows(sql`SELECT since FROM chat_blocked WHERE user_id = ${user} AND other_id = ${other}`),
};
