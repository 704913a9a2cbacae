/** Milliseconds after which half of the time that a user has used does not count any more. */
const halfLife = 5 * 60_000;

/**
 * A queue in which that user comes next whose tasks have taken the least time lately, however many tasks each has. Users
 * whose tasks have taken as much take turns.
 */
export class Waiting<Task> {
  readonly #tasks = new Map<string, Task[]>();
  /** Milliseconds of each user, as they counted at `#counted`. All fade alike, so their order stays. */
  readonly #used = new Map<string, number>();
  #counted = 0;

  add(user: string, task: Task): void {
    const tasks = this.#tasks.get(user);
    if (tasks === undefined) this.#tasks.set(user, [task]);
    else tasks.push(task);
  }

  /** Removes and returns the next task. */
  next(): Task | undefined {
    let next: string | undefined;
    let least = Number.POSITIVE_INFINITY;
    for (const user of this.#tasks.keys()) {
      const used = this.#used.get(user) ?? 0;
      if (used < least) [next, least] = [user, used];
    }
    if (next === undefined) return undefined;
    const tasks = this.#tasks.get(next) ?? [];
    const task = tasks.shift();
    // Moves the user behind all others.
    this.#tasks.delete(next);
    if (tasks.length > 0) this.#tasks.set(next, tasks);
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
    if (tasks.length === 0) this.#tasks.delete(user);
    return true;
  }
}
