import { migrationsFolder, migrationsOf } from '../migrations.ts';
import { type DatabaseConnection, raw, type ServerDialect, type Sql, sql } from './dialect.ts';

/** The names of the tables that are being restored begin so, and those of the tables that they replace. */
const prefix = 'restoring_';
const replaced = 'replaced_';

/** A statement about the tables beside. Values are not in its text. */
const aboutThem = (statement: Sql): Sql => ({
  ...statement,
  text: statement.text.replace(/\bchat_/g, `${prefix}chat_`),
});

export const besideName = (name: string): string => prefix + name;

/** A history beside the one in this database, which is to take its place: all statements are about tables of its own. */
export function beside(dialect: ServerDialect): ServerDialect {
  return {
    ...dialect,
    async connect() {
      const connection = await dialect.connect();
      return {
        query: (statement) => connection.query(aboutThem(statement)),
        queryPatiently: (statement) => connection.queryPatiently(aboutThem(statement)),
        queryAll: (statements) => connection.queryAll(statements.map(aboutThem)),
        destroy: () => connection.destroy(),
      };
    },
    // The connection of the restoration has the lock already.
    tryLock: raw('SELECT 1 AS num'),
    unlock: raw('SELECT 1'),
  };
}

/** The names of all tables of a history and of its sequences that belong to no table. */
export function namesIn(dialect: ServerDialect): { tables: string[]; sequences: string[] } {
  const text = migrationsOf(dialect.name, migrationsFolder)
    .flatMap(({ statements }) => statements)
    .join('\n');
  const names = (kind: string) =>
    [...text.matchAll(new RegExp(`^CREATE ${kind} IF NOT EXISTS (chat_\\w+)`, 'gm'))].map(
      ([, name = '']) => name,
    );
  return { tables: ['chat_migrations', ...names('TABLE')], sequences: names('SEQUENCE') };
}

/** Which of these tables are there. */
async function existing(connection: DatabaseConnection, { name }: ServerDialect, tables: readonly string[]) {
  const here = raw(name === 'PostgreSQL' ? 'current_schema()' : 'DATABASE()');
  const rows = await connection.query(
    sql`SELECT table_name AS name FROM information_schema.tables WHERE table_schema = ${here}`,
  );
  const found = new Set(rows.map((row) => row.name));
  return tables.filter((table) => found.has(table));
}

/** The tables of the history that are there: none in a new database. */
export const tablesThere = (connection: DatabaseConnection, dialect: ServerDialect): Promise<string[]> =>
  existing(connection, dialect, namesIn(dialect).tables);

/** Removes what an earlier attempt has left. The connection is for this and `takePlace` alone. */
export async function removeBeside(connection: DatabaseConnection, dialect: ServerDialect): Promise<void> {
  const { tables, sequences } = namesIn(dialect);
  const names = [prefix, replaced].flatMap((begin) => tables.map((table) => begin + table));
  for (const statement of removal(dialect, await existing(connection, dialect, names)))
    await connection.queryPatiently(raw(statement));
  for (const name of sequences) await connection.query(raw(`DROP SEQUENCE IF EXISTS ${prefix}${name}`));
}

/** They name each other. */
function removal({ name }: ServerDialect, tables: readonly string[]): string[] {
  if (tables.length === 0) return [];
  return name === 'PostgreSQL'
    ? [`DROP TABLE ${tables.join(', ')} CASCADE`]
    : ['SET foreign_key_checks = 0', `DROP TABLE ${tables.join(', ')}`];
}

/** Puts the tables beside in the place of the history, in one step, and removes those of before. */
export async function takePlace(connection: DatabaseConnection, dialect: ServerDialect): Promise<void> {
  const { tables, sequences } = namesIn(dialect);
  const before = await tablesThere(connection, dialect);
  if (dialect.name === 'MariaDB') {
    const renames = [
      ...before.map((table) => `${table} TO ${replaced}${table}`),
      ...tables.map((table) => `${prefix}${table} TO ${table}`),
    ];
    await connection.queryPatiently(raw('SET foreign_key_checks = 0'));
    await connection.queryPatiently(raw(`RENAME TABLE ${renames.join(', ')}`));
    // The history is in its place: the end of the restoration, or the next one, removes what is left.
    return removeBeside(connection, dialect).catch(() => {});
  }
  const run = (text: string) => connection.queryPatiently(raw(text));
  await run('BEGIN');
  for (const statement of removal(dialect, before)) await run(statement);
  for (const name of sequences) await run(`DROP SEQUENCE IF EXISTS ${name}`);
  // Tables, indexes and sequences, in any order.
  const all = await connection.query(
    sql`SELECT relname AS name, relkind AS kind FROM pg_class
      WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'i', 'S')
        AND starts_with(relname::text, ${`${prefix}chat_`})`,
  );
  const kinds: Record<string, string> = { r: 'TABLE', i: 'INDEX', S: 'SEQUENCE' };
  for (const { name, kind } of all) {
    const now = (name as string).slice(prefix.length);
    await run(`ALTER ${kinds[kind as string]} ${name} RENAME TO ${now}`);
  }
  await run('COMMIT');
}
