/** A piece of work that waits for its turn. */
interface Due {
  readonly weight: number;
  readonly begin: () => void;
}

/**
 * Begins a bounded amount of work in each turn of the event loop, one address after the other, however much each of
 * them wants. What else the server does goes between the turns.
 */
export class Turns {
  readonly #most: number;
  readonly #due = new Map<string, Due[]>();
  /** What was begun in this turn, by weight. */
  #begun = 0;

  /** @param most what may be begun in one turn, by weight */
  constructor(most: number) {
    this.#most = most;
  }

  /** Calls `begin`, at once if this turn has room for it. */
  take(address: string, weight: number, begin: () => void): void {
    if (this.#begun === 0) setImmediate(() => this.#next());
    if (this.#begun < this.#most) {
      this.#begun += weight;
      return begin();
    }
    const due = this.#due.get(address);
    if (due === undefined) this.#due.set(address, [{ weight, begin }]);
    else due.push({ weight, begin });
  }

  #next(): void {
    this.#begun = 0;
    for (const [address, due] of this.#due) {
      if (this.#begun >= this.#most) break;
      const next = due.shift();
      this.#due.delete(address);
      // At the end of the map, to which this loop comes again.
      if (due.length > 0) this.#due.set(address, due);
      if (next !== undefined) this.take(address, next.weight, next.begin);
    }
  }
}
