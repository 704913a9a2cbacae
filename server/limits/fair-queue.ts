/** After this time half of a user's past use is forgotten. */
const halfLifeMs = 5 * 60_000;

/** The time that the tasks of each user took recently. */
export class TaskTimes {
  /**
   * The recent task time by user, as of `#updatedAt`. All values decay at the same rate, so their order stays, and later
   * times count more instead.
   */
  readonly #usedMs = new Map<string, number>();
  #updatedAt = 0;

  of(user: string): number {
    return this.#usedMs.get(user) ?? 0;
  }

  add(user: string, ms: number): void {
    const now = performance.now();
    if (now - this.#updatedAt >= halfLifeMs) this.#decay(now);
    this.#usedMs.set(user, this.of(user) + ms * 2 ** ((now - this.#updatedAt) / halfLifeMs));
  }

  #decay(now: number): void {
    const rest = 2 ** ((this.#updatedAt - now) / halfLifeMs);
    this.#updatedAt = now;
    for (const [user, usedMs] of this.#usedMs) {
      // Bounds the map.
      if (usedMs * rest < 1) this.#usedMs.delete(user);
      else this.#usedMs.set(user, usedMs * rest);
    }
  }
}

/** A queue that serves the user whose tasks took the least time recently. Users with equal times take turns. */
export class FairQueue<Task> {
  readonly #tasks = new Map<string, Task[]>();
  #size = 0;
  readonly #times: TaskTimes;

  /** @param times shared by queues whose tasks count together */
  constructor(times = new TaskTimes()) {
    this.#times = times;
  }

  get size(): number {
    return this.#size;
  }

  add(user: string, task: Task): void {
    this.#size++;
    const tasks = this.#tasks.get(user);
    if (tasks === undefined) this.#tasks.set(user, [task]);
    else tasks.push(task);
  }

  /**
   * Removes and returns the next task.
   * @param isAllowed filters the tasks
   */
  next(isAllowed: (user: string, task: Task) => boolean = () => true): Task | undefined {
    let next: { user: string; at: number } | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const [user, tasks] of this.#tasks) {
      const used = this.#times.of(user);
      if (used >= least) continue;
      const at = tasks.findIndex((task) => isAllowed(user, task));
      if (at >= 0) [next, least] = [{ user, at }, used];
    }
    if (next === undefined) return undefined;
    const tasks = this.#tasks.get(next.user) ?? [];
    const [task] = tasks.splice(next.at, 1);
    // Moves the user to the end of the map.
    this.#tasks.delete(next.user);
    if (tasks.length > 0) this.#tasks.set(next.user, tasks);
    this.#size--;
    return task;
  }

  /** Removes and returns the newest task of the user with the most tasks. */
  dropLast(): Task | undefined {
    let most: [user: string, tasks: Task[]] | undefined;
    for (const entry of this.#tasks) if (entry[1].length > (most?.[1].length ?? 0)) most = entry;
    const [user = '', tasks = []] = most ?? [];
    const task = tasks.at(-1);
    if (task !== undefined) this.remove(user, task);
    return task;
  }

  /** Adds the time that a user's task took. */
  count(user: string, ms: number): void {
    this.#times.add(user, ms);
  }

  /** Removes a task. @returns whether the task was in the queue */
  remove(user: string, task: Task): boolean {
    const tasks = this.#tasks.get(user) ?? [];
    const at = tasks.indexOf(task);
    if (at < 0) return false;
    tasks.splice(at, 1);
    this.#size--;
    if (tasks.length === 0) this.#tasks.delete(user);
    return true;
  }
}

/** Runs a bounded number of tasks at once. The others wait in a `FairQueue`. */
export class FairTurns {
  readonly #most: number;
  #running = 0;
  readonly #waiting = new FairQueue<() => void>();

  constructor(most: number) {
    this.#most = most;
  }

  /**
   * Runs a task when it is the user's turn.
   * @param maxWaitMs how long it may wait
   * @throws WaitedTooLong
   */
  async run<T>(user: string, task: () => Promise<T>, maxWaitMs?: number): Promise<T> {
    if (this.#running < this.#most) this.#running++;
    else await this.#turn(user, maxWaitMs);
    const startedAt = performance.now();
    try {
      return await task();
    } finally {
      this.#waiting.count(user, performance.now() - startedAt);
      const next = this.#waiting.next();
      if (next === undefined) this.#running--;
      else next();
    }
  }

  #turn(user: string, maxWaitMs: number | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      const go = () => {
        clearTimeout(late);
        resolve();
      };
      const leave = () => this.#waiting.remove(user, go) && reject(new WaitedTooLong());
      const late = maxWaitMs === undefined ? undefined : setTimeout(leave, maxWaitMs).unref();
      this.#waiting.add(user, go);
    });
  }
}

export class WaitedTooLong extends Error {
  constructor() {
    super('other users had their turn for too long');
  }
}
