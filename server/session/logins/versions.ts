import type { SqlRow } from '../stores/sql/driver.ts';
import type { LoginTable, SiteTable } from './application.ts';
import type { OpenSite } from './site.ts';
import type { SiteSql } from './sql.ts';

/** The questions for the versions of the rows of logins, which are compared in place of digests. */
export interface VersionsOfTable {
  /** An expression beside the columns of a row of logins: the version that belongs to them. */
  readonly ofRow: string;
  /** Rows by the primary key of the logins, whose state is their version; null where a table has none. */
  read(keys: readonly string[]): Promise<ReadonlyMap<string, SqlRow>>;
}

/** The SELECT of the versions, and the view that grants it; undefined if the database knows none. */
export const versionsTable = (
  driver: SiteSql,
  { view, rows }: LoginTable,
): Pick<SiteTable, 'view' | 'select'> | undefined =>
  rows && driver.versions && { view: `${view}_versions`, select: driver.versions(rows) };

/** Undefined if the database knows no versions. */
export function versionsOf(
  table: LoginTable,
  { driver, database, views }: OpenSite,
): VersionsOfTable | undefined {
  const versions = versionsTable(driver, table);
  if (versions === undefined) return undefined;
  const quoted = (name: string) => `${driver.quote}${name}${driver.quote}`;
  const from = `${views ? quoted(versions.view) : `(${versions.select})`} AS v`;
  const id = table.columns[table.id] === 'bytes' ? 'v.id' : driver.asText('v.id');
  const select = `SELECT ${id}, NULL, v.version FROM ${from} WHERE v.id`;
  return {
    ofRow: `(SELECT ${driver.lines('v.version')} FROM ${from} WHERE v.id = ${quoted(table.view)}.${quoted(table.id)})`,
    async read(keys) {
      const found = new Map<string, SqlRow>();
      for (const row of await database.rows(select, keys)) {
        const before = found.get(row.id);
        found.set(row.id, before === undefined ? row : { ...row, state: linesOf(before.state, row.state) });
      }
      return found;
    },
  };
}

/** As `SiteSql.lines`. */
const linesOf = (before: string | null, line: string | null) =>
  before === null || line === null ? null : [...before.split('\n'), line].sort().join('\n');
