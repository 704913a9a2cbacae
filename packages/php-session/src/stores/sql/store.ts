import type { StoreKind, UrlOptions } from '../../source.ts';
import { maxKeys, maxSessionBytes, SessionBusyError, type SessionStore } from '../../store.ts';
import { batchLookups, LargeSessionQueue } from '../lookups.ts';
import { type Database, type SqlDriver, type SqlRow, type Unit, units } from './driver.ts';

/** The most bytes of a prefix and an id together. */
const maxIdBytes = 512;
/** Sessions of up to so many bytes are asked for together. */
const maxSmallBytes = 16 * 1024;
/** Large rows that are asked for together. */
const largeTogether = 4;
/** Unix seconds stay below this for three thousand years. A datetime that is read as a number is above it. */
const maxUnixSeconds = 99_999_999_999;

/**
 * `mysql://USER:PASSWORD@HOST/DATABASE` (or `mariadb:`), `postgres://USER:PASSWORD@HOST/DATABASE` (or `postgresql:`),
 * `sqlite:PATH` read a table with a row for each session. Options:
 * - `table=`, which may be `schema.table`, `id=` and `data=`: the table and its columns, text or bytes;
 * - `expires=` the column with the moment at which a session expires, stored as `expires_unit=` says: see `units`;
 * - or `last=` the column with its last use, stored as `last_unit=` or `expires_unit=` says, and `lifetime=` the TTL
 *   after that (default 1440 s; 0: sessions do not expire). Without either column, and with NULL in it, a session lives
 *   as long as its row;
 * - `prefix=` before the id in the table;
 * - and those of the kind of database: `readServer`, `sqlite`.
 *
 * A view turns a table of another form into one of this form, for example if only rows with some status count, or if
 * the user is in a column.
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
    const expiry = readExpiry(options);
    const expiring = expiry && expirySql(driver, quoted(expiry.column), expiry);
    const select = (bytes: string, state: string) =>
      `SELECT ${driver.start(id, maxIdBytes)}, ${bytes}, ${state} FROM ${table} WHERE ${id}`;
    const large = `${driver.bytes(data)} > ${maxSmallBytes}`;
    const size = `CASE WHEN ${large} THEN 'large' ELSE 'live' END`;
    const state = expiring?.state(size) ?? size;
    const bySize = (bytes: string) => ({
      together: select(`CASE WHEN ${large} THEN NULL ELSE ${bytes} END`, state),
      apart: select(bytes, state),
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
      ...(expiry !== undefined && expiry.after > 0 ? { lifetime: expiry.after } : {}),
      open: () => openSql(locate(), statements, prefix),
    };
  };
}

/** `together` leaves out the bytes of large sessions, which `apart` reads. State: `live`, `large`, or as in `ExpirySql`. */
interface BySize {
  together: string;
  apart: string;
}

/** The SQL that the database is asked: see `Database`. */
interface Statements {
  read: BySize;
  /** Undefined if reading the session is as fast. */
  version: BySize | undefined;
  /** Its third column has seconds, to which `after` is added, or a state in words. */
  ttl: string;
  after: number;
  /** The IDs that match a pattern. */
  ending(pattern: string): string;
  /** Undefined if sessions live as long as their rows. */
  renew: ((seconds: number) => string) | undefined;
}

