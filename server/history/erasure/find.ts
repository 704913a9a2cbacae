import { type Asking, type Dialect, raw, type Sql, sql } from '../engine/dialect.ts';
import type { Table } from '../engine/table.ts';
import type { WriteContext } from '../engine/work.ts';
import type { Erasable, ErasableList, Erasure, ErasureStage } from '../records/erasure.ts';
import type { RestrictionKind } from '../records/member.ts';
import { goneRooms, roomsLookedThrough } from '../records/room.ts';

/** Maximum rows that one query finds. */
const erasuresAtOnce = 100;

/** Maximum rows that one step scans if no index contains the user. */
const rowsLookedThrough = 5000;

/** Fragments of stored JSON: the moderator of a closed report, the author of a message, and a mention. */
const byIn = (user: string): string => `"by":${JSON.stringify(user)}`;

const authorIn = (user: string): string => `"user":{"id":${JSON.stringify(user)},`;

const mentionIn = (user: string): string => `"user":${JSON.stringify(user)},`;

/** Finds the next rows of a stage. Processed rows are not found again. */
export function* findErasable(context: WriteContext, erasure: Erasure): Asking<ErasableList> {
  const { user, stage } = erasure;
  switch (stage) {
    case 'begin':
      return { found: [] };
    case 'person':
      return { found: [{}] };
    case 'log':
      return yield* entriesOf(context, erasure);
    case 'rows':
      return yield* rowsOf(context, user);
    case 'reports':
      return yield* passedBy(context, erasure, 'reports', [
        sql`by_id = ${user}`,
        sql`author_id = ${user}`,
        has('message', authorIn(user)),
        has('message', mentionIn(user)),
        has('closed', byIn(user)),
      ]);
    case 'held':
      return yield* mentioningRows(context, erasure);
    case 'messages':
      return yield* messagesOf(context, erasure);
    default: {
      const rows = yield* context.transaction.query(erasableOf[stage](user, context.dialect));
      const found = rows.map(({ user_id, ...row }) => ({
        ...(row as Partial<Erasable>),
        ...(typeof user_id === 'string' ? { user: user_id } : {}),
      }));
      // A copy may be forwarded again before its room is locked. Only another query finds the new copy.
      const isLast = stage === 'forwards' ? found.length === 0 : found.length < erasuresAtOnce;
      // Processed rows are not found again, so the stage continues from its start.
      return isLast ? { found } : { found, next: 0 };
    }
  }
}

/** Maximum change-log entries that one step scans for the user's ID. */
const entriesLookedThrough = 2000;

/**
 * Maximum messages of one step. Few, because other writes wait, and each message has many terms in the search index.
 */
const messagesAtOnce = 30;

const most = raw(`LIMIT ${erasuresAtOnce}`);

const roomOf = (table: string) =>
  raw(
    `rooms.id AS room FROM chat_${table} AS ${table} JOIN chat_rooms AS rooms ON rooms.num = ${table}.room`,
  );

/** Returns a LIKE pattern for texts that contain `text`. */
const within = (text: string) => `%${text.replace(/[!%_]/g, '!$&')}%`;

const has = (column: string, text: string) => sql`${raw(column)} LIKE ${within(text)} ESCAPE '!'`;

/** Selects rows from two indexes. From each it reads at most the rows of one step. */
const either = (one: Sql, other: Sql) =>
  sql`SELECT * FROM (${one} ${most}) AS one UNION SELECT * FROM (${other} ${most}) AS other ${most}`;

/** The statements of the stages that find their rows by an index. */
export const erasableOf: Record<
  Exclude<ErasureStage, 'begin' | 'rows' | 'person' | 'log' | 'reports' | 'held' | 'messages'>,
  (user: string, dialect: Dialect) => Sql
> = {
  directs: (user) =>
    either(
      sql`SELECT id AS room FROM chat_rooms WHERE pair_low = ${user}`,
      sql`SELECT id AS room FROM chat_rooms WHERE pair_high = ${user}`,
    ),
  members: (user) => sql`SELECT ${roomOf('members')} WHERE user_id = ${user} ${most}`,
  made: (user) =>
    sql`SELECT id AS room FROM chat_rooms WHERE created_by = ${user} AND client_id IS NOT NULL ${most}`,
  restricted: (user, { restrictedBy }) => {
    const by = (kind: RestrictionKind) =>
      sql`SELECT user_id, ${roomOf('members')} WHERE ${restrictedBy(kind)} = ${user} AND restricted IS NOT NULL`;
    return either(by('muted'), by('banned'));
  },
  // `room`: only of a file that is the picture of a room.
  files: (user) =>
    sql`SELECT files.id AS id, rooms.id AS room FROM chat_files AS files
        LEFT JOIN chat_rooms AS rooms ON rooms.num = files.room AND rooms.tile_picture = files.id
        WHERE files.user_id = ${user} ${most}`,
  audit: (user) =>
    either(
      sql`SELECT num AS id FROM chat_audit WHERE by_id = ${user}`,
      sql`SELECT num AS id FROM chat_audit WHERE user_id = ${user}`,
    ),
  reactions: (user) => sql`SELECT emoji, seq, ${roomOf('reactions')} WHERE user_id = ${user} ${most}`,
  mentions: (user) => sql`SELECT seq, ${roomOf('mentions')} WHERE user_id = ${user} ${most}`,
  forwards: (user) => sql`SELECT seq, ${roomOf('messages')} WHERE origin = ${user} ${most}`,
  resets: (user) => sql`SELECT ${roomOf('erased_rooms')} WHERE user_id = ${user} ${most}`,
};

