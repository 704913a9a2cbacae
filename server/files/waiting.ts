/** A queue in which users take turns: one task of each user, however many each has. */
export class Waiting<Task> {
  readonly #tasks = new Map<string, Task[]>();

  add(user: string, task: Task): void {
    const tasks = this.#tasks.get(user);
    if (tasks === undefined) this.#tasks.set(user, [task]);
    else tasks.push(task);
  }

  /** Removes and returns the next task. */
  next(): Task | undefined {
    const [first] = this.#tasks;
    if (first === undefined) return undefined;
    const [user, tasks] = first;
    const task = tasks.shift();
    // Moves the user behind all others.
    this.#tasks.delete(user);
    if (tasks.length > 0) this.#tasks.set(user, tasks);
    return task;
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
