import { RequestError } from './connection-state.ts';

/** Temporary errors, after which the same request may succeed on the same connection. */
const PASSING = new Set(['rate_limited', 'storage_unavailable', 'storage_full', 'internal']);
/** The connection is lost, or soon will be. Everything is requested again over the next one. */
const OVER = new Set(['offline', 'timeout', 'server_draining']);

export const isInterrupted = (error: unknown): boolean =>
  error instanceof RequestError && OVER.has(error.code);

/** Background requests of the client. Each runs at most once at a time, and is retried after a temporary error. */
export class Tasks {
  /** The number of the connection. Tasks of earlier connections are ignored. */
  #turn = 0;
  readonly #busy = new Set<string>();

  /** Abandons all tasks, because the connection has changed or closed. */
  restart(): void {
    this.#turn++;
    this.#busy.clear();
  }

  /**
   * Runs a task, unless it is already running. `current` returns whether the response is still needed.
   *
   * @returns false if the task was already running, the connection changed, or the request failed
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
        if (!isInterrupted(error)) refused?.(error);
        return false;
      }
      if (!current()) return false;
      this.#busy.delete(name);
      return true;
    }
  }
}
