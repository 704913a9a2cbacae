import type { StoreUrl } from '../../source.ts';
import type { Watcher } from '../../store.ts';

/**
 * How a column tells a moment: `unix` in seconds, `datetime` in the time zone of the database, `utc` as a datetime
 * in UTC, `digits` as the 14 of `YYYYMMDDHHMMSS` in UTC.
 */
export const units = ['unix', 'datetime', 'utc', 'digits'] as const;
export type Unit = (typeof units)[number];

export interface Row {
  id: string;
  /** What the second column of the SELECT has, as PHP reads it; null for NULL. */
  data: Buffer | null;
  /** What the third column of the SELECT says. */
  state: string | null;
  /** False when `data` is text that PHP may read as other bytes: more than ASCII, in a character set that nobody said. */
  exact: boolean;
}

/** A database of which nothing is known but the statements that are put to it. */
export interface Database {
  /** Of one question, in milliseconds. */
  readonly timeout: number;
  /**
   * @param select a SELECT of three columns (id, data, state), up to the name of the column that has the ids
   * @param ids at least one
   * @throws StoreError within the time-out
   */
  rows(select: string, ids: readonly string[]): Promise<Row[]>;
  /**
   * @param update an UPDATE with what `exactly` says of the id
   * @throws StoreError within the time-out
   */
  change(update: string, id: string): Promise<void>;
  /** Only where the database tells of logouts by itself. See SessionStore. */
  watch?(watcher: Watcher): () => void;
  close(): void;
}

/** What is one kind of database's own. Names of columns are given quoted. */
export interface SqlDriver {
  /** What a name is quoted with. */
  quote: '"' | '`';
  /** The first `length` bytes of a column, or characters if it is text. */
  start(column: string, length: number): string;
  /** How many bytes a column holds, of text in the character set in which it lies there. */
  bytes(column: string): string;
  /**
   * A digest of the bytes of a column, as they lie there: what is the same to a collation is not the same to it. Absent
   * where it would take longer than to read them.
   */
  digest?(column: string): string;
  /**
   * The moment so many seconds ago, by the database's own clock, to be compared with `value` or put into the column.
   * Less than 0 is in the future.
   */
  moment(unit: Unit, secondsAgo: number): string;
  /** A column that tells a moment. */
  value(unit: Unit, column: string): string;
  /** How many seconds there are until the moment that a column tells, which is not over: as a text. */
  until(unit: Unit, column: string): string;
  /** True in the row of the id that `change` is given, and in no other, whatever else is the same to the database. */
  exactly(column: string): string;
  /** What else an UPDATE says, so that it does not wait for who has the row locked, as far as that can be said. */
  update(table: string, assignment: string, condition: string): string;
  /**
   * Reads where the database is from its URL and the options that only it has.
   * @throws TypeError saying what is wrong with it
   */
  locate(url: StoreUrl): () => Database;
}
