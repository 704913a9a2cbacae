import type { Asking, Sql } from './dialect.ts';
import type { Row } from './table.ts';

/**
 * The statements of one transaction. Each trip to a database server costs more than most statements, so those whose answer
 * nobody waits for go along with the next one.
 */
export class Transaction {
  #gathered: Sql[] = [];

  /** Goes along with the next statement that is asked. */
  later(sql: Sql): void {
    this.#gathered.push(sql);
  }

  *query(sql: Sql): Asking<Row[]> {
    const [rows = []] = yield* this.queryAll([sql]);
    return rows;
  }

  /** As `query`, in one trip. */
  *queryAll(statements: readonly Sql[]): Asking<Row[][]> {
    const before = this.#gathered;
    if (before.length + statements.length === 0) return [];
    this.#gathered = [];
    const answers = yield [...before, ...statements];
    return answers.slice(before.length);
  }

  /** Ends when everything so far is carried out. */
  *flush(): Asking<void> {
    yield* this.queryAll([]);
  }
}
