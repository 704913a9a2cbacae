import { realpathSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import type { Columns, Value } from '../../records/columns.ts';
import { UnknownTables } from '../../unusable.ts';
import { erasureMargin } from '../erase-again.ts';
import { rowsPerPart } from '../limits.ts';
import {
  columnsByTable,
  countRows,
  erasedColumns,
  keyOfTable,
  numbersByTable,
  portableTables,
  type Rows,
  type Snapshot,
  selectRows,
  selectRowsWith,
  selectStoredFiles,
  valuesIn,
} from '../portable.ts';
import { SqliteConnection, sqlite } from './dialect.ts';
import { keyOf, type ListedErasure, listedErasures } from './erased.ts';
import { formatOf } from './migrations.ts';

/** How long to wait while another program locks the file. */
const lockTimeoutMs = 5000;

/** Selects the tables that number their rows, and their next numbers. */
const nextNumbers = `SELECT name, seq + 1 AS num FROM sqlite_sequence
  UNION ALL SELECT 'chat_messages', max(num, (SELECT coalesce(max(num), 0) + 1 FROM chat_messages)) FROM next_message`;

/**
 * Reads a history in a file. Its server may be running.
 * @throws Error of SQLite, or if the file contains no history or one of a newer version
 */
export async function openFileSnapshot(path: string): Promise<Snapshot> {
  return (await openFileState(path, () => null)).snapshot;
}

/**
 * Like `openFileSnapshot`.
 * @param readMore reads other data of the same state
 */
export async function openFileState<More>(
  path: string,
  readMore: (db: DatabaseSync, erased: readonly ListedErasure[]) => More,
): Promise<{ snapshot: Snapshot; more: More }> {
  const made = Date.now();
  // Before the read transaction. Otherwise the list could contain an erasure that started after the copy.
  const erased = await listedErasures(realpathSync(path));
  const db = new DatabaseSync(path, { readOnly: true, timeout: lockTimeoutMs });
  try {
    // The transaction takes its state at the first statement.
    db.exec('BEGIN');
    const format = formatOf(db);
    if (format === 0) throw new UnknownTables('the file is not a history');
    const columns = columnsIn(db);
    const more = readMore(db, erased);
    const snapshot: Snapshot = {
      ...rowsIn(db, columns, () => erased),
      format,
      made,
      unsettled: made - erasureMargin,
      numbers: numbersByTable(db.prepare(nextNumbers).all()),
      async *rows(table) {
        if (table === 'chat_erased') yield rowsOfErased(erased);
        else yield* sortedParts(db, table, columns.get(table) ?? []);
      },
      async *files() {
        for (const rows of parts(db, selectStoredFiles)) yield rows.map(([stored]) => stored as string);
      },
      close: () => db.close(),
    };
    return { snapshot, more };
  } catch (error) {
    db.close();
    throw error;
  }
}

/** Reads rows by this connection. @param erased returns the rows of `chat_erased`, which are not in the file */
export function rowsIn(
  db: DatabaseSync,
  columns: ReadonlyMap<string, Columns>,
  erased: () => readonly ListedErasure[],
): Rows {
  const connection = new SqliteConnection(db);
  const dialect = sqlite(db);
  return {
    columns,
    async *rows(table) {
      if (table === 'chat_erased') yield rowsOfErased(erased());
      else yield* parts(db, selectRows(table, columns.get(table) ?? []));
    },
    async rowsWith(table, key, values) {
      if (table === 'chat_erased') return rowsOfErasedWith(erased(), values);
      const names = columns.get(table) ?? [];
      return valuesIn(names, connection.query(selectRowsWith(dialect, table, names, key, values)));
    },
    count: async (table) =>
      table === 'chat_erased'
        ? rowsOfErased(erased()).length
        : (db.prepare(countRows(table).text).get()?.num as number),
  };
}

/** Returns erasures as rows of `chat_erased`, without duplicates. */
function rowsOfErased(erased: readonly ListedErasure[]): Value[][] {
  const rows = new Map(erased.map((row) => [keyOf(row), row]));
  return [...rows.values()].map(({ at, digest, messages }) => [at, digest, messages]);
}

/**
 * Yields the rows of a table in the order of the keys of all databases, which add such rows in half the CPU time.
 * @throws Error if an index lacks rows of the table
 */
function* sortedParts(db: DatabaseSync, table: string, columns: Columns): Generator<Value[][]> {
  const inTable = db.prepare(`${countRows(table).text} NOT INDEXED`).get()?.num as number;
  let found = 0;
  for (const rows of parts(db, `${selectRows(table, columns)} ORDER BY ${keyOfTable(table).join(', ')}`)) {
    found += rows.length;
    yield rows;
  }
  if (found !== inTable)
    throw new Error(`an index of ${table} is damaged: stop the server, and run the SQL statement REINDEX`);
}

/** Returns the rows of `chat_erased` with these keys. */
function rowsOfErasedWith(erased: readonly ListedErasure[], keys: readonly Value[][]): Value[][] {
  const wanted = new Set(keys.map((key) => key.join()));
  return rowsOfErased(erased).filter(([at, digest]) => wanted.has([digest, at].join()));
}

function* parts(db: DatabaseSync, select: string): Generator<Value[][]> {
  const statement = db.prepare(select);
  statement.setReturnArrays(true);
  let rows: Value[][] = [];
  for (const row of statement.iterate()) {
    if (rows.push(row as unknown as Value[]) < rowsPerPart) continue;
    yield rows;
    rows = [];
  }
  if (rows.length > 0) yield rows;
}

/** Returns the columns of the portable tables. */
export function columnsIn(db: DatabaseSync): Map<string, Columns> {
  const columns = db.prepare(
    `SELECT tables.name AS name, columns.name AS field
     FROM json_each(?) AS names JOIN sqlite_master AS tables ON tables.name = names.value,
       pragma_table_info(tables.name) AS columns`,
  );
  return columnsByTable(columns.all(JSON.stringify(portableTables))).set('chat_erased', erasedColumns);
}
