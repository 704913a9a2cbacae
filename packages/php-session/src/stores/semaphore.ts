interface Waiter {
  resolve(): void;
  reject(reason: unknown): void;
}

/** Limits the number of concurrent operations. */
export class Semaphore {
  readonly #waiters: Waiter[] = [];
  readonly #chooseWaiter: (count: number) => number;
  #free: number;

  /** @param chooseWaiter returns the index of the next waiter. Default: the first. */
  constructor(slots: number, chooseWaiter: (count: number) => number = () => 0) {
    this.#free = slots;
    this.#chooseWaiter = chooseWaiter;
  }

  /**
   * Waits for a slot. The caller must return it with `release`.
   * @throws the reason of `signal` or of `rejectWaiters`
   */
  acquire(signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.reject(signal.reason);
    if (this.#free > 0) {
      this.#free--;
      return Promise.resolve();
    }
    return new Promise((resolve, reject) => {
      const waiter = { resolve, reject };
      this.#waiters.push(waiter);
      signal?.addEventListener('abort', () => {
        const index = this.#waiters.indexOf(waiter);
        if (index !== -1) this.#waiters.splice(index, 1);
        reject(signal.reason);
      });
    });
  }

  release(): void {
    const [waiter] = this.#waiters.splice(this.#chooseWaiter(this.#waiters.length), 1);
    if (waiter === undefined) this.#free++;
    else waiter.resolve();
  }

  rejectWaiters(reason: () => Error): void {
    for (const waiter of this.#waiters.splice(0)) waiter.reject(reason());
  }
}
