import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import {
  type Asking,
  answered,
  type DatabaseConnection,
  type Dialect,
  raw,
  type Sql,
  sql,
} from '../../../server/history/engine/dialect.ts';
import { digestKeyIn } from '../../../server/history/engine/migrations.ts';
import { keyOfTable, portableTables } from '../../../server/history/engine/portable.ts';
import { SealedCursors } from '../../../server/history/engine/sealed-cursors.ts';
import { search } from '../../../server/history/engine/search.ts';
import { SqliteConnection, sqlite } from '../../../server/history/engine/sqlite/dialect.ts';
import { digestKeyOf } from '../../../server/history/engine/sqlite/migrations.ts';
import { dialectOf, type HistoryPlace, readHistoryPlace } from '../../../server/history/open.ts';
import type { SearchReads } from '../../../server/history/records/search.ts';
import { reads } from '../../../server/history/subjects.ts';
import { emptyHistory } from '../../helpers/chat-server.ts';
import { everyRead, everyWrite, room } from '../../helpers/every-call.ts';
import {
  type HistoryDatabase,
  mariadbDatabase,
  openDatabase,
  postgresDatabase,
} from '../../helpers/history-database.ts';
import { startMariadb } from '../../helpers/mariadb.ts';
import { startPostgres } from '../../helpers/postgres.ts';

// The database must not read or sort more rows for a page when a room, a user or the site has more.

/** Rows of each table. */
const all = 100_000;
/** Rows of the room `den` in each table, by many users. */
const ofRoom = all / 5;
/** Rows of the user 1 in each table, in many rooms. */
const ofUser = all / 25;
const pageSize = 100;
/** A step of a plan may handle more rows than a page has, but fewer than a user, a room or the site. */
const maxRows = 1500;

/** Reads that may handle more rows, up to a number. */
const longer: Record<string, [rows: number, why: string]> = {
  bans: [all, 'read at the start'],
  endedLogins: [all, 'read at the start'],
  waitingUsers: [all, 'counted for the doctor: the users whom a mail may be due for'],
  events: [all, 'counted if many events are queued; their number is limited'],
  messagesByDay: [all, 'a row for each room and day'],
  pendingIn: [all, 'the pending messages that wait for a moderator, at most 20 of each member'],
  reports: [ofRoom / 10, 'the open reports of the rooms'],
  reportsOf: [ofRoom / 10, 'with SQLite, the open reports of the room'],
  reportsAbout: [ofRoom, 'the reports about the user, or in the rooms that the moderator sees'],
  activity: [ofRoom, 'the reports and audit entries of the user, or in the rooms that the moderator sees'],
  openReportsAbout: [ofUser, 'the reports about the users'],
  filesAndReactions: [ofUser, 'the reactions of the user'],
  acts: [ofUser, 'the audit entries about the user'],
  user: [ofUser, 'up to 1,000 unread mentions in each room'],
  namedOutside: [2 * ofUser, 'the mentions of the user, and two columns of their messages'],
  invitesBy: [ofUser, 'the invite links of the user, at most 20 in each room'],
  snippets: [all, 'the texts of the team, at most `mostSnippets`'],
  picturesBy: [ofUser, 'the files of the user'],
  findUsers: [5000, 'members of the rooms of the user, up to `maxScannedMembers`'],
};

// Row n belongs to den if n is a multiple of 5, otherwise to one of 997 rooms.
const inDen = (den: string, other: string) => `CASE WHEN n % 5 = 0 THEN ${den} ELSE ${other} END`;
const userOf = (share: number) => `CASE WHEN n % ${share} = 1 THEN '1' ELSE concat('u', n % 30011) END`;
const seq = inDen('100 + floor(n / 5)', '1 + floor(n / 997)');
const oneUser = `concat('u', n)`;

const each = (columns: string, value: (column: string) => string) =>
  Object.fromEntries(columns.split(' ').map((column) => [column, value(column)]));

