/** Interval of the loudness measurements. */
export const STEP_MS = 50;
/** Number of loudness digits in a voice message. */
const PEAKS = 46;
/** A recording whose peaks are below this level is noise, and its lines stay small. */
const QUIET = 0.15;

const MOST = 31;
const digit = (level: number) => Math.round(Math.min(1, Math.max(0, level)) * MOST).toString(32);

/** Converts loudness from 0 to 1 into digits from `0` to `v`. */
export const digitsOf = (levels: readonly number[]): string => levels.map(digit).join('');

/** Returns the loudness in equal steps, relative to the loudest. */
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

/** Returns the loudness digits that are sent with a voice message. */
export const peaksOf = (levels: readonly number[]): string => digitsOf(shapeOf(levels, PEAKS));
