import { type Deferred, deferred } from '../deferred.ts';

const mostTogether = 500;

/**
 * Gathers what is asked for in one turn of the event loop, and asks the store once. Everybody gets his own answer,
 * or the failure of the whole question.
 * @param load the values of the ids that exist, by id
 * @param most of the questions that go into one round trip
 */
export function batched<T>(
  load: (ids: readonly string[]) => Promise<ReadonlyMap<string, T>>,
  most = mostTogether,
): (id: string) => Promise<T | null> {
  let gathered = new Map<string, Deferred<T | null>>();

  async function flush(): Promise<void> {
    const asked = [...gathered];
    gathered = new Map();
    try {
      const found = await load(asked.map(([id]) => id));
      for (const [id, { resolve }] of asked) resolve(found.get(id) ?? null);
    } catch (error) {
      for (const [, { reject }] of asked) reject(error);
    }
  }

  return (id) => {
    const known = gathered.get(id);
    if (known !== undefined) return known.promise;
    const answer = deferred<T | null>();
    gathered.set(id, answer);
    if (gathered.size === 1) setImmediate(flushIfAny);
    else if (gathered.size === most) void flush();
    return answer.promise;
  };

  function flushIfAny(): void {
    if (gathered.size > 0) void flush();
  }
}
