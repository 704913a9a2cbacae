import type { RequestErrorCode } from '../../wire/errors.ts';
import type { DatabaseName } from '../migrations.ts';
import type { ColumnName, Columns, Row, Value } from '../records/columns.ts';
import type { Indexed } from './terms.ts';

/**
 * An SQL fragment with one value for each `?`. List values are only understood by the dialect that created the
 * fragment.
 */
export interface Sql {
  text: string;
  values: readonly (Value | readonly Value[] | readonly (readonly Value[])[])[];
  /** SQLite only: run the statement once per row. The row's values are inserted into `values` at index `at`. */
  each?: { rows: readonly (readonly Value[])[]; at: number };
}

/** A computation that queries a database. It yields statements, and receives the rows of each. */
export type Asking<T> = Generator<readonly Sql[], T, Row[][]>;

export function* ask(statement: Sql): Asking<Row[]> {
  const [rows = []] = yield [statement];
  return rows;
}

/** Runs a computation on this connection. @throws SqlError */
export async function answered<T>(asking: Asking<T>, connection: DatabaseConnection): Promise<T> {
  let step = asking.next();
  while (step.done !== true) step = asking.next(await connection.queryAll(step.value));
  return step.value;
}

/** A connection to the database. It runs one statement at a time. */
export interface DatabaseConnection {
  /** Runs a statement. @throws SqlError */
  query(sql: Sql): Promise<Row[]>;
  /** Runs a statement without a client-side timeout. @throws SqlError */
  queryPatiently(sql: Sql): Promise<Row[]>;
  /**
   * Runs a SELECT of a transaction, and yields its rows in parts of bounded length. Run no other statement until the
   * last part. To stop earlier, destroy the connection.
   * @throws SqlError
   */
  stream(select: string): AsyncGenerator<Row[]>;
  /**
   * Runs statements of one transaction in order, in one round trip if the database can. After a failure the later
   * statements have no effect, not even a COMMIT.
   * @throws SqlError of the first failure
   */
  queryAll(statements: readonly Sql[]): Promise<Row[][]>;
  /** Closes the connection at once, aborting the current statement. */
  destroy(): void;
}

export const without = (columns: Columns, others: Columns): Columns =>
  columns.filter((column) => !others.includes(column));

/** The differences between the databases. All other statements work in each of them. */
export interface Dialect {
  readonly name: DatabaseName;
  /** Whether several servers may use the history and follow each other through the change log: see change-log.ts. */
  readonly isShared: boolean;
  /** The columns to select for a message. */
  readonly messageColumns: Sql;
  /** Returns the condition that the columns equal one of the rows. At least one row is required. */
  among(columns: Columns, rows: readonly (readonly Value[])[]): Sql;
  /** Like `among`, but the statement may run once per row. So it must not sort, limit or aggregate. */
  each(columns: Columns, rows: readonly (readonly Value[])[]): Sql;
  /** Inserts rows in order. */
  insert(table: string, columns: Columns, rows: readonly (readonly Value[])[], more?: string): Sql;
  /** Inserts rows, and skips those that exist. */
  insertNew(table: string, columns: Columns, rows: readonly (readonly Value[])[]): Sql;
  /** Inserts rows, and overwrites rows with the same `key`. */
  upsert(table: string, key: Columns, columns: Columns, rows: readonly (readonly Value[])[]): Sql;
  /**
   * Updates the `changed` columns of existing rows. `rows` must have values for all `columns`, because some dialects
   * do it by INSERT.
   */
  update(
    table: string,
    key: Columns,
    columns: Columns,
    rows: readonly (readonly Value[])[],
    changed: Columns,
  ): Sql;
  /** Forces this index, because the planner would not choose it for the query. */
  by(index: string): Sql;
  /** Locks the selected rows until the transaction ends. Waits for other locks. */
  lock: Sql;
  /** Returns the expression for the user who muted or banned a member. The index is on the same expression. */
  restrictedBy(kind: 'muted' | 'banned'): Sql;
  /** Selects the number of the newest message in all rooms. */
  newestMessage: Sql;
  /** The database clock in Unix ms. All servers share it. */
  now: Sql;
  /** Increments and returns the number of the last `chat_changes` entry. Locks it until the transaction ends. */
  nextPosition: Sql;
  /** Returns the numbers of the next `count` messages. Only for databases that do not assign them. */
  numbers?(count: number): number[];
  /** Records former texts, so that the search index is updated. */
  outdate(transaction: Statements, former: readonly FormerText[]): Asking<void>;
}

