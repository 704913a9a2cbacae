/** Tracks the work under way, and stops accepting new work connection by connection. */
export class Drain {
  /** The connection of each piece of work. */
  readonly #underWay = new Map<Promise<unknown>, object>();
  readonly #leaving = new WeakSet<object>();
  #started = false;

  /** No new connections are accepted any more. Open ones are served until `finish`. */
  get started(): boolean {
    return this.#started;
  }

  start(): void {
    this.#started = true;
  }

  /** Whether new requests of this connection are refused. */
  isLeaving(connection: object): boolean {
    return this.#leaving.has(connection);
  }

  /** Registers work of a connection that a drain waits for. It must not reject. */
  track(connection: object, work: Promise<unknown>): void {
    this.#underWay.set(work, connection);
    void work.finally(() => this.#underWay.delete(work));
  }

  /** Accepts nothing new of this connection from now on; resolves when all that was accepted is done and answered. */
  async finish(connection: object): Promise<void> {
    this.#leaving.add(connection);
    await Promise.all([...this.#underWay].flatMap(([work, of]) => (of === connection ? [work] : [])));
  }

  /** Resolves when all accepted work is done, including that of closed connections. */
  async finishAll(): Promise<void> {
    await Promise.all(this.#underWay.keys());
  }
}
