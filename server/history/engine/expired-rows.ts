import type { ColumnName, Columns, Value } from '../records/columns.ts';
import { type Dialect, raw, type Sql, sql } from './dialect.ts';
import type { Rule } from './rule.ts';
import { deletion } from './store.ts';
import type { Table } from './table.ts';
import { type Need, needOf, type ValueLoader, type Work } from './work.ts';

// Rows that expire are deleted in steps of bounded size. One statement for all of them could time out, and would block
// other writes until then.

/** The rows of a table that expire. */
export interface Expiry {
  name: string;
  key: Columns;
  /** The column of an index that finds the expired rows, oldest first. Absent if their order does not matter. */
  order?: ColumnName | undefined;
  isExpired(before: number): Sql;
}

/** Rows expire by the column `order`, unless `isExpired` is given. */
export const expiryOf = (
  { name, key, columns }: Table,
  order: ColumnName,
  isExpired: Expiry['isExpired'] = (before) => sql`${raw(order)} < ${before}`,
): Expiry => ({ name, key: key.map((field) => columns[field] as ColumnName), order, isExpired });

/** Deletes at most `most` rows that expired before `before`, oldest first. Repeat it until it deletes fewer. */
export interface Forget {
  in: { before: number; most: number };
  out: { deleted: number };
}

/** Selects the keys of the oldest of these rows, and locks them, so that they do not change before their deletion. */
export const selectOldest = (
  dialect: Dialect,
  { name, key, order }: Pick<Expiry, 'name' | 'key' | 'order'>,
  which: Sql,
  most: number,
): Sql =>
  sql`SELECT ${raw(key.join(', '))} FROM ${raw(name)} WHERE ${which}
      ${raw(order === undefined ? '' : `ORDER BY ${order}`)} LIMIT ${most} ${dialect.lock}`;

interface Wanted {
  expiry: Expiry;
  before: number;
  most: number;
}

const loader: ValueLoader<Wanted, Value[][]> = {
  name: 'expired rows',
  keyOf: ({ expiry: { name }, before, most }) => `${name} ${before} ${most}`,
  *find({ dialect, transaction }, work, needs) {
    for (const wanted of needs) {
      const { expiry, before, most } = wanted;
      const rows = yield* transaction.query(selectOldest(dialect, expiry, expiry.isExpired(before), most));
      work.keep(
        loader,
        wanted,
        rows.map((row) => expiry.key.map((column) => row[column] as Value)),
      );
    }
    return [];
  },
};

/** Only for rules that run alone, because another operation could renew a row before its deletion. */
export const expiredRowsNeed = (expiry: Expiry, before: number, most: number): Need =>
  needOf(loader, { expiry, before, most });

/** Deletes the rows of the same `expiredRowsNeed`. Returns their number. */
export function deleteExpired(work: Work, expiry: Expiry, before: number, most: number): number {
  const keys = work.value(loader, { expiry, before, most });
  if (keys.length > 0) work.later((dialect) => deletion(dialect, expiry.name, expiry.key, keys));
  return keys.length;
}

/** Returns the rule that deletes the expired rows of a table. */
export const forgetting = (expiry: Expiry): Rule<Forget> => ({
  alone: true,
  needs: ({ before, most }) => [expiredRowsNeed(expiry, before, most)],
  run: (work, { before, most }) => ({ deleted: deleteExpired(work, expiry, before, most) }),
});
