import type { Duplex } from 'node:stream';
import { Client, type ClientConfig } from 'pg';
import { type ColumnName, type Columns, columnTypes, type Row, type Value } from '../records/columns.ts';
import { messageColumns, stringAgg } from '../records/message.ts';
import type { DatabaseAddress } from './address.ts';
import { connectionFailure, TimedConnection } from './connection.ts';
import {
  type DatabaseConnection,
  type Problem,
  raw,
  type ServerDialect,
  type Sql,
  SqlError,
} from './dialect.ts';
import {
  claimLimit,
  connectLimit,
  lockLimit,
  rowsPerPart,
  statementLimit,
  transactionLimit,
} from './limits.ts';
import { ofServers } from './server-dialect.ts';

/** SQLSTATE codes, from PostgreSQL's errcodes.txt. `failure` handles all others. */
const problems: Readonly<Record<string, readonly [Problem, string]>> = {
  '40001': ['again', 'conflict with another transaction'],
  '40P01': ['again', 'conflict with another transaction'],
  '23505': ['again', 'another server stored the same row'],
  '55P03': ['again', 'timeout for a lock of another transaction'],
  '53100': ['full', 'the disk is full'],
  '53300': ['lost', 'too many connections'],
  '57014': ['lost', 'the statement timed out'],
  '57P01': ['lost', 'the server is shutting down'],
  '57P02': ['lost', 'the server is shutting down'],
  '57P03': ['lost', 'the server is starting or shutting down'],
  '25006': ['lost', 'the server is read-only, or default_transaction_read_only is on'],
  '25P03': ['lost', 'a transaction was idle for too long'],
  '28P01': ['lost', 'wrong user or password'],
  '28000': ['lost', 'this user cannot log in from this machine, or only with TLS'],
  '3D000': ['lost', 'the database does not exist'],
  '42501': ['refused', 'the user lacks a privilege: make it the owner of the database'],
};

/** The oldest version that is tested. */
const oldestVersion = 14;

/** OIDs of INT8 and INT4. pg returns INT8 as text, but all numbers here fit into a JavaScript number. */
const integers = [20, 23];

/**
 * Overrides what the role, the database or the server's configuration may set. `array_nulls`: rows are passed as arrays.
 * Only PostgreSQL 17 and later have `transaction_timeout`. A read-only default stays, because a full disk or a failover
 * may be its reason. The page costs make the planner read a page of a room in the order of an index. It expects a room
 * of average size, so by default it would read and sort all messages or members of a large room.
 */
const settings =
  `SET client_encoding = 'UTF8'; SET standard_conforming_strings = on; SET array_nulls = on; ` +
  `SET idle_session_timeout = 0; ` +
  `SELECT set_config(name, '0', false) FROM pg_settings WHERE name = 'transaction_timeout'; ` +
  `SET seq_page_cost = 1; SET random_page_cost = 1; ` +
  `SET synchronous_commit = on; SET jit = off; SET statement_timeout = ${statementLimit}; ` +
  `SET lock_timeout = ${lockLimit}; SET idle_in_transaction_session_timeout = ${transactionLimit}; ` +
  `SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL READ COMMITTED`;

/** The advisory lock for migrations. An arbitrary number that other programs are unlikely to use. */
const lockNumber = 7_020_511_733_101;
/** The advisory lock of running servers. Each schema may have its own history. */
const claimNumber = `hashtextextended(current_schema(), ${lockNumber})`;

