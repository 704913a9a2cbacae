/**
 * The order of one connection's requests: each takes effect after those that arrived before it, without
 * waiting more than that needs.
 */
export class RequestOrder {
  /** Done when everything that changes something, and arrived so far, has taken effect. */
  #effects: Promise<void> = Promise.resolve();
  /** Done when the last join or leave has taken effect. */
  #joins: Promise<void> = Promise.resolve();

  /** Sends wait for joins and leaves only, so that many of them share a commit; the history keeps their order. */
  send<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#joins.then(task);
    // Without its outcome: a chain of promises that hold answers would hold all of them.
    this.#effects = Promise.all([this.#effects, done.then(nothing, nothing)]).then(nothing);
    return done;
  }

  /** A join or a leave waits for all before it, and what changes something after it waits for it. */
  join<T>(task: () => Promise<T>): Promise<T> {
    const done = this.#effects.then(task);
    this.#effects = done.then(nothing, nothing);
    this.#joins = this.#effects;
    return done;
  }

  /** A read sees what was sent before it; nothing waits for it. */
  read<T>(task: () => Promise<T>): Promise<T> {
    return this.#effects.then(task);
  }
}

function nothing(): void {}
