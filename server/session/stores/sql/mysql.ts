import { isIP } from 'node:net';
import { ConnectionPool, readServer } from './connection.ts';
import type { Problems, SqlDriver } from './driver.ts';

/** MySQL's and MariaDB's (mysqld_error.h, mariadb's errmsg-utf8.txt), and those of mysql2. */
const problems: Problems = {
  ER_ACCESS_DENIED_ERROR: 'login',
  ER_ACCESS_DENIED_NO_PASSWORD_ERROR: 'login',
  ER_ACCOUNT_HAS_BEEN_LOCKED: 'login',
  ER_MUST_CHANGE_PASSWORD: 'login',
  ER_MUST_CHANGE_PASSWORD_LOGIN: 'login',
  AUTH_SWITCH_PLUGIN_ERROR: 'plugin',
  ER_HOST_NOT_PRIVILEGED: 'origin',
  ER_HOST_IS_BLOCKED: 'origin',
  ER_BAD_DB_ERROR: 'database',
  ER_DBACCESS_DENIED_ERROR: 'database',
  ER_NO_SUCH_TABLE: 'table',
  ER_BAD_FIELD_ERROR: 'column',
  // It does not say whether there is one.
  ER_TABLEACCESS_DENIED_ERROR: 'hidden',
  ER_COLUMNACCESS_DENIED_ERROR: 'hiddenColumn',
  ER_CON_COUNT_ERROR: 'full',
  ER_TOO_MANY_USER_CONNECTIONS: 'full',
  ER_USER_LIMIT_REACHED: 'full',
  ER_SERVER_SHUTDOWN: 'starting',
  ER_QUERY_TIMEOUT: 'late',
  // MariaDB's ER_STATEMENT_TIMEOUT.
  1969: 'late',
  ER_LOCK_WAIT_TIMEOUT: 'late',
  ER_NON_UPDATABLE_TABLE: 'unwritable',
  ER_OPTION_PREVENTS_STATEMENT: 'unwritable',
  ER_READ_ONLY_MODE: 'unwritable',
  ER_CANT_EXECUTE_IN_READ_ONLY_TRANSACTION: 'unwritable',
  HANDSHAKE_NO_SSL_SUPPORT: 'plain',
  HANDSHAKE_SSL_ERROR: 'certificate',
};

/** The seconds since 1970 have no summer time; FROM_UNIXTIME() converts them to the connection's time zone. */
const seconds = (ago: number) => `UNIX_TIMESTAMP() - ${ago}`;
const utc = (ago: number) => `UTC_TIMESTAMP() - INTERVAL ${ago} SECOND`;

/** Compared so, only the same bytes are equal. */
const exactly = (text: string) => `CAST(CONVERT(${text} USING utf8mb4) AS BINARY)`;

const literal = (text: string) => `'${text.replace(/['\\]/g, '\\$&')}'`;

/** `mysql:` and `mariadb:`. The default port is 3306. */
export const mysql: SqlDriver = {
  quote: '`',
  schema: 'DATABASE()',
  start: (column, length) => `LEFT(${column}, ${length})`,
  bytes: (column) => `LENGTH(${column})`,
  digest: (column) => `SHA2(${column}, 256)`,
  // Its lengths, then its values. Bytes as they are stored: to convert a text costs as much as the digest.
  allOf: (columns) =>
    `CONCAT_WS(CAST(',' AS BINARY), ${columns.map((column) => `IFNULL(LENGTH(${column}), '-')`).join(', ')}, ${columns.join(', ')})`,
  digestOfAll: (columns) =>
    columns.length === 1
      ? `IFNULL(SHA2(${columns[0]}, 256), '${'-'.repeat(64)}')`
      : `SHA2(${mysql.allOf?.(columns)}, 256)`,
  asText: (column) => `CAST(${column} AS CHAR)`,
  hex: (column) => `HEX(${column})`,
  lines: (column) => `GROUP_CONCAT(${column} ORDER BY ${column} SEPARATOR '\n')`,
  packed(values, charset = undefined) {
    const parts = values.map(({ sql, is }) => {
      const bytes = `CAST(${is === 'text' ? `CONVERT(${sql} USING ${charset ?? 'utf8mb4'})` : sql} AS BINARY)`;
      return `IFNULL(CONCAT(LENGTH(${bytes}), ':', ${bytes}), '-')`;
    });
    return `CAST(CONCAT(${parts.join(', ')}) AS BINARY)`;
  },
  changed(tables) {
    // InnoDB keeps the time of the last commit in memory: of a table that is as it was when the server started there is
    // none. The time of MyISAM is that of its file. Of MySQL this is not known.
    const last = `COALESCE(UPDATE_TIME, CONCAT(UUID_SHORT() >> 24, ' ', TABLE_ROWS))`;
    const isKnown = `FALSE /*M!100600 OR ENGINE IN ('InnoDB', 'MyISAM') AND CREATE_OPTIONS NOT LIKE '%partitioned%' AND (UPDATE_TIME IS NULL OR UPDATE_TIME < NOW() - INTERVAL 2 SECOND) */`;
    return `SELECT TABLE_NAME, NULL, CASE WHEN ${isKnown} THEN CONCAT(CREATE_TIME, ' ', ${last}) END FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN (${tables.map(literal).join(', ')}) AND 'any'`;
  },
  // A datetime becomes a large number. A value that is no datetime becomes NULL, and not one in the past.
  value: (unit, column) =>
    ({
      unix: `(${column} + 0)`,
      datetime: `CAST(${column} AS DATETIME)`,
      utc: `CAST(${column} AS DATETIME)`,
      digits: column,
    })[unit],
  moment: (unit, ago) =>
    ({
      unix: seconds(ago),
      datetime: `FROM_UNIXTIME(${seconds(ago)})`,
      utc: utc(ago),
      digits: `DATE_FORMAT(${utc(ago)}, '%Y%m%d%H%i%s')`,
    })[unit],
  until: (unit, column) =>
    `CAST(${
      {
        // A decimal number, since unsigned whole numbers have none below 0.
        unix: `${column} + 0.0 - UNIX_TIMESTAMP()`,
        // MySQL knows no later time in seconds.
        datetime: `UNIX_TIMESTAMP(LEAST(CAST(${column} AS DATETIME), TIMESTAMP'2038-01-01 00:00:00')) - UNIX_TIMESTAMP()`,
        utc: `TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), CAST(${column} AS DATETIME))`,
        digits: `TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), STR_TO_DATE(${column}, '%Y%m%d%H%i%s'))`,
      }[unit]
    } AS CHAR)`,
  exactly: (column) => `${column} = ? AND ${exactly(column)} = ${exactly('?')}`,
  isReplica: `@@global.read_only <> 0 /*M! OR EXISTS (SELECT 1 FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'SLAVES_RUNNING' AND VARIABLE_VALUE > 0) */`,
  // MariaDB has a way not to wait.
  update: (table, assignment, condition) =>
    `/*M!100300 SET STATEMENT innodb_lock_wait_timeout = 0 FOR */ UPDATE ${table} SET ${assignment} WHERE ${condition}`,
  locate(url) {
    const server = readServer(url, 3306);
    // mysql2 would look for `localhost` in the certificate.
    if (server.tls !== undefined && url.hosts.some(({ host }) => isIP(host) !== 0)) {
      throw new TypeError('tls=on needs the name of the host, as it is in its certificate, not the address');
    }
    const load = async () => (await import('./mysql-connection.ts')).mysqlConnect(server);
    return () => new ConnectionPool(server, load, problems);
  },
};