/** Returns the dialect of PostgreSQL 14 or later, by pg. */
export function postgres(address: DatabaseAddress): ServerDialect {
  return {
    ...ofServers,
    name: 'PostgreSQL',
    schema: raw('current_schema()'),
    connect: () => connect(address),
    messageColumns: raw(messageColumns('chat_', stringAgg)),
    among(columns, rows) {
      const { text, values } = unnested(columns, rows);
      return columns.length === 1
        ? { text: `${columns[0]} = ANY (?::${typeOf(columns[0] as ColumnName)}[])`, values }
        : { text: `(${columns.join(', ')}) IN (SELECT * FROM ${text})`, values };
    },
    insert(table, columns, rows, more = '') {
      const { text, values } = unnested(columns, rows);
      return { text: `INSERT INTO ${table} (${columns.join(', ')}) SELECT * FROM ${text} ${more}`, values };
    },
    insertNew(table, columns, rows) {
      return this.insert(table, columns, rows, 'ON CONFLICT DO NOTHING');
    },
    update(table, key, columns, rows, changed) {
      const set = changed.map((column) => `${column} = EXCLUDED.${column}`).join(', ');
      return this.insert(table, columns, rows, `ON CONFLICT (${key.join(', ')}) DO UPDATE SET ${set}`);
    },
    by: () => raw(''),
    restrictedBy: (kind) => raw(`(restricted::jsonb #>> '{${kind},by}') COLLATE "C"`),
    tryLock: raw(`SELECT pg_try_advisory_lock(${lockNumber})::int AS num`),
    unlock: raw(`SELECT pg_advisory_unlock(${lockNumber})`),
    claims: {
      alone: raw(`SELECT pg_try_advisory_lock(${claimNumber})::int AS num`),
      together: raw(`SELECT pg_try_advisory_lock_shared(${claimNumber})::int AS num`),
    },
    leased: raw(`SET idle_session_timeout = ${claimLimit}`),
    withoutTimeouts: raw('SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0'),
    beginSnapshot: (tables) => [
      raw('BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY'),
      // Before the state is fixed by the first query. Afterwards no migration can change the tables.
      raw(`LOCK TABLE ${tables.join(', ')} IN ACCESS SHARE MODE`),
    ],
    nextNumbers: raw(
      `SELECT table_name AS name, coalesce(pg_sequence_last_value(${sequenceOf('quote_ident(table_name)')}), 0) + 1 AS num
         FROM information_schema.columns WHERE table_schema = current_schema() AND column_name = 'num'
           AND (is_identity = 'YES' OR column_default LIKE 'nextval(%')`,
    ),
    setNextNumber: (table, num) =>
      raw(`SELECT setval(${sequenceOf(`'${table}'`)}, ${Math.max(num - 1, 1)}, ${num > 1})`),
    newestMessage: raw('SELECT CASE WHEN is_called THEN last_value ELSE 0 END AS num FROM chat_message_nums'),
    // Not clock_timestamp(), which changes within a statement, so a comparison with it would not use an index.
    now: raw('(extract(epoch FROM statement_timestamp()) * 1000)::bigint'),
    nextPosition: raw(
      `INSERT INTO chat_position (id, num) VALUES ('changes', 1)
         ON CONFLICT (id) DO UPDATE SET num = chat_position.num + 1 RETURNING num`,
    ),
  };
}

/** Returns the expression for the sequence of a table's numbers. No table owns the sequence of the messages. */
const sequenceOf = (table: string) =>
  `coalesce(pg_get_serial_sequence(${table}, 'num'), 'chat_message_nums')::regclass`;

const typeOf = (column: ColumnName) => (columnTypes[column] === 'int' ? 'bigint' : 'text');

/** Passes rows as one array per column, so the statement is the same for any number of rows. */
function unnested(columns: Columns, rows: readonly (readonly Value[])[]): Sql {
  return {
    text: `unnest(${columns.map((column) => `?::${typeOf(column)}[]`).join(', ')})`,
    values: columns.map((_, n) => rows.map((row) => row[n] as Value)),
  };
}

/** Returns the options for pg. */
export function clientConfig({ at, user, password, database, tls }: DatabaseAddress): ClientConfig {
  const [, folder = '', socketPort] = 'path' in at ? (/^(.*)\/\.s\.PGSQL\.(\d+)$/.exec(at.path) ?? []) : [];
  return {
    ...('path' in at ? { host: folder, port: Number(socketPort) } : at),
    user,
    // For an empty string, pg would take a password from the environment or ~/.pgpass.
    password: () => password,
    database,
    // Without `rejectUnauthorized`, NODE_TLS_REJECT_UNAUTHORIZED could disable the check.
    ssl: tls === undefined ? false : { ...tls, rejectUnauthorized: true },
    connectionTimeoutMillis: connectLimit,
    keepAlive: true,
    application_name: 'php-session-chat',
    types: {
      getTypeParser: (oid: number) => (integers.includes(oid) ? Number : String) as never,
    },
  };
}

