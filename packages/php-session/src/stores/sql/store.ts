import type { StoreKind, UrlOptions } from '../../source.ts';
import { maxKeys, maxSessionBytes, SessionBusyError, type SessionStore } from '../../store.ts';
import { batchLookups, LargeSessionQueue } from '../lookups.ts';
import { type Database, type SqlDriver, type SqlRow, type Unit, units } from './driver.ts';

/** The limit of a prefix and an ID together. */
const maxIdBytes = 512;
/** Larger sessions are read separately. */
const maxSmallBytes = 16 * 1024;
const maxLargePerQuery = 4;
/** A datetime read as a number exceeds this limit. */
const maxUnixSeconds = 99_999_999_999;

/**
 * Reads a table with one row per session: `mysql://USER:PASSWORD@HOST/DATABASE` (or `mariadb:`),
 * `postgres://USER:PASSWORD@HOST/DATABASE` (or `postgresql:`), `sqlite:PATH`. Options:
 * - `table=`, which may be `schema.table`;
 * - `id=` and `data=`: the columns of the ID and the session, text or bytes;
 * - `expires=`: the column with the expiry time, in the unit `expires_unit=` (see `units`);
 * - or `last=`: the column with the last use, in the unit `last_unit=` or `expires_unit=`, and `lifetime=`: the TTL after
 *   it (default 1440 s, 0 for no expiry). Without such a column, or with NULL in it, a session lives as long as its row;
 * - `prefix=` before the ID in the table;
 * - the options of `readServer` or `sqlite`.
 *
 * A view can adapt other tables, for example if only rows with a certain status count.
 */
