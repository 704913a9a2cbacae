/**
 * Orders the requests of one connection: each takes effect after those that arrived before it, and waits no longer than
 * that requires.
 */
export class RequestOrder {
  /** Resolves when every change that has arrived so far has taken effect. */
  #effects: Promise<void> = Promise.resolve();
  /** Resolves when the last change of rooms or members has taken effect. */
  #changes: Promise<void> = Promise.resolve();

  /** Messages, marks and typing wait only for changes, so that many share a commit; the history keeps their order. */
  ordered<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#changes.then(task);
    // The result is dropped: a chain of promises that hold answers would keep all of them in memory.
    this.#effects = Promise.all([this.#effects, done.then(nothing, nothing)]).then(nothing);
    return done;
  }

  /** A change of rooms or members waits for everything before it; everything that changes something waits for it. */
  change<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#effects.then(task);
    this.#effects = done.then(nothing, nothing);
    this.#changes = this.#effects;
    return done;
  }

  /** A read sees what was sent before it; nothing waits for it. */
  read<T>(task: () => Promise<T>): Promise<T> {
    return this.#effects.then(task);
  }
}

function nothing(): void {}
