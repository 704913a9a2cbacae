import { migrationsFolder, migrationsOf } from '../migrations.ts';
import { type DatabaseConnection, type Dialect, raw, type ServerDialect, type Sql, sql } from './dialect.ts';

/** Prefixes of the tables being restored, and of the tables that they replace. */
const prefix = 'restoring_';
const replacedPrefix = 'replaced_';

/** Redirects a statement to the tables being restored. Values are not part of the text. */
const redirect = (statement: Sql): Sql => ({
  ...statement,
  text: statement.text.replace(/\bchat_/g, `${prefix}chat_`),
});

export const besideName = (name: string): string => prefix + name;

/** Returns a dialect whose statements use the tables being restored, next to the current history. */
export function beside(dialect: ServerDialect): ServerDialect {
  return {
    ...dialect,
    async connect() {
      const connection = await dialect.connect();
      return {
        query: (statement) => connection.query(redirect(statement)),
        queryPatiently: (statement) => connection.queryPatiently(redirect(statement)),
        queryAll: (statements) => connection.queryAll(statements.map(redirect)),
        stream: (select) => connection.stream(redirect(raw(select)).text),
        destroy: () => connection.destroy(),
      };
    },
    // The connection of the restore already holds the lock.
    tryLock: raw('SELECT 1 AS num'),
    unlock: raw('SELECT 1'),
  };
}

/** Returns the names of all tables of a history, and of the sequences that no table owns. */
export function namesIn(dialect: Pick<Dialect, 'name'>): { tables: string[]; sequences: string[] } {
  const text = migrationsOf(dialect.name, migrationsFolder)
    .flatMap(({ statements }) => statements)
    .join('\n');
  const names = (kind: string) =>
    [...text.matchAll(new RegExp(`^CREATE ${kind} IF NOT EXISTS (chat_\\w+)`, 'gm'))].map(
      ([, name = '']) => name,
    );
  return { tables: ['chat_migrations', ...names('TABLE')], sequences: names('SEQUENCE') };
}

/** Returns the names among `tables` that exist in the database. */
async function findTables(
  connection: DatabaseConnection,
  { schema }: ServerDialect,
  tables: readonly string[],
) {
  const rows = await connection.query(
    sql`SELECT table_name AS name FROM information_schema.tables WHERE table_schema = ${schema}`,
  );
  const found = new Set(rows.map((row) => row.name));
  return tables.filter((table) => found.has(table));
}

/** Returns the tables of the history that exist; none in a new database. */
export const tablesThere = (connection: DatabaseConnection, dialect: ServerDialect): Promise<string[]> =>
  findTables(connection, dialect, namesIn(dialect).tables);

/** Removes the tables of an earlier attempt. In MariaDB, the connection may stop checking foreign keys. */
export async function removeBeside(connection: DatabaseConnection, dialect: ServerDialect): Promise<void> {
  const { tables, sequences } = namesIn(dialect);
  const names = [prefix, replacedPrefix].flatMap((begin) => tables.map((table) => begin + table));
  for (const statement of removal(dialect, await findTables(connection, dialect, names)))
    await connection.queryPatiently(raw(statement));
  for (const name of sequences) await connection.query(raw(`DROP SEQUENCE IF EXISTS ${prefix}${name}`));
}

/** Returns the statements that drop these tables. They ignore references, because the tables reference each other. */
function removal({ name }: ServerDialect, tables: readonly string[]): string[] {
  if (tables.length === 0) return [];
  return name === 'PostgreSQL'
    ? [`DROP TABLE ${tables.join(', ')} CASCADE`]
    : ['SET foreign_key_checks = 0', `DROP TABLE ${tables.join(', ')}`];
}

/** Replaces the history by the restored tables in one step, and removes the old tables. */
export async function takePlace(connection: DatabaseConnection, dialect: ServerDialect): Promise<void> {
  const { tables, sequences } = namesIn(dialect);
  const before = await tablesThere(connection, dialect);
  if (dialect.name === 'MariaDB') {
    const renames = [
      ...before.map((table) => `${table} TO ${replacedPrefix}${table}`),
      ...tables.map((table) => `${prefix}${table} TO ${table}`),
    ];
    await connection.queryPatiently(raw('SET foreign_key_checks = 0'));
    await connection.queryPatiently(raw(`RENAME TABLE ${renames.join(', ')}`));
    // The restored history is in place. Leftover tables are removed at the end of this restore or by the next one.
    return removeBeside(connection, dialect).catch(() => {});
  }
  const run = (text: string) => connection.queryPatiently(raw(text));
  await run('BEGIN');
  for (const statement of removal(dialect, before)) await run(statement);
  for (const name of sequences) await run(`DROP SEQUENCE IF EXISTS ${name}`);
  // Tables, indexes and sequences. They can be renamed in any order.
  const all = await connection.query(
    sql`SELECT relname AS name, relkind AS kind FROM pg_class
      WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'i', 'S')
        AND starts_with(relname::text, ${`${prefix}chat_`})`,
  );
  const kinds: Record<string, string> = { r: 'TABLE', i: 'INDEX', S: 'SEQUENCE' };
  for (const { name, kind } of all) {
    const newName = (name as string).slice(prefix.length);
    await run(`ALTER ${kinds[kind as string]} ${name} RENAME TO ${newName}`);
  }
  await run('COMMIT');
}
