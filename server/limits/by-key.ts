/**
 * A client with too many connections should retry after this time (ms). This is a guess, because the client may close a
 * connection at any time.
 */
export const tryAgainAfter = 5000;

/** At most `count` in any period of `ms` milliseconds. A `count` of 0 lifts the limit. */
export interface Rate {
  count: number;
  ms: number;
}

/** The number of slices in a period. Events within one slice are stored together, which limits the memory. */
const slicesOfPeriod = 100;

/** Events of one key that occurred close together. They count until one period after the last of them. */
interface Slice {
  first: number;
  last: number;
  weight: number;
}

/**
 * Limits the events of each key, so that no period of the rate's length exceeds its count. It uses the monotonic clock,
 * unlike packages for this purpose, so setting the wall clock has no effect. Counts outlive the connections that caused
 * them.
 */
export class RateLimit {
  readonly rate: Rate;
  /** Slices that still count, by key, oldest first. */
  readonly #keys = new Map<string, Slice[]>();
  #swept = 0;

  constructor(rate: Rate) {
    this.rate = rate;
  }

  /**
   * Counts an event if it is within the limit.
   * @param weight the weight of the event; the last event within the limit may exceed what is left
   * @param now the time of the event, if `giveBack` needs it
   * @returns null if the event is within the limit, or the milliseconds until the next event is
   */
  take(key: string, weight = 1, now = performance.now()): number | null {
    const { count, ms } = this.rate;
    if (count === 0) return null;
    const slices = this.#counting(key, now);
    let total = 0;
    for (const slice of slices) total += slice.weight;
    for (const slice of slices) {
      if (total < count) break;
      total -= slice.weight;
      if (total < count) return Math.ceil(slice.last + ms - now);
    }
    const newest = slices.at(-1);
    if (newest !== undefined && now - newest.first < ms / slicesOfPeriod) {
      newest.last = now;
      newest.weight += weight;
      return null;
    }
    slices.push({ first: now, last: now, weight });
    if (newest === undefined) {
      this.#sweep(now);
      this.#keys.set(key, slices);
    }
    return null;
  }

  /** Like `take`, but admits the whole weight or nothing. */
  takeWhole(key: string, weight: number, now = performance.now()): number | null {
    const { count, ms } = this.rate;
    if (count === 0) return null;
    if (weight > count) return ms;
    let total = weight;
    const slices = this.#counting(key, now);
    for (const slice of slices) total += slice.weight;
    for (const slice of slices) {
      if (total <= count) break;
      total -= slice.weight;
      if (total <= count) return Math.ceil(slice.last + ms - now);
    }
    return this.take(key, weight, now);
  }

  /**
   * Undoes a `take`.
   * @param taken when the event was counted, by the monotonic clock
   */
  giveBack(key: string, taken: number, weight = 1): void {
    const slices = this.#counting(key, performance.now());
    const slice = slices.findLast(({ first, last }) => first <= taken && taken <= last);
    if (slice !== undefined) slice.weight -= weight;
  }

  /** Adds to the weight of an earlier event, once its cost is known. */
  add(key: string, weight: number): void {
    const newest = this.#counting(key, performance.now()).at(-1);
    if (newest !== undefined) newest.weight += weight;
  }

  /** Returns the weight that counts now. */
  used(key: string): number {
    return this.#counting(key, performance.now()).reduce((sum, { weight }) => sum + weight, 0);
  }

  #counting(key: string, now: number): Slice[] {
    const slices = this.#keys.get(key) ?? [];
    const over = slices.findIndex(({ last }) => last + this.rate.ms > now);
    slices.splice(0, over < 0 ? slices.length : over);
    return slices;
  }

  /** Deletes keys without counted events once a period, because any client can add keys. */
  #sweep(now: number): void {
    if (now - this.#swept < this.rate.ms) return;
    this.#swept = now;
    for (const key of this.#keys.keys()) if (this.#counting(key, now).length === 0) this.#keys.delete(key);
  }
}

/** Limits the open items of each key. A `most` of 0 lifts the limit. */
export class OpenLimit {
  readonly #most: number;
  readonly #open = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
  }

  /**
   * Reserves a slot.
   * @returns the function that releases it, or null if the limit is reached
   */
  take(key: string): (() => void) | null {
    if (this.#most === 0) return unlimited;
    const open = this.#open.get(key) ?? 0;
    if (open >= this.#most) return null;
    this.#open.set(key, open + 1);
    let free = false;
    return () => {
      if (free) return;
      free = true;
      const left = (this.#open.get(key) ?? 1) - 1;
      if (left === 0) this.#open.delete(key);
      else this.#open.set(key, left);
    };
  }
}

function unlimited(): void {}

/** Limits the concurrent tasks of each key. Other tasks wait in the order of their arrival. */
export class ConcurrencyLimit {
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
