import { type Connection as Client, createConnection, type QueryError, type TypeCast } from 'mysql2';
import type { Row } from '../records/columns.ts';
import { groupConcat, messageColumns } from '../records/message.ts';
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

/** Error numbers, because mysql2 has no names for MariaDB's own errors. `failure` handles all others. */
const problems: Readonly<Record<number, readonly [Problem, string]>> = {
  1213: ['again', 'conflict with another transaction'],
  1020: ['again', 'conflict with another transaction'],
  1205: ['again', 'timeout for a lock of another transaction'],
  1062: ['again', 'another server stored the same row'],
  1021: ['full', 'the disk is full'],
  1114: ['full', 'the disk is full'],
  1040: ['lost', 'too many connections'],
  1203: ['lost', 'too many connections of this user'],
  1226: ['lost', 'too many connections of this user'],
  1969: ['lost', 'the statement timed out'],
  1317: ['lost', 'the statement was interrupted'],
  1927: ['lost', 'the server closed the connection'],
  1053: ['lost', 'the server is shutting down'],
  1290: ['lost', 'the server is read-only'],
  1836: ['lost', 'the server is read-only'],
  1792: ['lost', 'transactions are read-only: set tx_read_only=OFF'],
  1045: ['lost', 'wrong user or password'],
  1698: ['lost', 'wrong user or password'],
  1130: ['lost', 'this user cannot log in from this machine'],
  1044: ['lost', 'the database does not exist, or the user may not use it'],
  1049: ['lost', 'the database does not exist'],
  1153: ['refused', 'a statement is larger than max_allowed_packet'],
  1184: ['lost', 'its init_connect failed'],
  1419: [
    'refused',
    "the user may not create triggers: set log_bin_trust_function_creators=1 in the server's configuration, or stop the chat servers first",
  ],
  1142: ['refused', 'the user lacks a privilege: grant it all privileges on the database'],
};

/** The oldest version that is tested. */
const oldestVersion = [10, 6] as const;

/** The smallest `max_allowed_packet`: a transaction of `Writer` has statements of up to 4 MiB, before escaping. */
const minPacket = 8 * 1024 * 1024;
/** With smaller pages, an index is limited to 768 bytes. */
const minPage = 8 * 1024;

/**
 * Overrides what the server's configuration or its `init_connect` may have set, such as another character set, disabled
 * autocommit or foreign keys, or a mode without the backslash escapes that mysql2 writes. READ COMMITTED avoids gap
 * locks, which would block other rooms. The threshold 0 keeps MariaDB from converting long lists to subqueries that do
 * not use the index.
 */
const settings = [
  'SET NAMES utf8mb4 COLLATE utf8mb4_bin',
  `SET autocommit = 1, completion_type = 0, sql_mode = 'STRICT_ALL_TABLES,NO_ENGINE_SUBSTITUTION', ` +
    `foreign_key_checks = 1, unique_checks = 1, check_constraint_checks = 1, ` +
    `sql_safe_updates = 0, sql_auto_is_null = 0, sql_big_selects = 1, ` +
    `sql_select_limit = 18446744073709551615, in_predicate_conversion_threshold = 0, ` +
    `group_concat_max_len = 1048576, max_sort_length = 1024, wait_timeout = 28800, ` +
    `max_statement_time = ${statementLimit / 1000}, lock_wait_timeout = ${lockLimit / 1000}, ` +
    `innodb_lock_wait_timeout = ${lockLimit / 1000}, idle_transaction_timeout = ${transactionLimit / 1000}`,
  'SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED',
];

/**
 * Returns an expression for the name of a lock. The name includes the database, because all databases of the server
 * share the lock names.
 */
const lockOf = (what: string) => `CONCAT('php-session-chat ', SHA1(DATABASE()), '${what}')`;
/** The lock for migrations. */
const lockName = lockOf('');
/** The lock of a server that runs alone. */
const alone = lockOf(' alone');
/**
 * MariaDB has no shared named locks, so servers that run together take different locks. A server first takes its lock,
 * then checks the locks of the other kind, so two conflicting servers never both succeed.
 */
const together = Array.from({ length: 64 }, (_, n) => lockOf(` ${n}`));

