/** What is under way, and whether anything new is taken on. */
export class Drain {
  readonly #underWay = new Set<Promise<unknown>>();
  #started = false;

  get started(): boolean {
    return this.#started;
  }

  /** Work that a drain waits for. It must not reject. */
  track(work: Promise<unknown>): void {
    this.#underWay.add(work);
    void work.finally(() => this.#underWay.delete(work));
  }

  /** Takes nothing new on from now; resolves when all that was accepted is done and answered. */
  async start(): Promise<void> {
    this.#started = true;
    await Promise.all(this.#underWay);
  }
}