export function sqlStore(driver: SqlDriver): StoreKind {
  return (url) => {
    const { options } = url;
    const quoted = (name: string) =>
      name
        .split('.')
        .map((part) => driver.quote + part + driver.quote)
        .join('.');
    const table = quoted(requireName('table', options.take('table'), /^[\w$#]+(\.[\w$#]+)?$/));
    const id = quoted(requireName('id', options.take('id')));
    const data = quoted(requireName('data', options.take('data')));
    const expiry = readExpiry(options);
    const expiring = expiry && expirySql(driver, quoted(expiry.column), expiry);
    const select = (bytes: string, state: string) =>
      `SELECT ${driver.start(id, maxIdBytes)}, ${bytes}, ${state} FROM ${table} WHERE ${id}`;
    const isLarge = `${driver.bytes(data)} > ${maxSmallBytes}`;
    const size = `CASE WHEN ${isLarge} THEN 'large' ELSE 'live' END`;
    const state = expiring?.state(size) ?? size;
    const bySize = (bytes: string) => ({
      small: select(`CASE WHEN ${isLarge} THEN NULL ELSE ${bytes} END`, state),
      large: select(bytes, state),
    });
    const statements: Statements = {
      read: bySize(driver.start(data, maxSessionBytes + 1)),
      version: driver.digest && bySize(driver.digest(data)),
      ttl: select('NULL', expiring?.ttl ?? `'live'`),
      after: expiry?.after ?? 0,
      ending: (pattern) =>
        `SELECT ${driver.start(id, maxIdBytes)} FROM ${table} WHERE ${id} LIKE '${pattern}' LIMIT ${maxKeys}`,
      renew:
        expiring &&
        ((seconds) =>
          driver.update(table, expiring.renewed(seconds), `${driver.exactly(id)} AND ${expiring.live}`)),
    };
    const prefix = options.prefix('');
    const locate = driver.locate(url);
    return {
      format: 'php',
      lifetime: expiry !== undefined && expiry.after > 0 ? expiry.after : undefined,
      open: () => openSql(locate(), statements, prefix),
    };
  };
}

/** Selects for `Database.rows`. `small` omits the bytes of large sessions. State: `live`, `large`, or as in `ExpirySql`. */
interface BySize {
  small: string;
  large: string;
}

interface Statements {
  read: BySize;
  /** Undefined if reading the session is as fast. */
  version: BySize | undefined;
  /** The state is a word, or the number of seconds to add to `after`. */
  ttl: string;
  after: number;
  /** Selects the IDs that match a LIKE pattern. */
  ending(pattern: string): string;
  /** Undefined if sessions live as long as their rows. */
  renew: ((seconds: number) => string) | undefined;
}

function openSql(database: Database, statements: Statements, prefix: string): SessionStore {
  const { version, renew } = statements;
  const large = new LargeSessionQueue(database.timeoutMs, 'the database');

  async function readRows(select: string, ids: readonly string[]): Promise<Map<string, SqlRow>> {
    const rows = await database.rows(
      select,
      ids.map((id) => prefix + id),
    );
    const rowById = new Map(rows.map((row) => [row.id, row]));
    // A database may also return `A` or `a ` for the ID `a`.
    return new Map(
      ids.flatMap((id): [string, SqlRow][] => {
        const row = rowById.get(prefix + id);
        return row === undefined ? [] : [[id, row]];
      }),
    );
  }

  function readerBySize(select: BySize): (id: string) => Promise<SqlRow | null> {
    const readSmall = batchLookups((ids) => readRows(select.small, ids));
    const readLarge = batchLookups((ids) => large.run(() => readRows(select.large, ids)), maxLargePerQuery);
    const readAndRecord = async (id: string, read: typeof readSmall) => {
      const row = await read(id);
      large.record(id, row?.state === 'large');
      return row;
    };
    return async (id) => {
      // Skips the small read of large sessions, because computing the length may take as long as reading the value.
      const row = large.has(id) ? null : await readAndRecord(id, readSmall);
      return large.has(id) ? readAndRecord(id, readLarge) : row;
    };
  }

  const read = readerBySize(statements.read);
  const readVersion = version && readerBySize(version);
  const readTtl = batchLookups((ids) => readRows(statements.ttl, ids));
  return {
    async get(id) {
      const row = await read(id);
      if (row === null || row.state === 'expired') return null;
      if (row.state === null) throw invalidTime();
      if (!row.exact) {
        throw new SessionBusyError(
          'data= contains non-ASCII text: add charset=utf8mb4 or charset=latin1, as in PHP’s own connection',
        );
      }
      return row.data ?? Buffer.alloc(0);
    },
    ...(readVersion && {
      async version(id) {
        const row = await readVersion(id);
        // A session may expire without a change of its digest.
        const isLive = row?.state === 'live' || row?.state === 'large';
        return isLive && row.data !== null ? String(row.data) : null;
      },
    }),
    async ttl(id) {
      const state = (await readTtl(id))?.state;
      switch (state) {
        case undefined:
          return null;
        case null:
          throw invalidTime();
        case 'live':
          return Number.POSITIVE_INFINITY;
        case 'expired':
          return 0;
        default:
          return Math.max(0, Number(state) + statements.after) * 1000;
      }
    },
    async touch(id, seconds) {
      if (renew !== undefined) await database.change(renew(seconds), prefix + id);
    },
    subscribe: database.subscribe?.bind(database),
    ...(renew === undefined && { checkRenewal: async () => undefined }),
    async keys(end) {
      // `_` matches any character. It replaces characters that could end the SQL text.
      const pattern = `%${end.replace(/[^A-Za-z0-9,-]/g, '_')}`;
      const rows = await database.query(statements.ending(pattern));
      return rows.map(([id]) => String(id)).filter((id) => id.endsWith(end));
    },
    close: () => database.close(),
  };
}

function invalidTime(): SessionBusyError {
  return new SessionBusyError(
    'a value in the column of expires= or last= is not a time in expires_unit= or last_unit=',
  );
}

/** A session expires `after` seconds after the time in a column. */
interface Expiry {
  column: string;
  unit: Unit;
  after: number;
}

/**
 * Reads the options of the expiry.
 * @returns undefined if sessions live as long as their rows
 * @throws TypeError with the fault
 */
function readExpiry(options: UrlOptions): Expiry | undefined {
  const [expires, last] = [options.take('expires'), options.take('last')];
  if (expires !== undefined && last !== undefined)
    throw new TypeError('expires= and last= cannot be used together');
  if (expires !== undefined) {
    return {
      column: requireName('expires', expires),
      unit: readUnit(options.take('expires_unit')),
      after: 0,
    };
  }
  if (last === undefined) return undefined;
  const after = options.seconds('lifetime', '1440');
  const unit = readUnit(options.take('last_unit') ?? options.take('expires_unit'));
  return after === 0 ? undefined : { column: requireName('last', last), unit, after };
}

function readUnit(name = 'unix'): Unit {
  const unit = units.find((unit) => unit === name);
  if (unit === undefined)
    throw new TypeError(`expires_unit= or last_unit= must be one of ${units.join(', ')}`);
  return unit;
}

/**
 * Returns the name of a table or column.
 * @throws TypeError unless the name fits `form`, by default the form of a column name
 */
function requireName(option: string, name: string | undefined, form = /^[\w$#]+$/): string {
  if (name === undefined)
    throw new TypeError(`${option}= is missing: the store URL must have table=, id= and data=`);
  if (!form.test(name)) throw new TypeError(`${option}= must be a name of letters, digits, _, $ and #`);
  return name;
}

/** SQL for the expiry of a session, by the clock of the database. */
interface ExpirySql {
  /** `expired`, NULL if the value of the column is not a time in its unit, otherwise the given expression. */
  state(live: string): string;
  /** `expired` or NULL as above, `live` for a session without expiry, or the seconds until the time in the column. */
  ttl: string;
  /** True for an unexpired session with an expiry. */
  live: string;
  /** The assignment that renews a session. With `last=`, `seconds` has no effect. */
  renewed(seconds: number): string;
}

/** Returns the SQL for an expiry. @param column quoted */
function expirySql(driver: SqlDriver, column: string, { unit, after }: Expiry): ExpirySql {
  const value = driver.value(unit, column);
  const isInvalid = `${value} IS NULL${unit === 'unix' ? ` OR ${value} > ${maxUnixSeconds}` : ''}`;
  const live = `${value} > ${driver.moment(unit, after)}`;
  const state = (endless: string, alive: string) =>
    `CASE WHEN ${column} IS NULL THEN ${endless} WHEN ${isInvalid} THEN NULL WHEN ${live} THEN ${alive} ELSE 'expired' END`;
  return {
    state: (expression) => state(expression, expression),
    ttl: state(`'live'`, driver.until(unit, column)),
    live: unit === 'unix' ? `${live} AND ${value} <= ${maxUnixSeconds}` : live,
    renewed: (seconds) => `${column} = ${driver.moment(unit, after === 0 ? -Math.ceil(seconds) : 0)}`,
  };
}
