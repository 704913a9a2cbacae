import type { Row } from '../records/columns.ts';
import type { Asking, Sql } from './dialect.ts';

/**
 * The statements of one transaction. A round trip to a database server costs more than most statements, so statements
 * without a needed result are sent along with the next query.
 */
export class Transaction {
  #queued: Sql[] = [];

  /** Queues a statement for the next round trip. */
  later(sql: Sql): void {
    this.#queued.push(sql);
  }

  *query(sql: Sql): Asking<Row[]> {
    const [rows = []] = yield* this.queryAll([sql]);
    return rows;
  }

  /** Runs the queued statements and these in one round trip. Returns the rows of each of these. */
  *queryAll(statements: readonly Sql[]): Asking<Row[][]> {
    const before = this.#queued;
    if (before.length + statements.length === 0) return [];
    this.#queued = [];
    const answers = yield [...before, ...statements];
    return answers.slice(before.length);
  }

  /** Sends the queued statements. */
  *flush(): Asking<void> {
    yield* this.queryAll([]);
  }
}
