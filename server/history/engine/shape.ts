import { type DatabaseName, type Migration, ownMigrations } from '../migrations.ts';
import type { Row } from '../records/columns.ts';
import { UnknownTables } from '../unusable.ts';
import { type Asking, ask, raw, type Sql } from './dialect.ts';

/** What migrations make: columns as `table.column`, and indexes by their names, each with its statement. */
interface Shape {
  columns: ReadonlySet<string>;
  indexes: ReadonlyMap<string, string>;
}

const shapes = new Map<Migration, Shape>();

/** Returns the columns and indexes after these migrations. */
export function shapeAfter(migrations: readonly Migration[]): Shape {
  const last = migrations.at(-1);
  const cached = last && shapes.get(last);
  if (cached !== undefined) return cached;
  const columns = new Set<string>();
  const indexes = new Map<string, string>();
  for (const statement of migrations.flatMap(({ statements }) => statements)) {
    const [, table, definitions] =
      /^CREATE TABLE IF NOT EXISTS (\w+) \(([\s\S]*)\)/.exec(statement) ??
      /^ALTER TABLE (\w+) ADD COLUMN (?:IF NOT EXISTS )?(.*)/.exec(statement) ??
      [];
    for (const name of columnsIn(definitions ?? '')) columns.add(`${table}.${name}`);
    const index = /^CREATE (?:UNIQUE )?INDEX IF NOT EXISTS (\w+)/.exec(statement)?.[1];
    if (index !== undefined) indexes.set(index, statement.replace(/\s+/g, ' '));
  }
  const shape = { columns, indexes };
  if (last !== undefined) shapes.set(last, shape);
  return shape;
}

/** Returns the names of the columns in the definitions of a table. Constraints begin with a capital. */
function columnsIn(definitions: string): string[] {
  // Commas inside brackets separate no definitions. The deepest brackets are removed first.
  let flat = definitions;
  for (let before = ''; before !== flat; ) {
    before = flat;
    flat = flat.replace(/\([^()]*\)/g, '');
  }
  return flat.split(',').flatMap((definition) => /^\s*([a-z]\w*)/.exec(definition)?.[1] ?? []);
}

/** Selects the columns of all tables, and the indexes as rows without a `field`. */
export const catalogues: Record<DatabaseName, Sql> = {
  PostgreSQL: raw(`SELECT table_name::text AS name, column_name::text AS field FROM information_schema.columns
    WHERE table_schema = current_schema()
    UNION ALL SELECT indexname::text, NULL FROM pg_indexes WHERE schemaname = current_schema()`),
  MariaDB: raw(`SELECT table_name AS name, column_name AS field FROM information_schema.columns
    WHERE table_schema = DATABASE()
    UNION ALL SELECT index_name, NULL FROM information_schema.statistics WHERE table_schema = DATABASE()`),
  SQLite: raw(`SELECT tables.name AS name, columns.name AS field
    FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns WHERE tables.type = 'table'
    UNION ALL SELECT name, NULL FROM sqlite_master WHERE type = 'index'`),
};

/**
 * Checks that a database has everything that its migrations have made. A newer version may have added more.
 * @param rows the rows of its catalogue
 * @param last the number of its last migration
 * @throws UnknownTables if a column or an index is missing
 */
export function requireShape(rows: readonly Row[], known: readonly Migration[], last: number): void {
  // In MariaDB, the indexes of a restored history keep their names: see `takePlace`.
  const there = new Set(
    rows.map(({ name, field }) =>
      field === null ? String(name).replace(/^restoring_/, '') : `${name}.${field}`,
    ),
  );
  const { columns, indexes } = shapeAfter(known.slice(0, last));
  const missing = [...columns].filter((column) => !there.has(column));
  if (missing.length > 0) {
    throw new UnknownTables(
      `${count(missing, 'column')} missing, which another program removed: restore a backup`,
    );
  }
  const withoutIndex = [...indexes.keys()].filter((index) => !there.has(index));
  const [first = ''] = withoutIndex;
  if (withoutIndex.length > 0) {
    throw new UnknownTables(
      `${count(withoutIndex, 'index', 'indexes')} missing, which another program removed: create it by: ${indexes.get(first)}`,
    );
  }
}

const count = ([first, ...more]: readonly string[], one: string, many = `${one}s`): string =>
  more.length === 0 ? `the ${one} ${first} is` : `${more.length + 1} ${many}, such as ${first}, are`;

/** Reads the catalogue of the database and checks it with `requireShape`. */
export function* checkShape(database: DatabaseName, last: number): Asking<void> {
  requireShape(yield* ask(catalogues[database]), ownMigrations(database), last);
}
