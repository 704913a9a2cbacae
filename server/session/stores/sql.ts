import { batched } from '../batch.ts';
import { type Database, type SqlDriver, type Unit, units } from '../sql/driver.ts';
import { maxSessionBytes, type SessionStore, StoreError } from '../store.ts';
import type { StoreKind } from '../store-url.ts';
import type { UrlOptions } from '../url-options.ts';

/** No prefix and id are longer together. */
const maxIdBytes = 512;
/** Unix seconds stay below that for three thousand years; a datetime that is read as a number is above. */
const maxUnixSeconds = 99_999_999_999;

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
    const state = end === undefined ? `'live'` : stateOf(driver, quoted(end.column), end);
    const columns = [driver.start(id, maxIdBytes), driver.start(data, maxSessionBytes + 1), state];
    const select = `SELECT ${columns.join(', ')} FROM ${table} WHERE ${id}`;
    const prefix = options.prefix('');
    const locate = driver.locate(url);
    return { format: 'php', open: () => openSql(locate(), select, prefix) };
  };
}

function identifier(option: string, name: string | undefined, form = /^[\w$#]+$/): string {
  if (name === undefined)
    throw new TypeError(`${option}= is missing: the store URL names table=, id= and data=`);
  if (!form.test(name)) throw new TypeError(`${option}= is a name of letters, digits, _, $ and #`);
  return name;
}

/** When a session is over: so many seconds after what the column says. */
interface End {
  column: string;
  unit: Unit;
  after: number;
}

function readEnd(options: UrlOptions): End | undefined {
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

/** SQL for `live`, `over`, or NULL when the column does not hold what its unit says. The database compares. */
function stateOf(driver: SqlDriver, column: string, { unit, after }: End): string {
  const value = driver.value(unit, column);
  const wrong = `${value} IS NULL${unit === 'unix' ? ` OR ${value} > ${maxUnixSeconds}` : ''}`;
  const live = `${value} > ${driver.moment(unit, after)}`;
  return `CASE WHEN ${column} IS NULL THEN 'live' WHEN ${wrong} THEN NULL WHEN ${live} THEN 'live' ELSE 'over' END`;
}

function openSql(database: Database, select: string, prefix: string): SessionStore {
  const ask = batched(async (ids) => {
    const rows = await database.rows(
      select,
      ids.map((id) => prefix + id),
    );
    // Compared here once more: to a database `A` and `a` may be the same, and so may `a` and `a `.
    const found = new Map(rows.map((row) => [row.id, row]));
    return new Map(
      ids.flatMap((id): [string, Buffer][] => {
        const row = found.get(prefix + id);
        if (row === undefined || row.state === 'over') return [];
        if (row.state === null) return [[id, unclear.end]];
        return [[id, row.exact ? (row.data ?? Buffer.alloc(0)) : unclear.text]];
      }),
    );
  });
  return {
    async get(id) {
      const bytes = await ask(id);
      if (bytes === unclear.end) {
        throw new StoreError(
          'the column that expires= or last= names tells no time in expires_unit= or last_unit=',
        );
      }
      if (bytes === unclear.text) {
        throw new StoreError(
          'data= is text with more than ASCII in it: say charset=utf8mb4 or charset=latin1, as PHP’s own connection has it',
        );
      }
      return bytes;
    },
    close: () => database.close(),
  };
}