/** The values of columns that are not NULL in the row that is copied. Other columns are copied. */
const values: Record<string, string> = {
  ...each('user_id by_id other_id author_id origin created_by', () => userOf(25)),
  ...each('id client_id stored digest holder report_id message_id held_message', () => `concat('k', n)`),
  ...each(
    'at due since until done sent_at reported_at wrote_at created_at last_at',
    (at) => `${at} - n * 10000`,
  ),
  ...each('restricted_until empty_since', (at) => `${at} + n * 10000`),
  ...each('seq thread', () => seq),
  ...each('sort find_key name', () => `concat('nora ', n)`),
  num: '1000 + n',
  rev: '100 + n',
  place: 'n',
  room: inDen(`(SELECT num FROM chat_rooms WHERE id = '${room}')`, '1001 + n % 997'),
  room_id: inDen(`'${room}'`, `concat('k', 1 + n % 997)`),
  text: `concat('the weather is fine at ', n)`,
};
/** The values of columns of one table. */
const valuesIn: Record<string, Record<string, string>> = {
  chat_rooms: {
    kind: `CASE WHEN n % 300 = 0 THEN 'public' WHEN n % 3 = 1 AND n > 1000 THEN 'direct' ELSE 'private' END`,
    public_key: `CASE WHEN n % 300 = 0 THEN concat('k', n) END`,
    pair_low: `CASE WHEN n % 3 = 1 AND n > 1000 THEN ${userOf(25)} END`,
    pair_high: `CASE WHEN n % 3 = 1 AND n > 1000 THEN concat('v', n) END`,
  },
  chat_users: { id: oneUser },
  chat_user_keys: { user_id: oneUser },
  chat_devices: { user_id: oneUser },
  chat_blocked: { other_id: `CASE WHEN n % 25 = 2 THEN '1' ELSE concat('v', n) END` },
  chat_claimed: { other_id: `concat('v', n)` },
  chat_due_rooms: { room_id: `concat('k', n)` },
  chat_messages: { thread: 'CASE WHEN n % 10 = 0 THEN 3 END' },
  chat_thread_authors: { thread: '3', last_seq: seq },
  chat_followers: { thread: '3' },
  // A user with the role is in the team.
  chat_team: { user_id: oneUser },
  // Many users react to one message.
  chat_reactions: { seq: inDen('2', seq) },
  // Most reports are closed, and most scheduled messages are not due.
  chat_reports: { closed: `CASE WHEN n % 50 > 1 THEN '{}' END` },
  chat_later: { user_id: oneUser, due: 'due + n * 10000' },
  chat_days: { day: '20000 + floor(n / 997)' },
};
/** The rows of tables that have fewer. */
const rowsIn: Record<string, string> = {
  // A room has few invite links, days and pins.
  ...each('chat_invites chat_days', () => 'n % 5 > 0'),
  chat_pins: 'n % 500 = 3',
  ...each(
    'chat_consumers chat_vapid_keys chat_digest_key chat_position chat_former_rooms chat_changes',
    () => 'n = 0',
  ),
};

function valueIn(table: string, column: string): string {
  const own = valuesIn[table]?.[column];
  if (own !== undefined) return own;
  const key = keyOfTable(table);
  if (column === 'user_id' && key.join() === 'user_id') return oneUser;
  // A user has one row in each room.
  const isOfRoom = column === 'user_id' && !key.some((of) => ['num', 'id', 'seq'].includes(of));
  const value = isOfRoom ? userOf(250) : values[column];
  return value === undefined ? column : `CASE WHEN ${column} IS NOT NULL THEN ${value} END`;
}

interface Engine {
  tables: readonly string[];
  start(): Promise<{ database: Pick<HistoryDatabase, 'url' | 'query' | 'close'>; remove(): unknown }>;
  /** Returns the statement for the statistics of a table. */
  analyze(table: string): string;
  /** Returns the statement for the names of a table's columns. */
  columns(table: string): string;
  /**
   * Returns what runs reads, and the dialect to use.
   * @param onRows called with the number of rows that a step of a statement read or sorted
   */
  connect(
    database: Pick<HistoryDatabase, 'url' | 'query'>,
    onRows: (step: string, rows: number) => void,
  ): Promise<{
    dialect: Dialect;
    cursors: SealedCursors;
    read(asking: Asking<unknown>): unknown;
    /** Undefined for SQLite, whose search index is in another file: see bounds.test.ts. */
    search?(what: SearchReads['search']['in']): unknown;
    close(): void;
  }>;
}

const serverEngine = (
  start: Engine['start'],
  { analyze, measure }: { analyze: string; measure: string },
): Engine => ({
  tables: portableTables,
  start,
  analyze: (table) => `${analyze} ${table}`,
  columns: (table) =>
    `SELECT column_name AS name FROM information_schema.columns
     WHERE table_name = '${table}' AND generation_expression IS NULL`,
  async connect({ url }, onRows) {
    const place = readHistoryPlace(url) as Exclude<HistoryPlace, { kind: 'sqlite' }>;
    const dialect = await dialectOf(place);
    const connection = await dialect.connect();
    const measuring: DatabaseConnection = Object.assign(Object.create(connection), {
      async query(statement: Sql) {
        const [row = {}] = await connection.query(sql`${raw(measure)} ${statement}`);
        for (const [step, rows] of stepsOf(Object.values(row)[0] as string)) onRows(step, rows);
        return connection.query(statement);
      },
      async queryAll(statements: readonly Sql[]) {
        const answers = [];
        for (const statement of statements) answers.push(await this.query(statement));
        return answers;
      },
    });
    const cursors = new SealedCursors(await digestKeyIn(connection));
    return {
      dialect,
      cursors,
      read: (asking) => answered(asking, measuring),
      search: (what) => search(dialect, measuring, cursors, what),
      close: () => connection.destroy(),
    };
  },
});

