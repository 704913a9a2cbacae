import { SecondFactorError } from '../configuration/configuration.ts';
import { StoreError } from '../login.ts';

/** Milliseconds after which a changed configuration counts. */
const rereadAfter = 60_000;

/** Milliseconds that questions under way have to end after the configuration has changed. */
export const closedAfter = 2000;

/**
 * Called when the configuration has changed and cannot be read: what was read before still counts, or with `isRefusing`
 * nobody is let in. With null when it can be read again.
 */
export type OnProblem = (problem: Error | null, isRefusing: boolean) => void;

/** Reads the configuration of a site again. */
export interface Reread {
  /** Reads it, if more than a minute has passed since it was read last. */
  ifDue(): void;
  /** Reads it, after a reading that is under way. Its faults go to `onProblem`, once for each message, and null when they are over. */
  now(): Promise<void>;
  /** Since a SecondFactorError, until the configuration can be read: nobody may be let in, and nobody is logged out before CHAT_SESSION_GRACE. */
  readonly refusal: StoreError | undefined;
}

/** @param read throws if the configuration cannot be read: the values that were read before still count */
export function rereading(read: () => Promise<void>, onProblem: OnProblem = () => {}): Reread {
  let readAt = performance.now();
  let lastProblem = '';
  let refusal: StoreError | undefined;
  let reading = Promise.resolve();

  async function again(): Promise<void> {
    try {
      await read();
      if (lastProblem !== '') onProblem(null, false);
      lastProblem = '';
      refusal = undefined;
    } catch (error) {
      // The database says itself that it is silent, wherever it is asked.
      if (error instanceof StoreError) return;
      const { message } = error as Error;
      const isRefusing = error instanceof SecondFactorError || refusal !== undefined;
      if (isRefusing) refusal = new StoreError(message, { cause: error });
      if (message !== lastProblem) onProblem(error as Error, isRefusing);
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
    get refusal() {
      return refusal;
    },
  };
}
