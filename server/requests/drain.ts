import type { Connection } from '../chat/model.ts';

/**
 * A kick waits at most this many milliseconds for changes on a hanging disk, because its response is due within 7 s.
 */
const longestChange = 3000;

/** Work in progress, by the connection that requested it. The connection may be closed. */
type Works = Map<Connection, Set<Promise<unknown>>>;

/** Tracks work in progress, and stops accepting new work connection by connection. */
export class Drain {
  readonly #accepted: Works = new Map();
  readonly #changes: Works = new Map();
  readonly #leaving = new WeakSet<Connection>();
  #started = false;

  /** Whether new connections are rejected. Open connections are served until `finish`. */
  get started(): boolean {
    return this.#started;
  }

  start(): void {
    this.#started = true;
  }

  /** Whether new requests of this connection are rejected. */
  isLeaving(connection: Connection): boolean {
    return this.#leaving.has(connection);
  }

  /** Registers work of a connection, which a drain waits for. */
  track(connection: Connection, work: Promise<unknown>): void {
    note(this.#accepted, connection, work);
  }

  /** Registers work that may store something, when the work starts. */
  changes(connection: Connection, work: Promise<unknown>): void {
    note(this.#changes, connection, work);
  }

  /** Resolves when all current requests of this connection are done and answered. Undefined without such requests. */
  underWay(connection: Connection): Promise<unknown> | undefined {
    const work = this.#accepted.get(connection);
    return work && Promise.allSettled(work);
  }

  /** Rejects new requests of this connection. Resolves when all accepted requests are done and answered. */
  async finish(connection: Connection): Promise<void> {
    this.#leaving.add(connection);
    await this.underWay(connection);
  }

  /** Resolves when all accepted work is done, also of closed connections. */
  async finishAll(): Promise<void> {
    await Promise.allSettled([...this.#accepted.values()].flatMap((work) => [...work]));
  }

  /** Resolves when all changes in progress that this user requested are done, or after `longestChange`. */
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
