import type { AuditScope } from '../../wire/events.ts';
import { ask, type Dialect, inList, raw, type Sql, sql } from '../engine/dialect.ts';
import { askNumber, cutPage, type ReadsOf } from '../engine/read.ts';
import type { Act, ActReads, KnownRooms } from '../history.ts';
import { actColumns } from '../rows.ts';
import type { Row } from '../tables.ts';

/**
 * Milliseconds by which the clock of the database, which dates acts, may be behind that of a server, which dates rooms. It may
 * count whole seconds. If it is further behind, the first acts of a room are not listed.
 */
const clockToleranceMs = 1000;

const actSelection = raw(`num, ${actColumns.join(', ')}`);

function actFrom(row: Row): Act {
  const optional = {
    by: row.by_id,
    user: row.user_id,
    room: row.room_id,
    seq: row.seq,
    reason: row.reason,
    to: row.about === null ? null : JSON.parse(row.about as string),
  };
  const present = Object.entries(optional).filter(([, value]) => value !== null);
  return { kind: row.act as Act['kind'], at: row.at as number, ...Object.fromEntries(present) };
}

function inScope(scope: AuditScope | undefined): Sql {
  if (scope === undefined) return raw('');
  return raw(scope === 'site' ? 'site = 1 AND' : 'site IS NULL AND');
}

/** Acts in private rooms of the asker, without those of a deleted room with the same id, which had other members. */
const inOwnRooms = (dialect: Dialect, ids: readonly string[]): Sql =>
  sql`${inList(dialect, 'room_id', ids)} AND NOT EXISTS (
        SELECT 1 FROM chat_rooms AS rooms WHERE rooms.id = room_id AND rooms.created_at > at + ${clockToleranceMs})`;

/** The condition that an act was in one of these rooms. */
export function inKnownRooms(dialect: Dialect, { rooms, except }: KnownRooms): Sql {
  const hidden = except.length === 0 ? raw('') : sql`AND NOT ${inList(dialect, 'room_id', except)}`;
  const own = rooms.length === 0 ? raw('') : sql`OR (${inOwnRooms(dialect, rooms)})`;
  return sql`((shown = 1 ${hidden}) ${own})`;
}

/** The condition that the affected user may know of the act. Only members can be removed. */
function isKnownToUser(dialect: Dialect, { rooms, lost }: NonNullable<ActReads['acts']['in']['of']>): Sql {
  const inOwn = inKnownRooms(dialect, { rooms, except: [] });
  const inLost = inKnownRooms(dialect, { rooms: lost, except: [] });
  return sql`(act = 'removed' OR ${inOwn} OR (act = 'banned' AND ${inLost}))`;
}

export const actReads: ReadsOf<ActReads> = {
  *acts({ dialect }, { of, by, scope, before = Number.MAX_SAFE_INTEGER, limit }) {
    const select = (condition: Sql) =>
      sql`SELECT ${actSelection} FROM chat_audit WHERE ${condition} num < ${before}
          ORDER BY num DESC LIMIT ${limit + 1}`;
    const rows = yield* ask(
      of === undefined
        ? select(sql`${by === undefined ? raw('') : sql`by_id = ${by} AND`} ${inScope(scope)}`)
        : sql`SELECT * FROM (${select(sql`by_id = ${of.user} AND`)}) AS one
              UNION SELECT * FROM (${select(sql`user_id = ${of.user} AND ${isKnownToUser(dialect, of)} AND`)}) AS other
              ORDER BY num DESC LIMIT ${limit + 1}`,
    );
    const { page, last } = cutPage(rows, limit);
    return { acts: page.map(actFrom), ...(last && { next: last.num as number }) };
  },
  *actsIn({ dialect, cursors }, { rooms, except, scope, from, limit }) {
    const before = cursors.open('act', from);
    const hidden =
      except.length === 0 ? raw('') : sql`AND (room_id IS NULL OR NOT ${inList(dialect, 'room_id', except)})`;
    const end = sql`${inScope(scope)} num < ${before} ORDER BY num DESC LIMIT ${limit + 1}`;
    const open = sql`SELECT * FROM (SELECT ${actSelection} FROM chat_audit WHERE shown = 1 ${hidden} AND ${end}) AS one`;
    const own =
      rooms.length === 0
        ? raw('')
        : sql`UNION ALL SELECT * FROM (SELECT ${actSelection} FROM chat_audit WHERE ${inOwnRooms(dialect, rooms)} AND shown IS NULL AND ${end}) AS other`;
    const rows = yield* ask(sql`${open} ${own} ORDER BY num DESC LIMIT ${limit + 1}`);
    const { page, last } = cutPage(rows, limit);
    return { acts: page.map(actFrom), ...(last && { next: cursors.seal('act', last.num as number) }) };
  },
  decisionsBy: ({ dialect }, { user, since, most, ...known }) =>
    askNumber(
      sql`SELECT count(*) AS num FROM (
            SELECT act, at, room_id, shown FROM chat_audit WHERE by_id = ${user} ORDER BY num DESC LIMIT ${most}) AS found
          WHERE at >= ${since} AND act IN ('report_closed', 'approved', 'rejected')
            AND ${inKnownRooms(dialect, known)}`,
    ),
};
