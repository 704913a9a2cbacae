import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { setTimeout as pause, setImmediate as turnOfTheLoop } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { StoreError } from '../../store.ts';
import { turns } from '../files/semaphore.ts';
import type { Database, Row, SqlDriver } from './driver.ts';
import { failure } from './failures.ts';

/** While a writer has the file to itself, it is asked again after so many milliseconds. */
const betweenTries = 5;

/** A statement stops this process until it is done: of small sessions so many take a millisecond or two. */
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
 * process (TZ); what its own functions write (CURRENT_TIMESTAMP) is `utc`.
 */
export const sqlite: SqlDriver = {
  quote: '"',
  // A text may hold any bytes, and anything but the BLOB of it ends at the first NUL.
  start: (column, length) => `substr(CAST(${column} AS BLOB), 1, ${length})`,
  // Of all there is for this, the one that does not read the column.
  bytes: (column) => `octet_length(${column})`,
  // What is none of its kind becomes NULL; a text may hold a number.
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
  // The first is for its index.
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

/** For reading only, as long as nothing else is wanted. */
type Mode = 'ro' | 'rw';

/**
 * The file is opened for reading only, and once more for writing when a session is renewed. SQLite's own waiting for a lock would stop this whole process, so here it does
 * not wait, and is asked again.
 */
class SqliteFile implements Database {
  readonly timeout: number;
  readonly #path: string;
  readonly #inTurn: ReturnType<typeof turns>;
  readonly #open = new Map<Mode, { db: DatabaseSync; file: string }>();
  #closed = false;

  constructor(path: string, timeout: number) {
    this.#path = path;
    this.timeout = timeout;
    this.#inTurn = turns(timeout, `the SQLite file ${path}`);
  }

  async rows(select: string, ids: readonly string[]): Promise<Row[]> {
    const deadline = performance.now() + this.timeout;
    const rows: Row[] = [];
    for (let n = 0; n < ids.length; n += mostAtOnce) {
      if (n > 0) await turnOfTheLoop();
      const some = ids.slice(n, n + mostAtOnce);
      rows.push(...(await this.#whenFree('ro', deadline, (db) => this.#read(db, select, some))));
    }
    return rows;
  }

  async change(update: string, id: string): Promise<void> {
    const deadline = performance.now() + this.timeout;
    await this.#whenFree('rw', deadline, (db) => db.prepare(update).run({ id }));
  }

  /** @param deadline until when it is waited for who writes, by `performance.now()` */
  async #whenFree<T>(mode: Mode, deadline: number, work: (db: DatabaseSync) => T): Promise<T> {
    for (;;) {
      try {
        return work(await this.#current(mode));
      } catch (error) {
        const code = resultCode(error);
        if (code !== codes.busy) throw this.#failure(error, code, mode);
        if (performance.now() + betweenTries > deadline) {
          throw new StoreError(
            `the SQLite file ${this.#path} was locked for ${this.timeout} ms by who writes`,
          );
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

  /** Whoever puts another file in its place leaves the old one to those who have it open. */
  async #current(mode: Mode): Promise<DatabaseSync> {
    const { DatabaseSync } = await import('node:sqlite');
    const { dev, ino } = await this.#inTurn(() => stat(this.#path));
    if (this.#closed) throw new StoreError('the store was closed');
    const file = `${dev}:${ino}`;
    const open = this.#open.get(mode);
    if (open?.file === file) return open.db;
    this.#open.delete(mode);
    open?.db.close();
    // A file that was there a moment ago would be made anew without the mode.
    const location = `${pathToFileURL(this.#path)}?mode=${mode}`;
    const db = new DatabaseSync(location, { readOnly: mode === 'ro', timeout: 0 });
    this.#open.set(mode, { db, file });
    return db;
  }

  #read(db: DatabaseSync, select: string, ids: readonly string[]): Row[] {
    // To SQLite a text and a BLOB of the same bytes are two things; PHP writes either.
    // By a name, since Node 22 and 24.0 do not bind ?1 by its number.
    const both =
      'SELECT value FROM json_each(:ids) UNION ALL SELECT CAST(value AS BLOB) FROM json_each(:ids)';
    const rows = db.prepare(`${select} IN (${both})`).all({ ids: JSON.stringify(ids) });
    return rows.map((row) => {
      const [id, data, state] = Object.values(row) as [Uint8Array, Uint8Array | null, string | null];
      return { id: String(Buffer.from(id)), data: data && Buffer.from(data), state, exact: true };
    });
  }

  #failure(error: unknown, code: number | undefined, mode: Mode): StoreError {
    if (error instanceof StoreError) return error;
    const { code: name, message } = error as NodeJS.ErrnoException;
    if (code === codes.error) {
      // Of its two messages that matter it gives the code of neither.
      const missing = /^no such (table|column)\b/.exec(message)?.[1] ?? 'none';
      return failure({ code: missing }, { table: 'table', column: 'column' });
    }
    if (name === 'ERR_UNKNOWN_BUILTIN_MODULE')
      return new StoreError(`sqlite: needs Node 22.13 or later, and this is ${process.version}`);
    if (name === 'ENOENT') return new StoreError(`there is no SQLite file ${this.#path}`);
    if (code === codes.readOnly && mode === 'rw') {
      return new StoreError(
        `the SQLite file ${this.#path} cannot be written to, so no session is kept alive: let this server write to it and its folder`,
      );
    }
    if (code === codes.corrupt || code === codes.notADatabase)
      return new StoreError(`${this.#path} is no SQLite database, or a damaged one (${code})`);
    return new StoreError(
      `the SQLite file ${this.#path} cannot be read (${code ?? name}): run this server as the user of the PHP site`,
    );
  }
}

function resultCode(error: unknown): number | undefined {
  const { errcode } = error as { errcode?: number };
  return errcode === undefined ? undefined : errcode & 0xff;
}
