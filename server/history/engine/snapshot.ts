import type { Columns, Value } from '../records/columns.ts';
import { tablesThere } from './beside.ts';
import { type DatabaseConnection, type ServerDialect, sql } from './dialect.ts';
import {
  columnsByTable,
  countRows,
  numbersByTable,
  portableTables,
  type Snapshot,
  selectRows,
  selectRowsWith,
  selectStoredFiles,
  valuesIn,
} from './portable.ts';
import { formatIn } from './schema.ts';

/**
 * Reads a history in a database server. Its servers may be running.
 * @throws Error if there is no history, or a newer version wrote it; SqlError
 */
export async function openSnapshot(dialect: ServerDialect): Promise<Snapshot> {
  return (await openState(dialect, async () => null)).snapshot;
}

/**
 * Like `openSnapshot`.
 * @param readMore reads other data of the same state
 */
export async function openState<More>(
  dialect: ServerDialect,
  readMore: (connection: DatabaseConnection) => Promise<More>,
): Promise<{ snapshot: Snapshot; more: More }> {
  const connection = await dialect.connect();
  try {
    await connection.query(dialect.patience);
    const there = await tablesThere(connection, dialect);
    const made = Date.now();
    if (there.length > 0)
      for (const statement of dialect.beginSnapshot(there)) await connection.query(statement);
    const format = await formatIn(connection, dialect);
    if (format === 0) throw new Error('there is no history in this database');
    const columns = await columnsOf(connection, dialect, portableTables);
    const more = await readMore(connection);
    const snapshot: Snapshot = {
      format,
      made,
      columns,
      numbers: numbersByTable(await connection.query(dialect.nextNumbers)),
      rows: (table) => rowsOf(connection, table, columns.get(table) ?? []),
      rowsWith: (table, key, values) =>
        rowsWith(connection, dialect, table, columns.get(table) ?? [], key, values),
      count: (table) => countIn(connection, table),
      async *files() {
        for await (const rows of connection.stream(selectStoredFiles))
          yield rows.map(({ stored }) => stored as string);
      },
      close: () => connection.destroy(),
    };
    return { snapshot, more };
  } catch (error) {
    connection.destroy();
    throw error;
  }
}

/** Yields the rows of a table in parts. Call it in a transaction. */
export async function* rowsOf(
  connection: DatabaseConnection,
  table: string,
  columns: Columns,
): AsyncGenerator<Value[][]> {
  for await (const rows of connection.stream(selectRows(table, columns))) yield valuesIn(columns, rows);
}

/** See `Rows.rowsWith`. */
export async function rowsWith(
  connection: DatabaseConnection,
  dialect: ServerDialect,
  table: string,
  columns: Columns,
  key: Columns,
  values: readonly Value[][],
): Promise<Value[][]> {
  const rows = await connection.queryPatiently(selectRowsWith(dialect, table, columns, key, values));
  return valuesIn(columns, rows);
}

export async function countIn(connection: DatabaseConnection, table: string): Promise<number> {
  const [row] = await connection.queryPatiently(countRows(table));
  return row?.num as number;
}

/** Returns the stored columns of these tables. The database computes the others. */
export async function columnsOf(
  connection: DatabaseConnection,
  dialect: ServerDialect,
  tables: readonly string[],
): Promise<Map<string, Columns>> {
  const rows = await connection.query(
    sql`SELECT table_name AS name, column_name AS field FROM information_schema.columns
      WHERE table_schema = ${dialect.schema} AND is_generated = 'NEVER'`,
  );
  return columnsByTable(rows.filter(({ name }) => tables.includes(name as string)));
}