/** Closes the connection at once. `end` would wait for a response. */
export function destroySocket(client: Client): void {
  streamOf(client).destroy();
}

/** Returns the stream of a client, which pg's types omit. */
function streamOf(client: Client): Duplex {
  return (client as unknown as { connection: { stream: Duplex } }).connection.stream;
}

async function ask(client: Client, { text, values }: Sql): Promise<Row[]> {
  return (await client.query<Row>(numbered(text), values.length === 0 ? undefined : [...values])).rows;
}

async function* stream(client: Client, select: string): AsyncGenerator<Row[]> {
  await ask(client, raw(`DECLARE parts NO SCROLL CURSOR FOR ${select}`));
  const fetch = raw(`FETCH ${rowsPerPart} FROM parts`);
  for (let rows = await ask(client, fetch); rows.length > 0; rows = await ask(client, fetch)) yield rows;
  await ask(client, raw('CLOSE parts'));
}

async function connect(address: DatabaseAddress): Promise<DatabaseConnection> {
  const client = new Client({ ...clientConfig(address), pipeline: true });
  const connection = new TimedConnection('PostgreSQL', {
    ask: (sql) => ask(client, sql),
    askAll(statements) {
      const stream = streamOf(client);
      stream.cork();
      // In a transaction, PostgreSQL rejects all statements after a failure, and treats COMMIT as ROLLBACK.
      const answers = Promise.all(statements.map((sql) => ask(client, sql)));
      stream.uncork();
      return answers;
    },
    stream: (select) => stream(client, select),
    end: () => destroySocket(client),
    failure,
  });
  client.on('error', () => connection.destroy());
  try {
    await connection.within(() => client.connect());
    await connection.query(raw(settings));
    await checkServer(connection);
    return connection;
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

/** Checks what this server needs of the database. @throws SqlError */
async function checkServer(connection: DatabaseConnection): Promise<void> {
  const refused = (what: string) => new SqlError('refused', `PostgreSQL: ${what}`);
  const [{ version, encoding, schema, role } = {}] = await connection.query(
    raw(
      `SELECT current_setting('server_version_num')::bigint AS version, current_setting('server_encoding') AS encoding,
         current_schema() AS schema, current_setting('session_replication_role') AS role`,
    ),
  );
  if ((version as number) < oldestVersion * 10_000)
    throw refused(`version ${oldestVersion} or newer is required`);
  if (encoding !== 'UTF8') throw refused('the encoding of the database must be UTF8');
  if (schema === null)
    throw refused('the search_path of the user names no schema that exists and that the user may use');
  // Otherwise deleting a message would not delete its reactions and mentions.
  if (role !== 'origin')
    throw refused('session_replication_role must be origin: reset it for the user and the database');
}

/** Replaces each `?` by `$1`, `$2` and so on. */
function numbered(text: string): string {
  let n = 0;
  return text.replace(/\?/g, () => `$${++n}`);
}

function failure(error: unknown): SqlError {
  const { code = '', severity } = error as { code?: string; severity?: string };
  const [problem, text] = problems[code] ?? [];
  if (problem !== undefined) return new SqlError(problem, `PostgreSQL: ${text} (${code})`);
  // Class 08 is the connection. An error without a severity is from the network, TLS or pg, not from the server.
  const ofConnection = severity === undefined || code.startsWith('08') || severity !== 'ERROR';
  if (!ofConnection) return new SqlError('refused', `PostgreSQL: code ${code}`);
  // pg's error for a server without TLS has no code.
  const noTls = (error as Error).message.includes('not support SSL');
  return connectionFailure('PostgreSQL', noTls ? 'NO_SSL' : code);
}
