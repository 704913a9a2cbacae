interface Waiter {
  resolve(): void;
  reject(reason: unknown): void;
}

/** Lets so many pieces of work run at a time; the others wait for a slot. */
export class Semaphore {
  readonly #waiting: Waiter[] = [];
  readonly #next: (waiting: number) => number;
  #free: number;

  /** @param next the position of the waiter that gets the next free slot; by default that of the first */
  constructor(slots: number, next: (waiting: number) => number = () => 0) {
    this.#free = slots;
    this.#next = next;
  }

  /**
   * Waits for a slot. The caller gives it back with `release`.
   * @param signal ends the waiting
   * @throws the reason of the signal, or of `failWaiting`
   */
  acquire(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#free > 0) {
      this.#free--;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const waiter = { resolve, reject };
      this.#waiting.push(waiter);
      signal?.addEventListener('abort', () => {
        const at = this.#waiting.indexOf(waiter);
        if (at !== -1) this.#waiting.splice(at, 1);
        reject(signal.reason);
      });
    });
  }

  release(): void {
    const [waiter] = this.#waiting.splice(this.#next(this.#waiting.length), 1);
    if (waiter === undefined) this.#free++;
    else waiter.resolve();
  }

  /** Fails all that wait for a slot. */
  failWaiting(reason: () => Error): void {
    for (const waiter of this.#waiting.splice(0)) waiter.reject(reason());
  }
}