/** The methods of `Transaction` that dialects use. */
export interface Statements {
  later(sql: Sql): void;
  query(sql: Sql): Asking<Row[]>;
}

/** What the search index contains of a message, but the message no longer has. */
export interface FormerText extends Indexed {
  room: number;
  seq: number;
}

/** A dialect of a database server. */
export interface ServerDialect extends Dialect {
  readonly name: Exclude<DatabaseName, 'SQLite'>;
  /** The schema with the tables, as `information_schema` names it. */
  schema: Sql;
  /** Opens a connection, logged in and with timeouts set. @throws SqlError */
  connect(): Promise<DatabaseConnection>;
  /**
   * Tries to take the lock for migrations. It lasts as long as the connection. `num` is 1 on success, 0 if another
   * connection holds it.
   */
  tryLock: Sql;
  unlock: Sql;
  /**
   * Try to take the exclusive lock of a server that runs alone, or the shared lock of servers that run together. It
   * lasts as long as the connection. `num` is 1 on success, 0 if a server holds a conflicting lock. The holder may
   * repeat the query.
   */
  claims: Record<'alone' | 'together', Sql>;
  /** Makes the database close this connection after `claimLimit` without a statement. */
  leased: Sql;
  /** Disables the timeouts of this connection for statements and idle transactions. */
  withoutTimeouts: Sql;
  /** Begins a transaction that reads a single state of these tables. */
  beginSnapshot(tables: readonly string[]): Sql[];
  /** Selects the tables that number their rows, as `name`, and the next number, as `num`. */
  nextNumbers: Sql;
  /** Sets the next number of such a table. */
  setNextNumber(table: string, num: number): Sql;
}

/**
 * The meaning of a failed statement. `again`: a conflict with another transaction, so a retry may succeed. `lost`:
 * the connection or the database failed. `full`: the disk is full. `refused`: the statement is not accepted.
 */
export type Problem = 'again' | 'lost' | 'full' | 'refused';

/** A database failure. It omits the database's own message, which may quote private data. */
export class SqlError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem, message: string) {
    super(message);
    this.name = 'SqlError';
    this.problem = problem;
  }

  get code(): RequestErrorCode {
    return this.problem === 'full' ? 'storage_full' : 'storage_unavailable';
  }
}

/** Composes SQL: `sql\`SELECT … WHERE ${condition} AND seq > ${5}\``. */
export function sql(texts: TemplateStringsArray, ...parts: readonly (Sql | Value)[]): Sql {
  let text = texts[0] as string;
  const values: Sql['values'][number][] = [];
  let each: Sql['each'];
  for (const [n, part] of parts.entries()) {
    if (typeof part === 'object' && part !== null) {
      text += part.text;
      if (part.each !== undefined) each = { rows: part.each.rows, at: values.length + part.each.at };
      values.push(...part.values);
    } else {
      text += '?';
      values.push(part);
    }
    text += texts[n + 1];
  }
  return each === undefined ? { text, values } : { text, values, each };
}

/** Returns the condition that a column equals one of the values. Without values it is false. */
export const inList = (dialect: Dialect, column: ColumnName, values: readonly Value[]): Sql =>
  dialect.among(
    [column],
    values.map((value) => [value]),
  );

/** Returns SQL without values. */
export const unionAll = (statements: readonly Sql[]): Sql => ({
  text: statements.map(({ text }, n) => `SELECT * FROM (${text}) AS some_${n}`).join(' UNION ALL '),
  values: statements.flatMap(({ values }) => values),
});

export const raw = (text: string): Sql => ({ text, values: [] });
