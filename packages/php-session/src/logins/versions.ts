import { StoreError } from '../login.ts';
import { batchLookups } from '../stores/lookups.ts';
import type { Database, SqlRow } from '../stores/sql/driver.ts';
import type { LoginTable, Row } from './application.ts';
import { packedRows, unpacked } from './rows.ts';
import type { SiteSql, Viewed } from './sql.ts';

/** The questions for the versions of the rows of logins, which are compared in place of digests. */
export interface VersionsOfTable {
  /** An expression beside the columns of a row of logins: the version that belongs to them. */
  readonly ofRow: string;
  /** Rows by the primary key of the logins, whose state is their version; null where a table has none. */
  read(keys: readonly string[]): Promise<ReadonlyMap<string, SqlRow>>;
  /**
   * The login in that version, in which a page view alone has changed it; null if it has to be read whole. Absent if that is
   * not known.
   * @param version which `isOnlyViewed`
   */
  viewed?(id: string, before: Row, version: string): Promise<Row | null>;
}

/** The database of a site, whose tables are read themselves. */
interface Place {
  driver: SiteSql;
  database: Pick<Database, 'rows'>;
  charset: 'utf8' | 'latin1';
}

/** The SELECT of the versions; undefined if the database knows none. */
const versionsIn = (driver: SiteSql, { rows }: Pick<LoginTable, 'rows'>): string | undefined =>
  rows && driver.versions && `(${driver.versions(rows)}) AS v`;

/**
 * Whether the versions of rows can be compared. They cannot where the user of the database reads by views, which may hide
 * rows and have other values than the tables, where a table of the application is itself a view, and by a right on some
 * columns alone. Digests of the values are compared then.
 */
export async function haveVersions(
  tables: readonly LoginTable[],
  { driver, database }: { driver: SiteSql; database: Pick<Database, 'query'> },
): Promise<boolean> {
  try {
    for (const table of tables) {
      const from = versionsIn(driver, table);
      if (from !== undefined) await database.query(`SELECT v.version FROM ${from} WHERE 1 = 0`);
    }
    return true;
  } catch (error) {
    if (error instanceof StoreError) return false;
    throw error;
  }
}

/** Undefined if the versions cannot be compared. */
export function versionsOf(
  table: LoginTable,
  site: Place & { versions: boolean },
): VersionsOfTable | undefined {
  const { driver, database } = site;
  const from = site.versions ? versionsIn(driver, table) : undefined;
  if (from === undefined) return undefined;
  const quoted = (name: string) => `${driver.quote}${name}${driver.quote}`;
  const id = table.columns[table.id] === 'bytes' ? 'v.id' : driver.asText('v.id');
  const select = `SELECT ${id}, NULL, v.version FROM ${from} WHERE v.id`;
  const ofRow = `(SELECT ${driver.lines('v.version')} FROM ${from} WHERE v.id = ${quoted(table.view)}.${quoted(table.id)})`;
  const viewed = table.rows?.viewed;
  return {
    ofRow,
    ...(viewed && { viewed: readerOf(table, viewed, site) }),
    async read(keys) {
      const found = new Map<string, SqlRow[]>();
      for (const row of await database.rows(select, keys)) {
        const rows = found.get(row.id);
        if (rows === undefined) found.set(row.id, [row]);
        else rows.push(row);
      }
      return new Map(
        [...found].map(([id, rows]) => {
          const versions = rows.flatMap(({ state }) => state ?? []);
          const state = versions.length < rows.length ? null : linesOf(versions);
          return [id, { ...(rows[0] as SqlRow), state }];
        }),
      );
    },
  };
}

function readerOf(
  table: LoginTable,
  { rows, select, columns: names }: Viewed,
  { driver, database, charset }: Place,
): NonNullable<VersionsOfTable['viewed']> {
  const columns = Object.fromEntries(names.map((name) => [name, table.columns[name] ?? 'text']));
  const place = { view: table.view, columns, select: select(driver.versionOf?.(rows) ?? 'NULL') };
  const { packed, from } = packedRows(driver, place, { charset, views: false });
  const id = `${driver.quote}${table.id}${driver.quote}`;
  const key = table.columns[table.id] === 'bytes' ? id : driver.asText(id);
  const sql = `SELECT ${key}, ${packed}, version FROM ${from} WHERE ${id}`;
  const read = batchLookups(async (ids) => {
    const rows = await database.rows(sql, ids);
    return new Map(rows.map((row) => [row.id, row]));
  });
  const keys = (table.parts ?? [])
    .flatMap(({ of }) => Object.keys(of))
    .filter((name) => names.includes(name));
  return async (id, before, version) => {
    const answer = await read(id);
    // Values of another version may be older, or newer than those of the other rows.
    if (!answer?.data || viewedIn(version) !== viewedIn(answer.state ?? '')) return null;
    const now = unpacked(answer.data, names);
    // Another key is another row, which the same transaction may have written.
    return keys.some((name) => String(now[name]) !== String(before[name])) ? null : { ...before, ...now };
  };
}

/** Whether nothing differs but the rows of `LoginRows.viewed`. */
export const isOnlyViewed = (before: string, now: string): boolean => restOf(before) === restOf(now);

/** The versions of the rows that page views do not change, as often as they are there. */
const restOf = (version: string) => linesOf(version.split('\n').map((line) => line.slice(line.indexOf(' '))));

/** The versions of the others, which a join repeats. */
const viewedIn = (version: string) =>
  linesOf([...new Set(version.split('\n').map((line) => line.split(' ', 1)[0] ?? ''))]);

/** As `SiteSql.lines`. */
const linesOf = (lines: readonly string[]) => [...lines].sort().join('\n');
