/** Milliseconds for which what arrives is left waiting: ten bytes can ask for a session of a megabyte. */
const length = 20;
/** Bytes from which on work is long. Who has a session as most are is not to wait for who has a large one. */
const long = 32_768;

/**
 * The turns of all connections. Whatever they do, they do in one thread, and hundreds of them may begin before it looks
 * again at what has arrived. Once a turn is over, who has not begun waits for the next: in order of arrival, and short
 * work before long work, of which each turn does some as well.
 */
export class Turns {
  /** When this turn did. Null when there is nothing to do. */
  #began: number | null = null;
  /** Until when no long work is begun. */
  #rest = 0;
  readonly #short: (() => void)[] = [];
  readonly #long: (() => void)[] = [];

  static isLong(bytes: number): boolean {
    return bytes > long;
  }

  /**
   * To be called before each piece of work.
   * @param bytes how much there is to be gone through
   * @returns undefined when it may begin at once, or what resolves when it may
   */
  take(bytes: number): Promise<void> | undefined {
    if (this.#began === null) this.#begin();
    const isLong = Turns.isLong(bytes);
    if (!isLong && this.#short.length === 0 && !this.#isOver) return undefined;
    return new Promise((resolve) => (isLong ? this.#long : this.#short).push(resolve));
  }

  get #isOver(): boolean {
    return this.#began === null || performance.now() - this.#began > length;
  }

  #begin(): void {
    this.#began = performance.now();
    setImmediate(() => this.#next());
  }

  /** What has arrived meanwhile has been taken in. */
  async #next(): Promise<void> {
    this.#began = null;
    if (this.#short.length + this.#long.length === 0) return;
    this.#begin();
    while (this.#short.length > 0 && !this.#isOver) await done(this.#short.shift());
    const began = performance.now();
    if (this.#long.length === 0 || began < this.#rest) return;
    do await done(this.#long.shift());
    while (this.#long.length > 0 && !this.#isOver);
    const ended = performance.now();
    // A fifth of the time is left for what takes many rounds of the event loop: each of them lets one connection in,
    // and a file is read in several.
    this.#rest = ended + (ended - began) / 4;
  }
}

/** Lets one begin, and resolves when it has done what it can do without waiting. */
function done(begin: (() => void) | undefined): Promise<void> {
  begin?.();
  // A tick that is asked for among the microtasks comes after the last of them, and after those that they make.
  return new Promise((resolve) => queueMicrotask(() => process.nextTick(resolve)));
}
