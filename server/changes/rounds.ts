/** The delay after a failure, in milliseconds. It doubles with each failure, from `shortest` to `longest`. */
export const pauses = { shortest: 1000, longest: 60_000 };

/**
 * Polls a queue when it is woken, and after the time that each poll returns. A failed poll is retried after a delay.
 */
export class Rounds {
  readonly #look: (signal: AbortSignal) => Promise<number>;
  readonly #onFailure: (error: Error) => void;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  #woken = Promise.withResolvers<void>();
  #pause = pauses.shortest;

  /**
   * @param look polls, and returns the milliseconds until the next poll. It must not start new work after `signal`
   * aborts.
   * @param onFailure called when a poll fails
   */
  constructor(look: (signal: AbortSignal) => Promise<number>, onFailure: (error: Error) => void) {
    this.#look = look;
    this.#onFailure = onFailure;
    this.#running = this.#run();
  }

  /** Polls now. */
  wake(): void {
    this.#woken.resolve();
  }

  /** Stops, and waits for the current poll. */
  async stop(): Promise<void> {
    this.#stopping.abort();
    this.wake();
    await this.#running;
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    while (!signal.aborted) {
      this.#woken = Promise.withResolvers();
      const wait = await this.#once(signal);
      const timer = setTimeout(() => this.wake(), wait).unref();
      if (!signal.aborted) await this.#woken.promise;
      clearTimeout(timer);
    }
  }

  async #once(signal: AbortSignal): Promise<number> {
    try {
      const wait = await this.#look(signal);
      this.#pause = pauses.shortest;
      return Math.max(0, wait);
    } catch (error) {
      this.#onFailure(error as Error);
      const wait = this.#pause;
      this.#pause = Math.min(2 * wait, pauses.longest);
      return wait;
    }
  }
}
