import type { Columns } from '../records/columns.ts';
import { tablesThere } from './beside.ts';
import { type DatabaseConnection, type ServerDialect, sql } from './dialect.ts';
import {
  columnsByTable,
  countRows,
  numbersByTable,
  portableTables,
  type Rows,
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
    await connection.query(dialect.withoutTimeouts);
    const there = await tablesThere(connection, dialect);
    const made = Date.now();
    if (there.length > 0)
      for (const statement of dialect.beginSnapshot(there)) await connection.query(statement);
    const format = await formatIn(connection, dialect);
    if (format === 0) throw new Error('there is no history in this database');
    const columns = await columnsOf(connection, dialect, portableTables);
    const more = await readMore(connection);
    const snapshot: Snapshot = {
      ...rowsIn(connection, dialect, columns),
      format,
      made,
      numbers: numbersByTable(await connection.query(dialect.nextNumbers)),
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

/** Reads rows by this connection. `rows` needs a transaction. */
export function rowsIn(
  connection: DatabaseConnection,
  dialect: ServerDialect,
  columns: ReadonlyMap<string, Columns>,
): Rows {
  const columnsIn = (table: string) => columns.get(table) ?? [];
  return {
    columns,
    async *rows(table) {
      for await (const rows of connection.stream(selectRows(table, columnsIn(table))))
        yield valuesIn(columnsIn(table), rows);
    },
    async rowsWith(table, key, values) {
      const select = selectRowsWith(dialect, table, columnsIn(table), key, values);
      return valuesIn(columnsIn(table), await connection.queryPatiently(select));
    },
    async count(table) {
      const [row] = await connection.queryPatiently(countRows(table));
      return row?.num as number;
    },
  };
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
