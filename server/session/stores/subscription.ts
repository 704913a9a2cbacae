import { setTimeout as pause } from 'node:timers/promises';
import { StoreError, type Watcher } from '../store.ts';
import { deadline } from './deadline.ts';

// Milliseconds.
/** So often the store is asked something, since one that is gone without a word looks like one with nothing to tell. */
const checkEvery = 15_000;
/** Of connecting and subscribing, and of the answer to a check. */
const within = 10_000;
/** Between two connections: twice as long after each that did not last. */
const pauses = { shortest: 1000, longest: 30_000 };

/** One connection of a watch. What is told on it after its end is dropped. */
export interface Line extends Pick<Watcher, 'changed' | 'opened'> {
  /** The connection is lost, or nothing that comes over it makes sense. */
  failed(error: StoreError): void;
  /** Aborted when the connection has failed or is not wanted any more, be it connected by then or not: end it. */
  readonly signal: AbortSignal;
}

/**
 * Connects, and settles when the store has agreed to tell. Time-outs are not its concern.
 * @returns asks the store anything at all, to see that it is still there
 * @throws StoreError
 */
export type Subscribe = (line: Line) => Promise<() => Promise<unknown>>;

/**
 * Watches over a connection of its own, and over a new one when that is lost, until the returned function is called:
 * from then on nothing is told, and nothing is left.
 */
export function keepWatching(subscribe: Subscribe, watcher: Watcher): () => void {
  let current: AbortController;
  let reopening: NodeJS.Timeout | undefined;
  let failures = 0;
  let well: boolean | undefined;

  function tell(reason: StoreError | null): void {
    if (well === (reason === null)) return;
    well = reason === null;
    watcher.lost(reason);
  }

  function open(): void {
    const control = new AbortController();
    const { signal } = control;
    current = control;
    const failed = (error: unknown) => {
      if (signal.aborted) return;
      control.abort();
      const longest = Math.min(pauses.longest, pauses.shortest * 2 ** failures++);
      // With chance, or all that a restart has cut off would come back in the same moment.
      reopening = setTimeout(open, longest * (0.5 + Math.random() / 2));
      tell(
        error instanceof StoreError
          ? error
          : new StoreError('the watch of the store failed', { cause: error }),
      );
    };
    const inTime = async <T>(work: Promise<T>): Promise<T> => {
      const answered = deadline(within, () =>
        failed(new StoreError(`the store did not answer its watch within ${within} ms`)),
      );
      signal.addEventListener('abort', answered);
      try {
        return await work;
      } finally {
        answered();
        signal.removeEventListener('abort', answered);
      }
    };
    const line: Line = {
      changed(session) {
        if (!signal.aborted) watcher.changed(session);
      },
      opened(session) {
        if (!signal.aborted) watcher.opened(session);
      },
      failed,
      signal,
    };
    const run = async () => {
      const check = await inTime(subscribe(line));
      if (signal.aborted) return;
      tell(null);
      for (;;) {
        await pause(checkEvery, undefined, { signal });
        await inTime(check());
        failures = 0;
      }
    };
    run().catch(failed);
  }

  open();
  return () => {
    clearTimeout(reopening);
    current.abort();
  };
}
