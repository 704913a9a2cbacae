import type { AuditScope } from '../wire/events.ts';
import { ask, type Dialect, inList, raw, type Sql, sql } from './engine/dialect.ts';
import { expiryOf, type Forget, forgetting } from './engine/expired-rows.ts';
import { askNumber, cutPage, type ReadsOf } from './engine/read.ts';
import type { Nothing, Rule } from './engine/rule.ts';
import { subject } from './engine/subject.ts';
import { table } from './engine/table.ts';
import type { Work } from './engine/work.ts';
import type { Change } from './records/changes.ts';
import type { Row, Value } from './records/columns.ts';
import type { Act } from './records/moderation.ts';
import { isUserRoom, type RoomRow } from './records/room.ts';
import type { KnownRooms } from './rows/select.ts';

export interface ActWrites {
  /** Deletes audit entries before `before`. */
  forgetActs: Forget;
  /** Records in the audit log that `actor` exported the data of `user`. */
  noteExport: { in: { user: string; actor: string }; out: Nothing };
}

export interface ActReads {
  /** Audit entries about these rooms and about no room, newest first, paginated like `reports`. */
  actsIn: {
    in: KnownRooms & { scope?: AuditScope; from?: string; limit: number };
    out: { acts: Act[]; next?: string };
  };
  /**
   * Counts the decisions of a moderator about reports and pending messages in these rooms since `since`, among the
   * moderator's last `most` audit entries.
   */
  decisionsBy: { in: KnownRooms & { user: string; since: number; most: number }; out: number };
  /**
   * Audit entries, newest first, before the entry `before`. `next`: the `before` of the next page.
   * @param in.of selects entries by this user, and entries about this user: without a room, about public rooms and
   * `rooms`, removals from any room, and bans from the rooms `lost`. `by` and `scope` are ignored
   */
  acts: {
    in: {
      by?: string;
      scope?: AuditScope;
      of?: { user: string; rooms: readonly string[]; lost: readonly string[] };
      before?: number;
      limit: number;
    };
    out: { acts: Act[]; next?: number };
  };
}

const actColumns = [
  'act',
  'at',
  'by_id',
  'user_id',
  'room_id',
  'shown',
  'site',
  'seq',
  'reason',
  'about',
] as const;

function actRow({ kind, at, by, user, room, open, seq, reason, to }: Act): Value[] {
  const about = to === undefined ? null : JSON.stringify(to);
  const isSite = by === undefined || room === undefined || !isUserRoom(room);
  return [
    kind,
    at,
    by ?? null,
    user ?? null,
    room ?? null,
    open ? 1 : null,
    isSite ? 1 : null,
    seq ?? null,
    reason ?? null,
    about,
  ];
}

/** Adds an audit entry to the changes. @param act its undefined fields are left out */
export function tellAct(
  changes: Change[],
  {
    room,
    ...act
  }: { [Field in keyof Omit<Act, 'room'>]?: Act[Field] | undefined } & Pick<Act, 'kind'> & {
      room?: Pick<RoomRow, 'id' | 'kind'>;
    },
): void {
  const isOpen = room === undefined || room.kind === 'public';
  const entry = { ...act, room: room?.id, ...(isOpen ? { open: true } : {}) };
  const fields = Object.entries(entry).filter(([, value]) => value !== undefined);
  changes.push({ type: 'act', act: Object.fromEntries(fields) as Omit<Act, 'at'> });
}

/** The audit entries. `insertActs` adds them. */
const acts = table<{ num: number }>('chat_audit', ['num'], { num: 'num' });

const forgetActs = forgetting(expiryOf(acts, 'at'));

const noteExport: Rule<ActWrites['noteExport']> = {
  needs: () => [],
  run(_work, { user, actor }, changes) {
    tellAct(changes, { kind: 'exported', by: actor, user });
    return {};
  },
};

export function insertActs(work: Work, acts: readonly Act[]): void {
  if (acts.length > 0) work.later((dialect) => dialect.insert('chat_audit', actColumns, acts.map(actRow)));
}

/**
 * Audit entries have the time of the database clock, which may count whole seconds. Rooms have the time of a server
 * clock. If the database clock is further behind than this, the first entries of a room are not listed.
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

/**
 * Returns the condition that an entry is about one of the asker's private rooms. It excludes entries about a deleted
 * room with the same ID, which had other members.
 */
const inOwnRooms = (dialect: Dialect, ids: readonly string[]): Sql =>
  sql`${inList(dialect, 'room_id', ids)} AND NOT EXISTS (
        SELECT 1 FROM chat_rooms AS rooms WHERE rooms.id = room_id AND rooms.created_at > at + ${clockToleranceMs})`;

/** Returns the condition that an entry is about one of these rooms, or about no room. */
export function inKnownRooms(dialect: Dialect, { rooms, except }: KnownRooms): Sql {
  const hidden =
    except.length === 0 ? raw('') : sql`AND (room_id IS NULL OR NOT ${inList(dialect, 'room_id', except)})`;
  const inOwn = rooms.length === 0 ? raw('') : sql`OR (${inOwnRooms(dialect, rooms)})`;
  return sql`((shown = 1 ${hidden}) ${inOwn})`;
}

/**
 * Returns the condition that the affected user may see the entry. Removed users were members, so they may see the
 * removal.
 */
function isKnownToUser(dialect: Dialect, { rooms, lost }: NonNullable<ActReads['acts']['in']['of']>): Sql {
  const inOwn = inKnownRooms(dialect, { rooms, except: [] });
  const inLost = inKnownRooms(dialect, { rooms: lost, except: [] });
  return sql`(act = 'removed' OR ${inOwn} OR (act = 'banned' AND ${inLost}))`;
}

const reads: ReadsOf<ActReads> = {
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
    return { acts: page.map(actFrom), next: last && (last.num as number) };
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
    return { acts: page.map(actFrom), next: last && cursors.seal('act', last.num as number) };
  },
  decisionsBy: ({ dialect }, { user, since, most, ...visibleRooms }) =>
    askNumber(
      sql`SELECT count(*) AS num FROM (
            SELECT act, at, room_id, shown FROM chat_audit WHERE by_id = ${user} ORDER BY num DESC LIMIT ${most}) AS found
          WHERE at >= ${since} AND act IN ('report_closed', 'approved', 'rejected')
            AND ${inKnownRooms(dialect, visibleRooms)}`,
    ),
};

export const actSubject = subject<ActWrites, ActReads>({
  rules: { forgetActs, noteExport },
  reads,
});
