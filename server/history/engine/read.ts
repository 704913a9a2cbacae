import type { Row } from '../records/columns.ts';
import { type Asking, ask, type Dialect, raw, type Sql, sql } from './dialect.ts';
import type { SealedCursors } from './sealed-cursors.ts';
import { rowFrom, type Table } from './table.ts';

/** The maximum size of a page in bytes of JSON, even if `limit` allows more entries. */
export const maxPageBytes = 256 * 1024;

/** A read sorts or scans at most this many rows of a user or a room. */
export const maxScannedRows = 5000;

/** The history that a read queries. */
export interface ReadContext {
  readonly dialect: Dialect;
  readonly cursors: SealedCursors;
}

/** The function of a read, such as `PinReads['pins']`. */
type Read<Of extends { in: unknown; out: unknown }> = (
  context: ReadContext,
  input: Of['in'],
) => Asking<Of['out']>;

/** The reads of a subject. */
export type ReadsOf<Queries> = {
  readonly [Name in keyof Queries]: Queries[Name] extends { in: unknown; out: unknown }
    ? Read<Queries[Name]>
    : never;
};

/** The reads of all subjects by name. The types of `Reads` pair each with its input, which TypeScript cannot follow. */
export type AnyReads = Readonly<Record<string, (context: ReadContext, input: never) => Asking<unknown>>>;

/** Returns the columns of a table for a SELECT. @param alias the alias of the table, in a join */
export const columnsOf = ({ columns }: Table, alias?: string): Sql =>
  raw(
    Object.values(columns)
      .map((column) => (alias === undefined ? column : `${alias}.${column} AS ${column}`))
      .join(', '),
  );

/** Reads rows of a table that is not about rooms. @param end the end of the statement, from WHERE or ORDER BY on */
export function* findRows<Of extends object>(table: Table<Of>, end: Sql): Asking<Of[]> {
  const rows = yield* ask(sql`SELECT ${columnsOf(table)} FROM ${raw(table.name)} ${end}`);
  return rows.map((row) => rowFrom(table, row));
}

/** Asks a statement that selects one number as `num`. */
export function* askNumber(statement: Sql): Asking<number> {
  const [row] = yield* ask(statement);
  return row?.num as number;
}

export function* hasRows(statement: Sql): Asking<boolean> {
  return (yield* ask(statement)).length > 0;
}

/** Counts the rows of a statement, up to `max`. */
export const countUpTo = (max: number, rows: Sql): Asking<number> =>
  askNumber(sql`SELECT count(*) AS num FROM (${rows} LIMIT ${max}) AS found`);

/**
 * Cuts a page of `limit` rows. If more rows follow, `last` is the last row of the page.
 * @param rows up to `limit` + 1 rows
 */
export const cutPage = (
  rows: readonly Row[],
  limit: number,
): { page: readonly Row[]; last?: Row | undefined } =>
  rows.length > limit ? { page: rows.slice(0, limit), last: rows[limit - 1] } : { page: rows };

/**
 * Cuts a page of at most `limit` entries and `maxPageBytes`, but at least one entry. If more entries follow, `last` is
 * the row of the last entry.
 * @param rows up to `limit` + 1 rows
 */
export function cutPageBySize<Of, Entry>(
  rows: readonly Of[],
  limit: number,
  toEntry: (row: Of) => Entry,
  sizeOf: (entry: Entry) => number,
): { page: Entry[]; last?: Of | undefined } {
  const page: Entry[] = [];
  let bytes = 0;
  for (const row of rows) {
    const last = rows[page.length - 1];
    if (page.length === limit) return { page, last };
    const entry = toEntry(row);
    bytes += sizeOf(entry);
    if (bytes > maxPageBytes && page.length > 0) return { page, last };
    page.push(entry);
  }
  return { page };
}
