/** Work that waits for its turn. */
interface Due {
  readonly weight: number;
  readonly begin: () => void;
}

/**
 * Starts a bounded amount of work per turn of the event loop, one address after the other, however much each wants. All
 * other work of the server runs between the turns.
 */
export class Turns {
  readonly #most: number;
  readonly #due = new Map<string, Due[]>();
  /** The weight that was started in this turn. */
  #begun = 0;

  /** @param most the weight that may be started in one turn */
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
      // Moved to the end of the map, which this loop reaches again.
      if (due.length > 0) this.#due.set(address, due);
      if (next !== undefined) this.take(address, next.weight, next.begin);
    }
  }
}