function openSql(database: Database, statements: Statements, prefix: string): SessionStore {
  const { version, renew } = statements;
  const large = new LargeSessionQueue(database.timeout, 'the database');

  async function rowsOf(select: string, ids: readonly string[]): Promise<Map<string, SqlRow>> {
    const rows = await database.rows(
      select,
      ids.map((id) => prefix + id),
    );
    // Compared here again: a database may consider `A` and `a` equal, and `a` and `a `.
    const found = new Map(rows.map((row) => [row.id, row]));
    return new Map(
      ids.flatMap((id): [string, SqlRow][] => {
        const row = found.get(prefix + id);
        return row === undefined ? [] : [[id, row]];
      }),
    );
  }

  function askedBySize(select: BySize): (id: string) => Promise<SqlRow | null> {
    const together = batchLookups((ids) => rowsOf(select.together, ids));
    const apart = batchLookups((ids) => large.run(() => rowsOf(select.apart, ids)), largeTogether);
    const asked = async (id: string, question: typeof together) => {
      const row = await question(id);
      large.record(id, row?.state === 'large');
      return row;
    };
    return async (id) => {
      // In some databases the length alone is as much work as the whole value.
      const row = large.has(id) ? null : await asked(id, together);
      return large.has(id) ? asked(id, apart) : row;
    };
  }

  const read = askedBySize(statements.read);
  const versionOf = version && askedBySize(version);
  const ttlRow = batchLookups((ids) => rowsOf(statements.ttl, ids));
  return {
    async get(id) {
      const row = await read(id);
      if (row === null || row.state === 'expired') return null;
      if (row.state === null) throw noTime();
      if (!row.exact) {
        throw new SessionBusyError(
          'data= is text with more than ASCII in it: add charset=utf8mb4 or charset=latin1, that of PHP’s own connection',
        );
      }
      return row.data ?? Buffer.alloc(0);
    },
    ...(versionOf && {
      async version(id) {
        const row = await versionOf(id);
        // An expired session has not changed.
        const there = row?.state === 'live' || row?.state === 'large';
        return there && row.data !== null ? String(row.data) : null;
      },
    }),
    async ttl(id) {
      const state = (await ttlRow(id))?.state;
      switch (state) {
        case undefined:
          return null;
        case null:
          throw noTime();
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
    ...(database.subscribe && { subscribe: database.subscribe.bind(database) }),
    // A session that lives as long as its row needs no renewal.
    ...(renew === undefined && { checkRenewal: async () => undefined }),
    async keys(end) {
      // `_` matches any character, so no ID becomes SQL, and the IDs are compared here again.
      const pattern = `%${end.replace(/[^A-Za-z0-9,-]/g, '_')}`;
      const rows = await database.query(statements.ending(pattern));
      return rows.map(([id]) => String(id)).filter((id) => id.endsWith(end));
    },
    close: () => database.close(),
  };
}

function noTime(): SessionBusyError {
  return new SessionBusyError(
    'the column that expires= or last= names holds no time in expires_unit= or last_unit=',
  );
}

/** How to compute when a session expires: so many seconds after the moment in a column. */
interface Expiry {
  /** Not quoted. */
  column: string;
  unit: Unit;
  after: number;
}

/**
 * Reads `expires=`, or `last=` and `lifetime=`, each with its unit; undefined if sessions live as long as their rows.
 * @throws TypeError that says what is wrong with them
 */
function readExpiry(options: UrlOptions): Expiry | undefined {
  const [expires, last] = [options.take('expires'), options.take('last')];
  if (expires !== undefined && last !== undefined)
    throw new TypeError('expires= and last= exclude each other');
  if (expires !== undefined) {
    return { column: identifier('expires', expires), unit: readUnit(options.take('expires_unit')), after: 0 };
  }
  if (last === undefined) return undefined;
  const after = options.seconds('lifetime', '1440');
  const unit = readUnit(options.take('last_unit') ?? options.take('expires_unit'));
  return after === 0 ? undefined : { column: identifier('last', last), unit, after };
}

function readUnit(name = 'unix'): Unit {
  const unit = units.find((one) => one === name);
  if (unit === undefined) throw new TypeError(`expires_unit= or last_unit= is one of ${units.join(', ')}`);
  return unit;
}

/** @throws TypeError unless the option is the name of a column, or fits the form */
function identifier(option: string, name: string | undefined, form = /^[\w$#]+$/): string {
  if (name === undefined)
    throw new TypeError(`${option}= is missing: the store URL names table=, id= and data=`);
  if (!form.test(name)) throw new TypeError(`${option}= is a name of letters, digits, _, $ and #`);
  return name;
}

/** SQL about the expiry of a session. The database compares, by its own clock. */
interface ExpirySql {
  /** `expired`, NULL if the column does not hold what its unit says, and the given expression otherwise. */
  state(live: string): string;
  /** `expired` or NULL as above, `live` for a session that does not expire, or the seconds until the moment in the column. */
  ttl: string;
  /** True for a session that expires, but has not yet. */
  live: string;
  /** The assignment that makes a session expire so many seconds from now. */
  renewed(seconds: number): string;
}

/** @param column quoted */
function expirySql(driver: SqlDriver, column: string, { unit, after }: Expiry): ExpirySql {
  const value = driver.value(unit, column);
  const wrong = `${value} IS NULL${unit === 'unix' ? ` OR ${value} > ${maxUnixSeconds}` : ''}`;
  const live = `${value} > ${driver.moment(unit, after)}`;
  const state = (endless: string, alive: string) =>
    `CASE WHEN ${column} IS NULL THEN ${endless} WHEN ${wrong} THEN NULL WHEN ${live} THEN ${alive} ELSE 'expired' END`;
  return {
    state: (expression) => state(expression, expression),
    ttl: state(`'live'`, driver.until(unit, column)),
    live: unit === 'unix' ? `${live} AND ${value} <= ${maxUnixSeconds}` : live,
    renewed: (seconds) => `${column} = ${driver.moment(unit, after === 0 ? -Math.ceil(seconds) : 0)}`,
  };
}