/** Selects the keys and the room IDs of the rows in a table that name the user. */
export function rowsNaming(user: string, { name, key, columns, erased }: Table): Sql {
  const isOfRoom = 'room' in columns;
  const keys = key
    .filter((field) => field !== 'room')
    .map((field) => `own.${columns[field]} AS ${columns[field]}`);
  const from = `${name} AS own${isOfRoom ? ' JOIN chat_rooms AS rooms ON rooms.num = own.room' : ''}`;
  const select = raw(
    `SELECT ${[...keys, ...(isOfRoom ? ['rooms.id AS room'] : [])].join(', ')} FROM ${from}`,
  );
  const by = (field: string) => sql`${select} WHERE own.${raw(columns[field] as string)} = ${user}`;
  const [one = '', other] = erased?.users ?? [];
  return other === undefined ? sql`${by(one)} ${most}` : either(by(one), by(other));
}

/** Finds rows that name the user, in all tables. */
function* rowsOf({ transaction, subjects }: WriteContext, user: string): Asking<ErasableList> {
  const found: Partial<Erasable>[] = [];
  for (const table of subjects.tables.filter(({ erased }) => erased !== undefined)) {
    const fields = Object.keys(table.columns).filter(
      (field) => field === 'room' || table.key.includes(field),
    );
    for (const row of yield* transaction.query(rowsNaming(user, table))) {
      const where = fields.map((field) => [field, row[table.columns[field] as string]]);
      found.push({ id: JSON.stringify([table.name, Object.fromEntries(where)]) });
    }
    if (found.length >= erasuresAtOnce) return { found, next: 0 };
  }
  return { found };
}

/** Finds the change-log entries that contain the user's ID. */
function* entriesOf({ transaction }: WriteContext, { user, place }: Erasure): Asking<ErasableList> {
  const [first] = yield* transaction.query(
    sql`SELECT num FROM chat_changes WHERE num > ${place} ORDER BY num LIMIT 1`,
  );
  if (first === undefined) return { found: [] };
  const end = (first.num as number) + entriesLookedThrough;
  const rows = yield* transaction.query(
    sql`SELECT num FROM chat_changes
        WHERE num > ${place} AND num < ${end} AND ${has('changes', JSON.stringify(user))} ORDER BY num ${most}`,
  );
  const found = rows.map(({ num }) => ({ id: String(num) }));
  return { found, next: rows.length < erasuresAtOnce ? end - 1 : (rows.at(-1)?.num as number) };
}

/** Finds rows that meet any of these conditions, by a scan of the table in steps of `rowsLookedThrough` rows. */
function* passedBy(
  { transaction }: WriteContext,
  { place }: Pick<Erasure, 'place'>,
  table: string,
  any: readonly Sql[],
): Asking<ErasableList> {
  const end = place + rowsLookedThrough;
  const num = raw(`${table}.num`);
  const named = any.reduce((one, other) => sql`${one} OR ${other}`);
  const rows = yield* transaction.query(
    sql`SELECT ${num} AS num, ${raw(`${table}.id`)} AS id, ${raw(`${table}.seq`)} AS seq, ${roomOf(table)}
        WHERE ${num} > ${place} AND ${num} <= ${end} AND (${named}) ORDER BY ${num} ${most}`,
  );
  const found = rows as Partial<Erasable>[];
  if (rows.length === erasuresAtOnce) return { found, next: rows.at(-1)?.num as number };
  const [later] = yield* transaction.query(
    sql`SELECT num FROM ${raw(`chat_${table}`)} WHERE num > ${end} ORDER BY num LIMIT 1`,
  );
  return later === undefined ? { found } : { found, next: end };
}

/** `Erasure.place` of the stage `held` is the number of the table times this, plus the `num` of a row. */
const rowsOfTable = 2 ** 48;

/** Finds rows whose messages mention the user, one table at a time. */
function* mentioningRows(context: WriteContext, { user, place: from }: Erasure): Asking<ErasableList> {
  const tables = context.subjects.tables.filter(({ erased }) => erased?.hasMentions);
  const n = Math.floor(from / rowsOfTable);
  const start = n * rowsOfTable;
  const { name = '' } = tables[n] ?? {};
  const mentioned = [has('content', mentionIn(user))];
  const { found, next } = yield* passedBy(
    context,
    { place: from - start },
    name.replace(/^chat_/, ''),
    mentioned,
  );
  const rows = found.map(({ room, id }) => ({ id: JSON.stringify([name, { room, id }]) }));
  if (next !== undefined) return { found: rows, next: start + next };
  return n + 1 < tables.length ? { found: rows, next: start + rowsOfTable } : { found: rows };
}

/** Finds the user's messages, one room at a time. */
function* messagesOf(context: WriteContext, { user, upTo, place: from }: Erasure): Asking<ErasableList> {
  const { transaction } = context;
  const theirs = sql`messages.user_id = ${user} AND messages.num <= ${upTo}`;
  for (let room = from; ; ) {
    const rows = yield* transaction.query(
      sql`SELECT seq, ${roomOf('messages')} WHERE messages.room = ${room} AND ${theirs} LIMIT ${messagesAtOnce}`,
    );
    if (rows.length > 0) return { found: rows as Partial<Erasable>[], next: room };
    const end = room + roomsLookedThrough;
    const [next] = yield* transaction.query(
      sql`SELECT num FROM chat_rooms AS rooms WHERE num > ${room} AND num <= ${end} AND NOT (${raw(goneRooms)})
            AND EXISTS (SELECT 1 FROM chat_messages AS messages WHERE messages.room = rooms.num AND ${theirs})
          ORDER BY num LIMIT 1`,
    );
    if (next === undefined) {
      const [later] = yield* transaction.query(
        sql`SELECT num FROM chat_rooms WHERE num > ${end} ORDER BY num LIMIT 1`,
      );
      return later === undefined ? { found: [] } : { found: [], next: end };
    }
    room = next.num as number;
  }
}
