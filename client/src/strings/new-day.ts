import type { Clock } from '../connection/clock.ts';
import { startOfDay } from './strings.ts';

/**
 * Returns a function that tells whether a day has begun since its last call.
 *
 * @param clock - a day also begins when the server corrects its time
 */
export function dayWatch(clock: Clock): () => boolean {
  let day = startOfDay(clock.now);
  return () => {
    const last = day;
    day = startOfDay(clock.now);
    return day !== last;
  };
}
