import type { StoreKind } from '../../source.ts';
import { maxSessionBytes, SessionBusyError, type SessionStore } from '../../store.ts';
import { batched } from '../batch.ts';
import { LargeSessions } from '../large-sessions.ts';
import type { Database, Row, SqlDriver } from './driver.ts';
import { endSql, identifier, readEnd } from './end.ts';

/** No prefix and id are longer together. */
const maxIdBytes = 512;
/** Sessions of up to so many bytes are asked for together. */
const maxSmallBytes = 16 * 1024;
/** Of the others so many. */
const largeTogether = 4;

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
    const select = (bytes: string, state: string) =>
      `SELECT ${driver.start(id, maxIdBytes)}, ${bytes}, ${state} FROM ${table} WHERE ${id}`;
    const large = `${driver.bytes(data)} > ${maxSmallBytes}`;
    const size = `CASE WHEN ${large} THEN 'large' ELSE 'live' END`;
    const state = ending?.state(size) ?? size;
    const bySize = (bytes: string) => ({
      together: select(`CASE WHEN ${large} THEN NULL ELSE ${bytes} END`, state),
      apart: select(bytes, state),
    });
    const statements: Statements = {
      read: bySize(driver.start(data, maxSessionBytes + 1)),
      version: driver.digest && bySize(driver.digest(data)),
      remaining: select('NULL', ending?.remaining ?? `'live'`),
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

/** `together` has no bytes of what is large, which is asked for by `apart`. State: `live`, `large`, or as in `EndSql`. */
interface BySize {
  together: string;
  apart: string;
}

/** What is put to the database: see `Database`. */
interface Statements {
  read: BySize;
  /** Undefined where it is read as fast. */
  version: BySize | undefined;
  /** As third column it has seconds, to which come those of `after`, or a state in words. */
  remaining: string;
  after: number;
  /** Undefined where a session lives as long as its row. */
  renew: ((seconds: number) => string) | undefined;
}

function openSql(database: Database, statements: Statements, prefix: string): SessionStore {
  const { version, renew } = statements;
  const large = new LargeSessions(database.timeout, 'the database');

  async function rowsOf(select: string, ids: readonly string[]): Promise<Map<string, Row>> {
    const rows = await database.rows(
      select,
      ids.map((id) => prefix + id),
    );
    // Compared here once more: to a database `A` and `a` may be the same, and so may `a` and `a `.
    const found = new Map(rows.map((row) => [row.id, row]));
    return new Map(
      ids.flatMap((id): [string, Row][] => {
        const row = found.get(prefix + id);
        return row === undefined ? [] : [[id, row]];
      }),
    );
  }

  function askedBySize(select: BySize): (id: string) => Promise<Row | null> {
    const together = batched((ids) => rowsOf(select.together, ids));
    const apart = batched((ids) => large.inTurn(() => rowsOf(select.apart, ids)), largeTogether);
    const asked = async (id: string, question: typeof together) => {
      const row = await question(id);
      large.note(id, row?.state === 'large');
      return row;
    };
    return async (id) => {
      // To some databases the length alone is as much work as all of it.
      const row = large.has(id) ? null : await asked(id, together);
      return large.has(id) ? asked(id, apart) : row;
    };
  }

  const read = askedBySize(statements.read);
  const versionOf = version && askedBySize(version);
  const life = batched((ids) => rowsOf(statements.remaining, ids));
  return {
    async get(id) {
      const row = await read(id);
      if (row === null || row.state === 'over') return null;
      if (row.state === null) throw noTime();
      if (!row.exact) {
        throw new SessionBusyError(
          'data= is text with more than ASCII in it: say charset=utf8mb4 or charset=latin1, as PHP’s own connection has it',
        );
      }
      return row.data ?? Buffer.alloc(0);
    },
    ...(versionOf && {
      async version(id) {
        const row = await versionOf(id);
        // What is over has not changed.
        const there = row?.state === 'live' || row?.state === 'large';
        return there && row.data !== null ? String(row.data) : null;
      },
    }),
    async remaining(id) {
      const state = (await life(id))?.state;
      switch (state) {
        case undefined:
          return null;
        case null:
          throw noTime();
        case 'live':
          return Number.POSITIVE_INFINITY;
        case 'over':
          return 0;
        default:
          return Math.max(0, Number(state) + statements.after) * 1000;
      }
    },
    async touch(id, life) {
      if (renew !== undefined) await database.change(renew(life), prefix + id);
    },
    ...(database.watch && { watch: database.watch.bind(database) }),
    close: () => database.close(),
  };
}

function noTime(): SessionBusyError {
  return new SessionBusyError(
    'the column that expires= or last= names tells no time in expires_unit= or last_unit=',
  );
}
