import { type DatabaseConnection, type ServerDialect, SqlError } from './dialect.ts';

/** Milliseconds in which a connection that has long been lost is known to be. */
const longestLoss = 1000;

/** At most so many connections; further work waits for one of them. */
export class Pool {
  readonly #dialect: ServerDialect;
  readonly #most: number;
  #open = 0;
  readonly #idle: DatabaseConnection[] = [];
  readonly #waiting: { go(): void; fail(error: Error): void }[] = [];
  #onIdle: (() => void) | undefined;
  #closed = false;

  constructor(dialect: ServerDialect, most: number) {
    this.#dialect = dialect;
    this.#most = most;
  }

  /**
   * Does something that may be done twice: a connection that was lost while it was idle is replaced.
   * @throws SqlError
   */
  async use<T>(work: (connection: DatabaseConnection) => Promise<T>): Promise<T> {
    await this.#turn();
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
          // A connection that was lost while idle fails at once; after a longer wait the database hangs.
          if (idle === undefined || performance.now() - began > longestLoss) throw error;
        }
      }
    } finally {
      if (connection !== undefined) this.#idle.push(connection);
      this.#done();
    }
  }

  /** Waits for what is under way. */
  async close(): Promise<void> {
    this.#closed = true;
    if (this.#open > 0) {
      await new Promise<void>((resolve) => {
        this.#onIdle = resolve;
      });
    }
    for (const connection of this.#idle.splice(0)) connection.destroy();
  }

  /** If the database cannot be reached, those who wait need not find that out one after the other. */
  async #connect(): Promise<DatabaseConnection> {
    try {
      return await this.#dialect.connect();
    } catch (error) {
      for (const { fail } of this.#waiting.splice(0)) fail(error as Error);
      throw error;
    }
  }

  async #turn(): Promise<void> {
    if (this.#closed) throw new SqlError('lost', 'the history is closed');
    if (this.#open < this.#most) this.#open++;
    else await new Promise<void>((go, fail) => this.#waiting.push({ go, fail }));
  }

  #done(): void {
    const next = this.#waiting.shift();
    if (next !== undefined) return next.go();
    this.#open--;
    if (this.#open === 0) this.#onIdle?.();
  }
}
