import type { Connection } from '../chat/model.ts';

/** Milliseconds. A disk that hangs must not hold up a kick: whoever gave the order is answered within 7 s. */
const longestChange = 3000;

/** By the connection that asked for it, which may be closed. */
type Works = Map<Connection, Set<Promise<unknown>>>;

/** Tracks the work under way, and stops accepting new work connection by connection. */
export class Drain {
  readonly #accepted: Works = new Map();
  readonly #changes: Works = new Map();
  readonly #leaving = new WeakSet<Connection>();
  #started = false;

  /** No new connections are accepted any more. Open ones are served until `finish`. */
  get started(): boolean {
    return this.#started;
  }

  start(): void {
    this.#started = true;
  }

  /** Whether new requests of this connection are refused. */
  isLeaving(connection: Connection): boolean {
    return this.#leaving.has(connection);
  }

  /** Registers work of a connection that a drain waits for. */
  track(connection: Connection, work: Promise<unknown>): void {
    note(this.#accepted, connection, work);
  }

  /** Registers work that may store something, when it begins. */
  changes(connection: Connection, work: Promise<unknown>): void {
    note(this.#changes, connection, work);
  }

  /** Resolves when all that this connection has asked for so far is done and answered; undefined if it is already. */
  underWay(connection: Connection): Promise<unknown> | undefined {
    const work = this.#accepted.get(connection);
    return work && Promise.allSettled(work);
  }

  /** Accepts nothing new of this connection from now on; resolves when all that was accepted is done and answered. */
  async finish(connection: Connection): Promise<void> {
    this.#leaving.add(connection);
    await this.underWay(connection);
  }

  /** Resolves when all accepted work is done, including that of closed connections. */
  async finishAll(): Promise<void> {
    await Promise.allSettled([...this.#accepted.values()].flatMap((work) => [...work]));
  }

  /** Resolves when no change is under way any more that this user has asked for, or after `longestChange`. */
  async changesOf(user: string): Promise<void> {
    const changes = [...this.#changes].flatMap(([{ person }, work]) =>
      person.user.id === user ? [...work] : [],
    );
    if (changes.length === 0) return;
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, longestChange).unref();
      void Promise.allSettled(changes).then(() => {
        clearTimeout(timer);
        resolve();
      });
    });
  }
}

function note(all: Works, connection: Connection, work: Promise<unknown>): void {
  const own = all.get(connection) ?? new Set();
  all.set(connection, own.add(work));
  const done = () => {
    own.delete(work);
    if (own.size === 0) all.delete(connection);
  };
  work.then(done, done);
}