const engines: Record<string, Engine> = {
  PostgreSQL: serverEngine(
    async () => {
      const server = await startPostgres(['shared_buffers=256MB']);
      return { database: await postgresDatabase(server), remove: () => server.remove() };
    },
    { analyze: 'ANALYZE', measure: 'EXPLAIN (ANALYZE, FORMAT JSON, TIMING OFF)' },
  ),
  MariaDB: serverEngine(
    async () => {
      const server = await startMariadb([
        ...['--innodb-buffer-pool-size=512M', '--innodb-log-file-size=512M', '--innodb-flush-method=nosync'],
        `--max-recursive-iterations=${all}`,
      ]);
      return { database: await mariadbDatabase(server), remove: () => server.remove() };
    },
    { analyze: 'ANALYZE TABLE', measure: 'ANALYZE FORMAT=JSON' },
  ),
  SQLite: {
    // The index of its search has no list of erased texts.
    tables: portableTables.filter((table) => table !== 'chat_erased'),
    async start() {
      const { path, url, remove } = await emptyHistory();
      // The server of `fill` also writes.
      const db = new DatabaseSync(path, { timeout: 10_000 });
      const query = async (text: string) => db.prepare(text).all() as Record<string, unknown>[];
      return { database: { url, query, close: async () => db.close() }, remove };
    },
    // Without statistics, as in the files of sites.
    analyze: () => 'SELECT 1',
    columns: (table) => `SELECT name FROM pragma_table_info('${table}')`,
    async connect({ url }, onRows) {
      const db = new DatabaseSync(url.slice('sqlite:'.length));
      const counts = new Map<string, number>();
      db.function('look', { varargs: true }, (table) => {
        counts.set(table as string, (counts.get(table as string) ?? 0) + 1);
        return 1;
      });
      // A view hides the table of the same name. SQLite evaluates its condition before others.
      for (const { name, sql: creation } of db.prepare('SELECT name, sql FROM sqlite_schema').all()) {
        if (!this.tables.includes(name as string)) continue;
        // Each index of the table contains these columns.
        const columns = /WITHOUT ROWID/.test(creation as string) ? keyOfTable(name as string) : 'rowid';
        db.exec(`CREATE TEMP VIEW ${name} AS SELECT * FROM main.${name} WHERE look('${name}', ${columns})`);
      }
      class Measuring extends SqliteConnection {
        override query({ text, ...statement }: Sql) {
          counts.clear();
          // A view has no indexes that a statement could name.
          const viewed = text.replace(
            /\b(chat_\w+)(?: AS (\w+))? INDEXED BY (\w+)/g,
            (_, table, as = table, index) =>
              `(SELECT * FROM main.${table} INDEXED BY ${index} WHERE look('${table}', rowid)) AS ${as}`,
          );
          const rows = super.query({ ...statement, text: viewed });
          for (const [table, looked] of counts) onRows(table, looked);
          return rows;
        }
      }
      const connection = new Measuring(db);
      return {
        dialect: sqlite(db),
        cursors: new SealedCursors(digestKeyOf(db)),
        read: (asking) => connection.answered(asking),
        close: () => db.close(),
      };
    },
  },
};

/** Returns the steps of a query plan, with the number of rows that they read or sorted. */
function stepsOf(plan: string): [step: string, rows: number][] {
  const collect = (part: string, step: Record<string, unknown>): [string, number][] => {
    const first = (...names: string[]) =>
      names.map((name) => step[name]).find((value) => value !== undefined);
    const filtered = first('Rows Removed by Filter') ?? 0;
    const rows = Number(first('Actual Rows', 'r_rows', 'r_output_rows') ?? 0) + Number(filtered);
    const title = [part, first('Node Type', 'table_name'), first('Index Name', 'Relation Name', 'key')];
    const parts = Object.entries(step).filter(([, of]) => typeof of === 'object' && of !== null);
    return [
      [
        title.filter((name) => name !== undefined).join(' '),
        rows * Number(first('Actual Loops', 'r_loops') ?? 1),
      ],
      ...parts.flatMap(([name, of]) => collect(name, of as Record<string, unknown>)),
    ];
  };
  // MariaDB does not escape the values in conditions.
  return collect('', JSON.parse(plan.replace(/("\w*condition\w*": )".*"/g, '$1""')));
}

