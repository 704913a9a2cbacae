import { stat } from 'node:fs/promises';
import { extname, resolve } from 'node:path';
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite';
import { setTimeout as pause, setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { Worker } from 'node:worker_threads';
import { StoreError } from '../../store.ts';
import { limitDiskWork, type RunOnDisk } from '../disk.ts';
import { type Database, failure, likeEscape, type SqlDriver, type SqlRow } from './driver.ts';

/** While a writer has the file locked, the question is repeated after so many milliseconds. */
const betweenTries = 5;

/** A statement blocks this process: so many small sessions take a millisecond or two. */
const mostAtOnce = 100;

/** Primary result codes: sqlite3.h. */
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
 * `sqlite:PATH`, relative or absolute. Option: `timeout=`. SQLite knows no time zone, so `datetime` is in that of this
 * process (TZ); its own functions, such as CURRENT_TIMESTAMP, write `utc`.
 */
export const sqlite: SqlDriver = {
  quote: '"',
  // A text may hold any bytes; only as a BLOB it does not end at the first NUL.
  start: (column, length) => `substr(CAST(${column} AS BLOB), 1, ${length})`,
  // The only function for this that does not read the column.
  bytes: (column) => `octet_length(${column})`,
  // A value of another kind becomes NULL; a text may hold a number.
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
      throw new TypeError('sqlite: is followed by the path of the file, as in sqlite:/var/lib/site/site.db');
    }
    const timeout = options.timeout();
    return () => new SqliteFile(resolve(path), timeout);
  },
};

type Mode = 'ro' | 'rw';

export interface SqliteSearch {
  location: string;
  sql: string;
  pattern: string;
}

/** `failed`: the error's fields, because a message between threads drops the code of an error. */
export type SearchReply =
  | { rows: object[] }
  | { failed: { code: string | undefined; errcode: number | undefined; message: string } };

/**
 * The file is opened for reading only, and a second time for writing when a session is renewed. SQLite's own waiting
 * for a lock would block this whole process. Here it does not wait, and the question is repeated.
 */
class SqliteFile implements Database {
  readonly timeout: number;
  readonly #path: string;
  readonly #runOnDisk: RunOnDisk;
  readonly #open = new Map<Mode, { db: DatabaseSync; file: string }>();
  #closed = false;

  constructor(path: string, timeout: number) {
    this.#path = path;
    this.timeout = timeout;
    this.#runOnDisk = limitDiskWork(timeout, `the SQLite file ${path}`);
  }

  async rows(select: string, ids: readonly string[]): Promise<SqlRow[]> {
    const deadline = performance.now() + this.timeout;
    const rows: SqlRow[] = [];
    for (let n = 0; n < ids.length; n += mostAtOnce) {
      if (n > 0) await turnOfTheLoop();
      const some = ids.slice(n, n + mostAtOnce);
      rows.push(...(await this.#whenFree('ro', deadline, (db) => this.#read(db, select, some))));
    }
    return rows;
  }

  query(select: string): Promise<(string | null)[][]> {
    return this.#whenFree('ro', performance.now() + this.timeout, (db) => {
      const rows = db.prepare(select).all();
      return rows.map((row) => Object.values(row).map(asText));
    });
  }

  search(select: string, column: string, pattern: string, limit: number): Promise<SqlRow[]> {
    const sql = `${select} WHERE ${column} LIKE :pattern ESCAPE '${likeEscape}' LIMIT ${limit}`;
    return this.#whenFree('ro', performance.now() + this.timeout, () =>
      inThread({ location: locationOf(this.#path, 'ro'), sql, pattern }),
    );
  }

  async change(update: string, id: string): Promise<void> {
    const deadline = performance.now() + this.timeout;
    await this.#whenFree('rw', deadline, (db) => db.prepare(update).run({ id }));
  }

  /** @param deadline how long to wait for a writer, by `performance.now()` */
  async #whenFree<T>(mode: Mode, deadline: number, work: (db: DatabaseSync) => T | Promise<T>): Promise<T> {
    for (;;) {
      try {
        return await work(await this.#current(mode));
      } catch (error) {
        const code = resultCode(error);
        if (code !== codes.busy) throw this.#failure(error, code, mode);
        if (performance.now() + betweenTries > deadline) {
          throw new StoreError(`the SQLite file ${this.#path} was locked by a writer for ${this.timeout} ms`);
        }
      }
      await pause(betweenTries);
    }
  }

  close(): void {
    this.#closed = true;
    for (const { db } of this.#open.values()) db.close();
    this.#open.clear();
  }

  /** The file that is open may no longer be the one of this name: another one may have taken its place. */
  async #current(mode: Mode): Promise<DatabaseSync> {
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
    // SQLite distinguishes a text and a BLOB of the same bytes, and PHP writes either.
    // Bound by a name, since Node 22 and 24.0 do not bind ?1 by its number.
    const both =
      'SELECT value FROM json_each(:ids) UNION ALL SELECT CAST(value AS BLOB) FROM json_each(:ids)';
    const rows = db.prepare(`${select} IN (${both})`).all({ ids: JSON.stringify(ids) });
    return rows.map(asRow);
  }

  #failure(error: unknown, code: number | undefined, mode: Mode): StoreError {
    if (error instanceof StoreError) return error;
    const { code: name, message } = error as NodeJS.ErrnoException;
    if (code === codes.error) {
      // SQLite has no codes of their own for the two errors that matter.
      const missing = /^no such (table|column)\b/.exec(message)?.[1] ?? 'none';
      return failure({ code: missing }, { table: 'table', column: 'column' });
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

/** Without the mode SQLite would create a file that was removed a moment ago. */
const locationOf = (path: string, mode: Mode) => `${pathToFileURL(path)}?mode=${mode}`;

/** The idle thread of the last search, because most searches take less time than the start of a thread. */
let searcher: Worker | undefined;

function startSearcher(): Worker {
  // In the package this file and the thread's have been compiled.
  const thread = new Worker(new URL(`./sqlite-search-thread${extname(import.meta.url)}`, import.meta.url));
  // A thread that has ended would answer no search. Its error comes before its exit.
  thread.on('error', () => {});
  thread.on('exit', () => {
    if (searcher === thread) searcher = undefined;
  });
  return thread;
}

/** Searches in a thread, because a search may read the whole table and would block this process. */
async function inThread(search: SqliteSearch): Promise<SqlRow[]> {
  const thread = searcher ?? startSearcher();
  searcher = undefined;
  thread.ref();
  const reply = await new Promise<SearchReply>((resolve, reject) => {
    const ended = () => reject(new StoreError('the thread that searches the SQLite file has ended'));
    thread.once('exit', ended);
    thread.once('message', (reply: SearchReply) => {
      thread.off('exit', ended);
      resolve(reply);
    });
    thread.postMessage(search);
  });
  if (searcher !== undefined) void thread.terminate();
  else {
    searcher = thread;
    // The idle thread does not keep the process running.
    thread.unref();
  }
  if ('failed' in reply) throw reply.failed;
  return reply.rows.map(asRow);
}

function asRow(row: object): SqlRow {
  const [id, data, state] = Object.values(row) as [Uint8Array, Uint8Array | null, string | null];
  return { id: String(Buffer.from(id)), data: data && Buffer.from(data), state, exact: true };
}

const asText = (value: SQLOutputValue) =>
  value === null ? null : value instanceof Uint8Array ? String(Buffer.from(value)) : String(value);

function resultCode(error: unknown): number | undefined {
  const { errcode } = error as { errcode?: number };
  return errcode === undefined ? undefined : errcode & 0xff;
}
