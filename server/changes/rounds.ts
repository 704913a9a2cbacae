/** The pauses after a failure of the history, in milliseconds. They double. */
export const pauses = { shortest: 1000, longest: 60_000 };

/**
 * Looks for what is due, again and again: when it is woken, and after the time that each look says. A look that fails is
 * tried again after a pause.
 */
export class Rounds {
  readonly #look: (signal: AbortSignal) => Promise<number>;
  readonly #onFailure: (error: Error) => void;
  readonly #stopping = new AbortController();
  readonly #running: Promise<void>;
  #woken = Promise.withResolvers<void>();
  #pause = pauses.shortest;

  /**
   * @param look returns milliseconds until there may be more; it begins nothing new when `signal` has aborted
   * @param onFailure is called when it has failed
   */
  constructor(look: (signal: AbortSignal) => Promise<number>, onFailure: (error: Error) => void) {
    this.#look = look;
    this.#onFailure = onFailure;
    this.#running = this.#run();
  }

  /** There is more. */
  wake(): void {
    this.#woken.resolve();
  }

  /** Waits for the look that is under way. */
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
