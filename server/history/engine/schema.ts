import { type Migration, ownMigrations } from '../migrations.ts';
import type { Row } from '../records/columns.ts';
import { UnknownTables } from '../unusable.ts';
import { tablesThere } from './beside.ts';
import { answered, type DatabaseConnection, raw, type ServerDialect } from './dialect.ts';
import { checkShape } from './shape.ts';

/** The table with a row for each migration that was run. */
export const makeMigrations =
  'CREATE TABLE IF NOT EXISTS chat_migrations (num BIGINT PRIMARY KEY, needs BIGINT NOT NULL, fingerprint VARCHAR(64) NOT NULL)';

/**
 * Returns the number of the last migration of a history; 0 in an empty database.
 * @param rows all rows of `chat_migrations`
 * @throws UnknownTables if this version cannot use the tables
 */
export function lastMigration(rows: readonly Row[], known: readonly Migration[]): number {
  const last = Math.max(0, ...rows.map(({ num }) => num as number));
  const needs = Math.max(0, ...rows.map(({ needs = 0 }) => needs as number));
  if (needs > known.length) throw tooNew(needs, known.length);
  const common = Math.min(last, known.length);
  const fingerprint = rows.find(({ num }) => num === common)?.fingerprint;
  if (common > 0 && fingerprint !== known[common - 1]?.fingerprint)
    throw new UnknownTables(
      'its tables are from another build: install that build, or set CHAT_HISTORY to a new history',
    );
  return last;
}

/** Returns the error for tables of a newer version. */
export function tooNew(format: number, known: number): Error {
  return new UnknownTables(
    `the history was written by a newer version (format ${format}, this version knows ${known})`,
  );
}

/** Selects the rows for `lastMigration`. The tables of older builds lack some of the columns. */
export const migrationRows = raw('SELECT * FROM chat_migrations ORDER BY num');

/**
 * Whether a database contains a history.
 * @throws UnknownTables if it contains tables of another program with the same names
 */
export async function hasHistory(connection: DatabaseConnection, dialect: ServerDialect): Promise<boolean> {
  const there = await tablesThere(connection, dialect);
  if (there.length === 0 || there.includes('chat_migrations')) return there.length > 0;
  throw new UnknownTables(
    `another program uses the table ${there[0]} in this database: set CHAT_HISTORY to a separate database`,
  );
}

/**
 * Returns the number of the last migration of the history in a database; 0 if there is no history.
 * @throws UnknownTables if this version cannot use the tables
 */
export async function formatIn(connection: DatabaseConnection, dialect: ServerDialect): Promise<number> {
  if (!(await hasHistory(connection, dialect))) return 0;
  const last = lastMigration(await connection.query(migrationRows), ownMigrations(dialect.name));
  await answered(checkShape(dialect.name, last), connection);
  return last;
}
