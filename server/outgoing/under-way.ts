/**
 * Requests under way, which all end at `close`. Each has a signal of its own: with Node 20, one that lives on keeps
 * everything that `AbortSignal.any` has made of it.
 */
export class UnderWay {
  readonly #ends = new Set<AbortController>();
  #isClosed = false;

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /** @param work with a signal that ends it */
  async run<T>(work: (end: AbortSignal) => Promise<T>): Promise<T> {
    const end = new AbortController();
    if (this.#isClosed) end.abort();
    this.#ends.add(end);
    try {
      return await work(end.signal);
    } finally {
      this.#ends.delete(end);
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const end of this.#ends) end.abort();
  }
}
