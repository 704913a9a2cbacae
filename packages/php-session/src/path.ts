import { decodePhp } from './formats/php.ts';
import { decodePhpSerialize } from './formats/php-serialize.ts';
import {
  bytewise,
  FormatError,
  PhpBytes,
  PhpFloat,
  PhpObject,
  type PhpRecord,
  type PhpValue,
  propertyName,
} from './formats/value.ts';

/** From the outermost value of a session to the innermost. */
export type Path = readonly Step[];

/** A key, the only key that begins so, or the string that was reached decoded. A thread can be handed it. */
export type Step = Key | typeof decoding;
export type Key = string | { beginning: string };

export const decoding = true;

/** A session holds a string in a string at most twice, as far as is known; each costs a decoding of its own. */
const mostDecodings = 4;

/**
 * The value at the end of a path. `absent` says that there is none, `wrong` that the path does not fit the session.
 * Both name parts of the path alone, and nothing that the session holds.
 */
export type Found = { value: PhpValue } | { absent: string } | { wrong: string };

/**
 * Keys separated by dots: `app.user.id`. They lead through arrays, lists (`uid.0`) and objects (`user.name`, private
 * and protected properties too). At the end of a key
 *
 * - `!` decodes the string under it, which is itself serialized: `token!.2.0.username`
 * - `*` stands for the rest of the only key that begins so: `DW*.auth.user`
 *
 * `\.`, `\!`, `\*` and `\\` are those characters themselves.
 * @throws TypeError for a path that leads nowhere
 */
export function parsePath(text: string): Path {
  const parts = [...`${text}.`.matchAll(/((?:\\[.!*\\]|[^.])*)\./gs)].map(([, part = '']) => part);
  const path = parts.flatMap(parseKey);
  if (path.filter((step) => step === decoding).length > mostDecodings) {
    throw new TypeError(`a path decodes ${mostDecodings} strings at most`);
  }
  return path;
}

function parseKey(part: string): Step[] {
  const [, key = '', rest, marks = ''] = /^((?:\\[.!*\\]|.)*?)(\*?)(!*)$/s.exec(part) ?? [];
  if (key === '') throw new TypeError('a key of the path is empty');
  const name = key.replace(/\\([.!*\\])/g, '$1');
  return [rest === '*' ? { beginning: name } : name, ...Array.from(marks, (): Step => decoding)];
}

/** A path as it would be written. */
export function pathText(path: Path): string {
  const written = path.map((step) => {
    if (step === decoding) return '!';
    const key = typeof step === 'string' ? step : step.beginning;
    return `.${key.replace(/[.\\]|[!*]$/g, '\\$&')}${typeof step === 'string' ? '' : '*'}`;
  });
  return written.join('').slice(1);
}

export function follow(session: PhpValue, path: Path): Found {
  let found: Found = { value: session };
  for (const [n, step] of path.entries()) {
    const passed = path.slice(0, n);
    found = step === decoding ? decoded(session, found.value, passed) : inside(found.value, step, passed);
    if (!('value' in found)) break;
  }
  return found;
}

/** Own properties only: `__proto__` is a key like any other. */
function inside(value: PhpValue, step: Key, passed: Path): Found {
  const [key, another] = keysLike(value, step);
  const wanted = () => pathText([...passed, step]);
  if (another !== undefined) return { wrong: `${wanted()} fits several keys` };
  if (key !== undefined) return { value: (containerOf(value) as PhpRecord)[key] as PhpValue };
  if (value instanceof PhpObject && !value.complete) {
    return { wrong: `${wanted()} lies in an enum case or in an object that serializes itself` };
  }
  if (passed.length === 0) return { absent: `${wanted()} is not in the session` };
  return { absent: `${pathText(passed)} is there, ${wanted()} is not` };
}

function keysLike(value: PhpValue, step: Key): string[] {
  const container = containerOf(value);
  if (container === null) return [];
  if (value instanceof PhpObject) {
    const fits = fitting(step);
    return Object.keys(container).filter((name) => fits(propertyName(name)));
  }
  if (typeof step !== 'string') return Object.keys(container).filter(fitting(step));
  // That of a list is JavaScript's, not PHP's.
  if (Array.isArray(container) && step === 'length') return [];
  return Object.hasOwn(container, step) ? [step] : [];
}

function fitting(step: Key): (key: string) => boolean {
  if (typeof step === 'string') return (key) => key === step;
  const { beginning } = step;
  // A key may begin so and not be UTF-8 further on.
  const inBytes = bytewise(Buffer.from(beginning));
  return (key) => key.startsWith(beginning) || key.startsWith(inBytes);
}

function containerOf(value: PhpValue): PhpRecord | PhpValue[] | null {
  if (value instanceof PhpObject) return value.properties;
  if (typeof value !== 'object' || value instanceof PhpFloat || value instanceof PhpBytes) return null;
  return value;
}

/** The decoded strings of each session, because most of its paths lead through the same string. */
const decodedStrings = new WeakMap<object, Map<PhpValue, PhpValue>>();

/**
 * PHP's `serialize()`, or else a session in the format `php`. Each has to fill the string to its end, and what
 * `serialize()` writes begins with a type and a length, as no variable's name does that a site would choose.
 */
function decoded(session: PhpValue, value: PhpValue, passed: Path): Found {
  const path = pathText(passed);
  if (isEmpty(value)) return { absent: `${path} is empty` };
  const bytes = value instanceof PhpBytes ? value.bytes : typeof value === 'string' && Buffer.from(value);
  if (bytes === false) return { wrong: `${path} is no string that could be decoded` };
  // The doctor asks about a single string, too.
  const root = typeof session === 'object' && session !== null ? session : {};
  const known = decodedStrings.get(root) ?? new Map<PhpValue, PhpValue>();
  decodedStrings.set(root, known);
  const inner = known.get(value);
  if (inner !== undefined) return { value: inner };
  let problem = '';
  for (const [isLike, decode] of [
    [/^([abdirsCEORS]:|N;)/, (bytes: Buffer) => decodePhpSerialize(bytes, true)],
    [/^[^|]*\|([abdirsCEORS]:|N;)/, decodePhp],
  ] as const) {
    try {
      const read = decode(bytes);
      known.set(value, read);
      return { value: read };
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      if (problem === '' && isLike.test(bytes.toString('latin1', 0, 64)))
        problem = error.explanation ?? `it is cut off or damaged, ${error.message}`;
    }
  }
  if (problem !== '') return { wrong: `${path} is a serialized string, but ${problem}` };
  return { wrong: `${path} is a string, but not a serialized one` };
}

/** As PHP's `empty()` has it. */
export function isEmpty(value: PhpValue): boolean {
  if (value === null || value === false || value === '' || value === '0') return true;
  if (value instanceof PhpFloat) return value.value === 0;
  // An object is never empty, whatever is in it; bytes that are not UTF-8 are at least one.
  if (value instanceof PhpObject || value instanceof PhpBytes) return false;
  if (typeof value === 'object') return Object.keys(value).length === 0;
  return value === 0 || value === 0n;
}
