import { SecondFactorError } from '../configuration/configuration.ts';
import { StoreError } from '../login.ts';

const rereadIntervalMs = 60_000;

/** After a change, calls in flight still use the former connections for this time. */
export const closeDelayMs = 2000;

/**
 * Called if the changed configuration cannot be used, and with null when it can be used again. Until then the former
 * configuration counts, or with `isRefusing` new logins are rejected.
 */
export type OnProblem = (problem: Error | null, isRefusing: boolean) => void;

interface Reread {
  /** Reads the configuration if the last reading is older than a minute. */
  ifDue(): void;
  /** Reads the configuration after a reading in progress. */
  now(): Promise<void>;
  /** Set from a SecondFactorError until the configuration can be read. Checks then fail without ending logins. */
  readonly refusal: StoreError | undefined;
}

/**
 * Rereads a configuration on demand, and reports when it cannot be used.
 * @param read keeps the former values if it throws
 * @param onProblem called once per message
 */
export function createReread(read: () => Promise<void>, onProblem: OnProblem = () => {}): Reread {
  let readAt = performance.now();
  let lastProblem = '';
  let refusal: StoreError | undefined;
  let reading = Promise.resolve();

  async function readOnce(): Promise<void> {
    try {
      await read();
      if (lastProblem !== '') onProblem(null, false);
      lastProblem = '';
      refusal = undefined;
    } catch (error) {
      // Every use of the database reports this itself.
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
    reading = reading.then(readOnce);
    return reading;
  }

  return {
    ifDue() {
      if (performance.now() - readAt > rereadIntervalMs) void now();
    },
    now,
    get refusal() {
      return refusal;
    },
  };
}
