import type { ColumnName, Columns, Value } from '../records/columns.ts';
import { type Asking, type Dialect, raw, type Sql, sql } from './dialect.ts';
import { valuesOf } from './table.ts';
import type { Work, WriteContext } from './work.ts';

/**
 * Queues the writes of a transaction for its next round trip, with a few statements per table for all its operations.
 */
export function* store(context: WriteContext, work: Work): Asking<void> {
  for (const storeSubject of context.subjects.stores) yield* storeSubject(context, work) ?? [];
  storeTables(context, work);
  for (const statement of work.lateStatements) context.transaction.later(statement(context.dialect));
}

function storeTables({ dialect, transaction }: WriteContext, work: Work): void {
  for (const [table, known] of work.tables) {
    const columnsOf = (fields: readonly string[]) =>
      fields.map((field) => table.columns[field] as ColumnName);
    const fields = Object.keys(table.columns);
    const deletedKeys: Value[][] = [];
    const changedRows: Value[][] = [];
    for (const { row, key, stored } of known.values()) {
      if (row === stored) continue;
      const { room } = (row ?? key) as { room?: string };
      const num = room === undefined ? 0 : work.rooms.get(room)?.num;
      // The room is deleted, and its rows with it.
      if (num === undefined) continue;
      if (row === null) deletedKeys.push(valuesOf(key, table.key, num));
      else changedRows.push(valuesOf(row, fields, num));
    }
    const key = columnsOf(table.key);
    if (deletedKeys.length > 0) {
      transaction.later(deletion(dialect, table.name, key, deletedKeys));
    }
    if (changedRows.length === 0) continue;
    const columns = columnsOf(fields);
    // If all columns belong to the key, an existing row cannot change.
    transaction.later(
      columns.length === key.length
        ? dialect.insertNew(table.name, columns, changedRows)
        : dialect.upsert(table.name, key, columns, changedRows),
    );
  }
}

/**
 * Writes changed rows of a table.
 * @param rows.some rows where only the `changed` columns differ
 */
export function writeChanged(
  { dialect, transaction }: WriteContext,
  table: string,
  key: Columns,
  columns: Columns,
  rows: { all: readonly (readonly Value[])[]; some: readonly (readonly Value[])[]; changed: Columns },
): void {
  const { all, some, changed } = rows;
  if (some.length > 0) transaction.later(dialect.update(table, key, columns, some, changed));
  if (all.length > 0) transaction.later(dialect.upsert(table, key, columns, all));
}

/** Deletes the rows with these values. At least one is required. */
export const deletion = (
  dialect: Dialect,
  table: string,
  columns: Columns,
  rows: readonly (readonly Value[])[],
): Sql => sql`DELETE FROM ${raw(table)} WHERE ${dialect.each(columns, rows)}`;

/** Deletes the rows with these values, if any. */
export function deleteRows(
  { dialect, transaction }: WriteContext,
  table: string,
  columns: Columns,
  rows: readonly (readonly Value[])[],
): void {
  if (rows.length > 0) transaction.later(deletion(dialect, table, columns, rows));
}

/** Whether two objects differ only in these fields. */
export function isSameBut<T extends object>(fields: readonly (keyof T)[], before: T, row: T): boolean {
  for (const name in row) if (row[name] !== before[name] && !fields.includes(name)) return false;
  for (const name in before) if (!(name in row) && !fields.includes(name)) return false;
  return true;
}
