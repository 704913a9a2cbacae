import { StoreError } from '../login.ts';
import type { Database } from '../stores/sql/driver.ts';
import type { LoginTable } from './site-table.ts';
import type { SiteSql } from './sql.ts';

/** Returns the versions of the rows of existing logins, by primary key. Null if a row has none. */
type ReadVersions = (keys: readonly string[]) => Promise<ReadonlyMap<string, string | null>>;

/** Returns a FROM item with the versions, called `v`. Undefined if the database has no versions. */
const fromVersions = (driver: SiteSql, { rows }: Pick<LoginTable, 'rows'>): string | undefined =>
  rows && driver.versions && `(${driver.versions(rows)}) AS v`;

/**
 * Whether the versions of rows can be read. A view has no versions, whether it is made for a user with few rights or replaces
 * a table of the application. Rights on single columns do not suffice either.
 */
export async function haveVersions(
  tables: readonly LoginTable[],
  { driver, database }: { driver: SiteSql; database: Pick<Database, 'query'> },
): Promise<boolean> {
  try {
    for (const table of tables) {
      const from = fromVersions(driver, table);
      if (from !== undefined) await database.query(`SELECT v.version FROM ${from} WHERE 1 = 0`);
    }
    return true;
  } catch (error) {
    if (error instanceof StoreError) return false;
    throw error;
  }
}

/** Returns a function that reads the versions of rows. Undefined if they cannot be read. */
export function versionReader(
  table: LoginTable,
  { driver, database, versions }: { driver: SiteSql; database: Pick<Database, 'rows'>; versions: boolean },
): ReadVersions | undefined {
  const from = versions ? fromVersions(driver, table) : undefined;
  if (from === undefined) return undefined;
  const id = table.columns[table.id] === 'bytes' ? 'v.id' : driver.asText('v.id');
  const select = `SELECT ${id}, NULL, v.version FROM ${from} WHERE v.id`;
  return async (keys) => {
    const versionsById = new Map<string, (string | null)[]>();
    for (const { id, state } of await database.rows(select, keys)) {
      const found = versionsById.get(id);
      if (found === undefined) versionsById.set(id, [state]);
      else found.push(state);
    }
    const join = (found: (string | null)[]) => (found.includes(null) ? null : found.sort().join('\n'));
    return new Map([...versionsById].map(([id, found]) => [id, join(found)]));
  };
}
