import { RequestError } from './connection-state.ts';

/** The same request may succeed later, on the same connection. */
const PASSING = new Set(['rate_limited', 'storage_unavailable', 'storage_full', 'internal']);
/** The connection is over, or about to be: everything is asked for again over the next one. */
const OVER = new Set(['offline', 'timeout', 'server_draining']);

/**
 * Requests that the client makes by itself: each at most once at a time, and again if it failed for a passing
 * cause.
 */
export class Tasks {
  /** Counts connections: what is under way on an earlier one no longer matters. */
  #turn = 0;
  readonly #busy = new Set<string>();

  /** A new connection, or none any more. */
  restart(): void {
    this.#turn++;
    this.#busy.clear();
  }

  /**
   * False if it was not done: it is under way already, the connection is another one, or it was refused.
   * `current` says whether the answer is still wanted.
   */
  async once(
    name: string,
    task: (current: () => boolean) => Promise<void>,
    refused?: (error: RequestError) => void,
  ): Promise<boolean> {
    if (this.#busy.has(name)) return false;
    this.#busy.add(name);
    const turn = this.#turn;
    const current = () => turn === this.#turn;
    for (let pause = 1000; ; pause = Math.min(30_000, pause * 2)) {
      try {
        await task(current);
      } catch (error) {
        if (!(error instanceof RequestError)) throw error;
        if (!current()) return false;
        if (PASSING.has(error.code)) {
          await new Promise((resolve) => setTimeout(resolve, Math.max(pause, error.retryAfterMs ?? 0)));
          if (current()) continue;
          return false;
        }
        this.#busy.delete(name);
        if (!OVER.has(error.code)) refused?.(error);
        return false;
      }
      if (!current()) return false;
      this.#busy.delete(name);
      return true;
    }
  }
}
