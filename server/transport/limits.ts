import { RateLimiterMemory, type RateLimiterRes } from 'rate-limiter-flexible';

/** So many in so many milliseconds; `count` 0 lifts the limit. */
export interface Rate {
  count: number;
  ms: number;
}

/** Counts events by key in time. What is counted outlives the connections that caused it. */
export class RateLimit {
  readonly #limiter: RateLimiterMemory | null;
  readonly #ms: number;

  constructor({ count, ms }: Rate) {
    this.#limiter = count === 0 ? null : new RateLimiterMemory({ points: count, duration: ms / 1000 });
    this.#ms = ms;
  }

  /** Null when this one is within the limit, else the milliseconds after which the next will be. */
  async take(key: string): Promise<number | null> {
    try {
      await this.#limiter?.consume(key);
      return null;
    } catch (refused) {
      // The limiter forgets by the monotonic clock, but tells the rest of the time by the wall clock, which may
      // have been set back meanwhile.
      return Math.min(Math.max(1, Math.ceil((refused as RateLimiterRes).msBeforeNext)), this.#ms);
    }
  }

  /** The event was none that counts. */
  async giveBack(key: string): Promise<void> {
    await this.#limiter?.reward(key);
  }
}

/** How many are open at once by key; `most` 0 lifts the limit. */
export class OpenLimit {
  readonly #most: number;
  readonly #open = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
  }

  /** The function that gives the place back, once; or null when there is none. */
  take(key: string): (() => void) | null {
    const open = this.#open.get(key) ?? 0;
    if (this.#most !== 0 && open >= this.#most) return null;
    this.#open.set(key, open + 1);
    let given = false;
    return () => {
      if (given) return;
      given = true;
      const left = (this.#open.get(key) ?? 1) - 1;
      if (left === 0) this.#open.delete(key);
      else this.#open.set(key, left);
    };
  }
}
