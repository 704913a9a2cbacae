import { RequestError } from '../wire/errors.ts';
import { tryAgainAfter } from './by-key.ts';

/** Users who used no more than others are deleted when this number of users is reached. */
const maxUsers = 1000;

/** The share of the latest task in `TaskTimes.#typicalMs`. */
const latestShare = 1 / 8;
/** A longer task counts as this number of typical tasks there, because the machine may have been busy. */
const maxOutlier = 4;

/**
 * The most that earlier tasks count, as a part of a typical task. It is less than a task, so that the user waits for one
 * task of each other user, even if these differ.
 */
const maxDebt = 1 / 2;

/** The time that the tasks of each user took. It orders users who compete, so earlier times have a small effect. */
export class TaskTimes {
  readonly #usedMs = new Map<string, number>();
  /** The time of the user whose task started last. It never falls, and users with less time are lifted to it. */
  #leastMs = 0;
  /** The average time of recent tasks. */
  #typicalMs = 0;
  #maxUsers = maxUsers;

  get leastMs(): number {
    return this.#leastMs;
  }

  of(user: string): number {
    return this.#usedMs.get(user) ?? 0;
  }

  /** Returns the time after which it is the user's turn. @param leastMs `leastMs` when the user began to wait */
  turnOf(user: string, leastMs: number): number {
    const mostMs = leastMs + maxDebt * this.#typicalMs;
    return Math.max(this.#leastMs, Math.min(this.of(user), mostMs));
  }

  /** Notes that a task of the user starts. @param usedMs the result of `turnOf` */
  start(user: string, usedMs: number): void {
    this.#leastMs = usedMs;
    this.#usedMs.set(user, usedMs);
    if (this.#usedMs.size <= this.#maxUsers) return;
    for (const [other, otherMs] of this.#usedMs) if (otherMs < usedMs) this.#usedMs.delete(other);
    this.#maxUsers = Math.max(maxUsers, 2 * this.#usedMs.size);
  }

  /** Adds the time that a user's task took. */
  add(user: string, ms: number): void {
    this.#usedMs.set(user, (this.#usedMs.get(user) ?? this.#leastMs) + ms);
    const countedMs = Math.min(ms, maxOutlier * this.#typicalMs || ms);
    this.#typicalMs += latestShare * (countedMs - this.#typicalMs);
  }
}

/** The queued tasks of a user. */
interface Line<Task> {
  tasks: Task[];
  /** The number of tasks at the start of `tasks` that continue the user's turn. */
  continuing: number;
  /** `TaskTimes.leastMs` when the first of the tasks began to wait for the user's turn. */
  leastMs: number;
}

/**
 * A queue that serves the user whose tasks took the least time. Users with equal times take turns. Between two tasks of
 * a user, each other user gets about one task, or several short ones.
 */
export class FairQueue<Task> {
  readonly #lines = new Map<string, Line<Task>>();
  #size = 0;
  readonly #times: TaskTimes;

  /** @param times shared by queues whose tasks count together */
  constructor(times = new TaskTimes()) {
    this.#times = times;
  }

  get size(): number {
    return this.#size;
  }

  /**
   * Adds a task, even if it can start at once. `next` must start it, so that its time counts.
   * @param continues whether it belongs to a task that had its turn, so it starts before tasks of other users
   */
  add(user: string, task: Task, continues = false): void {
    this.#size++;
    const line = this.#lines.get(user) ?? { tasks: [], continuing: 0, leastMs: this.#times.leastMs };
    this.#lines.set(user, line);
    if (continues) line.tasks.splice(line.continuing++, 0, task);
    else line.tasks.push(task);
  }

  /**
   * Removes and returns the task that starts next.
   * @param isAllowed filters the tasks
   */
  next(isAllowed: (user: string, task: Task) => boolean = () => true): Task | undefined {
    let next: { user: string; line: Line<Task>; at: number; turnMs: number; usedMs: number } | undefined;
    for (const [user, line] of this.#lines) {
      const turnMs = line.continuing > 0 ? -1 : this.#times.turnOf(user, line.leastMs);
      const usedMs = this.#times.of(user);
      if (next !== undefined && (turnMs - next.turnMs || usedMs - next.usedMs) >= 0) continue;
      const at = line.tasks.findIndex((task) => isAllowed(user, task));
      if (at >= 0) next = { user, line, at, turnMs, usedMs };
    }
    if (next === undefined) return undefined;
    const { user, line, at } = next;
    this.#times.start(user, this.#times.turnOf(user, line.leastMs));
    const [task] = line.tasks.slice(at);
    this.#removeAt(user, line, at);
    // Moves the user to the end of the map.
    if (this.#lines.delete(user)) this.#lines.set(user, { ...line, leastMs: this.#times.leastMs });
    return task;
  }

  /** Removes and returns the newest task of the user with the most tasks. */
  dropLast(): Task | undefined {
    let most: [user: string, tasks: Task[]] | undefined;
    for (const [user, { tasks }] of this.#lines)
      if (tasks.length > (most?.[1].length ?? 0)) most = [user, tasks];
    const [user = '', tasks = []] = most ?? [];
    const task = tasks.at(-1);
    if (task !== undefined) this.remove(user, task);
    return task;
  }

  /** Removes and returns tasks that do not run. */
  dropAll(isDropped: (task: Task) => boolean = () => true): Task[] {
    const dropped: Task[] = [];
    for (const [user, { tasks }] of this.#lines)
      for (const task of tasks.filter(isDropped)) {
        this.remove(user, task);
        dropped.push(task);
      }
    return dropped;
  }

  /** Adds the time that a user's task took. */
  count(user: string, ms: number): void {
    this.#times.add(user, ms);
  }

  /** Removes a task. @returns whether the task was in the queue */
  remove(user: string, task: Task): boolean {
    const line = this.#lines.get(user);
    const at = line?.tasks.indexOf(task) ?? -1;
    if (line === undefined || at < 0) return false;
    this.#removeAt(user, line, at);
    return true;
  }

  #removeAt(user: string, line: Line<Task>, at: number): void {
    line.tasks.splice(at, 1);
    if (at < line.continuing) line.continuing--;
    this.#size--;
    if (line.tasks.length === 0) this.#lines.delete(user);
  }
}

/** Runs a bounded number of tasks at once. The others wait in a `FairQueue`. */
export class FairTurns {
  readonly #most: number;
  #running = 0;
  #finished = 0;
  readonly #waiting = new FairQueue<{ go(): void; fail(error: Error): void }>();

  constructor(most: number) {
    this.#most = most;
  }

  /**
   * Runs a task when it is the user's turn.
   * @param maxWaitMs the maximum wait; absent for none
   * @param continues see `FairQueue.add`
   * @throws WaitedTooLong
   */
  async run<T>(user: string, task: () => Promise<T>, maxWaitMs?: number, continues = false): Promise<T> {
    await this.#turn(user, maxWaitMs, continues);
    const startedAt = performance.now();
    try {
      const result = await task();
      this.#finished++;
      return result;
    } finally {
      this.#waiting.count(user, performance.now() - startedAt);
      this.#running--;
      this.#startNext();
    }
  }

  /** Rejects all tasks that wait. */
  failWaiting(error: Error): void {
    for (const { fail } of this.#waiting.dropAll()) fail(error);
  }

  #turn(user: string, maxWaitMs: number | undefined, continues: boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      let late: NodeJS.Timeout | undefined;
      const waiter = {
        go() {
          clearTimeout(late);
          resolve();
        },
        fail(error: Error) {
          clearTimeout(late);
          reject(error);
        },
      };
      this.#waiting.add(user, waiter, continues);
      this.#startNext();
      if (maxWaitMs === undefined || this.#waiting.size === 0) return;
      const finished = this.#finished;
      late = setTimeout(() => {
        if (this.#waiting.remove(user, waiter)) reject(new WaitedTooLong(this.#finished > finished));
      }, maxWaitMs).unref();
    });
  }

  #startNext(): void {
    while (this.#running < this.#most) {
      const next = this.#waiting.next();
      if (next === undefined) break;
      this.#running++;
      next.go();
    }
  }
}

/** A task was dropped because it waited too long. */
export class WaitedTooLong extends RequestError {
  /** @param othersFinished whether tasks of other users finished in this time. Otherwise what they use is at fault. */
  constructor(othersFinished = true) {
    if (othersFinished)
      super('rate_limited', 'Many users read or search at the moment. Try again after retryAfterMs.', {
        retryAfterMs: tryAgainAfter,
      });
    else super('storage_unavailable', 'the tasks of other users do not finish');
  }
}
