import { createHash } from 'node:crypto';
import {
  PhpBytes,
  PhpFloat,
  PhpObject,
  type PhpValue,
} from '../../packages/php-session/src/formats/value.ts';
import { isEmpty } from '../../packages/php-session/src/path.ts';

/** Returns the value as `inWords` in random-sessions/reader.php does. */
export function inWords(value: PhpValue): [type: string, value: string, empty: string] {
  const empty = isEmpty(value) ? 'empty' : '';
  const words = (type: string, text = ''): [string, string, string] => [type, text, empty];
  if (typeof value === 'number' || typeof value === 'bigint') return words('int', String(value));
  if (value instanceof PhpFloat) {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleBE(value.value);
    return words('float', Number.isNaN(value.value) ? 'NAN' : bytes.toString('hex'));
  }
  if (value instanceof PhpBytes) return words('string', short(value.bytes));
  if (typeof value === 'string') return words('string', short(Buffer.from(value)));
  if (value instanceof PhpObject) return words('object', className(value));
  if (typeof value === 'object' && value !== null) return words('array', String(Object.keys(value).length));
  return words(JSON.stringify(value));
}

/** Returns the digest of all values of a session, the same as `Reader::digest` in random-sessions/reader.php. */
export function digest(session: PhpValue, most: number): string {
  let text = '';
  const values: PhpValue[] = [session];
  const seen = new Set<PhpValue>();
  for (let n = 0; n < values.length && n < most; n++) {
    const value = values[n] as PhpValue;
    text += `${inWords(value).join(' ')}\n`;
    const own = seen.has(value) ? [] : entriesOf(value);
    if (value instanceof PhpObject) seen.add(value);
    const entries = own.map(([key, one]) => [bytesOf(key).toString('hex'), one] as const);
    entries.sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [key, one] of entries) {
      text += `${key} `;
      values.push(one);
    }
  }
  return createHash('md5').update(text).digest('hex');
}

function entriesOf(value: PhpValue): [string, PhpValue][] {
  if (value instanceof PhpObject) return value.complete ? Object.entries(value.properties) : [];
  const isContainer = typeof value === 'object' && value !== null;
  return isContainer && !(value instanceof PhpFloat) && !(value instanceof PhpBytes)
    ? Object.entries(value)
    : [];
}

/** Returns the bytes of a class name in lower case, because PHP ignores its case. */
function className({ className }: PhpObject): string {
  const name = className.replace(/[A-Z]/g, (capital) => capital.toLowerCase());
  return bytesOf(name).toString('hex');
}

/** The inverse of `toName`. */
const bytesOf = (name: string): Buffer => Buffer.from(name, name.isWellFormed() ? 'utf8' : 'latin1');

const short = (bytes: Buffer) =>
  bytes.length > 64 ? createHash('md5').update(bytes).digest('hex') : bytes.toString('hex');
