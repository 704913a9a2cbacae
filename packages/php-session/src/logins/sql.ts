import type { SqlDriver } from '../stores/sql/driver.ts';
import { mysql } from '../stores/sql/mysql.ts';
import { postgres } from '../stores/sql/postgres.ts';
import { sqlite } from '../stores/sql/sqlite.ts';

/** The rows that a login consists of. Table names are SQL. */
export interface LoginRows {
  /** The primary key of the logins, as a column of the first table. */
  key: string;
  /** With the condition that joins the table to those before it. */
  joined: readonly (readonly [table: string, alias: string, on?: string])[];
  /** Small tables whose rows, if they meet the condition, count for all logins. */
  shared: readonly (readonly [table: string, condition?: string])[];
}

/** The SQL of one kind of database for tables of an application. Column names are given quoted. */
export interface SiteSql extends SqlDriver {
  /** The schema of unqualified names, for information_schema. */
  schema: string;
  /**
   * Packs values for `unpackRow`: each as its length in bytes, `:` and its bytes, or as `-` for NULL. PostgreSQL has its own
   * form, which computes each value only once.
   * @param values text is converted to UTF-8, or to the given character set
   */
  packed(values: readonly { sql: string; is: 'text' | 'bytes' }[], charset?: 'latin1'): string;
  /** Converts a number or text to text. */
  asText(column: string): string;
  /** A text that a search finds in any case, even if its collation distinguishes case. */
  anyCase(column: string): string;
  /** The hexadecimal digits of bytes, in upper or lower case. */
  hex(column: string): string;
  /** Aggregates the values of a column into sorted lines, each as `lineOf`. */
  lines(column: string): string;
  /** Concatenates values as stored, with their lengths. NULL and empty differ. */
  allOf?(columns: readonly string[]): string;
  /** A digest of the values. NULL and empty differ. Absent if reading the values is as fast. */
  digestOfAll?(columns: readonly string[]): string;
  /**
   * A SELECT of the primary keys of logins as `id`, each with a `version` of its rows, which differs after each change.
   * A login may have several rows. The version is NULL if a table has none, such as a foreign table. Absent if the database
   * has no versions.
   */
  versions?(rows: LoginRows): string;
  /**
   * A SELECT of the names of these tables and the times of their last changes. A time is NULL if it is unknown, or so recent
   * that another change could have the same time. Absent if the database does not store these times, or updates them late.
   */
  changed?(tables: readonly string[]): string;
  /** Whether the database is a replica. Absent if it cannot be one. */
  isReplica?: string;
}

type ForSites = Omit<SiteSql, keyof SqlDriver>;

/** Converts a value to a line of `SiteSql.lines`. A user who puts a line break into a name must not create another line. */
export const lineOf = (value: string): string => value.replaceAll('\n', '\t');

/** group_concat_max_len of our connections, after which MariaDB and MySQL cut `SiteSql.lines` off. */
const maxLinesBytes = 1024 * 1024;

/** Whether the database may have cut these lines off. The last character may have up to 4 bytes. */
export const mayBeCutOff = ({ kind }: { kind: string }, lines: string): boolean =>
  kind === 'mysql' && Buffer.byteLength(lines) > maxLinesBytes - 4;

const literal = (text: string) => `'${text.replace(/['\\]/g, '\\$&')}'`;

