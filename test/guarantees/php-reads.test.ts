import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FormatName, formats } from '../../packages/php-session/src/formats/formats.ts';
import {
  FormatError,
  newRecord,
  PhpObject,
  type PhpValue,
} from '../../packages/php-session/src/formats/value.ts';
import { follow, parsePath } from '../../packages/php-session/src/path.ts';
import { digest, inWords } from '../helpers/php-digest.ts';
import { recordPhpTests } from '../helpers/phpt.ts';
import { type PhpReading, phpReadingAlone, phpReadings, readingsOf } from '../helpers/random-sessions.ts';
import { size, soak } from './size.ts';

const written = size(5000, 100);
const damaged = size(5000, 60);
/** Without soak, the sessions are always the same. FUZZ_SEED repeats a run. */
const seed = Number(process.env.FUZZ_SEED ?? size(Date.now() & 0x7fffffff, 20_240_229));

/** The maximum share of sessions, in percent, that the decoder rejects although PHP reads them. */
type Refused = Record<string, number>;

/** Only the class of an object that serializes itself knows how many values PHP counts inside it. */
const behindC: Refused = { 'a reference after an object that serializes itself': 15 };
const refusedSessions: Record<FormatName, Refused> = {
  php: behindC,
  php_binary: behindC,
  php_serialize: behindC,
  igbinary: {},
  // Where PHP would read freed memory.
  msgpack: { 'ext-msgpack reads freed memory for one of its references': 15 },
  json: {},
};
/** The maximum share of paths, in percent, whose values the decoder rejects although PHP reads them. */
const refusedPaths: Refused = {
  // For a Serializable and an enum case, PHP has more data than the session contains.
  'lies in an enum case or in an object that serializes itself': 6,
  // A reference after a Serializable, as above, in a string that a path decodes.
  'only the class of that object knows the referenced value': 1,
  // PHP takes the nearest number. Only damaged strings have such integers.
  'expected an integer of 64 bits': 0,
};

/**
 * Rejections by PHP only. In damaged bytes, igbinary may read another string as the name of a class or an enum case,
 * and a decoder does not know which of these exist. Some releases of PHP read 511 levels of JSON, others 512.
 */
const ofPhpAlone =
  /Class \S+ (has no unserializer|does not exist|not found)|Cannot instantiate enum|Undefined constant|Maximum stack depth exceeded/;

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
    else if (refused !== undefined && !ofPhpAlone.test(refused)) differs(`PHP refuses it: ${refused}`);
    if (this.#format === 'msgpack' && dependsOnClass(session)) return;
    if (whole !== undefined && whole !== digest(session, Math.max(500, Math.floor(bytes.length / 4))))
      differs('the values are not all the same');
    for (const [path, php] of reads) {
      this.paths++;
      const found = follow(session, parsePath(path));
      const own = 'value' in found ? inWords(found.value) : 'absent' in found ? 'absent' : 'wrong';
      if (JSON.stringify(own) === JSON.stringify(php)) continue;
      const kind = 'wrong' in found && Object.keys(refusedPaths).find((why) => found.wrong.includes(why));
      if (kind) count(this.refusedPaths, kind);
      else differs(`${path}: PHP ${JSON.stringify(php)}, the decoder ${JSON.stringify(own)}`);
    }
  }
}

/**
 * Whether an object of `classes.php` has an entry with the short name of a property that is not public, which ext-msgpack
 * stores in that property, or has entries although it serializes itself. Only damaged sessions have such objects, and the
 * decoder does not know the class.
 */
function dependsOnClass(session: PhpValue): boolean {
  const values = new Set([session]);
  for (const value of values) {
    const entries = value instanceof PhpObject ? value.properties : value;
    if (typeof entries !== 'object' || entries === null) continue;
    const isOfClass = value instanceof PhpObject && /^(Parents|Child|Sleepy|Twice)$/i.test(value.className);
    if (isOfClass && ('id' in entries || 'name' in entries)) return true;
    if (value instanceof PhpObject && value.complete && /^Old/i.test(value.className)) return true;
    for (const inner of Object.values(entries)) values.add(inner as PhpValue);
  }
  return false;
}

function count(kinds: Record<string, number>, kind = 'for no reason', times = 1): void {
  kinds[kind] = (kinds[kind] ?? 0) + times;
}

/** Decodes the sessions that PHP wrote and read. */
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

/** Returns the rejections above the known rates. */
function excess(refused: Record<string, number>, of: number, known: Refused): string[] {
  const shares = Object.entries(refused).map(([kind, times]) => ({ kind, share: (100 * times) / of }));
  return shares
    .filter(({ kind, share }) => share > (known[kind] ?? 0))
    .map(({ kind, share }) => `${share.toFixed(2)} of 100: ${kind}`);
}

const all = Object.keys(formats) as FormatName[];

describe(`the decoder reads the same as PHP from ${written} random sessions, seed ${seed}`, () => {
  test.each(all)('%s', (format) => {
    const found = compare(format, written, false);
    expect(found.differences.slice(0, 20)).toEqual([]);
    expect(found.sessions).toBe(written);
    expect(found.paths).toBeGreaterThan(written * 5);
    expect(excess(found.refusedSessions, found.sessions, refusedSessions[format])).toEqual([]);
    expect(excess(found.refusedPaths, found.paths, refusedPaths)).toEqual([]);
    // With msgpack, PHP crashes on some sessions that it wrote itself.
    expect(found.crashes).toBeLessThan(format === 'msgpack' ? written * 0.03 : 1);
  });
});

describe(`the decoder rejects ${damaged} damaged sessions or reads them as PHP does, seed ${seed}`, () => {
  test.each(all)('%s', (format) => {
    const found = compare(format, damaged, true);
    expect(found.differences.slice(0, 20)).toEqual([]);
    expect(found.sessions).toBe(damaged);
    expect(found.paths).toBeGreaterThan(damaged);
  });
});

if (soak)
  describe('the decoder reads the same as PHP from the values of PHP’s own tests', () => {
    let tests: ReturnType<typeof recordPhpTests>;
    beforeAll(() => {
      tests = recordPhpTests();
    }, 600_000);
    afterAll(() => tests.remove());

    // Without msgpack, because what ext-msgpack reads depends on the existing classes.
    test.each(['php', 'php_binary', 'php_serialize', 'igbinary'] as const)('%s', (format) => {
      const script = join(import.meta.dirname, '../fixtures/phpt.php');
      const found = new Comparison(format);
      for (const reading of readingsOf([script, format, tests.recorded])) found.add(reading);
      expect(found.differences).toEqual([]);
      expect(found.sessions).toBeGreaterThan(400);
      expect(excess(found.refusedSessions, found.sessions, refusedSessions[format])).toEqual([]);
      expect(found.crashes).toBe(0);
    });
  });