/**
 * MariaDB's names for the keys in `CREATE TABLE chat_messages`. Without them, the planner searches the messages of a
 * user in a whole room. Other indexes have another name after a restore: see beside.ts.
 */
const unnamedIndexes: Readonly<Record<string, string>> = {
  chat_messages_by_seq: 'PRIMARY',
  chat_messages_by_author: 'room_2',
};

/** Returns the dialect of MariaDB 10.6 or later, by mysql2. */
export function mariadb(address: DatabaseAddress): ServerDialect {
  return {
    ...ofServers,
    name: 'MariaDB',
    schema: raw('DATABASE()'),
    connect: () => connect(address),
    messageColumns: raw(messageColumns('chat_', groupConcat)),
    among(columns, rows) {
      // `IN ()` is a syntax error.
      if (rows.length === 0) return raw('1 = 0');
      if (columns.length === 1) {
        return { text: `${columns[0]} IN (?)`, values: [rows.map(([value = null]) => value)] };
      }
      // Not `(a, b) IN (…)`, because some versions do not use the index for it.
      const one = `(${columns.map((column) => `${column} = ?`).join(' AND ')})`;
      return { text: `(${rows.map(() => one).join(' OR ')})`, values: rows.flat() };
    },
    insert(table, columns, rows, more = '') {
      return { text: `INSERT INTO ${table} (${columns.join(', ')}) VALUES ? ${more}`, values: [rows] };
    },
    insertNew(table, columns, rows) {
      // Not INSERT IGNORE, which would hide other errors.
      return this.insert(table, columns, rows, `ON DUPLICATE KEY UPDATE ${columns[0]} = ${columns[0]}`);
    },
    update(table, _key, columns, rows, changed) {
      const set = changed.map((column) => `${column} = VALUES(${column})`).join(', ');
      return this.insert(table, columns, rows, `ON DUPLICATE KEY UPDATE ${set}`);
    },
    by: (index) => raw(index in unnamedIndexes ? `FORCE INDEX (${unnamedIndexes[index]})` : ''),
    restrictedBy: (kind) => raw(`${kind}_by`),
    tryLock: raw(`SELECT GET_LOCK(${lockName}, 0) AS num`),
    unlock: raw(`SELECT RELEASE_LOCK(${lockName})`),
    claims: {
      alone: raw(
        `SELECT CASE WHEN IS_USED_LOCK(${alone}) = CONNECTION_ID() THEN 1 WHEN NOT GET_LOCK(${alone}, 0) THEN 0
           WHEN ${together.map((lock) => `IS_FREE_LOCK(${lock})`).join(' AND ')} THEN 1
           ELSE 1 - RELEASE_LOCK(${alone}) END AS num`,
      ),
      // A server that gets 0 keeps its lock while it waits, so no other server can start alone.
      together: raw(
        `SELECT CASE ${together.map((lock) => `WHEN GET_LOCK(${lock}, 0) THEN IS_FREE_LOCK(${alone})`).join(' ')}
           ELSE 0 END AS num`,
      ),
    },
    leased: raw(`SET wait_timeout = ${claimLimit / 1000}`),
    // MariaDB also ends a statement whose rows the client takes too slowly.
    withoutTimeouts: raw(
      'SET max_statement_time = 0, idle_transaction_timeout = 0, net_write_timeout = 3600',
    ),
    beginSnapshot: () => [
      raw('SET TRANSACTION ISOLATION LEVEL REPEATABLE READ'),
      raw('START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY'),
    ],
    nextNumbers: raw(
      `SELECT table_name AS name, auto_increment AS num FROM information_schema.tables
         WHERE table_schema = DATABASE() AND auto_increment IS NOT NULL`,
    ),
    setNextNumber: (table, num) => raw(`ALTER TABLE ${table} AUTO_INCREMENT = ${num}`),
    newestMessage: raw('SELECT coalesce(max(num), 0) AS num FROM chat_messages'),
    // Not NOW(), which is ambiguous for an hour when summer time ends.
    now: raw('(UNIX_TIMESTAMP() * 1000)'),
    nextPosition: raw(
      `INSERT INTO chat_position (id, num) VALUES ('changes', 1) ON DUPLICATE KEY UPDATE num = num + 1 RETURNING num`,
    ),
  };
}

