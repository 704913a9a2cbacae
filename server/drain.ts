/** What is under way, and whose requests are still taken. */
export class Drain {
  /** By whom. */
  readonly #underWay = new Map<Promise<unknown>, object>();
  readonly #leaving = new WeakSet<object>();
  #started = false;

  /** Nobody is let in any more. Who is in goes on until `finish`. */
  get started(): boolean {
    return this.#started;
  }

  start(): void {
    this.#started = true;
  }

  /** Whether nothing new is taken of this connection. */
  isLeaving(connection: object): boolean {
    return this.#leaving.has(connection);
  }

  /** Work of a connection that a drain waits for. It must not reject. */
  track(connection: object, work: Promise<unknown>): void {
    this.#underWay.set(work, connection);
    void work.finally(() => this.#underWay.delete(work));
  }

  /** Takes nothing new of this connection from now on; resolves when all that was accepted is done and answered. */
  async finish(connection: object): Promise<void> {
    this.#leaving.add(connection);
    await Promise.all([...this.#underWay].flatMap(([work, of]) => (of === connection ? [work] : [])));
  }

  /** Resolves when what was accepted is done: of connections that are gone, too. */
  async finishAll(): Promise<void> {
    await Promise.all(this.#underWay.keys());
  }
}
