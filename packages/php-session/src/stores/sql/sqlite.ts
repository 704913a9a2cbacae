import { stat } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { setImmediate as nextTurn, setTimeout as pause } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { StoreError } from '../../store.ts';
import { limitDiskWork, type RunOnDisk } from '../disk.ts';
import { type Database, likeEscape, type SqlDriver, type SqlRow, toStoreError } from './driver.ts';

/** The delay between attempts while a writer has the file locked. */
const retryDelayMs = 5;

/** A statement blocks the process, for 1 to 2 ms with this number of small sessions. */
const maxIdsPerStatement = 100;

/** Primary result codes of sqlite3.h. */
const codes = { error: 1, busy: 5, readOnly: 8, corrupt: 11, notADatabase: 26 };

const fromDigits = (column: string) => {
  const part = (at: number, length: number) => `substr(${column}, ${at}, ${length})`;
  const [date, time] = [
    [part(1, 4), part(5, 2), part(7, 2)],
    [part(9, 2), part(11, 2), part(13, 2)],
  ];
  return `${date.join(` || '-' || `)} || ' ' || ${time.join(` || ':' || `)}`;
};

/**
 * `sqlite:PATH`, relative or absolute, with the option `timeout=`. SQLite has no time zone, so `datetime` is in the time
 * zone of this process (TZ). SQLite's own functions, such as CURRENT_TIMESTAMP, write `utc`.
 */
export const sqlite: SqlDriver = {
  quote: '"',
  // A text may contain any bytes, and substr() ends a text at the first NUL, but not a BLOB.
  start: (column, length) => `substr(CAST(${column} AS BLOB), 1, ${length})`,
  // Unlike length(), octet_length() does not read a text.
  bytes: (column) => `octet_length(${column})`,
  // A text may contain a number. A value of another type becomes NULL.
  value: (unit, column) =>
    ({
      unix: `CASE WHEN CAST(${column} AS TEXT) NOT GLOB '*[^0-9.]*' THEN CAST(${column} AS NUMERIC) END`,
      datetime: `datetime(${column})`,
      utc: `datetime(${column})`,
      digits: `CAST(${column} AS TEXT)`,
    })[unit],
  moment: (unit, ago) =>
    ({
      unix: `unixepoch('now', '${-ago} seconds')`,
      datetime: `datetime('now', '${-ago} seconds', 'localtime')`,
      utc: `datetime('now', '${-ago} seconds')`,
      digits: `strftime('%Y%m%d%H%M%S', 'now', '${-ago} seconds')`,
    })[unit],
  until: (unit, column) =>
    `CAST(${
      {
        unix: column,
        datetime: `unixepoch(${column}, 'utc')`,
        utc: `unixepoch(${column})`,
        digits: `unixepoch(${fromDigits(column)})`,
      }[unit]
    } - unixepoch() AS TEXT)`,
  // The first condition uses the index.
  exactly: (column) =>
    `${column} IN (:id, CAST(:id AS BLOB)) AND CAST(${column} AS BLOB) = CAST(:id AS BLOB)`,
  update: (table, assignment, condition) => `UPDATE ${table} SET ${assignment} WHERE ${condition}`,
  locate({ user, password, hosts, path, options }) {
    if (user !== '' || password !== '' || hosts.length > 0 || path === '') {
      throw new TypeError(
        'sqlite: must be followed by the path of the file, as in sqlite:/var/lib/site/site.db',
      );
    }
    const timeoutMs = options.timeout();
    return () => new SqliteFile(resolve(path), timeoutMs);
  },
};

type Mode = 'ro' | 'rw';

export interface SqliteSearch {
  location: string;
  sql: string;
  pattern: string;
}

/** `failed` has the fields of an error, because a message between threads drops the code of an Error. */
export type SearchReply =
  | { rows: object[] }
  | { failed: { code: string | undefined; errcode: number | undefined; message: string } };

/**
 * Opens the file read-only, and a second time for writing when a session is renewed. Statements are repeated while the
 * file is locked, because waiting in SQLite would block the process.
 */
class SqliteFile implements Database {
  readonly timeoutMs: number;
  readonly #path: string;
  readonly #runOnDisk: RunOnDisk;
  readonly #open = new Map<Mode, { db: DatabaseSync; file: string }>();
  #closed = false;

  constructor(path: string, timeoutMs: number) {
    this.#path = path;
    this.timeoutMs = timeoutMs;
    this.#runOnDisk = limitDiskWork(timeoutMs, `the SQLite file ${path}`);
  }

  async rows(select: string, ids: readonly string[]): Promise<SqlRow[]> {
    const deadline = performance.now() + this.timeoutMs;
    const rows: SqlRow[] = [];
    for (let n = 0; n < ids.length; n += maxIdsPerStatement) {
      if (n > 0) await nextTurn();
      const batch = ids.slice(n, n + maxIdsPerStatement);
      rows.push(...(await this.#whenFree('ro', deadline, (db) => this.#read(db, select, batch))));
    }
    return rows;
  }

  query(select: string): Promise<(string | null)[][]> {
    return this.#whenFree('ro', performance.now() + this.timeoutMs, (db) => {
      const rows = db.prepare(select).all();
      return rows.map((row) => Object.values(row).map(toText));
    });
  }