/** Copies the first row that each table gets from `everyWrite`, with other keys. */
async function fill(
  { url, query }: Pick<HistoryDatabase, 'url' | 'query'>,
  { tables, columns, analyze }: Engine,
): Promise<void> {
  const history = await openDatabase(url);
  const empty = new Set(tables);
  for (const table of empty) await query(`CREATE TABLE first_${table} AS SELECT * FROM ${table} WHERE 1 = 0`);
  for (const [op, inputs] of Object.entries(everyWrite)) {
    for (const input of inputs) {
      // Some are rejected, because the IDs of reports, pending and scheduled messages are random.
      await history.write[op as 'send'](input as never).catch(({ code }) =>
        expect(code).toEqual(expect.anything()),
      );
      for (const table of empty) {
        const copy = `INSERT INTO first_${table} SELECT * FROM ${table} LIMIT 1 RETURNING 1 AS one`;
        if ((await query(copy)).length > 0) empty.delete(table);
      }
    }
  }
  await history.close();
  await query('INSERT INTO first_chat_days (room, day, sent) VALUES (1, 1, 1)');
  const series = `WITH RECURSIVE series (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM series WHERE n < ${all})`;
  for (const table of tables) {
    const names = (await query(columns(table))).map(({ name }) => name as string);
    await query(
      `INSERT INTO ${table} (${names.join(', ')}) ${series}
       SELECT ${names.map((column) => valueIn(table, column)).join(', ')} FROM first_${table} CROSS JOIN series
       WHERE ${rowsIn[table] ?? '1 = 1'}`,
    );
    const [{ num } = {}] = await query(`SELECT count(*) AS num FROM ${table}`);
    if (rowsIn[table] === undefined) expect([table, Number(num) >= all]).toEqual([table, true]);
  }
  await query(
    `UPDATE chat_rooms SET head = ${2 * all}, created_at = 0, members = CASE WHEN id = '${room}' THEN ${ofRoom} ELSE 80 END,
       last_seq = (SELECT coalesce(max(seq), 0) FROM chat_messages WHERE room = chat_rooms.num)`,
  );
  if (url.startsWith('sqlite:')) return;
  // Fills the search index.
  const indexing = await openDatabase(url);
  const blocks = async () => Number((await query('SELECT count(*) AS num FROM chat_blocks'))[0]?.num);
  await vi.waitUntil(async () => (await blocks()) >= Math.floor(ofRoom / 128), {
    timeout: 600_000,
    interval: 200,
  });
  await indexing.close();
  for (const table of [...tables, 'chat_blocks', 'chat_terms']) await query(analyze(table));
}

describe.each(Object.entries(engines))('with 100,000 rows in each table, %s', (_, engine) => {
  let started: Awaited<ReturnType<Engine['start']>>;

  beforeAll(async () => {
    started = await engine.start();
    await fill(started.database, engine);
  }, 1_800_000);
  afterAll(async () => {
    await started.database.close();
    await started.remove();
  });

  test('handles few rows for a page, or as many as the list says', async () => {
    const found = new Set<string>();
    let read = '';
    const { dialect, cursors, ...connection } = await engine.connect(started.database, (step, rows) => {
      const [most] = longer[read] ?? [0];
      // A scan stops after a few more rows.
      if (rows > Math.max(maxRows, most * 1.1)) found.add(`${read}: ${step}: ${Math.round(rows)}`);
    });
    onTestFinished(() => connection.close());
    const context = { dialect, cursors };
    const more: Record<string, object[]> = {
      findMembers: [{ room, query: 'zz', limit: 9 }],
      findUsers: [true, false].map((onlyShared) => ({ user: '1', query: 'zz', onlyShared, limit: 9 })),
    };
    for (const [query, inputs] of Object.entries(everyRead)) {
      read = query;
      for (const input of [...inputs, ...(more[query] ?? [])]) {
        const isPage = input !== null && 'limit' in input;
        const whole = { ...input, ...(isPage ? { limit: pageSize } : {}), upTo: all };
        await connection.read(reads[query as 'room'](context, whole as never));
      }
    }
    read = 'search';
    const now = Date.now();
    const searches: Pick<SearchReads['search']['in'], 'query' | 'only'>[] = [
      ...[{ query: 'weather' }, { query: 'at 99' }, { query: 'missing' }],
      ...[{ only: { from: '1' } }, { only: { has: 'links' as const } }],
      { only: { sentFrom: now - 500_000_000, sentBefore: now - 400_000_000 } },
    ];
    for (const one of searches) {
      for (const everyPublic of [false, true]) {
        const where = { rooms: [room], everyPublic, except: ['lobby'], limit: pageSize };
        await connection.search?.({ ...where, ...one });
      }
    }
    expect([...found]).toEqual([]);
  });
});
