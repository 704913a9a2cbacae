import { FairQueue } from '../../limits/fair-queue.ts';
import { type DatabaseConnection, type ServerDialect, SqlError } from './dialect.ts';

/** Milliseconds within which a statement fails on a connection that was lost while idle. */
const maxLossMs = 1000;

/** A pool of connections. Work queues while all of them are busy, and accounts take turns. */
export class Pool {
  readonly #dialect: ServerDialect;
  readonly #maxConnections: number;
  #open = 0;
  readonly #idle: DatabaseConnection[] = [];
  readonly #waiting = new FairQueue<{ go(): void; fail(error: Error): void }>();
  #onIdle: (() => void) | undefined;
  #closed = false;

  constructor(dialect: ServerDialect, maxConnections: number) {
    this.#dialect = dialect;
    this.#maxConnections = maxConnections;
  }

  /**
   * Runs work on a connection. If an idle connection turns out to be lost, the work runs again, so it must be
   * repeatable.
   * @param account for whom the work is
   * @throws SqlError
   */
  async use<T>(work: (connection: DatabaseConnection) => Promise<T>, account = ''): Promise<T> {
    await this.#acquire(account);
    const startedAt = performance.now();
    let connection: DatabaseConnection | undefined;
    try {
      for (;;) {
        const began = performance.now();
        const idle = this.#idle.pop();
        connection = idle ?? (await this.#connect());
        try {
          return await work(connection);
        } catch (error) {
          if (!(error instanceof SqlError) || error.problem !== 'lost') throw error;
          connection.destroy();
          connection = undefined;
          // A connection lost while idle fails at once. After a longer wait, the database itself hangs.
          if (idle === undefined || performance.now() - began > maxLossMs) throw error;
        }
      }
    } finally {
      if (connection !== undefined) this.#idle.push(connection);
      this.#waiting.count(account, performance.now() - startedAt);
      this.#release();
    }
  }

  /** Waits for the work in progress. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#open > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }

  /** Opens a connection. If the database is unreachable, all queued work fails at once instead of one by one. */
  async #connect(): Promise<DatabaseConnection> {
    try {
      return await this.#dialect.connect();
    } catch (error) {
      for (let next = this.#waiting.next(); next !== undefined; next = this.#waiting.next())
        next.fail(error as Error);
      throw error;
    }
  }

  async #acquire(account: string): Promise<void> {
    if (this.#closed) throw new SqlError('lost', 'the history is closed');
    if (this.#open < this.#maxConnections) this.#open++;
    else await new Promise<void>((go, fail) => this.#waiting.add(account, { go, fail }));
  }

  #release(): void {
    const next = this.#waiting.next();
    if (next !== undefined) return next.go();
    this.#open--;
    if (this.#open === 0) this.#onIdle?.();
  }
}
