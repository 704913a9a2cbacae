import type { SqlDriver } from '../stores/sql/driver.ts';
import { mysql } from '../stores/sql/mysql.ts';
import { postgres } from '../stores/sql/postgres.ts';
import { sqlite } from '../stores/sql/sqlite.ts';

/** All rows of which a row of logins is made. Tables are named as in SQL. */
export interface LoginRows {
  /** The primary key of the logins, as a column of the first table. */
  key: string;
  /** Each with its alias, and the condition that joins it to those before. */
  joined: readonly (readonly [table: string, alias: string, on?: string])[];
  /** Small tables of which each row counts for each login, if it meets the condition. */
  shared: readonly (readonly [table: string, condition?: string])[];
}

/** The SQL of one kind of database for tables of an application. Names of columns are given quoted. */
export interface SiteSql extends SqlDriver {
  /** The schema of names that name none, as information_schema lists it. */
  schema: string;
  /**
   * Bytes made of several values, which `unpacked` takes apart: each as its length in bytes, `:` and its bytes, or as `-` for
   * NULL. PostgreSQL has its own form, which computes each value only once.
   * @param values texts, which become UTF-8 (or are sent as they would be on a connection of that character set), or bytes
   */
  packed(values: readonly { sql: string; is: 'text' | 'bytes' }[], charset?: 'latin1'): string;
  /** A number or a text as text. */
  asText(column: string): string;
  /** A text whose collation may distinguish case, as one that a search finds in any case. */
  anyCase(column: string): string;
  /** Bytes as hexadecimal digits, in either case. */
  hex(column: string): string;
  /** The values of a column in several rows as one text, in their order, each as `lineOf`, with a line break between them: an aggregate. */
  lines(column: string): string;
  /** Bytes made of several values: the length of each, and its bytes as they are stored; NULL is not empty. */
  allOf?(columns: readonly string[]): string;
  /** A digest of these bytes. Absent if reading the values costs no more. */
  digestOfAll?(columns: readonly string[]): string;
  /**
   * A SELECT of the primary keys of logins as `id`, each with a `version` of its rows, which differs after each change.
   * A login may have several rows. The version is NULL if a table has none, such as a foreign table. Absent if the database
   * keeps no versions.
   */
  versions?(rows: LoginRows): string;
  /**
   * A SELECT of the tables with these names. Its second column
   * says when a table has changed last. It is NULL if the database does not know, or if that is so recent that another
   * change could have the same time. Absent if the database keeps no such times, or only late ones.
   */
  changed?(tables: readonly string[]): string;
  /** Whether the database is the copy of another one, which gets changes later; absent if there is no such thing. */
  isReplica?: string;
}

type OfSites = Omit<SiteSql, keyof SqlDriver>;

/** A value as one of `SiteSql.lines`: a user may have put a line break into a name, and must not make a line of their own by it. */
export const lineOf = (value: string): string => value.replaceAll('\n', '\t');

/** Bytes of `SiteSql.lines`, after which MariaDB and MySQL leave the rest out: group_concat_max_len of our connections. */
const mostOfLines = 1024 * 1024;

/** Whether the database may have left out the end of these lines. The last character that fits may end before the limit. */
export const mayBeCutOff = ({ kind }: { kind: string }, lines: string): boolean =>
  kind === 'mysql' && Buffer.byteLength(lines) > mostOfLines - 4;

const literal = (text: string) => `'${text.replace(/['\\]/g, '\\$&')}'`;

const ofMysql: OfSites = {
  schema: 'DATABASE()',
  // Its lengths, then its values. Bytes as they are stored: to convert a text costs as much as the digest.
  allOf: (columns) =>
    `CONCAT_WS(CAST(',' AS BINARY), ${columns.map((column) => `IFNULL(LENGTH(${column}), '-')`).join(', ')}, ${columns.join(', ')})`,
  digestOfAll: (columns) =>
    columns.length === 1
      ? `IFNULL(SHA2(${columns[0]}, 256), '${'-'.repeat(64)}')`
      : `SHA2(${ofMysql.allOf?.(columns)}, 256)`,
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
    // InnoDB keeps the time of the last commit in memory: of a table that is as it was when the server started there is
    // none. The time of MyISAM is that of its file. Of MySQL this is not known.
    const last = `COALESCE(UPDATE_TIME, CONCAT(UUID_SHORT() >> 24, ' ', TABLE_ROWS))`;
    const isKnown = `FALSE /*M!100600 OR ENGINE IN ('InnoDB', 'MyISAM') AND CREATE_OPTIONS NOT LIKE '%partitioned%' AND (UPDATE_TIME IS NULL OR UPDATE_TIME < NOW() - INTERVAL 2 SECOND) */`;
    return `SELECT TABLE_NAME, CASE WHEN ${isKnown} THEN CONCAT(CREATE_TIME, ' ', ${last}) END AS changed FROM information_schema.TABLES WHERE TABLE_SCHEMA = DATABASE() AND TABLE_NAME IN (${tables.map(literal).join(', ')})`;
  },
  isReplica: `@@global.read_only <> 0 /*M! OR EXISTS (SELECT 1 FROM information_schema.GLOBAL_STATUS WHERE VARIABLE_NAME = 'SLAVES_RUNNING' AND VARIABLE_VALUE > 0) */`,
};

const ofPostgres: OfSites = {
  schema: 'current_schema()',
  digestOfAll(columns) {
    // The text of a row quotes its values. Each column stands in it once: that of a view is computed where it stands.
    return `encode(sha256(convert_to(ROW(${columns.join(', ')})::text, getdatabaseencoding())), 'hex')`;
  },
  versions({ key, joined, shared }) {
    // The transaction that has written a row: to read that costs a tenth of a digest. Joins cost less than subqueries. After a
    // failover, or a restoration to a point in time, the same ids are given once more.
    const own = joined.map(([, as]) => `${as}.xmin`);
    // The versions that all logins share are computed once.
    const common = shared.map(
      ([table, condition]) =>
        `(SELECT encode(sha256(string_agg(t.xmin::text, ' ' ORDER BY t.xmin::text COLLATE "C")::bytea), 'hex') FROM ${table} AS t${condition === undefined ? '' : ` WHERE ${condition}`})`,
    );
    const files = [...joined, ...shared].map(
      ([table]) => `pg_relation_filenode('${table.replaceAll("'", "''")}')`,
    );
    const areKept = `(SELECT CASE WHEN num_nulls(${[...new Set(files)].join(', ')}) = 0 THEN pg_postmaster_start_time()::text END)`;
    const from = joined.map(([table, as, on]) => `${table} AS ${as}${on === undefined ? '' : ` ON ${on}`}`);
    return `SELECT ${key} AS id, ${areKept} || concat(${[...own, ...common].join(", ',', ")}) AS version FROM ${from.join(' LEFT JOIN ')}`;
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

const ofSqlite: OfSites = {
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
  [mysql, ofMysql],
  [postgres, ofPostgres],
  [sqlite, ofSqlite],
]);

/** The SQL for the tables of an application in a database of that kind. */
export function siteSql(driver: SqlDriver): SiteSql {
  const ofSites = kinds.get(driver);
  if (ofSites === undefined) throw new Error('a driver without the SQL for the tables of applications');
  return { ...driver, ...ofSites };
}
