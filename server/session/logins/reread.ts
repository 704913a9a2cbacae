import { StoreError } from '../login.ts';

/** Milliseconds after which a changed configuration counts. */
const rereadAfter = 60_000;

/** Milliseconds that questions under way have to end after the configuration has changed. */
export const closedAfter = 2000;

/** Reads the configuration of a site again. */
export interface Reread {
  /** Reads it, if more than a minute has passed since it was read last. */
  ifDue(): void;
  /** Reads it, after a reading that is under way. Its faults go to `onProblem`, once for each message, and null when they are over. */
  now(): Promise<void>;
}

/** @param read throws if the configuration cannot be read: the values that were read before still count */
export function rereading(
  read: () => Promise<void>,
  onProblem: (problem: Error | null) => void = () => {},
): Reread {
  let readAt = performance.now();
  let lastProblem = '';
  let reading = Promise.resolve();

  async function again(): Promise<void> {
    try {
      await read();
      if (lastProblem !== '') onProblem(null);
      lastProblem = '';
    } catch (error) {
      // The database says itself that it is silent, wherever it is asked.
      if (error instanceof StoreError) return;
      const { message } = error as Error;
      if (message !== lastProblem) onProblem(error as Error);
      lastProblem = message;
    }
  }

  function now(): Promise<void> {
    readAt = performance.now();
    reading = reading.then(again);
    return reading;
  }

  return {
    ifDue() {
      if (performance.now() - readAt > rereadAfter) void now();
    },
    now,
  };
}
