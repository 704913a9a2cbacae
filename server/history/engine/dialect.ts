import type { RequestErrorCode } from '../../wire/errors.ts';
import type { ColumnName } from '../columns.ts';
import type { DatabaseName } from '../migrations.ts';
import type { Columns, Row, Value } from './table.ts';

/** A piece of SQL with its values: one for each `?`. A value that is a list is for the dialect that made the piece. */
export interface Sql {
  text: string;
  values: readonly (Value | readonly Value[] | readonly (readonly Value[])[])[];
  /** It is carried out once for each of these rows, whose values come before the others from `at` on. Of SQLite alone. */
  each?: { rows: readonly (readonly Value[])[]; at: number };
}

/** A computation that asks a database: it yields statements, and gets the rows of each. */
export type Asking<T> = Generator<readonly Sql[], T, Row[][]>;

export function* ask(statement: Sql): Asking<Row[]> {
  const [rows = []] = yield [statement];
  return rows;
}

/** Asks over this connection. @throws SqlError */
export async function answered<T>(asking: Asking<T>, connection: DatabaseConnection): Promise<T> {
  let step = asking.next();
  while (step.done !== true) step = asking.next(await connection.queryAll(step.value));
  return step.value;
}

/** A connection to the database. It does one thing at a time. */
export interface DatabaseConnection {
  /** @throws SqlError */
  query(sql: Sql): Promise<Row[]>;
  /** The same, however long the answer takes. @throws SqlError */
  queryPatiently(sql: Sql): Promise<Row[]>;
  /**
   * Statements of one transaction, in their order and, if the database can, in one trip. After one that fails none of the
   * others has an effect, a COMMIT neither. @throws SqlError of the first that fails
   */
  queryAll(statements: readonly Sql[]): Promise<Row[][]>;
  /** Ends it at once, and the statement that is under way. */
  destroy(): void;
}

export const without = (columns: Columns, others: Columns): Columns =>
  columns.filter((column) => !others.includes(column));

/** The differences between the databases. No statement elsewhere depends on the database. */
export interface Dialect {
  readonly name: DatabaseName;
  /** Whether several servers may work on a history, and follow each other by the log of changes: see change-log.ts. */
  readonly isShared: boolean;
  /** The columns that are read of a message. */
  readonly messageColumns: Sql;
  /** The condition that these columns have the values of one of the rows; there is at least one row. */
  among(columns: Columns, rows: readonly (readonly Value[])[]): Sql;
  /** The same for a statement whose rows are found one by one as well, in whatever order: it sorts and counts nothing. */
  each(columns: Columns, rows: readonly (readonly Value[])[]): Sql;
  /** Inserts rows, in their order. */
  insert(table: string, columns: Columns, rows: readonly (readonly Value[])[], more?: string): Sql;
  /** Inserts those of the rows that are not there yet. */
  insertNew(table: string, columns: Columns, rows: readonly (readonly Value[])[]): Sql;
  /** Inserts rows, and overwrites those with the same `key`. */
  upsert(table: string, key: Columns, columns: Columns, rows: readonly (readonly Value[])[]): Sql;
  /** Overwrites the columns `changed` of rows that are there; of all others the rows have the values, too. */
  update(
    table: string,
    key: Columns,
    columns: Columns,
    rows: readonly (readonly Value[])[],
    changed: Columns,
  ): Sql;
  /** Makes the planner use this index, where it does not by itself. */
  by(index: string): Sql;
  /** Locks the rows that are read until the transaction ends; rows that are locked are waited for. */
  lock: Sql;
  /** By whom such a restriction of a member is, as the index has it. */
  restrictedBy(kind: 'muted' | 'banned'): Sql;
  /** Asks for the number of the newest message of all. */
  newestMessage: Sql;
  /** Milliseconds since 1970 by the clock of the database, which all servers share. */
  now: Sql;
  /** Counts the number of the next entry of `chat_changes`, and locks it until the transaction ends. */
  nextPosition: Sql;
  /** Gives new messages their numbers, where the database does not: those of the next so many. */
  numbers?(count: number): number[];
  /** Notes that texts have changed, for the index for searching. */
  outdate(transaction: Statements, former: readonly FormerText[]): Asking<void>;
}

/** The statements of a transaction, as far as a dialect adds to them: see `Transaction`. */
export interface Statements {
  later(sql: Sql): void;
  query(sql: Sql): Asking<Row[]>;
}

/** A text that is in the index for searching, and the message's no more. */
export interface FormerText {
  room: number;
  seq: number;
  text: string;
}

/** A dialect of databases in servers of their own. */
export interface ServerDialect extends Dialect {
  /** A connection that is ready for use: logged in, with time-outs. @throws SqlError */
  connect(): Promise<DatabaseConnection>;
  /**
   * Takes a lock that all servers of this history share, for as long as the connection lives: `num` is 1, or 0 if
   * another has it.
   */
  tryLock: Sql;
  unlock: Sql;
  /**
   * Take the lock of a server that is alone on this history, or of one that shares it with others, for as long as the
   * connection lives: `num` is 1, or 0 while servers of the other kind, or another one that is alone, have it. The
   * connection that has it may ask again.
   */
  claims: Record<'alone' | 'together', Sql>;
  /** From now on the database ends this connection when nothing is asked over it for `claimLimit`. */
  leased: Sql;
  /** For the rest of this connection the database gives up no statement. */
  patience: Sql;
}

/**
 * The meaning of a failed statement. `again`: another transaction was in the way, so the same may succeed now.
 * `lost`: the connection, or the database. `full`: its disk. `refused`: the statement itself.
 */
export type Problem = 'again' | 'lost' | 'full' | 'refused';

/** A failure of the database. It leaves out the database's own message, which may quote what was to be stored. */
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

/** Puts pieces of SQL together: `sql\`SELECT … WHERE ${condition} AND seq > ${5}\``. */
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

/** The condition that a column has one of these values, of which there is at least one. */
export const inList = (dialect: Dialect, column: ColumnName, values: readonly Value[]): Sql =>
  dialect.among(
    [column],
    values.map((value) => [value]),
  );

/** SQL without values. */
export const raw = (text: string): Sql => ({ text, values: [] });
