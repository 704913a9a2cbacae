import { maxBatchSize } from '../stores/lookups.ts';

const probeIntervalMs = 250;

/** Reuses the result of a probe for `probeIntervalMs`. */
export function throttleProbe(probe: () => Promise<boolean>): () => Promise<boolean> {
  let startedAt = Number.NEGATIVE_INFINITY;
  let result: Promise<boolean> = Promise.resolve(false);
  return () => {
    if (performance.now() - startedAt > probeIntervalMs) {
      startedAt = performance.now();
      result = probe();
    }
    return result;
  };
}

/** Loads values for IDs in batches of `maxBatchSize`. */
export async function loadInBatches<T>(
  load: (ids: readonly string[]) => Promise<ReadonlyMap<string, T>>,
  ids: readonly string[],
): Promise<ReadonlyMap<string, T>> {
  if (ids.length === 0) return new Map();
  if (ids.length <= maxBatchSize) return load(ids);
  const batches: Promise<ReadonlyMap<string, T>>[] = [];
  for (let n = 0; n < ids.length; n += maxBatchSize) batches.push(load(ids.slice(n, n + maxBatchSize)));
  return new Map((await Promise.all(batches)).flatMap((batch) => [...batch]));
}
