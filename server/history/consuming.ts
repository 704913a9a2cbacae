import type { Writes } from './history.ts';
import type { Work } from './work.ts';

/** See `Writes`. */
export function consume(work: Work, input: Writes['consume']['in']): Writes['consume']['out'] {
  const { name, by, types, lease, most, done } = input;
  const known = work.consumer(input);
  const { at, holder, heldUntil, entries, skipped, upTo } = known;
  if (holder !== by && heldUntil > at) return { heldFor: heldUntil - at };
  const from = holder === by && done !== undefined ? done : known.position;
  // What holds nothing for this consumer is passed at once.
  const position = entries.length === 0 && most > 0 ? upTo : from + skipped;
  work.putConsumer({ name, types, position, holder: by, heldUntil: at + lease });
  return { entries, upTo, skipped };
}
