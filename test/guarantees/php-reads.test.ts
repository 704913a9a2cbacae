import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { type FormatName, formats } from '../../server/session/formats/formats.ts';
import {
  FormatError,
  newRecord,
  PhpBytes,
  PhpFloat,
  PhpObject,
  type PhpValue,
} from '../../server/session/formats/value.ts';
import { follow, isEmpty, parsePath } from '../../server/session/path.ts';
import { type PhpReading, phpReadingAlone, phpReadings } from '../helpers/random-sessions.ts';
import { size, soak } from './size.ts';

const written = size(20_000, 250);
const damaged = size(20_000, 100);
/** The reduced ones are always the same. FUZZ_SEED repeats a run. */
const seed = Number(process.env.FUZZ_SEED ?? size(Date.now() & 0x7fffffff, 20_240_229));

/** Refusals of the decoder for sessions that PHP reads: the most per hundred sessions. */
type Refused = Record<string, number>;

/** After an object that serializes itself, only its class knows how many values were counted in it. */
const behindC: Refused = { 'a reference behind an object that serializes itself': 15 };
const refusedSessions: Record<FormatName, Refused> = {
  php: behindC,
  php_binary: behindC,
  php_serialize: behindC,
  igbinary: {},
  // Where PHP would read freed memory.
  msgpack: { 'a reference for which ext-msgpack reads freed memory': 15 },
  json: {},
};
/** The same for values at paths, per hundred paths. */
const refusedPaths: Refused = {
  // For a Serializable and an enum case, PHP has more data than the session.
  'lies in an enum case or in an object that serializes itself': 6,
  // A reference behind a Serializable, as above, in a string that a path decodes.
  'only the class of that object knows which value this is': 1,
};

/** In damaged bytes, igbinary may take another string for a class name; a decoder does not know which classes exist. */
const noSuchClass = /Class \S+ (has no unserializer|does not exist)/;

