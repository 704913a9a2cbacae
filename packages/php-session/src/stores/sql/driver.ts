import type { StoreUrl } from '../../source.ts';
import { StoreError, type StoreListener } from '../../store.ts';

/**
 * How a column stores a moment: `unix` in seconds, `datetime` in the time zone of the database, `utc` as a datetime
 * in UTC, `digits` as the 14 of `YYYYMMDDHHMMSS` in UTC.
 */
export const units = ['unix', 'datetime', 'utc', 'digits'] as const;
export type Unit = (typeof units)[number];

export interface SqlRow {
  id: string;
  /** The second column of the SELECT, as PHP reads it; null for NULL. */
  data: Buffer | null;
  /** The third column of the SELECT. */
  state: string | null;
  /** False if PHP may read other bytes than `data`: text with more than ASCII, in an unknown character set. */
  exact: boolean;
}

/** An open database. It knows nothing about sessions. */
export interface Database {
  /** Of one question, in milliseconds. */
  readonly timeout: number;
  /**
   * @param select a SELECT of three columns (id, data, state) that ends with the name of the column of ids
   * @param ids at least one
   * @throws StoreError after the timeout at the latest
   */
  rows(select: string, ids: readonly string[]): Promise<SqlRow[]>;
  /**
   * Runs a SELECT without parameters.
   * @param select its columns are texts or bytes and have different names
   * @returns the values of each row, bytes read as UTF-8
   * @throws StoreError after the timeout at the latest
   */
  query(select: string): Promise<(string | null)[][]>;
  /**
   * Finds rows by a text, whatever its case.
   * @param select a SELECT as in `rows`, up to the table
   * @param pattern as for LIKE, with `likeEscape` before its own `%` and `_`
   * @throws StoreError after the timeout at the latest
   */
  search(select: string, column: string, pattern: string, limit: number): Promise<SqlRow[]>;
  /**
   * @param update an UPDATE with the condition that `exactly` makes for the id
   * @throws StoreError after the timeout at the latest
   */
  change(update: string, id: string): Promise<void>;
  /** Absent if the database sends no notifications. See SessionStore. */
  subscribe?(listener: StoreListener): () => void;
  close(): void;
}

/** Precedes a character of a LIKE pattern that stands for itself. A backslash has another meaning in each database. */
export const likeEscape = '|';

/** The SQL of one kind of database, and how to reach it. Names of columns are given quoted. */
export interface SqlDriver {
  /** Quotes a name. */
  quote: '"' | '`';
  /** The first `length` bytes of a column, or characters if it is text. */
  start(column: string, length: number): string;
  /** The size of a column in bytes; for text, in the character set in which it is stored. */
  bytes(column: string): string;
  /**
   * A digest of the bytes of a column as they are stored, whatever its collation considers equal. Absent if it would
   * take longer than reading them.
   */
  digest?(column: string): string;
  /**
   * The moment so many seconds ago, by the clock of the database, in the form of `value` and of the column. A negative
   * number of seconds means the future.
   */
  moment(unit: Unit, secondsAgo: number): string;
  /** The moment that a column stores. */
  value(unit: Unit, column: string): string;
  /** The seconds until the moment that a column stores, as text. That moment is in the future. */
  until(unit: Unit, column: string): string;
  /** True for the row with the id of `change`, and for no other that the database may consider equal. */
  exactly(column: string): string;
  /** An UPDATE that, as far as the database can, does not wait for a locked row. */
  update(table: string, assignment: string, condition: string): string;
  /**
   * Reads from the URL where the database is, and the options that only this kind of database has.
   * @throws TypeError that says what is wrong with it
   */
  locate(url: StoreUrl): () => Database;
}

/** Explains a database's refusal to the operator of the site. */
const meanings = {
  login: 'the database refuses the user or the password of the store URL',
  plugin:
    'the user of the store URL logs in by a method that is not supported: give this user a password as is usual',
  origin: 'the database does not accept this user from this machine, or not without TLS',
  database: 'there is no such database as the store URL names, or its user may not use it',
  table: 'the database has no such table as table= names',
  column: 'the table lacks a column that id=, data=, expires= or last= names',
  permission: 'the user of the store URL may not read the table: GRANT SELECT on it',
  hidden:
    'there is no table of the name in table=, or the user of the store URL may not read it: if the name is right, GRANT SELECT on it',
  hiddenColumn:
    'the table lacks a column that id=, data=, expires= or last= names, or the user of the store URL may not read it: if the names are right, GRANT SELECT on the table',
  renewal:
    'the user of the store URL may not renew sessions: GRANT UPDATE on the column that expires= or last= names',
  unwritable:
    'the database cannot renew sessions, since it is a replica or read-only, or the table a view that cannot be written to',
  type: 'a column is of a type that does not fit: id= and data= are text or bytes, and expires_unit= or last_unit= names how a time is stored',
  full: 'the database takes no more connections',
  starting: 'the database is starting or shutting down',
  late: 'the database needed too long for the answer',
  plain: 'the database does not support TLS, which tls=on demands',
  certificate:
    'the certificate of the database is not trusted: ca= names the file with that of its authority, and the host has to be in it',
} as const;

/** A failure that the database or its client library explains by a code. */
export class DatabaseError extends StoreError {
  readonly problem: keyof typeof meanings;
  readonly code: string;

  constructor(problem: keyof typeof meanings, code: string) {
    super(`${meanings[problem]} (${code})`);
    this.name = 'DatabaseError';
    this.problem = problem;
    this.code = code;
  }
}

/** The meanings of a client library's error codes. */
export type Problems = Readonly<Record<string, keyof typeof meanings>>;

/**
 * The failure for an error of a client library. It leaves out the library's message, which names the user and may
 * quote ids.
 * @param wanted what the failed question was for
 */
export function failure(error: unknown, problems: Problems, wanted: 'read' | 'renew' = 'read'): StoreError {
  if (error instanceof StoreError) return error;
  const { code, errno } = error as { code?: unknown; errno?: unknown };
  // mysql2 has no names for the errors of MariaDB alone.
  const said = typeof code === 'string' ? code : typeof errno === 'number' ? String(errno) : '';
  const known = /^\w{1,60}$/.test(said) ? said : 'no code';
  const problem = Object.hasOwn(problems, known)
    ? problems[known]
    : /CERT|SIGNATURE|ISSUER/.test(known)
      ? 'certificate'
      : undefined;
  if (problem !== undefined) {
    const refused = problem === 'permission' || problem === 'hidden' || problem === 'hiddenColumn';
    return new DatabaseError(refused && wanted === 'renew' ? 'renewal' : problem, known);
  }
  return new StoreError(
    /^E[A-Z]+$/.test(known)
      ? `the database cannot be reached (${known})`
      : `the database ended the connection, or failed (${known})`,
  );
}
