import type { Row } from '../rows.ts';
import type { Connection, Sql } from './dialect.ts';

/**
 * The statements of one transaction. Each trip to the database costs more than most statements, so those whose answer
 * nobody waits for go along with the next one.
 */
export class Transaction {
  readonly #connection: Connection;
  #gathered: Sql[] = [];

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Goes along with the next statement that is asked. */
  later(sql: Sql): void {
    this.#gathered.push(sql);
  }

  /** @throws SqlError of this statement, or of one before it */
  async query(sql: Sql): Promise<Row[]> {
    const [rows = []] = await this.queryAll([sql]);
    return rows;
  }

  /** As `query`, in one trip. */
  async queryAll(statements: readonly Sql[]): Promise<Row[][]> {
    const before = this.#gathered;
    if (before.length + statements.length === 0) return [];
    this.#gathered = [];
    const answers = await this.#connection.queryAll([...before, ...statements]);
    return answers.slice(before.length);
  }

  /** Resolves when everything so far is carried out. */
  async flush(): Promise<void> {
    await this.queryAll([]);
  }
}