const mysqlForSites: ForSites = {
  schema: 'DATABASE()',
  // As stored, because converting text costs as much as the digest.
  allOf: (columns) =>
    `CONCAT_WS(CAST(',' AS BINARY), ${columns.map((column) => `IFNULL(LENGTH(${column}), '-')`).join(', ')}, ${columns.join(', ')})`,
  digestOfAll: (columns) =>
    columns.length === 1
      ? `IFNULL(SHA2(${columns[0]}, 256), '${'-'.repeat(64)}')`
      : `SHA2(${mysqlForSites.allOf?.(columns)}, 256)`,
  asText: (column) => `CAST(${column} AS CHAR)`,
  anyCase: (column) => `CONVERT(${column} USING utf8mb4)`,
  hex: (column) => `HEX(${column})`,
  lines: (column) => `GROUP_CONCAT(REPLACE(${column}, '\n', '\t') ORDER BY ${column} SEPARATOR '\n')`,
  packed(values, charset = undefined) {
    const parts = values.map(({ sql, is }) => {
      const bytes = `CAST(${is === 'text' ? `CONVERT(${sql} USING ${charset ?? 'utf8mb4'})` : sql} AS BINARY)`;
      return `IFNULL(CONCAT(LENGTH(${bytes}), ':', ${bytes}), '-')`;
    });
    return `CAST(CONCAT(${parts.join(', ')}) AS BINARY)`;
  },
  changed(tables) {
    // InnoDB keeps the time of the last commit in memory, so a table that has not changed since the start has none. MyISAM has
    // the time of its file. MySQL does not document its times.
    const last = `COALESCE(UPDATE_TIME, CONCAT(UUID_SHORT() >> 24, ' ', TABLE_ROWS))`;
    const isKnown = `FALSE /*M!100600 OR ENGINE IN ('InnoDB', 'MyISAM') AND CREATE_OPTIONS NOT LIKE '%partitioned%' AND (UPDATE_TIME IS NULL OR UPDATE_TIME < NOW() - INTERVAL 2 SECOND) */`;
    return `SELECT TABLE_NAME, CASE WHEN ${isKnown} THEN CONCAT(CREATE_TIME, ' ', ${last}) END AS changed FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN (${tables.map(literal).join(', ')})`;
  },
  isReplica: `@@global.read_only <> 0 /*M! OR EXISTS (SELECT 1 FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'SLAVES_RUNNING' AND VARIABLE_VALUE > 0) */`,
};

const postgresForSites: ForSites = {
  schema: 'current_schema()',
  digestOfAll(columns) {
    // The text of a row quotes its values. Each column appears once, because a column of a view is computed where it appears.
    return `encode(sha256(convert_to(ROW(${columns.join(', ')})::text, getdatabaseencoding())), 'hex')`;
  },
  versions({ key, joined, shared }) {
    // Reading the transaction that wrote a row costs a tenth of a digest. Joins cost less than subqueries. The start time is
    // included because IDs are reused after a failover or a point-in-time recovery.
    const own = joined.map(([, as]) => `${as}.xmin`);
    // Computed once for all logins.
    const common = shared.map(
      ([table, condition]) =>
        `(SELECT encode(sha256(string_agg(t.xmin::text, ' ' ORDER BY t.xmin::text COLLATE "C")::bytea), 'hex') FROM ${table} AS t${condition === undefined ? '' : ` WHERE ${condition}`})`,
    );
    const files = [...joined, ...shared].map(
      ([table]) => `pg_relation_filenode('${table.replaceAll("'", "''")}')`,
    );
    const startTime = `(SELECT CASE WHEN num_nulls(${[...new Set(files)].join(', ')}) = 0 THEN pg_postmaster_start_time()::text END)`;
    const from = joined.map(([table, as, on]) => `${table} AS ${as}${on === undefined ? '' : ` ON ${on}`}`);
    return `SELECT ${key} AS id, ${startTime} || concat(${[...own, ...common].join(", ',', ")}) AS version FROM ${from.join(' LEFT JOIN ')}`;
  },
  asText: (column) => `(${column})::text`,
  anyCase: (column) => column,
  hex: (column) => `encode(${column}, 'hex')`,
  lines: (column) =>
    `string_agg(replace((${column})::text, E'\\n', E'\\t'), E'\\n' ORDER BY (${column})::text COLLATE "C")`,
  packed(values) {
    return `record_send(ROW(${values.map(({ sql, is }) => (is === 'text' ? `(${sql})::text` : sql)).join(', ')}))`;
  },
  isReplica: 'pg_is_in_recovery()',
};

const sqliteForSites: ForSites = {
  schema: `'main'`,
  asText: (column) => `CAST(${column} AS BLOB)`,
  anyCase: (column) => column,
  hex: (column) => `hex(${column})`,
  lines: (column) => `group_concat(replace(${column}, char(10), char(9)), char(10) ORDER BY ${column})`,
  packed(values) {
    const parts = values.map(({ sql }) => {
      const bytes = `CAST(${sql} AS BLOB)`;
      return `coalesce(length(${bytes}) || ':' || ${bytes}, '-')`;
    });
    return `CAST(${parts.join(' || ')} AS BLOB)`;
  },
};

const kinds = new Map([
  [mysql, mysqlForSites],
  [postgres, postgresForSites],
  [sqlite, sqliteForSites],
]);

/** Returns the SQL for the tables of an application in a database of that kind. */
export function siteSql(driver: SqlDriver): SiteSql {
  const forSites = kinds.get(driver);
  if (forSites === undefined) throw new Error('a driver without the SQL for the tables of applications');
  return { ...driver, ...forSites };
}
