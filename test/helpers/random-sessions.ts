import { spawnSync } from 'node:child_process';
import type { FormatName } from '../../packages/php-session/src/formats/formats.ts';
import { hanging } from './hanging.ts';

/** PHP's result for a path: a value as `inWords` in random-sessions/reader.php prints it, or why there is none. */
export type PhpFound = [type: string, value: string, empty: string] | 'absent' | 'wrong';

/** A session as PHP has written it, or after damage, and PHP's own reading of it. */
export interface PhpReading {
  number: number;
  bytes: Buffer;
  /** PHP rejects the session. */
  refused?: string;
  /** PHP itself crashed while reading it; its output. */
  crashed?: string;
  reads: [path: string, found: PhpFound][];
  /** `digest` in random-sessions/reader.php. */
  whole?: string;
}

const script = new URL('../fixtures/random-sessions/run.php', import.meta.url).pathname;
/** The sessions of one PHP process. */
const atOnce = 500;

/** This many random sessions, the same for each seed. */
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
 * Reads one of them again in a separate process, because an extension's bug may corrupt PHP's memory for later ones.
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

/** The readings that a script prints in the form of random-sessions/run.php. */
export function readingsOf(args: readonly string[], timeout = hanging): PhpReading[] {
  const php = spawnSync('php', args, { encoding: 'utf8', maxBuffer: 2 ** 28, timeout });
  // For damaged bytes, an extension may never end. What it has printed counts, as after a crash.
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
