import { hash } from 'node:crypto';
import { ownMigrations } from '../migrations.ts';
import { type ColumnName, type Columns, columnTypes, type Row, type Value } from '../records/columns.ts';
import { fileStates } from '../records/file.ts';
import { gone } from '../records/room.ts';
import { namesIn } from './beside.ts';
import { type Dialect, raw, type Sql, sql } from './dialect.ts';
import { deletion } from './store.ts';

/** Tables that are built again, or that describe running servers. */
const derivedTables = ['chat_migrations', 'chat_blocks', 'chat_terms', 'chat_writers', 'chat_claims'];

/** Tables that a backup omits, because queued items were sent since, or are outdated. */
const queues = ['chat_webhooks', 'chat_due', 'chat_due_rooms', 'chat_pushes'];

/**
 * The tables of a history, in an order in which referenced rows come first. With SQLite, a file contains the rows of
 * `chat_erased`: see sqlite/erased.ts.
 */
export const portableTables: readonly string[] = namesIn({ name: 'PostgreSQL' }).tables.filter(
  (name) => !derivedTables.includes(name),
);

/** The tables of a backup. */
export const backupTables: readonly string[] = portableTables.filter((name) => !queues.includes(name));

/** The CREATE TABLE statements of the portable tables. */
const creations = new Map(
  ownMigrations('PostgreSQL')
    .flatMap(({ statements }) => statements)
    .map((statement) => [/^CREATE TABLE IF NOT EXISTS (\w+)/.exec(statement)?.[1] ?? '', statement]),
);

/** The columns that identify a row in each database. In SQLite, the primary key of `chat_messages` is another. */
export function keyOfTable(table: string): Columns {
  const creation = creations.get(table) ?? '';
  const [, columns] =
    /PRIMARY KEY \(([\w, ]+)\)/.exec(creation) ??
    /(\w+) (?:BIGINT|TEXT)[^,\n]*PRIMARY KEY/.exec(creation) ??
    [];
  if (columns === undefined) throw new Error(`${table} has no primary key`);
  return columns.split(', ') as ColumnName[];
}

/** The columns that identify a message, also in the tables of `ofMessages`. */
export const messageKey = keyOfTable('chat_messages');

/** The tables whose rows the database deletes with their message. */
export const ofMessages: readonly string[] = portableTables.filter((table) =>
  creations.get(table)?.includes(`FOREIGN KEY (${messageKey.join(', ')}) REFERENCES chat_messages`),
);

/** The stored files of the history, without those that are pending deletion, because no message has them. */
export const selectStoredFiles = `SELECT DISTINCT stored FROM chat_files WHERE state <> ${fileStates.dropped}`;

/** The columns of `chat_erased` in SQLite, which has no such table. */
export const erasedColumns: Columns = ['at', 'digest', 'erases'];

/** The rows of a history. */
export interface Rows {
  /** The columns of the portable tables. */
  readonly columns: ReadonlyMap<string, Columns>;
  /** Yields the rows of a table in parts, in any order. Values are in the order of the columns. */
  rows(table: string): AsyncGenerator<Value[][]>;
  /** Returns the rows of a table whose `key` columns equal one of these. */
  rowsWith(table: string, key: Columns, values: readonly Value[][]): Promise<Value[][]>;
  /** Returns the number of rows of a table. */
  count(table: string): Promise<number>;
}

/** A single state of a history, which servers may change concurrently. */
export interface Snapshot extends Rows {
  /** The number of the last migration. */
  readonly format: number;
  /** When the state was read, in Unix ms. */
  readonly made: number;
  /** `chat_erased` may contain erasures since this time, in Unix ms, that the other tables lack. */
  readonly unsettled?: number;
  /** The next number of the tables that number their rows. */
  readonly numbers: ReadonlyMap<string, number>;
  /** Yields the IDs of the stored files in parts. */
  files(): AsyncGenerator<string[]>;
  close(): void;
}

/**
 * Records the keys of rows that servers change. Its triggers and tables are in the same database as the history. If
 * this process is killed, the triggers stop recording after some time, and the next recording removes them.
 */
export interface Recording {
  /** Reads a single state of the history, and the keys that were recorded until then. */
  open(): Promise<RecordedSnapshot>;
  /** @throws Error if a change may be missing, such as after a restore or if another process records */
  check(): Promise<void>;
  /** Removes the triggers and tables. */
  end(): Promise<void>;
}

/** A state of a history that is being recorded. */
export interface RecordedSnapshot extends Snapshot {
  /** For each table, the keys of the rows that changed since the last state whose keys were forgotten. */
  readonly changed: ReadonlyMap<string, readonly Value[][]>;
  /** Removes these keys from the record. Call it after `close`. */
  forget(): Promise<void>;
}

