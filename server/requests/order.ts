/**
 * Orders the requests of one connection. Each takes effect after the requests that arrived before it, and waits no
 * longer than necessary.
 */
export class RequestOrder {
  /** Resolves when all earlier `ordered` and `change` requests are done. */
  #effects: Promise<void> = Promise.resolve();
  /** Resolves when the last `change` request is done. */
  #changes: Promise<void> = Promise.resolve();

  /**
   * Runs a message, read marker or typing request after earlier `change` requests only, so that many share a commit.
   * The history keeps their order.
   */
  ordered<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#changes.then(task);
    // Drops the result, because a chain of promises would keep all responses in memory.
    this.#effects = Promise.all([this.#effects, done.then(nothing, nothing)]).then(nothing);
    return done;
  }

  /**
   * Runs a change of rooms or members after all earlier `ordered` and `change` requests. All later requests wait for
   * it.
   */
  change<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#effects.then(task);
    this.#effects = done.then(nothing, nothing);
    this.#changes = this.#effects;
    return done;
  }

  /** Runs a read after all earlier `ordered` and `change` requests. Other requests do not wait for it. */
  read<T>(task: () => Promise<T>): Promise<T> {
    return this.#effects.then(task);
  }

  /** Like `read`, for a request that waits for the site. It does not delay the user's reads. */
  site<T>(task: () => Promise<T>): Promise<T> {
    return this.read(task);
  }
}

function nothing(): void {}
