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
   * Null when this one is within the limit, else the milliseconds after which the next will be.
   * @param weight how many it counts as; the last one within the limit may weigh more than is left
   */
  take(key: string, weight = 1): number | null {
    const { count, ms } = this.#rate;
    if (count === 0) return null;
    const now = performance.now();
    const window = this.#window(key, now);
    if (window === undefined) {
      this.#sweep(now);
      this.#windows.set(key, { count: weight, ends: now + ms });
      return null;
    }
    if (window.count < count) {
      window.count += weight;
      return null;
    }
    return Math.ceil(window.ends - now);
  }

  /** The event that was taken at that time (of the monotonic clock) was none that counts. */
  giveBack(key: string, taken: number, weight = 1): void {
    const window = this.#window(key, performance.now());
    if (window !== undefined && window.ends - this.#rate.ms <= taken) window.count -= weight;
  }

  /** One that was within the limit counts as so many more than was known. */
  add(key: string, weight: number): void {
    const window = this.#window(key, performance.now());
    if (window !== undefined) window.count += weight;
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

/** Lets few tasks of one key run at once; the others wait in the order in which they came. */
export class Turns {
  readonly #most: number;
  readonly #keys = new Map<string, { running: number; waiting: (() => void)[] }>();

  constructor(most: number) {
    this.#most = most;
  }

  async run<T>(key: string, task: () => Promise<T>): Promise<T> {
    const turns = this.#keys.get(key) ?? { running: 0, waiting: [] };
    this.#keys.set(key, turns);
    if (turns.running < this.#most) turns.running++;
    else await new Promise<void>((resolve) => turns.waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = turns.waiting.shift();
      if (next !== undefined) next();
      else if (--turns.running === 0) this.#keys.delete(key);
    }
  }
}
