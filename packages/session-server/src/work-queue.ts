import type { Container, Saved } from './containers/container.ts';

/** After this time, the event loop reads from the sockets. Not a number of commands, because a short one may take long. */
const turnMs = 20;
/** Most sessions are smaller, and their clients must not wait for larger sessions. */
const largeBytes = 32_768;

/**
 * Shares the thread among all connections. Otherwise hundreds of commands could run before the event loop reads from the
 * sockets again. Work runs in turns, in order of arrival, small work first. Some turns also run large work.
 */
export class WorkQueue {
  /** Null if there is no work. */
  #turnStartedAt: number | null = null;
  /** The earliest start of large work. */
  #largeAllowedAt = 0;
  readonly #small: (() => void)[] = [];
  readonly #large: (() => void)[] = [];

  static isLarge(bytes: number): boolean {
    return bytes > largeBytes;
  }

  /**
   * Must be called before each piece of work.
   * @param bytes the number of bytes that the work processes
   * @returns undefined if the work may start now, otherwise a promise that resolves when it may start
   */
  wait(bytes: number): Promise<void> | undefined {
    if (this.#turnStartedAt === null) this.#startTurn();
    const isLarge = WorkQueue.isLarge(bytes);
    if (!isLarge && this.#small.length === 0 && !this.#isTurnOver) return undefined;
    return new Promise((resolve) => (isLarge ? this.#large : this.#small).push(resolve));
  }

  get #isTurnOver(): boolean {
    return this.#turnStartedAt === null || performance.now() - this.#turnStartedAt > turnMs;
  }

  /** Starts a turn. setImmediate lets the event loop read from the sockets before the next turn. */
  #startTurn(): void {
    this.#turnStartedAt = performance.now();
    setImmediate(() => this.#runTurn());
  }

  async #runTurn(): Promise<void> {
    this.#turnStartedAt = null;
    if (this.#small.length + this.#large.length === 0) return;
    this.#startTurn();
    while (this.#small.length > 0 && !this.#isTurnOver) await run(this.#small.shift());
    const startedAt = performance.now();
    if (this.#large.length === 0 || startedAt < this.#largeAllowedAt) return;
    do await run(this.#large.shift());
    while (this.#large.length > 0 && !this.#isTurnOver);
    const endedAt = performance.now();
    // Leaves a fifth of the time for work that takes many rounds of the event loop. A round accepts one connection, and
    // reading a file takes several rounds.
    this.#largeAllowedAt = endedAt + (endedAt - startedAt) / 4;
  }
}

/** Starts a piece of work. Resolves when the work is complete or waits. */
function run(start: (() => void) | undefined): Promise<void> {
  start?.();
  // A tick that a microtask schedules runs after all microtasks, even those that are added later.
  return new Promise((resolve) => queueMicrotask(() => process.nextTick(resolve)));
}

/** Enough to keep a disk busy. Each read may need memory for a whole session. */
const maxConcurrentReads = 8;

/**
 * Limits concurrent reads of a container, and lets large sessions wait in the work queue. Parsing a session and
 * creating a reply takes far longer than reading it, and about ten times its size in memory.
 */
export function queueReads(container: Container, work: WorkQueue): Container {
  const reads = new Semaphore(maxConcurrentReads);
  const largeReads = new Semaphore(maxConcurrentReads);
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
          // Discards a large session and reads it again later, because hundreds of large sessions must not fill the memory
          // or block small reads.
          .then((saved) => (isLarge(saved) ? largeReads.during(() => readLarge(id)) : saved))
      );
    },
  };
}

/** Limits concurrent work. Further work waits in order of arrival. */
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
      // Releases on the next tick, so that the caller uses the result before the next work allocates memory.
      process.nextTick(() => this.#release());
    }
  }

  #release(): void {
    const next = this.#waiting.shift();
    if (next === undefined) this.#free++;
    else next();
  }
}