  search(select: string, column: string, pattern: string, limit: number): Promise<SqlRow[]> {
    const sql = `${select} WHERE ${column} LIKE :pattern ESCAPE '${likeEscape}' LIMIT ${limit}`;
    return this.#whenFree('ro', performance.now() + this.timeoutMs, () =>
      searchInThread({ location: locationOf(this.#path, 'ro'), sql, pattern }),
    );
  }

  async change(update: string, id: string): Promise<void> {
    const deadline = performance.now() + this.timeoutMs;
    await this.#whenFree('rw', deadline, (db) => db.prepare(update).run({ id }));
  }

  /** Repeats the work while a writer has the file locked. @param deadline by `performance.now()` */
  async #whenFree<T>(mode: Mode, deadline: number, work: (db: DatabaseSync) => T | Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work(await this.#openCurrent(mode));
      } catch (error) {
        const code = resultCode(error);
        if (code !== codes.busy) throw this.#toStoreError(error, code, mode);
        if (performance.now() + retryDelayMs > deadline) {
          throw new StoreError(
            `the SQLite file ${this.#path} was locked by a writer for ${this.timeoutMs} ms`,
          );
        }
      }
      await pause(retryDelayMs);
    }
  }

  close(): void {
    this.#closed = true;
    for (const { db } of this.#open.values()) db.close();
    this.#open.clear();
  }

  /** Opens the file, or opens it again if it was replaced. */
  async #openCurrent(mode: Mode): Promise<DatabaseSync> {
    const { DatabaseSync } = await import('node:sqlite');
    const { dev, ino } = await this.#runOnDisk(() => stat(this.#path));
    if (this.#closed) throw new StoreError('the store was closed');
    const file = `${dev}:${ino}`;
    const open = this.#open.get(mode);
    if (open?.file === file) return open.db;
    this.#open.delete(mode);
    open?.db.close();
    const db = new DatabaseSync(locationOf(this.#path, mode), { readOnly: mode === 'ro', timeout: 0 });
    this.#open.set(mode, { db, file });
    return db;
  }

  #read(db: DatabaseSync, select: string, ids: readonly string[]): SqlRow[] {
    // PHP writes IDs as texts or BLOBs, which SQLite never considers equal.
    // The parameter is named, because Node 22 and 24.0 do not bind ?1 by its number.
    const textsAndBlobs =
      'SELECT value FROM json_each(:ids) UNION ALL SELECT CAST(value AS BLOB) FROM json_each(:ids)';
    const rows = db.prepare(`${select} IN (${textsAndBlobs})`).all({ ids: JSON.stringify(ids) });
    return rows.map(toRow);
  }

  #toStoreError(error: unknown, code: number | undefined, mode: Mode): StoreError {
    if (error instanceof StoreError) return error;
    const { code: name, message } = error as NodeJS.ErrnoException;
    if (code === codes.error) {
      // SQLite has no code for a missing table or column.
      const missing = /^no such (table|column)\b/.exec(message)?.[1] ?? 'none';
      return toStoreError({ code: missing }, { table: 'table', column: 'column' });
    }
    if (name === 'ERR_UNKNOWN_BUILTIN_MODULE')
      return new StoreError(`sqlite: needs Node 22.13 or later, and this is ${process.version}`);
    if (name === 'ENOENT') return new StoreError(`there is no SQLite file ${this.#path}`);
    if (code === codes.readOnly && mode === 'rw') {
      return new StoreError(
        `the SQLite file ${this.#path} cannot be written to, so no session can be renewed: let this server write to it and its folder`,
      );
    }
    if (code === codes.corrupt || code === codes.notADatabase)
      return new StoreError(`${this.#path} is not an SQLite database, or it is damaged (${code})`);
    return new StoreError(
      `the SQLite file ${this.#path} cannot be read (${code ?? name}): run this server as the user of the PHP site`,
    );
  }
}

/** Returns the file's URL for SQLite. Without a mode, SQLite would create a missing file. */
const locationOf = (path: string, mode: Mode) => `${pathToFileURL(path)}?mode=${mode}`;

/** The idle thread of the last search, because starting a thread takes longer than most searches. */
let idleThread: Worker | undefined;

function startThread(): Worker {
  // In the package both files are compiled.
  const thread = new Worker(new URL(`./sqlite-search-thread${extname(import.meta.url)}`, import.meta.url));
  // `searchInThread` handles the exit, which follows each error.
  thread.on('error', () => {});
  thread.on('exit', () => {
    if (idleThread === thread) idleThread = undefined;
  });
  return thread;
}

/** Searches in a thread, because reading the whole table would block the process. */
async function searchInThread(search: SqliteSearch): Promise<SqlRow[]> {
  const thread = idleThread ?? startThread();
  idleThread = undefined;
  thread.ref();
  const reply = await new Promise<SearchReply>((resolve, reject) => {
    const onExit = () => reject(new StoreError('the thread that searches the SQLite file exited'));
    thread.once('exit', onExit);
    thread.once('message', (reply: SearchReply) => {
      thread.off('exit', onExit);
      resolve(reply);
    });
    thread.postMessage(search);
  });
  if (idleThread !== undefined) void thread.terminate();
  else {
    idleThread = thread;
    // An idle thread must not keep the process running.
    thread.unref();
  }
  if ('failed' in reply) throw reply.failed;
  return reply.rows.map(toRow);
}

function toRow(row: object): SqlRow {
  const [id, data, state] = Object.values(row) as [Uint8Array, Uint8Array | null, string | null];
  return { id: String(Buffer.from(id)), data: data && Buffer.from(data), state, exact: true };
}

const toText = (value: SQLOutputValue) =>
  value === null ? null : value instanceof Uint8Array ? String(Buffer.from(value)) : String(value);

function resultCode(error: unknown): number | undefined {
  const { errcode } = error as { errcode?: number };
  return errcode === undefined ? undefined : errcode & 0xff;
}
