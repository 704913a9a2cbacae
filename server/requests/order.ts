/**
 * The order of one connection's requests: each takes effect after those that arrived before it, without
 * waiting more than that needs.
 */
export class RequestOrder {
  /** Done when everything that changes something, and arrived so far, has taken effect. */
  #effects: Promise<void> = Promise.resolve();
  /** Done when the last change of rooms or members has taken effect. */
  #changes: Promise<void> = Promise.resolve();

  /** Messages wait for changes only, so that many of them share a commit; the history keeps their order. */
  send<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#changes.then(task);
    // Without its outcome: a chain of promises that hold answers would hold all of them.
    this.#effects = Promise.all([this.#effects, done.then(nothing, nothing)]).then(nothing);
    return done;
  }

  /** A change of rooms or members waits for all before it, and what changes something after it waits for it. */
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
