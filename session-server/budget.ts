/**
 * Bytes that all connections together may make the daemon hold: lines that have not ended, sessions that are open,
 * replies that are not read. Each of them is bounded for one connection too, but ten thousand times that is too much.
 */
export class Budget {
  readonly #limit: number;
  #used = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get used(): number {
    return this.#used;
  }

  /** @returns false when there is no room, and then nothing is taken */
  take(bytes: number): boolean {
    if (bytes > 0 && this.#used + bytes > this.#limit) return false;
    this.#used += bytes;
    return true;
  }

  give(bytes: number): void {
    this.#used -= bytes;
  }
}
