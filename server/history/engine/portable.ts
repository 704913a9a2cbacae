import { hash } from 'node:crypto';
import { type ColumnName, columnTypes } from '../columns.ts';
import { fileStates } from '../files/file.ts';
import { namesIn } from './beside.ts';
import { raw, type Sql } from './dialect.ts';
import type { Columns, Row, Value } from './table.ts';

/**
 * Tables that a backup omits. `chat_migrations` and the search index are built again. The others describe running
 * servers and queues, and a restored history has neither. The change log repeats data of other tables, except for audit
 * entries that are not stored yet.
 */
const omittedTables = [
  'chat_migrations',
  'chat_blocks',
  'chat_terms',
  'chat_writers',
  'chat_claims',
  'chat_changes',
  'chat_webhooks',
  'chat_due',
  'chat_due_rooms',
  'chat_pushes',
];

/**
 * The tables of a backup, in an order in which referenced rows come first. With SQLite, a file contains the rows of
 * `chat_erased`: see sqlite/erased.ts.
 */
export const portableTables: readonly string[] = namesIn({ name: 'PostgreSQL' }).tables.filter(
  (name) => !omittedTables.includes(name),
);

/** The stored files of the history, without those that are pending deletion, because no message has them. */
export const selectStoredFiles = `SELECT DISTINCT stored FROM chat_files WHERE state <> ${fileStates.dropped}`;

/** The columns of `chat_erased` in SQLite, which has no such table. */
export const erasedColumns: Columns = ['at', 'digest', 'erases'];

/** A single state of a history, which servers may change concurrently. */
export interface Snapshot {
  /** The number of the last migration. */
  readonly format: number;
  /** When the state was read, in Unix ms. */
  readonly made: number;
  /** `chat_erased` may contain erasures since this time, in Unix ms, that the other tables lack. */
  readonly unsettled?: number;
  /** The columns of the portable tables. */
  readonly columns: ReadonlyMap<string, Columns>;
  /** The next number of the tables that number their rows. */
  readonly numbers: ReadonlyMap<string, number>;
  /** Yields the rows of a table in parts, in any order. Values are in the order of the columns. */
  rows(table: string): AsyncGenerator<Value[][]>;
  /** Yields the IDs of the stored files in parts. */
  files(): AsyncGenerator<string[]>;
  close(): void;
}

/** Receives the rows of a backup. */
export interface RowsTarget {
  /** The columns of the portable tables. */
  readonly columns: ReadonlyMap<string, Columns>;
  /** Adds rows to a table, which has no others. */
  insert(table: string, rows: Value[][]): Promise<void>;
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
