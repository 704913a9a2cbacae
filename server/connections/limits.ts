/** So many in so many milliseconds; `count` 0 lifts the limit. */
export interface Rate {
  count: number;
  ms: number;
}

/**
 * Counts events by key in windows that begin with the first event of each. By the monotonic clock, which packages
 * for this do not use: when the wall clock is set, nobody is locked out and nobody let in. What is counted outlives
 * the connections that caused it.
 */
export class RateLimit {
  readonly #rate: Rate;
  readonly #windows = new Map<string, { count: number; ends: number }>();
  #swept = 0;

  constructor(rate: Rate) {
    this.#rate = rate;
  }

  /**
   * Null when these are within the limit, else the milliseconds after which they will be; nothing is counted then.
   * @param units that count as one event each
   */
  take(key: string, units = 1): number | null {
    const { count, ms } = this.#rate;
    if (count === 0) return null;
    const now = performance.now();
    const window = this.#window(key, now);
    if (window === undefined) {
      this.#sweep(now);
      this.#windows.set(key, { count: units, ends: now + ms });
      return null;
    }
    if (window.count + units <= count) {
      window.count += units;
      return null;
    }
    return Math.ceil(window.ends - now);
  }

  /** The event that was taken at that time (of the monotonic clock) was none that counts. */
  giveBack(key: string, taken: number): void {
    const window = this.#window(key, performance.now());
    if (window !== undefined && window.ends - this.#rate.ms <= taken) window.count--;
  }

  #window(key: string, now: number) {
    const window = this.#windows.get(key);
    return window !== undefined && window.ends > now ? window : undefined;
  }

  /** Once a window's length, forgets those that are over: keys come from anybody. */
  #sweep(now: number): void {
    if (now - this.#swept < this.#rate.ms) return;
    this.#swept = now;
    for (const [key, { ends }] of this.#windows) if (ends <= now) this.#windows.delete(key);
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
