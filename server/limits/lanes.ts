import { setTimeout as pause } from 'node:timers/promises';

/** Runs a limited number of tasks concurrently. A task that hangs occupies its lane, and delays no other task. */
export class Lanes {
  readonly #most: number;
  readonly #running = new Set<Promise<void>>();

  constructor(most: number) {
    this.#most = most;
  }

  /** Waits for a free lane. */
  async free(): Promise<void> {
    while (this.#running.size >= this.#most) await Promise.race(this.#running);
  }

  /** Starts a task, which must not reject. @returns the end of the task */
  start(task: () => Promise<void>): Promise<void> {
    const running = task().finally(() => this.#running.delete(running));
    this.#running.add(running);
    return running;
  }

  /**
   * Waits for all tasks.
   * @param ms maximum wait in milliseconds; default: unlimited
   * @returns whether no task is running any more
   */
  async idle(ms?: number): Promise<boolean> {
    const all = Promise.all(this.#running);
    if (ms === undefined) await all;
    else if (this.#running.size > 0) {
      const waited = new AbortController();
      await Promise.race([all, pause(ms, undefined, { ref: false, signal: waited.signal }).catch(() => {})]);
      waited.abort();
    }
    return this.#running.size === 0;
  }
}
