import type { Columns, Value } from '../records/columns.ts';
import { tablesThere } from './beside.ts';
import { type DatabaseConnection, raw, type ServerDialect, sql } from './dialect.ts';
import {
  columnsByTable,
  numbersByTable,
  portableTables,
  type Snapshot,
  selectRows,
  selectStoredFiles,
} from './portable.ts';
import { formatIn } from './schema.ts';

/**
 * Reads a history in a database server. Its servers may be running.
 * @throws Error if there is no history, or a newer version wrote it; SqlError
 */
export async function openSnapshot(dialect: ServerDialect): Promise<Snapshot> {
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
    return {
      format,
      made,
      columns,
      numbers: numbersByTable(await connection.query(dialect.nextNumbers)),
      rows: (table) => rowsOf(connection, table, columns.get(table) ?? []),
      async *files() {
        for await (const rows of connection.stream(selectStoredFiles))
          yield rows.map(({ stored }) => stored as string);
      },
      close: () => connection.destroy(),
    };
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
  for await (const rows of connection.stream(selectRows(table, columns)))
    yield rows.map((row) => columns.map((column) => row[column] as Value));
}

/** Returns the stored columns of these tables. The database computes the others. */
export async function columnsOf(
  connection: DatabaseConnection,
  dialect: ServerDialect,
  tables: readonly string[],
): Promise<Map<string, Columns>> {
  const here = raw(dialect.name === 'PostgreSQL' ? 'current_schema()' : 'DATABASE()');
  const rows = await connection.query(
    sql`SELECT table_name AS name, column_name AS field FROM information_schema.columns
      WHERE table_schema = ${here} AND is_generated = 'NEVER'`,
  );
  return columnsByTable(rows.filter(({ name }) => tables.includes(name as string)));
}
