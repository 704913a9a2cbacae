import { setImmediate as nextTurn } from 'node:timers/promises';
import { SessionBusyError } from '../store.ts';
import { startDeadline } from './deadline.ts';
import { Semaphore } from './semaphore.ts';

export const maxBatchSize = 500;
const maxLargeIds = 10_000;

/**
 * Batches the IDs that are requested in one turn of the event loop into one query. Each caller gets the result of its ID,
 * or the error of the whole query.
 * @param load returns a result for each ID that exists
 */
export function batchLookups<T>(
  load: (ids: readonly string[]) => Promise<ReadonlyMap<string, T>>,
  maxIds = maxBatchSize,
): (id: string) => Promise<T | null> {
  let batch = new Set<string>();
  let results: Promise<ReadonlyMap<string, T>>;
  return (id) => {
    if (batch.size === 0 || batch.size === maxIds) {
      const ids = new Set<string>();
      batch = ids;
      results = nextTurn().then(() => {
        if (batch === ids) batch = new Set();
        return load([...ids]);
      });
    }
    batch.add(id);
    return results.then((resultById) => resultById.get(id) ?? null);
  };
}

/**
 * Runs queries for large sessions one at a time, so that they do not delay small sessions. A visitor can make a session
 * large, for example with long form input.
 */
export class LargeSessionQueue {
  readonly #ids = new Set<string>();
  readonly #timeoutMs: number;
  readonly #store: string;
  /** The next waiter is random, because sessions are checked in a fixed order and the last would always time out. */
  readonly #slot = new Semaphore(1, (count) => Math.floor(Math.random() * count));

  /**
   * @param timeoutMs the limit of a query's wait for its turn
   * @param store the name of the store, for the error
   */
  constructor(timeoutMs: number, store: string) {
    this.#timeoutMs = timeoutMs;
    this.#store = store;
  }

  /** Whether the session was large at the last read. */
  has(id: string): boolean {
    return this.#ids.has(id);
  }

  record(id: string, isLarge: boolean): void {
    this.#ids.delete(id);
    if (!isLarge) return;
    this.#ids.add(id);
    if (this.#ids.size > maxLargeIds) this.#ids.delete(this.#ids.values().next().value as string);
  }

  /**
   * Runs a query when no other query runs.
   * @throws SessionBusyError after the timeout, which also bounds the queue
   */
  async run<T>(query: () => Promise<T>): Promise<T> {
    const control = new AbortController();
    const cancelDeadline = startDeadline(this.#timeoutMs, () =>
      control.abort(
        new SessionBusyError(
          `${this.#store} cannot send all requested large sessions within ${this.#timeoutMs} ms`,
        ),
      ),
    );
    await this.#slot.acquire(control.signal).finally(cancelDeadline);
    try {
      return await query();
    } finally {
      this.#slot.release();
    }
  }
}
