/** How often the loudness is measured: every so many milliseconds. */
export const STEP_MS = 50;
/** A voice message has a digit of loudness for each of so many equal steps. */
const PEAKS = 46;
/** Anything below is noise, and stays small. */
const QUIET = 0.15;

const MOST = 31;
const digit = (level: number) => Math.round(Math.min(1, Math.max(0, level)) * MOST).toString(32);

/** Loudness from 0 to 1, as digits from `0` to `v`. */
export const digitsOf = (levels: readonly number[]): string => levels.map(digit).join('');

/** The loudness in so many equal steps, compared with the loudest. */
export function shapeOf(levels: readonly number[], steps: number): number[] {
  const peaks: number[] = [];
  for (let n = 0; n < steps; n++) {
    const from = Math.floor((n * levels.length) / steps);
    const to = Math.max(from + 1, Math.floor(((n + 1) * levels.length) / steps));
    peaks.push(Math.max(0, ...levels.slice(from, to)));
  }
  const top = Math.max(QUIET, ...peaks);
  return peaks.map((peak) => peak / top);
}

/** The loudness of a voice message as it is sent. */
export const peaksOf = (levels: readonly number[]): string => digitsOf(shapeOf(levels, PEAKS));
