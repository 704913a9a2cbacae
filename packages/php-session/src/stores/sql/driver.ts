import type { StoreUrl } from '../../source.ts';
import { StoreError, type StoreListener } from '../../store.ts';

/**
 * The formats of times in columns: `unix` in seconds, `datetime` in the time zone of the database, `utc` as a datetime in
 * UTC, `digits` as `YYYYMMDDHHMMSS` in UTC.
 */
export const units = ['unix', 'datetime', 'utc', 'digits'] as const;
export type Unit = (typeof units)[number];

export interface SqlRow {
  id: string;
  /** The bytes that PHP reads. */
  data: Buffer | null;
  state: string | null;
  /** False for non-ASCII text in an unknown character set. PHP may read other bytes than `data`. */
  exact: boolean;
}

export interface Database {
  /** The limit of each query, which then throws StoreError. */
  readonly timeoutMs: number;
  /**
   * Reads rows by ID.
   * @param select selects the columns of `SqlRow` except `exact`, and ends with the name of the ID column
   * @param ids at least one
   */
  rows(select: string, ids: readonly string[]): Promise<SqlRow[]>;
  /**
   * Runs a SELECT without parameters.
   * @param select selects columns with different names, as text or UTF-8 bytes
   */
  query(select: string): Promise<(string | null)[][]>;
  /**
   * Finds rows whose column matches a pattern, ignoring case.
   * @param select as in `rows`, up to the table
   * @param pattern for LIKE, with `likeEscape` before literal `%` and `_`
   */
  search(select: string, column: string, pattern: string, limit: number): Promise<SqlRow[]>;
  /** Changes the row with exactly this ID. @param update an UPDATE with the condition of `SqlDriver.exactly` */
  change(update: string, id: string): Promise<void>;
  /** See `SessionStore.subscribe`. Absent if the database does not support notifications. */
  subscribe?(listener: StoreListener): () => void;
  close(): void;
}

/** Not a backslash, because its meaning depends on the database. */
export const likeEscape = '|';

/** The SQL dialect and the connections of one kind of database. Parameters that name columns are already quoted. */
export interface SqlDriver {
  quote: '"' | '`';
  /** The first `length` bytes of a column, or characters of text. */
  start(column: string, length: number): string;
  /** The size of a column in bytes, as stored. */
  bytes(column: string): string;
  /** A digest of the stored bytes of a column. Absent if the bytes are read as fast. */
  digest?(column: string): string;
  /** The time `secondsAgo` by the clock of the database, comparable with `value`. A negative number means the future. */
  moment(unit: Unit, secondsAgo: number): string;
  /** The time in a column. A value that is not a time in this unit may become NULL. */
  value(unit: Unit, column: string): string;
  /** The number of seconds until the future time in a column, as text. */
  until(unit: Unit, column: string): string;
  /** A condition for the row with exactly the ID of `change`, without IDs that the collation considers equal. */
  exactly(column: string): string;
  /** An UPDATE that does not wait for a locked row, if the database can. */
  update(table: string, assignment: string, condition: string): string;
  /**
   * Reads the address of the database and the options of this kind from the URL.
   * @returns a function that opens the database
   * @throws TypeError with the fault
   */
  locate(url: StoreUrl): () => Database;
}

/** Explanations for the operator of the site. */
const reasons = {
  login: 'the database refuses the user or the password of the store URL',
  plugin:
    'the user of the store URL logs in by a method that is not supported: give this user an ordinary password',
  origin: 'the database does not accept this user from this machine, or not without TLS',
  database: 'the database that the store URL names does not exist, or its user may not use it',
  table: 'the table that table= names does not exist in the database',
  column: 'the table lacks a column that id=, data=, expires= or last= names',
  permission: 'the user of the store URL may not read the table: GRANT SELECT on it',
  hidden:
    'the table that table= names does not exist, or the user of the store URL may not read it: if the name is right, GRANT SELECT on it',
  hiddenColumn:
    'the table lacks a column that id=, data=, expires= or last= names, or the user of the store URL may not read it: if the names are right, GRANT SELECT on the table',
  renewal:
    'the user of the store URL may not renew sessions: GRANT UPDATE on the column that expires= or last= names',
  unwritable:
    'the database cannot renew sessions, because it is a replica or read-only, or the table is a view that cannot be written to',
  type: 'a column is of a type that does not fit: id= and data= are text or bytes, and expires_unit= or last_unit= names how a time is stored',
  full: 'the database does not accept more connections',
  starting: 'the database is starting or shutting down',
  late: 'the database took too long to answer',
  plain: 'the database does not support TLS, which tls=on requires',
  certificate:
    'the certificate of the database is not trusted: ca= names the file with the certificate of its authority, and the certificate of the database must contain the host',
} as const;

/** An error with a known code. */
export class DatabaseError extends StoreError {
  readonly problem: keyof typeof reasons;
  readonly code: string;

  constructor(problem: keyof typeof reasons, code: string) {
    super(`${reasons[problem]} (${code})`);
    this.name = 'DatabaseError';
    this.problem = problem;
    this.code = code;
  }
}

/** The known error codes of a database and its client library. */
export type Problems = Readonly<Record<string, keyof typeof reasons>>;

/** Converts an error of a client library. Omits its message, which names the user and may quote IDs. */
export function toStoreError(
  error: unknown,
  problems: Problems,
  operation: 'read' | 'renew' = 'read',
): StoreError {
  if (error instanceof StoreError) return error;
  const { code, errno } = error as { code?: unknown; errno?: unknown };
  // mysql2 does not know the names of errors that only MariaDB has.
  const text = typeof code === 'string' ? code : typeof errno === 'number' ? String(errno) : '';
  const shown = /^\w{1,60}$/.test(text) ? text : 'no code';
  const problem = Object.hasOwn(problems, shown)
    ? problems[shown]
    : /CERT|SIGNATURE|ISSUER/.test(shown)
      ? 'certificate'
      : undefined;
  if (problem !== undefined) {
    const isForbidden = ['permission', 'hidden', 'hiddenColumn'].includes(problem);
    return new DatabaseError(isForbidden && operation === 'renew' ? 'renewal' : problem, shown);
  }
  return new StoreError(
    /^E[A-Z]+$/.test(shown)
      ? `the database cannot be reached (${shown})`
      : `the database ended the connection, or failed (${shown})`,
  );
}
