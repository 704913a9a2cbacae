import { startOfDay } from './strings.ts';

/** Returns a function that tells whether a day has begun since its last call. */
export function dayWatch(): () => boolean {
  let day = startOfDay(Date.now());
  return () => {
    const last = day;
    day = startOfDay(Date.now());
    return day !== last;
  };
}
