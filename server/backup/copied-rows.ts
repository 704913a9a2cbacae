import {
  areValues,
  Inserting,
  keyOfTable,
  messageKey,
  ofMessages,
  portableTables,
  type RecordedSnapshot,
  type Rows,
  RowsDigest,
  type RowsTarget,
  type Snapshot,
} from '../history/engine/portable.ts';
import type { Columns, Value } from '../history/records/columns.ts';

/** Keys of one statement. */
const keysPerStatement = 200;

/** Called with the number of rows of each part. */
type OnRows = (rows: number) => void | Promise<void>;

/** Copies all rows. @returns the digest of each table @throws Error if a row cannot be copied */
export async function copyRows(from: Snapshot, to: RowsTarget, onRows: OnRows): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  for (const table of portableTables) {
    const copying = new Copying(from, to, table);
    for await (const rows of from.rows(table)) {
      await copying.copy(rows);
      await onRows(rows.length);
    }
    await copying.flush();
    digests.set(table, copying.sha256);
  }
  return digests;
}

/** Copies rows of one table. Keeps their number and digest. */
class Copying extends Inserting {
  readonly #columns: Columns;
  readonly #table: string;

  constructor(from: Rows, to: RowsTarget, table: string) {
    super(to, table);
    this.#table = table;
    this.#columns = from.columns.get(table) ?? [];
    if (this.#columns.join() !== to.columns.get(table)?.join())
      throw new Error(`the columns of ${table} differ`);
  }

  async copy(rows: readonly Value[][]): Promise<void> {
    for (const row of rows) {
      if (!areValues(this.#columns, row))
        throw new Error(`a row of ${this.#table} has a value that cannot be copied`);
      await this.insert(row, JSON.stringify(row));
    }
  }
}

/**
 * Copies the rows that changed, so that the target equals this state, and compares them. A changed message is copied
 * with all rows that refer to it, because the target deletes these rows with it.
 * @returns the number of changed rows
 * @throws Error naming a table whose new rows differ
 */
export async function copyChanges(from: RecordedSnapshot, to: RowsTarget, onRows: OnRows): Promise<number> {
  // All deletions come before all insertions, so that no new row conflicts with an old one.
  for (const table of portableTables.toReversed())
    for (const keys of partsOf(from.changed.get(table) ?? [])) await to.remove(table, keys);
  let changes = 0;
  for (const table of portableTables) {
    changes += from.changed.get(table)?.length ?? 0;
    const copying = new Copying(from, to, table);
    for await (const rows of changedRows(from, from, table)) {
      await copying.copy(rows);
      await onRows(rows.length);
    }
    await copying.flush();
    const copied = new RowsDigest();
    for await (const rows of changedRows(from, to, table))
      for (const row of rows) copied.add(JSON.stringify(row));
    if (copied.rows !== copying.rows || copied.sha256 !== copying.sha256) throw differs(table);
  }
  return changes;
}

/** Yields the current rows of a table that changed, or whose message changed. */
async function* changedRows(
  { changed }: RecordedSnapshot,
  of: Rows,
  table: string,
): AsyncGenerator<Value[][]> {
  const keys = changed.get(table) ?? [];
  if (!ofMessages.includes(table)) {
    for (const some of partsOf(keys)) yield await of.rowsWith(table, keyOfTable(table), some);
    return;
  }
  const messages = changed.get('chat_messages') ?? [];
  for (const some of partsOf(messages)) yield await of.rowsWith(table, messageKey, some);
  const known = new Set(messages.map((key) => key.join()));
  const places = messageKey.map((column) => of.columns.get(table)?.indexOf(column) ?? -1);
  for (const some of partsOf(keys)) {
    const rows = await of.rowsWith(table, keyOfTable(table), some);
    yield rows.filter((row) => !known.has(places.map((place) => row[place]).join()));
  }
}

function* partsOf<T>(all: readonly T[]): Generator<T[]> {
  for (let n = 0; n < all.length; n += keysPerStatement) yield all.slice(n, n + keysPerStatement);
}

/** Copies the numbers that the next rows get. */
export async function copyNumbers(from: Snapshot, to: RowsTarget): Promise<void> {
  for (const [table, next] of from.numbers) await to.setNextNumber(table, next);
}

/** Reads all rows. @returns the digest of each table */
export async function digestRows(of: Rows, onRows: OnRows): Promise<Map<string, string>> {
  const digests = new Map<string, string>();
  for (const table of portableTables) {
    const digest = new RowsDigest();
    for await (const rows of of.rows(table)) {
      for (const row of rows) digest.add(JSON.stringify(row));
      await onRows(rows.length);
    }
    digests.set(table, digest.sha256);
  }
  return digests;
}

/** @throws Error naming a table whose digests differ */
export function requireSameRows(
  digests: ReadonlyMap<string, string>,
  others: ReadonlyMap<string, string>,
): void {
  for (const [table, digest] of digests) if (others.get(table) !== digest) throw differs(table);
}

/** Compares the numbers of rows. @returns their sum @throws Error naming a table whose numbers differ */
export async function requireSameCounts(from: Rows, to: Rows): Promise<number> {
  let sum = 0;
  for (const table of portableTables) {
    const count = await from.count(table);
    if ((await to.count(table)) !== count) throw differs(table);
    sum += count;
  }
  return sum;
}

const differs = (table: string) => new Error(`the copied rows of ${table} differ`);
