/**
 * Requests in flight, which `close` aborts. Each has its own signal, because in Node 20 a long-lived signal retains
 * everything that `AbortSignal.any` makes of it.
 */
export class UnderWay {
  readonly #ends = new Set<AbortController>();
  #isClosed = false;

  get isClosed(): boolean {
    return this.#isClosed;
  }

  /**
   * Runs a request. After `close`, its signal is already aborted.
   * @param work gets a signal that aborts it
   * @param ms the timeout, after which it is aborted with a `TimeoutError`. It uses a separate timer, because before
   * Node 24 `AbortSignal.any` does not keep an `AbortSignal.timeout` alive.
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
