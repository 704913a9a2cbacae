import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { FormatName } from '../../packages/php-session/src/formats/formats.ts';
import { hanging } from './hanging.ts';

/** PHP's result for a path: what `inWords` in random-sessions/reader.php returns, or why the path has no value. */
export type PhpFound = [type: string, value: string, empty: string] | 'absent' | 'wrong';

/** A session that PHP wrote, perhaps damaged afterwards, and what PHP reads from it. */
export interface PhpReading {
  number: number;
  bytes: Buffer;
  /** PHP's error if it rejects the session. */
  refused?: string;
  /** PHP's output if it crashed while it read the session. */
  crashed?: string;
  reads: [path: string, found: PhpFound][];
  /** The result of `digest` in random-sessions/reader.php. */
  whole?: string;
}

const script = fileURLToPath(new URL('../fixtures/random-sessions/run.php', import.meta.url));
/** The number of sessions per PHP process. */
const atOnce = 500;

/** Generates this many random sessions, always the same for a seed. */
export function* phpReadings(
  format: FormatName,
  seed: number,
  count: number,
  damaged: boolean,
): Generator<PhpReading> {
  for (let next = 0; next < count; ) {
    const readings = run(format, seed, next, Math.min(atOnce, count - next), damaged);
    yield* readings;
    next = (readings.at(-1)?.number ?? next) + 1;
  }
}

/**
 * Reads one of them again in a separate process, because a bug in an extension can corrupt PHP's memory for later ones.
 */
export function phpReadingAlone(
  format: FormatName,
  seed: number,
  number: number,
  damaged: boolean,
): PhpReading {
  const [reading] = run(format, seed, number, 1, damaged);
  if (reading === undefined) throw new Error(`PHP wrote nothing for session ${number}`);
  return reading;
}

function run(format: FormatName, seed: number, first: number, count: number, damaged: boolean): PhpReading[] {
  return readingsOf([script, format, seed, first, count, damaged ? 'damaged' : ''].map(String));
}

/** Returns the readings that a script prints in the format of random-sessions/run.php. */
export function readingsOf(args: readonly string[], timeout = hanging): PhpReading[] {
  const php = spawnSync('php', args, { encoding: 'utf8', maxBuffer: 2 ** 28, timeout });
  // An extension can hang on damaged bytes. The output before that counts, as after a crash.
  const isHanging = php.error !== undefined && 'code' in php.error && php.error.code === 'ETIMEDOUT';
  if (php.error !== undefined && !(isHanging && php.stdout !== '')) throw php.error;
  const readings: PhpReading[] = [];
  const lines = php.stdout.split('\n').slice(0, -1);
  for (let n = 0; n < lines.length; n += 2) {
    const [number, bytes] = JSON.parse(lines[n] as string) as [number, string];
    const read = lines[n + 1];
    readings.push({
      number,
      bytes: Buffer.from(bytes, 'base64'),
      ...(read === undefined
        ? { crashed: php.stderr, reads: [] }
        : (JSON.parse(read) as Pick<PhpReading, 'reads' | 'whole'>)),
    });
  }
  return readings;
}