/** Same format as `inWords` in random-sessions/reader.php. */
function inWords(value: PhpValue): [type: string, value: string, empty: string] {
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

/** Same as in random-sessions/reader.php. */
function digest(session: PhpValue, most: number): string {
  const md5 = createHash('md5');
  const values: PhpValue[] = [session];
  for (let n = 0; n < values.length && n < most; n++) {
    const value = values[n] as PhpValue;
    md5.update(`${inWords(value).join(' ')}\n`);
    const entries = entriesOf(value).map(([key, one]) => [bytesOf(key).toString('hex'), one] as const);
    entries.sort(([a], [b]) => (a < b ? -1 : 1));
    for (const [key, one] of entries) {
      md5.update(`${key} `);
      values.push(one);
    }
  }
  return md5.digest('hex');
}

function entriesOf(value: PhpValue): [string, PhpValue][] {
  if (value instanceof PhpObject) return value.complete ? Object.entries(value.properties) : [];
  const isContainer = typeof value === 'object' && value !== null;
  return isContainer && !(value instanceof PhpFloat) && !(value instanceof PhpBytes)
    ? Object.entries(value)
    : [];
}

/** The bytes of a class name, in lower case as PHP ignores case. */
function className({ className }: PhpObject): string {
  const name = className.replace(/[A-Z]/g, (capital) => capital.toLowerCase());
  return bytesOf(name).toString('hex');
}

/** The opposite of `nameFrom`. */
const bytesOf = (name: string): Buffer => Buffer.from(name, name.isWellFormed() ? 'utf8' : 'latin1');

const short = (bytes: Buffer) =>
  bytes.length > 64 ? createHash('md5').update(bytes).digest('hex') : bytes.toString('hex');

class Comparison {
  readonly differences: string[] = [];
  readonly refusedSessions: Record<string, number> = {};
  readonly refusedPaths: Record<string, number> = {};
  sessions = 0;
  paths = 0;
  crashes = 0;
  readonly #format: FormatName;

  constructor(format: FormatName) {
    this.#format = format;
  }

  include(other: Comparison): void {
    this.differences.push(...other.differences);
    for (const own of ['refusedSessions', 'refusedPaths'] as const)
      for (const [kind, times] of Object.entries(other[own])) count(this[own], kind, times);
    for (const own of ['sessions', 'paths', 'crashes'] as const) this[own] += other[own];
  }

  add({ number, bytes, refused, crashed, reads, whole }: PhpReading): void {
    this.sessions++;
    const differs = (how: string) => this.differences.push(`session ${number}: ${how}`);
    let session: PhpValue;
    try {
      session = bytes.length === 0 ? newRecord() : formats[this.#format](bytes);
    } catch (error) {
      if (!(error instanceof FormatError)) throw error;
      if (crashed !== undefined) this.crashes++;
      else if (refused === undefined) {
        const known = Object.keys(refusedSessions[this.#format]);
        const expected = /expected (.*) at byte/.exec(error.message)?.[1]?.replace(/\d+/, 'N');
        count(this.refusedSessions, known.find((kind) => error.explanation?.includes(kind)) ?? expected);
      }
      return;
    }
    if (crashed !== undefined) differs(`PHP crashes, the decoder reads: ${crashed}`);
    else if (refused !== undefined && !noSuchClass.test(refused)) differs(`PHP refuses it: ${refused}`);
    if (whole !== undefined && whole !== digest(session, Math.max(500, Math.floor(bytes.length / 4))))
      differs('the values are not all the same');
    for (const [path, php] of reads) {
      this.paths++;
      const found = follow(session, parsePath(path));
      const own = 'value' in found ? inWords(found.value) : 'absent' in found ? 'absent' : 'wrong';
      if (JSON.stringify(own) === JSON.stringify(php)) continue;
      const kind = 'wrong' in found && Object.keys(refusedPaths).find((end) => found.wrong.endsWith(end));
      if (kind) count(this.refusedPaths, kind);
      else differs(`${path}: PHP ${JSON.stringify(php)}, the decoder ${JSON.stringify(own)}`);
    }
  }
}

function count(kinds: Record<string, number>, kind = 'for no reason', times = 1): void {
  kinds[kind] = (kinds[kind] ?? 0) + times;
}

/** Decodes the sessions that PHP has written and read. */
function compare(format: FormatName, sessions: number, areDamaged: boolean): Comparison {
  const found = new Comparison(format);
  const compared = (reading: PhpReading): Comparison => {
    const alone = new Comparison(format);
    alone.add(reading);
    return alone;
  };
  for (const reading of phpReadings(format, seed, sessions, areDamaged)) {
    const first = compared(reading);
    const isDoubtful = reading.crashed !== undefined || first.differences.length > 0;
    found.include(isDoubtful ? compared(phpReadingAlone(format, seed, reading.number, areDamaged)) : first);
  }
  if (soak) console.log(format, { ...found, differences: found.differences.length });
  return found;
}

/** Refusals above the known rates. */
function excess(refused: Record<string, number>, of: number, known: Refused): string[] {
  const shares = Object.entries(refused).map(([kind, times]) => ({ kind, share: (100 * times) / of }));
  return shares
    .filter(({ kind, share }) => share > (known[kind] ?? 0))
    .map(({ kind, share }) => `${share.toFixed(2)} of 100: ${kind}`);
}

const all = Object.keys(formats) as FormatName[];

describe(`${written} random sessions, written and read by PHP, seed ${seed}: the decoder reads the same`, () => {
  test.each(all)('%s', (format) => {
    const found = compare(format, written, false);
    expect(found.differences.slice(0, 20)).toEqual([]);
    expect(found.sessions).toBe(written);
    expect(found.paths).toBeGreaterThan(written * 5);
    expect(excess(found.refusedSessions, found.sessions, refusedSessions[format])).toEqual([]);
    expect(excess(found.refusedPaths, found.paths, refusedPaths)).toEqual([]);
    // For sessions that it has written itself.
    expect(found.crashes).toBeLessThan(format === 'msgpack' ? written * 0.03 : 1);
  });
});

describe(`${damaged} of them with bytes changed, the numbers of references above all, seed ${seed}: refused, or the same`, () => {
  test.each(all)('%s', (format) => {
    const found = compare(format, damaged, true);
    expect(found.differences.slice(0, 20)).toEqual([]);
    expect(found.sessions).toBe(damaged);
    expect(found.paths).toBeGreaterThan(damaged);
  });
});
