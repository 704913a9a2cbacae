import type { UrlOptions } from '../../source.ts';
import { type SqlDriver, type Unit, units } from './driver.ts';

/** Unix seconds stay below that for three thousand years; a datetime that is read as a number is above. */
const maxUnixSeconds = 99_999_999_999;

/** When a session is over: so many seconds after what the column says. */
export interface End {
  /** As the URL has it. */
  column: string;
  unit: Unit;
  after: number;
}

/**
 * `expires=`, or `last=` and `lifetime=`, each with its unit; undefined when sessions live as long as their rows.
 * @throws TypeError saying what is wrong with it
 */
export function readEnd(options: UrlOptions): End | undefined {
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
export function identifier(option: string, name: string | undefined, form = /^[\w$#]+$/): string {
  if (name === undefined)
    throw new TypeError(`${option}= is missing: the store URL names table=, id= and data=`);
  if (!form.test(name)) throw new TypeError(`${option}= is a name of letters, digits, _, $ and #`);
  return name;
}

/** SQL about the end of a session. The database compares, by its own clock. */
export interface EndSql {
  /** `over`, NULL when the column does not hold what its unit says, and else what the expression says. */
  state(live: string): string;
  /** The same with `live`, and of a session with an end the seconds until what the column says. */
  remaining: string;
  /** True while a session with an end is not over. */
  live: string;
  /** The assignment that makes it end so many seconds from now. */
  renewed(seconds: number): string;
}

/** @param column quoted */
export function endSql(driver: SqlDriver, column: string, { unit, after }: End): EndSql {
  const value = driver.value(unit, column);
  const wrong = `${value} IS NULL${unit === 'unix' ? ` OR ${value} > ${maxUnixSeconds}` : ''}`;
  const live = `${value} > ${driver.moment(unit, after)}`;
  const told = (endless: string, alive: string) =>
    `CASE WHEN ${column} IS NULL THEN ${endless} WHEN ${wrong} THEN NULL WHEN ${live} THEN ${alive} ELSE 'over' END`;
  return {
    state: (expression) => told(expression, expression),
    remaining: told(`'live'`, driver.until(unit, column)),
    live: unit === 'unix' ? `${live} AND ${value} <= ${maxUnixSeconds}` : live,
    renewed: (seconds) => `${column} = ${driver.moment(unit, after === 0 ? -Math.ceil(seconds) : 0)}`,
  };
}
