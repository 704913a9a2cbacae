import type { Container, Saved } from './containers/container.ts';

/** Milliseconds for which work runs before new data is read from the sockets: ten bytes can ask for a megabyte. */
const turnLength = 20;
/** Work on more bytes than this is large. Most sessions are smaller, and their clients must not wait for large ones. */
const largeBytes = 32_768;

/**
 * Shares the one thread among all connections. Hundreds of commands may start before the event loop reads from the
 * sockets again. So work is done in turns: once a turn is over, further work waits for the next one, in order of
 * arrival. Small work goes before large work, but each turn does some large work too.
 */
export class WorkQueue {
  /** When the current turn began; null if there is nothing to do. */
  #began: number | null = null;
  /** No large work starts before this time. */
  #restUntil = 0;
  readonly #small: (() => void)[] = [];
  readonly #large: (() => void)[] = [];

  static isLarge(bytes: number): boolean {
    return bytes > largeBytes;
  }

  /**
   * Call this before each piece of work.
   * @param bytes how many bytes the work has to go through
   * @returns undefined if the work may start at once; otherwise a promise that resolves when it may
   */
  wait(bytes: number): Promise<void> | undefined {
    if (this.#began === null) this.#begin();
    const isLarge = WorkQueue.isLarge(bytes);
    if (!isLarge && this.#small.length === 0 && !this.#isOver) return undefined;
    return new Promise((resolve) => (isLarge ? this.#large : this.#small).push(resolve));
  }

  get #isOver(): boolean {
    return this.#began === null || performance.now() - this.#began > turnLength;
  }

  /** Starts a turn. setImmediate lets the event loop read from the sockets before the next one. */
  #begin(): void {
    this.#began = performance.now();
    setImmediate(() => this.#next());
  }

  async #next(): Promise<void> {
    this.#began = null;
    if (this.#small.length + this.#large.length === 0) return;
    this.#begin();
    while (this.#small.length > 0 && !this.#isOver) await run(this.#small.shift());
    const began = performance.now();
    if (this.#large.length === 0 || began < this.#restUntil) return;
    do await run(this.#large.shift());
    while (this.#large.length > 0 && !this.#isOver);
    const ended = performance.now();
    // A fifth of the time stays free for what takes many rounds of the event loop: each round accepts one connection,
    // and reading a file takes several.
    this.#restUntil = ended + (ended - began) / 4;
  }
}

/** Starts one piece of work. Resolves when it has done everything that it can do without waiting. */
function run(start: (() => void) | undefined): Promise<void> {
  start?.();
  // A tick that a microtask schedules runs after all microtasks, including those that they add.
  return new Promise((resolve) => queueMicrotask(() => process.nextTick(resolve)));
}

/** Enough to keep a disk busy. Each read may hold a whole session in memory. */
const concurrentReads = 8;

/**
 * A container that reads only a few sessions at once, however many are asked for, and lets large ones wait in the work
 * queue. To parse a large session and to make a reply of it takes far longer than to read it, and about ten times its
 * bytes.
 */
export function queueReads(container: Container, work: WorkQueue): Container {
  const reads = new Semaphore(concurrentReads);
  const largeReads = new Semaphore(concurrentReads);
  const isLarge = (saved: Saved | null) => saved !== null && WorkQueue.isLarge(saved.data.length);
  const readLarge = async (id: string) => {
    const saved = await container.open(id);
    if (saved !== null) await work.wait(saved.data.length);
    return saved;
  };
  return {
    ...container,
    get count() {
      return container.count;
    },
    open(id) {
      return (
        reads
          .during(() => container.open(id))
          // A large session is dropped and read again later: hundreds of them must neither stay in memory nor block
          // the reads of small ones.
          .then((saved) => (isLarge(saved) ? largeReads.during(() => readLarge(id)) : saved))
      );
    },
  };
}

/** Limits how much work runs at once; the rest waits in order of arrival. */
class Semaphore {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(limit: number) {
    this.#free = limit;
  }

  async during<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await work();
    } finally {
      // On the next tick, so that the caller has used the result before the next work allocates its own.
      process.nextTick(() => this.#release());
    }
  }

  #release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}
