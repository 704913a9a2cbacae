import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { onTestFinished } from 'vitest';
import { soak } from '../guarantees/size.ts';
import { startGate } from './gate.ts';
import { type Mariadb, startMariadb } from './mariadb.ts';
import { type Postgres, startPostgres } from './postgres.ts';

type Value = string | number | null;

/** The database of a site. */
export interface TestDatabase {
  kind: 'mysql' | 'postgres' | 'sqlite';
  /** The port, which belongs to the gate if there is one. 0 for SQLite. */
  port: number;
  user: string;
  password: string;
  /** Its name, or the path of the file. */
  name: string;
  /** The folder of its Unix socket. Absent for SQLite. */
  folder?: string;
  /** Runs a statement with `?` for each value. */
  run(sql: string, values?: readonly Value[]): Promise<Record<string, unknown>[]>;
  /** Stops its responses until the returned function is called: with a gate, or in SQLite with a lock. */
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

/** @param files the content of each file, by its path relative to the folder */
export function writeFiles(folder: string, files: Readonly<Record<string, string>>): void {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
}

/** Creates a folder with these files. It is removed at the end of the test. */
export function folderWith(files: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'site-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  writeFiles(folder, files);
  return folder;
}

/** Creates the folder of a site. `write` writes PHP code to a file in it. */
export function siteFiles(name: string) {
  const folder = mkdtempSync(join(tmpdir(), `${name}-`));
  return {
    folder,
    write: (file: string, php: string) => writeFiles(folder, { [file]: `<?php\n${php}` }),
  };
}

/** Returns a function that removes the folder and the tables of a site. */
export const removing = (folder: string, drop: () => Promise<void>) => async () => {
  rmSync(folder, { recursive: true });
  await drop();
};

/** Creates the tables of a site, given by name and columns. In statements `#_` or `#__` stands for the prefix. */
export async function siteTables(
  db: TestDatabase,
  prefix: string,
  tables: Record<string, string>,
  ofMysql = '',
) {
  const options = db.kind === 'mysql' ? ofMysql : '';
  const run = (sql: string, values: Value[] = []) => db.run(sql.replace(/#__?/g, prefix), values);
  for (const [name, columns] of Object.entries(tables))
    await run(`CREATE TABLE #_${name} (${columns})${options}`);
  return {
    run,
    insert: (table: string, row: Record<string, Value>) => insertInto(db, prefix + table, row),
    async drop() {
      for (const name of Object.keys(tables)) await run(`DROP TABLE #_${name}`);
    },
  };
}

type Server = { kind: 'mysql'; is: Mariadb } | { kind: 'postgres'; is: Postgres };

/**
 * Servers that no test file uses at the moment. They keep running for the next file, because starting one takes longer
 * than most tests.
 */
const idle: Server[] = [];

async function serverOf(kind: Server['kind']): Promise<Server> {
  const known = idle.findIndex((one) => one.kind === kind);
  if (known >= 0) return idle.splice(known, 1)[0] as Server;
  // With this option, MariaDB identifies clients by their addresses, like a database on another machine.
  return kind === 'mysql'
    ? { kind, is: await startMariadb(['--skip-name-resolve']) }
    : { kind, is: await startPostgres() };
}

/** Statements that remove all data of a test file before the next one. */
const emptied = {
  mysql: ['SET GLOBAL read_only = OFF', 'DROP DATABASE site', 'CREATE DATABASE site', 'USE site'],
  postgres: ['DROP SCHEMA public CASCADE', 'CREATE SCHEMA public', 'GRANT USAGE ON SCHEMA public TO PUBLIC'],
};

/** @param gated whether it can be silenced. All traffic then passes through this process. */
export async function startSiteDatabase(kind: TestDatabase['kind'], gated = soak): Promise<TestDatabase> {
  if (kind === 'sqlite') return sqliteFile();
  const server = await serverOf(kind);
  const gate = gated ? await startGate(server.is.port) : undefined;
  const [user = '', password = ''] = server.is.login.split(':').map(decodeURIComponent);
  return {
    kind,
    port: (gate ?? server.is).port,
    user,
    password,
    name: 'site',
    folder: server.is.folder,
    async run(sql, values = []) {
      if (server.kind === 'mysql') return server.is.query(sql, [...values]);
      let n = 0;
      return server.is.query(
        sql.replace(/\?/g, () => `$${++n}`),
        [...values],
      );
    },
    async silence() {
      if (gate === undefined) throw new Error('only a gated database can be silenced');
      gate.silence.begin();
      return async () => gate.silence.end();
    },
    async remove() {
      await gate?.close();
      for (const sql of emptied[server.kind]) await server.is.query(sql);
      idle.push(server);
    },
  };
}

function sqliteFile(): TestDatabase {
  const folder = mkdtempSync(join(tmpdir(), 'sqlite-'));
  const name = join(folder, 'site.sqlite');
  // Like PDO, which waits while a reader has a lock.
  const db = new DatabaseSync(name, { timeout: 10_000 });
  db.exec('PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY');
  return {
    kind: 'sqlite',
    port: 0,
    user: '',
    password: '',
    name,
    async run(sql, values = []) {
      // PHP creates the table, because node:sqlite cannot add Drupal's collation.
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
