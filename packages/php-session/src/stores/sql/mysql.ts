import { isIP } from 'node:net';
import { ConnectionPool, readServer } from './connection.ts';
import type { Problems, SqlDriver } from './driver.ts';

/** Error codes of MySQL (mysqld_error.h), MariaDB (errmsg-utf8.txt) and mysql2. */
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
  // The table may not exist.
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

/** Computed in Unix time, which has no summer time. FROM_UNIXTIME() converts it to the connection's time zone. */
const unixTime = (ago: number) => `UNIX_TIMESTAMP() - ${ago}`;
const utc = (ago: number) => `UTC_TIMESTAMP() - INTERVAL ${ago} SECOND`;

/** Converts text to bytes, so that a comparison ignores the collation. */
const toBytes = (text: string) => `CAST(CONVERT(${text} USING utf8mb4) AS BINARY)`;

/** `mysql:` and `mariadb:`. The default port is 3306. */
export const mysql: SqlDriver = {
  quote: '`',
  start: (column, length) => `LEFT(${column}, ${length})`,
  bytes: (column) => `LENGTH(${column})`,
  digest: (column) => `SHA2(${column}, 256)`,
  // In `unix`, a datetime becomes a large number. A value that is not a datetime becomes NULL.
  value: (unit, column) =>
    ({
      unix: `(${column} + 0)`,
      datetime: `CAST(${column} AS DATETIME)`,
      utc: `CAST(${column} AS DATETIME)`,
      digits: column,
    })[unit],
  moment: (unit, ago) =>
    ({
      unix: unixTime(ago),
      datetime: `FROM_UNIXTIME(${unixTime(ago)})`,
      utc: utc(ago),
      digits: `DATE_FORMAT(${utc(ago)}, '%Y%m%d%H%i%s')`,
    })[unit],
  until: (unit, column) =>
    `CAST(${
      {
        // Decimal, because unsigned integers cannot be negative.
        unix: `${column} + 0.0 - UNIX_TIMESTAMP()`,
        // Unix times of older versions end in January 2038.
        datetime: `UNIX_TIMESTAMP(LEAST(CAST(${column} AS DATETIME), TIMESTAMP'2038-01-01 00:00:00')) - UNIX_TIMESTAMP()`,
        utc: `TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), CAST(${column} AS DATETIME))`,
        digits: `TIMESTAMPDIFF(SECOND, UTC_TIMESTAMP(), STR_TO_DATE(${column}, '%Y%m%d%H%i%s'))`,
      }[unit]
    } AS CHAR)`,
  exactly: (column) => `${column} = ? AND ${toBytes(column)} = ${toBytes('?')}`,
  // Only MariaDB can skip the wait.
  update: (table, assignment, condition) =>
    `/*M!100300 SET STATEMENT innodb_lock_wait_timeout = 0 FOR */ UPDATE ${table} SET ${assignment} WHERE ${condition}`,
  locate(url) {
    const server = readServer(url, 3306);
    // mysql2 would expect `localhost` in the certificate.
    if (server.tls !== undefined && url.hosts.some(({ host }) => isIP(host) !== 0)) {
      throw new TypeError('tls=on needs the name of the host as in its certificate, not the address');
    }
    const load = async () => (await import('./mysql-connection.ts')).mysqlConnect(server);
    return () => new ConnectionPool(server, load, problems);
  },
};
