import { batched } from '../batch.ts';
import type { Database, Row, SqlDriver } from '../sql/driver.ts';
import { endSql, identifier, readEnd } from '../sql/end.ts';
import { maxSessionBytes, type SessionStore, StoreError } from '../store.ts';
import type { StoreKind } from '../store-url.ts';

/** No prefix and id are longer together. */
const maxIdBytes = 512;

/** For a session that is there, but nobody can say what PHP reads in it, or whether it is over. */
const unclear = { text: Buffer.alloc(0), end: Buffer.alloc(0) };

/**
 * `mysql://USER:PASSWORD@HOST/DATABASE` (or `mariadb:`), `postgres://USER:PASSWORD@HOST/DATABASE` (or `postgresql:`),
 * `sqlite:PATH`: a table with a row for each session. Options:
 * - `table=`, which may be `schema.table`, `id=` and `data=`: the table and its columns, text or bytes;
 * - `expires=` the column with the end of a session, told as `expires_unit=` says: see `units`;
 * - or `last=` the column with its last use, told as `last_unit=` or `expires_unit=` says, and `lifetime=` how long it
 *   lives on (default 1440 s; 0: for ever). Without either, a session lives as long as its row, and so does one with
 *   NULL there;
 * - `prefix=` before the id in the table;
 * - and those of the kind of database: `readServer`, `sqlite`.
 *
 * A table of another form (only rows with some status count, the user is a column of its own) becomes one of this form
 * by a view.
 */
export function sqlStore(driver: SqlDriver): StoreKind {
  return (url) => {
    const { options } = url;
    const quoted = (name: string) =>
      name
        .split('.')
        .map((part) => driver.quote + part + driver.quote)
        .join('.');
    const table = quoted(identifier('table', options.take('table'), /^[\w$#]+(\.[\w$#]+)?$/));
    const id = quoted(identifier('id', options.take('id')));
    const data = quoted(identifier('data', options.take('data')));
    const end = readEnd(options);
    const ending = end && endSql(driver, quoted(end.column), end);
    const select = (bytes: string, state = `'live'`) =>
      `SELECT ${driver.start(id, maxIdBytes)}, ${bytes}, ${state} FROM ${table} WHERE ${id}`;
    const statements: Statements = {
      read: select(driver.start(data, maxSessionBytes + 1), ending?.state),
      remaining: select('NULL', ending?.remaining),
      after: end?.after ?? 0,
      renew:
        ending &&
        ((seconds) =>
          driver.update(table, ending.renewed(seconds), `${driver.exactly(id)} AND ${ending.live}`)),
    };
    const prefix = options.prefix('');
    const locate = driver.locate(url);
    return {
      format: 'php',
      ...(end !== undefined && end.after > 0 ? { lifetime: end.after } : {}),
      open: () => openSql(locate(), statements, prefix),
    };
  };
}

/** What is put to the database: see `Database`. */
interface Statements {
  read: string;
  /** As third column it has seconds, to which come those of `after`, or a state in words. */
  remaining: string;
  after: number;
  /** Undefined where a session lives as long as its row. */
  renew: ((seconds: number) => string) | undefined;
}

function openSql(database: Database, statements: Statements, prefix: string): SessionStore {
  async function rowsOf(select: string, ids: readonly string[]): Promise<[id: string, row: Row][]> {
    const rows = await database.rows(
      select,
      ids.map((id) => prefix + id),
    );
    // Compared here once more: to a database `A` and `a` may be the same, and so may `a` and `a `.
    const found = new Map(rows.map((row) => [row.id, row]));
    return ids.flatMap((id): [string, Row][] => {
      const row = found.get(prefix + id);
      return row === undefined ? [] : [[id, row]];
    });
  }

  const read = batched(async (ids) => {
    const rows = await rowsOf(statements.read, ids);
    return new Map(
      rows.flatMap(([id, { state, exact, data }]): [string, Buffer][] => {
        if (state === 'over') return [];
        if (state === null) return [[id, unclear.end]];
        return [[id, exact ? (data ?? Buffer.alloc(0)) : unclear.text]];
      }),
    );
  });

  const seconds = batched(async (ids) => {
    const rows = await rowsOf(statements.remaining, ids);
    return new Map(
      rows.map(([id, { state }]): [string, number] => {
        if (state === 'live') return [id, Number.POSITIVE_INFINITY];
        if (state === 'over') return [id, 0];
        return [id, state === null ? Number.NaN : Math.max(0, Number(state) + statements.after)];
      }),
    );
  });

  const { renew } = statements;
  return {
    async get(id) {
      const bytes = await read(id);
      if (bytes === unclear.end) throw noTime();
      if (bytes === unclear.text) {
        throw new StoreError(
          'data= is text with more than ASCII in it: say charset=utf8mb4 or charset=latin1, as PHP’s own connection has it',
        );
      }
      return bytes;
    },
    async remaining(id) {
      const left = await seconds(id);
      if (Number.isNaN(left)) throw noTime();
      return left && left * 1000;
    },
    async touch(id, life) {
      if (renew !== undefined) await database.change(renew(life), prefix + id);
    },
    ...(database.watch && { watch: database.watch.bind(database) }),
    close: () => database.close(),
  };
}

function noTime(): StoreError {
  return new StoreError(
    'the column that expires= or last= names tells no time in expires_unit= or last_unit=',
  );
}
