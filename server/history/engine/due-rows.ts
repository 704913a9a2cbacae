import type { ColumnName, Row, Value } from '../records/columns.ts';
import { type Asking, raw, sql } from './dialect.ts';
import { rowFrom, type Table } from './table.ts';
import { type Need, needOf, type ValueLoader, type Work } from './work.ts';

// Queues: rows with a time `due`. Rules that claim rows run in their own transactions, so they see the current data.

interface Wanted {
  table: Table;
  at: number;
  most: number;
}

interface Due {
  rows: readonly object[];
  /** When the next row after these is due. */
  next?: number;
}

/** Locks the next due rows of a table. */
const loader: ValueLoader<Wanted, Due> = {
  name: 'due rows',
  keyOf: ({ table: { name }, at, most }) => `${name} ${at} ${most}`,
  *find({ dialect, transaction }, work, needs) {
    for (const wanted of needs) {
      const { table, at, most } = wanted;
      const name = raw(table.name);
      const columns = raw(Object.values(table.columns).join(', '));
      const found: Row[] =
        most === 0
          ? []
          : yield* transaction.query(
              sql`SELECT ${columns} FROM ${name} WHERE due <= ${at} ORDER BY due LIMIT ${most} ${dialect.lock}`,
            );
      const rows = found.map((row) => rowFrom(table, row));
      const next = rows.length === most ? at : yield* nextDue();
      work.keep(loader, wanted, { rows, next });

      function* nextDue(): Asking<number | undefined> {
        const [later] = yield* transaction.query(sql`SELECT min(due) AS due FROM ${name} WHERE due > ${at}`);
        return (later?.due as number | null | undefined) ?? undefined;
      }
    }
    return [];
  },
};

export const dueRowsNeed = (table: Table, at: number, most: number): Need =>
  needOf(loader, { table, at, most });

/**
 * Claims due rows for this server. They become due again at `until`, in case it crashes.
 * @param kept returns the row to store for a claimed row
 */
export function claimRows<Of extends { due?: number; claimed?: 1 }>(
  work: Work,
  table: Table<Of>,
  { at, until, most }: { at: number; until: number; most: number },
  kept: (row: Of) => Of = (row) => row,
): { rows: readonly Of[]; next?: number } {
  const { rows, next } = work.value(loader, { table, at, most }) as { rows: readonly Of[]; next?: number };
  for (const row of rows) work.put(table, { ...kept(row), due: until, claimed: 1 });
  return { rows, next };
}

/**
 * Queues rows with these keys. Existing rows keep their time; by default, those that a server has claimed are marked,
 * so that they are processed again.
 */
export function markRows(
  work: Work,
  { name, key, columns }: Table,
  keys: readonly (readonly Value[])[],
  due: number,
  { set, where } = { set: sql`again = 1`, where: sql`claimed = 1` },
): void {
  if (keys.length === 0) return;
  const keyColumns = key.map((field) => columns[field] as ColumnName);
  work.later(
    (dialect) => sql`UPDATE ${raw(name)} SET ${set} WHERE ${where} AND ${dialect.each(keyColumns, keys)}`,
  );
  work.later((dialect) =>
    dialect.insertNew(
      name,
      [...keyColumns, 'due'],
      keys.map((row) => [...row, due]),
    ),
  );
}
