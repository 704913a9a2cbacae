import { FairTurns } from '../../limits/fair-queue.ts';
import { type Turn, turnOfServer } from '../../limits/requester.ts';
import { type DatabaseConnection, type ServerDialect, SqlError } from './dialect.ts';

/** Milliseconds within which a statement fails on a connection that was lost while idle. */
const maxLossMs = 1000;

/** A pool of connections. Work queues while all of them are busy, and accounts take turns. */
export class Pool {
  readonly #dialect: ServerDialect;
  readonly #turns: FairTurns;
  /** Work that waits or runs. */
  #size = 0;
  readonly #idle: DatabaseConnection[] = [];
  #onIdle: (() => void) | undefined;
  #closed = false;

  constructor(dialect: ServerDialect, maxConnections: number) {
    this.#dialect = dialect;
    this.#turns = new FairTurns(maxConnections);
  }

  /**
   * Runs work on a connection. If an idle connection turns out to be lost, the work runs again, so it must be
   * repeatable.
   * @throws SqlError, WaitedTooLong
   */
  async use<T>(
    work: (connection: DatabaseConnection) => Promise<T>,
    { account, maxWaitMs, continues }: Turn = turnOfServer,
  ): Promise<T> {
    if (this.#closed) throw new SqlError('lost', 'the history is closed');
    this.#size++;
    try {
      return await this.#turns.run(account, () => this.#run(work), maxWaitMs, continues);
    } finally {
      if (--this.#size === 0) this.#onIdle?.();
    }
  }

  async #run<T>(work: (connection: DatabaseConnection) => Promise<T>): Promise<T> {
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
    }
  }

  /** Waits for the work in progress. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#size > 0) {
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
      this.#turns.failWaiting(error as Error);
      throw error;
    }
  }
}
