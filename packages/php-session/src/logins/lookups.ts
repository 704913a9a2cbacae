import { maxBatchSize } from '../stores/lookups.ts';

/** Milliseconds for which the answer of `asked` is used again. */
const answersFor = 250;

/** Asks seldom, however often the answer is wanted. */
export function asked(ask: () => Promise<boolean>): () => Promise<boolean> {
  let askedAt = Number.NEGATIVE_INFINITY;
  let answer: Promise<boolean> = Promise.resolve(false);
  return () => {
    if (performance.now() - askedAt > answersFor) {
      askedAt = performance.now();
      answer = ask();
    }
    return answer;
  };
}

/** Asks the store for ids that are all known by now, as `batchLookups` does. */
export async function together<T>(
  load: (ids: readonly string[]) => Promise<ReadonlyMap<string, T>>,
  ids: readonly string[],
): Promise<ReadonlyMap<string, T>> {
  if (ids.length === 0) return new Map();
  if (ids.length <= maxBatchSize) return load(ids);
  const found: Promise<ReadonlyMap<string, T>>[] = [];
  for (let n = 0; n < ids.length; n += maxBatchSize) found.push(load(ids.slice(n, n + maxBatchSize)));
  return new Map((await Promise.all(found)).flatMap((one) => [...one]));
}
