import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { startGate } from './gate.ts';
import { startMariadb } from './mariadb.ts';
import { startPostgres } from './postgres.ts';

type Value = string | number | null;

/** The database of a site, of any kind, with a way to silence it. */
export interface TestDatabase {
  kind: 'mysql' | 'postgres' | 'sqlite';
  /** Of a connection that can be silenced; 0 for SQLite. */
  port: number;
  user: string;
  password: string;
  /** Its name, or the path of the file. */
  name: string;
  /** The folder of its Unix socket; absent for SQLite. */
  folder?: string;
  /** Runs a statement with `?` for each value. */
  run(sql: string, values?: readonly Value[]): Promise<Record<string, unknown>[]>;
  /** It gives no answers until the returned function is called. */
  silence(): Promise<() => Promise<void>>;
  remove(): Promise<void>;
}

export function insertInto(
  { run }: TestDatabase,
  table: string,
  row: Record<string, Value>,
): ReturnType<TestDatabase['run']> {
  const columns = Object.keys(row);
  return run(`INSERT INTO ${table} (${columns}) VALUES (${columns.map(() => '?')})`, Object.values(row));
}

export async function startSiteDatabase(kind: TestDatabase['kind']): Promise<TestDatabase> {
  if (kind === 'sqlite') return sqliteFile();
  // As a database on another machine, it then knows its clients by their addresses.
  const server = kind === 'mysql' ? await startMariadb(['--skip-name-resolve']) : await startPostgres();
  const gate = await startGate(server.port);
  const [user = '', password = ''] = server.login.split(':').map(decodeURIComponent);
  return {
    kind,
    port: gate.port,
    user,
    password,
    name: 'site',
    folder: server.folder,
    async run(sql, values = []) {
      if ('query' in server && kind === 'mysql') return server.query(sql, [...values]);
      let n = 0;
      return server.query(
        sql.replace(/\?/g, () => `$${++n}`),
        [...values],
      );
    },
    async silence() {
      gate.silence.begin();
      return async () => gate.silence.end();
    },
    async remove() {
      await gate.close();
      await server.remove();
    },
  };
}

function sqliteFile(): TestDatabase {
  const folder = mkdtempSync(join(tmpdir(), 'sqlite-'));
  const name = join(folder, 'site.sqlite');
  // As PDO, which waits for readers that have it.
  const db = new DatabaseSync(name, { timeout: 10_000 });
  return {
    kind: 'sqlite',
    port: 0,
    user: '',
    password: '',
    name,
    async run(sql, values = []) {
      // A collation that PHP has added, as Drupal does.
      if (sql.includes('NOCASE_UTF8')) {
        const code = `$db = new PDO('sqlite:${name}'); $db->sqliteCreateCollation('NOCASE_UTF8', 'strcasecmp'); $db->exec($argv[1]);`;
        execFileSync('php', ['-r', code, '--', sql]);
        return [];
      }
      return db.prepare(sql).all(...values);
    },
    async silence() {
      db.exec('BEGIN EXCLUSIVE');
      return async () => db.exec('COMMIT');
    },
    async remove() {
      db.close();
      rmSync(folder, { recursive: true });
    },
  };
}
