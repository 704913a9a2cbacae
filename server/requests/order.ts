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
   * Messages, read markers and typing wait only for `change` requests, so that many share a commit. The history keeps
   * their order.
   */
  ordered<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#changes.then(task);
    // Drops the result, because a chain of promises would keep all responses in memory.
    this.#effects = Promise.all([this.#effects, done.then(nothing, nothing)]).then(nothing);
    return done;
  }

  /**
   * A change of rooms or members waits for all earlier `ordered` and `change` requests. All later requests wait for it.
   */
  change<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#effects.then(task);
    this.#effects = done.then(nothing, nothing);
    this.#changes = this.#effects;
    return done;
  }

  /** A read sees what was sent before it. Other requests do not wait for it. */
  read<T>(task: () => Promise<T>): Promise<T> {
    return this.#effects.then(task);
  }
}

function nothing(): void {}
