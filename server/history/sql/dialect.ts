import type { RequestErrorCode } from '../../errors.ts';
import type { RestrictionKind } from '../history.ts';
import type { Row } from '../rows.ts';

export type Value = string | number | null;

/** A piece of SQL with its values: one for each `?`. A value that is a list is for the dialect that made the piece. */
export interface Sql {
  text: string;
  values: readonly (Value | readonly Value[] | readonly (readonly Value[])[])[];
}

/** A connection to the database. It does one thing at a time. */
export interface Connection {
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

/** The columns of a statement, by which their types are known. */
export type Columns = readonly ColumnName[];

/** What the databases do in different ways. No statement elsewhere depends on which one it is. */
export interface Dialect {
  readonly name: string;
  /** The folder with its migrations. */
  readonly migrations: URL;
  /** A connection that is ready for use: logged in, with time-outs. @throws SqlError */
  connect(): Promise<Connection>;
  /** What is read of a message. */
  readonly messageColumns: Sql;
  /** The condition that these columns have the values of one of the rows; there is at least one row. */
  among(columns: Columns, rows: readonly (readonly Value[])[]): Sql;
  /** Inserts rows, in their order. */
  insert(table: string, columns: Columns, rows: readonly (readonly Value[])[], more?: string): Sql;
  /** Inserts those of the rows that are not there yet. */
  insertNew(table: string, columns: Columns, rows: readonly (readonly Value[])[]): Sql;
  /** Inserts rows, and overwrites those with the same `key`. */
  upsert(table: string, key: Columns, columns: Columns, rows: readonly (readonly Value[])[]): Sql;
  /** Takes a lock that all servers of this history share, for as long as the connection lives: `num` is 1, or 0 if another has it. */
  tryLock: Sql;
  unlock: Sql;
  /** For the rest of this connection the database gives up no statement. */
  patience: Sql;
  /** By whom such a restriction of a member is, as the index has it. */
  restrictedBy(kind: RestrictionKind): Sql;
  /** Asks for the number of the newest message of all. */
  newestMessage: Sql;
  /** Milliseconds since 1970 by the clock of the database, which all servers share. */
  now: Sql;
  /** Counts the number of the next entry of `chat_changes`, and locks it until the transaction ends. */
  nextPosition: Sql;
}

/**
 * What the failure of a statement means. `again`: another transaction was in the way, so the same may succeed now.
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

/** All columns of all tables, and whether they hold numbers or text. One name has one type everywhere. */
export const columnTypes = {
  num: 'int',
  id: 'text',
  kind: 'text',
  name: 'text',
  public_key: 'text',
  topic: 'text',
  head: 'int',
  last_seq: 'int',
  access: 'int',
  members: 'int',
  created_at: 'int',
  created_by: 'text',
  client_id: 'text',
  pair_low: 'text',
  pair_high: 'text',
  empty_since: 'int',
  writers: 'text',
  slow: 'int',
  reports: 'int',
  by_id: 'text',
  note: 'text',
  reported_at: 'int',
  message: 'text',
  closed: 'text',
  room_id: 'text',
  room: 'int',
  user_id: 'text',
  other_id: 'text',
  sources: 'int',
  role: 'text',
  read_seq: 'int',
  notify: 'text',
  acted: 'int',
  wrote_at: 'int',
  has_left: 'int',
  restricted: 'text',
  restricted_until: 'int',
  held: 'int',
  since: 'int',
  sort: 'text',
  seq: 'int',
  rev: 'int',
  user_name: 'text',
  text: 'text',
  sent_at: 'int',
  edited_at: 'int',
  deleted_at: 'int',
  deleted_by: 'text',
  reply_to: 'int',
  rich: 'text',
  mentions: 'text',
  emoji: 'text',
  place: 'int',
  erases: 'text',
  asked_at: 'int',
  up_to: 'int',
  stage: 'text',
  holder: 'text',
  held_until: 'int',
  reset_rev: 'int',
  digest: 'text',
  acted_public: 'int',
  site_role: 'text',
  find_key: 'text',
  until: 'int',
  reason: 'text',
  block: 'int',
  term: 'int',
  first_num: 'int',
  first_seq: 'int',
  last_num: 'int',
  stale: 'int',
  changes: 'text',
  files: 'text',
  state: 'int',
  at: 'int',
  about: 'text',
} as const;

export type ColumnName = keyof typeof columnTypes;

/** Puts pieces of SQL together: `sql\`SELECT … WHERE ${condition} AND seq > ${5}\``. */
export function sql(texts: TemplateStringsArray, ...parts: readonly (Sql | Value)[]): Sql {
  let text = texts[0] as string;
  const values: Sql['values'][number][] = [];
  for (const [n, part] of parts.entries()) {
    if (typeof part === 'object' && part !== null) {
      text += part.text;
      values.push(...part.values);
    } else {
      text += '?';
      values.push(part);
    }
    text += texts[n + 1];
  }
  return { text, values };
}

/** SQL without values. */
export const raw = (text: string): Sql => ({ text, values: [] });