async function connect({ at, user, password, database, tls }: DatabaseAddress): Promise<DatabaseConnection> {
  const client = createConnection({
    ...('path' in at ? { socketPath: at.path } : at),
    user,
    password,
    database,
    charset: 'UTF8MB4_BIN',
    // Without `verifyIdentity`, a certificate of any host would be accepted.
    ...(tls === undefined ? {} : { ssl: { ...tls, rejectUnauthorized: true, verifyIdentity: true } }),
    connectTimeout: connectLimit,
    enableKeepAlive: true,
    disableEval: true,
    // Otherwise the server could request local files.
    flags: ['-LOCAL_FILES'],
  });
  const connection = new TimedConnection('MariaDB', {
    ask: (sql) => ask(client, sql),
    stream: (select) => stream(client, select),
    end: () => client.destroy(),
    failure,
  });
  client.on('error', () => connection.destroy());
  try {
    await connection.within(
      () =>
        new Promise<void>((resolve, reject) =>
          client.connect((error) => (error === null ? resolve() : reject(error))),
        ),
    );
    for (const one of settings) await connection.query(raw(one));
    await checkServer(connection);
    return connection;
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

/** Checks what this server needs of the database server. @throws SqlError */
async function checkServer(connection: DatabaseConnection): Promise<void> {
  const refused = (what: string) => new SqlError('refused', `MariaDB: ${what}`);
  const [{ version = '', page, packet, logs } = {}] = await connection.query(
    raw(
      `SELECT VERSION() AS version, @@innodb_page_size AS page, @@max_allowed_packet AS packet,
         CASE WHEN @@log_bin AND @@sql_log_bin THEN @@binlog_format END AS logs`,
    ),
  );
  const [, major, minor] = /^(?:5\.5\.5-)?(\d+)\.(\d+)\..*MariaDB/i.exec(version as string) ?? [];
  if (major === undefined) throw refused('the server is not a MariaDB server');
  if (
    Number(major) < oldestVersion[0] ||
    (Number(major) === oldestVersion[0] && Number(minor) < oldestVersion[1])
  )
    throw refused(`version ${oldestVersion.join('.')} or newer is required`);
  if ((page as number) < minPage)
    throw refused(
      `innodb_page_size is ${page}, but must be at least ${minPage}: move the chat to a server with this default`,
    );
  if ((packet as number) < minPacket)
    throw refused(
      `max_allowed_packet is ${packet}, but must be at least ${minPacket}: set max_allowed_packet=16M in the server's configuration`,
    );
  // READ COMMITTED cannot be logged by statement.
  if (logs === 'STATEMENT')
    throw refused(
      "binlog_format is STATEMENT, but must be MIXED or ROW: set binlog_format=MIXED in the server's configuration",
    );
}

/** ID columns are binary. Decodes them as text. */
const typeCast: TypeCast = (field, next) =>
  field.type === 'LONGLONG' || field.type === 'LONG' ? next() : field.string('utf8');

function ask(client: Client, { text, values }: Sql): Promise<Row[]> {
  return new Promise((resolve, reject) =>
    client.query({ sql: text, values: [...values], typeCast }, (error, rows) => {
      if (error === null) resolve(Array.isArray(rows) ? (rows as Row[]) : []);
      else reject(error);
    }),
  );
}

async function* stream(client: Client, select: string): AsyncGenerator<Row[]> {
  let rows: Row[] = [];
  for await (const row of client.query({ sql: select, typeCast }).stream({ highWaterMark: rowsPerPart })) {
    if (rows.push(row) < rowsPerPart) continue;
    yield rows;
    rows = [];
  }
  if (rows.length > 0) yield rows;
}

function failure(error: unknown): SqlError {
  const { errno = 0, code, fatal } = error as Partial<QueryError>;
  const [problem, text] = problems[errno] ?? [];
  if (problem !== undefined) return new SqlError(problem, `MariaDB: ${text} (${errno})`);
  // Errors of the network, of TLS and of mysql2, and server errors that close the connection.
  if (fatal === true || errno < 1000) return connectionFailure('MariaDB', code ?? String(errno));
  return new SqlError('refused', `MariaDB: error ${errno}`);
}
