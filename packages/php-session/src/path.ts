import { decodePhp } from './formats/php.ts';
import { decodePhpSerialize } from './formats/php-serialize.ts';
import {
  escapeBytes,
  FormatError,
  PhpBytes,
  PhpFloat,
  PhpObject,
  type PhpRecord,
  type PhpValue,
  propertyName,
} from './formats/value.ts';

export type Path = readonly Step[];

/** A key, the beginning of a key, or `decoding`. It can be sent to a thread. */
export type Step = Key | typeof decoding;
export type Key = string | { beginning: string };

export const decoding = true;

/** Known sites need fewer. */
const maxDecodings = 4;

/**
 * The value at the end of a path. Otherwise `absent` names the missing part of the path, or `wrong` explains why the path
 * does not fit the session. Neither contains session content.
 */
export type Found = { value: PhpValue } | { absent: string } | { wrong: string };

/**
 * Keys separated by dots: `app.user.id`. They lead through arrays, lists (`uid.0`) and objects (`user.name`, private
 * and protected properties too). At the end of a key
 *
 * - `!` decodes the string under it, which is itself serialized: `token!.2.0.username`
 * - `*` replaces the rest of a key, if only one key begins so: `DW*.auth.user`
 *
 * `\.`, `\!`, `\*` and `\\` are those characters themselves.
 * @throws TypeError for an empty key or too many decodings
 */
export function parsePath(text: string): Path {
  const parts = [...`${text}.`.matchAll(/((?:\\[.!*\\]|[^.])*)\./gs)].map(([, part = '']) => part);
  const path = parts.flatMap(parseKey);
  if (path.filter((step) => step === decoding).length > maxDecodings) {
    throw new TypeError(`a path decodes ${maxDecodings} strings at most`);
  }
  return path;
}

function parseKey(part: string): Step[] {
  const [, key = '', rest, marks = ''] = /^((?:\\[.!*\\]|.)*?)(\*?)(!*)$/s.exec(part) ?? [];
  if (key === '') throw new TypeError('a key of the path is empty');
  const name = key.replace(/\\([.!*\\])/g, '$1');
  return [rest === '*' ? { beginning: name } : name, ...Array.from(marks, (): Step => decoding)];
}

/** Converts a path to text. It is the inverse of `parsePath`. */
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
    found = step === decoding ? decodeAt(session, found.value, passed) : valueAt(found.value, step, passed);
    if (!('value' in found)) break;
  }
  return found;
}

/** Returns the value under a key. Reads own properties only, so `__proto__` is a key like any other. */
function valueAt(value: PhpValue, step: Key, passed: Path): Found {
  const [key, secondKey] = matchingKeys(value, step);
  const wanted = () => pathText([...passed, step]);
  if (secondKey !== undefined) return { wrong: `${wanted()} fits several keys` };
  if (key !== undefined) return { value: (containerOf(value) as PhpRecord)[key] as PhpValue };
  if (value instanceof PhpObject && !value.complete) {
    return { wrong: `${wanted()} lies in an enum case or in an object that serializes itself` };
  }
  if (passed.length === 0) return { absent: `${wanted()} is not in the session` };
  return { absent: `${wanted()} is not in the session, though ${pathText(passed)} is` };
}

function matchingKeys(value: PhpValue, step: Key): string[] {
  const container = containerOf(value);
  if (container === null) return [];
  if (value instanceof PhpObject) {
    const matches = toMatcher(step);
    return Object.keys(container).filter((name) => matches(propertyName(name)));
  }
  if (typeof step !== 'string') return Object.keys(container).filter(toMatcher(step));
  // JavaScript's `length` does not exist in PHP.
  if (Array.isArray(container) && step === 'length') return [];
  return Object.hasOwn(container, step) ? [step] : [];
}

function toMatcher(step: Key): (key: string) => boolean {
  if (typeof step === 'string') return (key) => key === step;
  const { beginning } = step;
  // If the rest of the key is not UTF-8, the whole key is escaped.
  const inBytes = escapeBytes(Buffer.from(beginning));
  return (key) => key.startsWith(beginning) || key.startsWith(inBytes);
}

function containerOf(value: PhpValue): PhpRecord | PhpValue[] | null {
  if (value instanceof PhpObject) return value.properties;
  if (typeof value !== 'object' || value instanceof PhpFloat || value instanceof PhpBytes) return null;
  return value;
}

/** A cache, because most paths of a session lead through the same string. */
const decodedStrings = new WeakMap<object, Map<PhpValue, PhpValue>>();

/**
 * Decodes the output of `serialize()`, otherwise a session in the format `php`. Either must fill the whole string.
 */
function decodeAt(session: PhpValue, value: PhpValue, passed: Path): Found {
  const path = pathText(passed);
  if (isEmpty(value)) return { absent: `${path} is empty` };
  const bytes = value instanceof PhpBytes ? value.bytes : typeof value === 'string' && Buffer.from(value);
  if (bytes === false) return { wrong: `${path} is not a string, so it cannot be decoded` };
  // The doctor also follows paths in a single string.
  const root = typeof session === 'object' && session !== null ? session : {};
  const cache = decodedStrings.get(root) ?? new Map<PhpValue, PhpValue>();
  decodedStrings.set(root, cache);
  const inner = cache.get(value);
  if (inner !== undefined) return { value: inner };
  let problem = '';
  for (const [isLike, decode] of [
    [/^([abdirsCEORS]:|N;)/, (bytes: Buffer) => decodePhpSerialize(bytes, true)],
    [/^[^|]*\|([abdirsCEORS]:|N;)/, decodePhp],
  ] as const) {
    try {
      const decoded = decode(bytes);
      cache.set(value, decoded);
      return { value: decoded };
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      if (problem === '' && isLike.test(bytes.toString('latin1', 0, 64)))
        problem = error.explanation ?? `it is cut off or damaged, ${error.message}`;
    }
  }
  if (problem !== '') return { wrong: `${path} is a serialized string, but ${problem}` };
  return { wrong: `${path} is a string, but not a serialized one` };
}

/** Whether PHP's `empty()` is true for the value. */
export function isEmpty(value: PhpValue): boolean {
  if (value === null || value === false || value === '' || value === '0') return true;
  if (value instanceof PhpFloat) return value.value === 0;
  // Objects are never empty in PHP, and PhpBytes are bytes that are not UTF-8.
  if (value instanceof PhpObject || value instanceof PhpBytes) return false;
  if (typeof value === 'object') return Object.keys(value).length === 0;
  return value === 0 || value === 0n;
}
