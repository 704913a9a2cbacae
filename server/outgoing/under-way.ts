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

  /**
   * @param work with a signal that ends it
   * @param ms after which it ends, too, by a `TimeoutError`. A timer of our own: before Node 24, `AbortSignal.any` does not
   * keep an `AbortSignal.timeout` alive.
   */
  async run<T>(work: (end: AbortSignal) => Promise<T>, ms?: number): Promise<T> {
    const end = new AbortController();
    if (this.#isClosed) end.abort();
    this.#ends.add(end);
    const late = () => end.abort(new DOMException(`no answer within ${ms} ms`, 'TimeoutError'));
    const timer = ms === undefined ? undefined : setTimeout(late, ms).unref();
    try {
      return await work(end.signal);
    } finally {
      clearTimeout(timer);
      this.#ends.delete(end);
    }
  }

  close(): void {
    this.#isClosed = true;
    for (const end of this.#ends) end.abort();
  }
}
