/** Milliseconds after which half of the time that a user has used does not count any more. */
const halfLife = 5 * 60_000;

/**
 * A queue in which that user comes next whose tasks have taken the least time lately, however many tasks each has. Users
 * whose tasks have taken as much take turns.
 */
export class FairQueue<Task> {
  readonly #tasks = new Map<string, Task[]>();
  #size = 0;
  /** Milliseconds of each user, as they counted at `#counted`. All fade alike, so their order stays. */
  readonly #used = new Map<string, number>();
  #counted = 0;

  /** The number of all tasks. */
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
   * @param may whether a task of this user may come
   */
  next(may: (user: string) => boolean = () => true): Task | undefined {
    let next: string | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const user of this.#tasks.keys()) {
      if (!may(user)) continue;
      const used = this.#used.get(user) ?? 0;
      if (used < least) [next, least] = [user, used];
    }
    if (next === undefined) return undefined;
    const tasks = this.#tasks.get(next) ?? [];
    const task = tasks.shift();
    // Moves the user behind all others.
    this.#tasks.delete(next);
    if (tasks.length > 0) this.#tasks.set(next, tasks);
    this.#size--;
    return task;
  }

  /** Removes and returns the newest task of the user who has the most. */
  dropLast(): Task | undefined {
    let most: [user: string, tasks: Task[]] | undefined;
    for (const entry of this.#tasks) if (entry[1].length > (most?.[1].length ?? 0)) most = entry;
    const [user = '', tasks = []] = most ?? [];
    const task = tasks.at(-1);
    if (task !== undefined) this.remove(user, task);
    return task;
  }

  /** Counts the milliseconds that a task of a user has taken. */
  count(user: string, ms: number): void {
    const now = performance.now();
    const rest = 2 ** ((this.#counted - now) / halfLife);
    this.#counted = now;
    for (const [one, used] of this.#used) {
      // Nobody is remembered for long.
      if (used * rest < 1) this.#used.delete(one);
      else this.#used.set(one, used * rest);
    }
    this.#used.set(user, (this.#used.get(user) ?? 0) + ms);
  }

  /** @returns whether it was waiting */
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