/** Receives the rows of a history. */
export interface RowsTarget extends Rows {
  /** Adds rows to a table, which has none with the same keys. */
  insert(table: string, rows: Value[][]): Promise<void>;
  /** Deletes rows by their keys. Rows of `ofMessages` are deleted with their message. */
  remove(table: string, keys: readonly Value[][]): Promise<void>;
  /** Sets the next number of a table that numbers its rows. */
  setNextNumber(table: string, num: number): Promise<void>;
}

/** Returns the columns of each table. @param rows rows of a catalogue with `name`, `field` */
export function columnsByTable(rows: readonly Row[]): Map<string, Columns> {
  const columns = new Map<string, ColumnName[]>();
  for (const { name, field } of rows) {
    const known = columns.get(name as string) ?? [];
    columns.set(name as string, known);
    known.push(field as ColumnName);
  }
  // The same order in all databases.
  for (const fields of columns.values()) fields.sort();
  return columns;
}

export function selectRows(table: string, columns: Columns): string {
  return `SELECT ${columns.join(', ')} FROM ${table}`;
}

/** Returns the IDs of the rooms that are not deleted. */
export async function roomsOf(of: Rows): Promise<string[]> {
  const place = of.columns.get('chat_rooms')?.indexOf('id') ?? -1;
  const ids: string[] = [];
  for await (const rows of of.rows('chat_rooms')) ids.push(...rows.map((row) => row[place] as string));
  return ids.filter((id) => !id.startsWith(gone));
}

export const selectRowsWith = (
  dialect: Dialect,
  table: string,
  columns: Columns,
  key: Columns,
  values: readonly Value[][],
): Sql => sql`${raw(selectRows(table, columns))} WHERE ${dialect.each(key, values)}`;

export const countRows = (table: string): Sql => raw(`SELECT count(*) AS num FROM ${table}`);

/** Deletes rows by their keys. */
export const deleteRowsWith = (dialect: Dialect, table: string, keys: readonly Value[][]): Sql =>
  deletion(dialect, table, keyOfTable(table), keys);

/** Returns rows of a result as values. */
export const valuesIn = (columns: Columns, rows: readonly Row[]): Value[][] =>
  rows.map((row) => columns.map((column) => row[column] as Value));

export const deleteRowsOf = (table: string): Sql => raw(`DELETE FROM ${table}`);

export function numbersByTable(rows: readonly Row[]): Map<string, number> {
  const own = rows.filter(({ name }) => portableTables.includes(name as string));
  return new Map(own.map(({ name, num }) => [name as string, num as number]));
}

/** Whether each value fits its column, and is a number or a text that all databases can store. */
export function areValues(columns: Columns, row: unknown): row is Value[] {
  return (
    Array.isArray(row) &&
    row.length === columns.length &&
    row.every(
      (value, n) =>
        value === null ||
        (columnTypes[columns[n] as ColumnName] === 'int'
          ? Number.isSafeInteger(value)
          : typeof value === 'string'),
    )
  );
}

/** The number of rows and a digest of them that does not depend on their order. It is the same in all databases. */
export class RowsDigest {
  rows = 0;
  #sum = 0n;

  add(line: string): void {
    this.rows++;
    this.#sum += BigInt(`0x${hash('sha256', line)}`);
  }

  get sha256(): string {
    return BigInt.asUintN(256, this.#sum).toString(16).padStart(64, '0');
  }
}

/** Maximum rows and characters of one INSERT. */
const most = { rows: 1000, characters: 512 * 1024 };

/** Adds rows to a table in statements of bounded size. Keeps their number and digest. */
export class Inserting extends RowsDigest {
  readonly #to: RowsTarget;
  readonly #table: string;
  #waiting: Value[][] = [];
  #characters = 0;

  constructor(to: RowsTarget, table: string) {
    super();
    this.#to = to;
    this.#table = table;
  }

  /** @param line the row as JSON */
  async insert(row: Value[], line: string): Promise<void> {
    this.add(line);
    this.#waiting.push(row);
    this.#characters += line.length;
    if (this.#waiting.length === most.rows || this.#characters > most.characters) await this.flush();
  }

  /** Call it after the last row. @throws Error naming the table */
  async flush(): Promise<void> {
    try {
      if (this.#waiting.length > 0) await this.#to.insert(this.#table, this.#waiting);
    } catch (error) {
      // The database's error does not name the table.
      (error as Error).message = `${this.#table}: ${(error as Error).message}`;
      throw error;
    }
    this.#waiting = [];
    this.#characters = 0;
  }
}
