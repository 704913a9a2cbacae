/** Queued work. */
interface Due {
  readonly weight: number;
  readonly begin: () => void;
}

/**
 * Starts a bounded amount of work per event-loop tick. Addresses take turns, even if one has much more work. All other
 * work of the server runs between the ticks.
 */
export class Turns {
  readonly #most: number;
  readonly #due = new Map<string, Due[]>();
  /** The weight that was started in this tick. */
  #begun = 0;

  /** @param most the weight that may be started in one tick */
  constructor(most: number) {
    this.#most = most;
  }

  /** Calls `begin`, synchronously if this tick has capacity. */
  take(address: string, weight: number, begin: () => void): void {
    if (this.#begun === 0) setImmediate(() => this.#next());
    if (this.#begun < this.#most) {
      this.#begun += weight;
      return begin();
    }
    this.#queue(address, weight, begin);
  }

  /** Like `take`, but calls `begin` in a later tick. */
  takeLater(address: string, weight: number, begin: () => void): void {
    if (this.#begun === 0) setImmediate(() => this.#next());
    // This tick starts nothing more, so that `#next` is not scheduled again.
    this.#begun = Math.max(this.#begun, this.#most);
    this.#queue(address, weight, begin);
  }

  #queue(address: string, weight: number, begin: () => void): void {
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
      // Moves the address to the end of the map, which this loop reaches again.
      if (due.length > 0) this.#due.set(address, due);
      if (next !== undefined) this.take(address, next.weight, next.begin);
    }
  }
}
