import { StoreError } from '../login.ts';
import type { Database, SqlRow } from '../stores/sql/driver.ts';
import type { LoginTable } from './application.ts';
import type { SiteSql } from './sql.ts';

/** The questions for the versions of the rows of logins, which are compared in place of digests. */
export interface VersionsOfTable {
  /** An expression beside the columns of a row of logins: the version that belongs to them. */
  readonly ofRow: string;
  /** Rows by the primary key of the logins, whose state is their version; null where a table has none. */
  read(keys: readonly string[]): Promise<ReadonlyMap<string, SqlRow>>;
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
  { driver, database }: { driver: SiteSql; database: Pick<Database, 'rows'> },
): Promise<boolean> {
  try {
    for (const table of tables) {
      const from = versionsIn(driver, table);
      if (from !== undefined)
        await database.rows(`SELECT 'any', NULL, v.version FROM ${from} WHERE 1 = 0 AND 'any'`, ['any']);
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
  { driver, database, versions }: { driver: SiteSql; database: Pick<Database, 'rows'>; versions: boolean },
): VersionsOfTable | undefined {
  const from = versions ? versionsIn(driver, table) : undefined;
  if (from === undefined) return undefined;
  const quoted = (name: string) => `${driver.quote}${name}${driver.quote}`;
  const id = table.columns[table.id] === 'bytes' ? 'v.id' : driver.asText('v.id');
  const select = `SELECT ${id}, NULL, v.version FROM ${from} WHERE v.id`;
  return {
    ofRow: `(SELECT ${driver.lines('v.version')} FROM ${from} WHERE v.id = ${quoted(table.view)}.${quoted(table.id)})`,
    async read(keys) {
      const found = new Map<string, SqlRow[]>();
      for (const row of await database.rows(select, keys)) {
        const rows = found.get(row.id);
        if (rows === undefined) found.set(row.id, [row]);
        else rows.push(row);
      }
      return new Map(
        [...found].map(([id, rows]) => [
          id,
          { ...(rows[0] as SqlRow), state: linesOf(rows.map(({ state }) => state)) },
        ]),
      );
    },
  };
}

/** As `SiteSql.lines`; null where a row has no version. */
const linesOf = (states: readonly (string | null)[]) =>
  states.includes(null) ? null : [...states].sort().join('\n');
