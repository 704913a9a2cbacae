import { DatabaseSync } from 'node:sqlite';
import type { ErasedMessages } from '../../records/erasure.ts';
import {
  type ErasingHistory,
  endLog,
  eraseAgain,
  forRestored,
  freeConsumers,
  type LostErasure,
  namesOfUsers,
} from '../erase-again.ts';
import { deleteRowsOf, deleteRowsWith, portableTables, type RowsTarget } from '../portable.ts';
import { SqliteConnection, sqlite } from './dialect.ts';
import {
  erasedDigest,
  erasuresByDigest,
  type ListedErasure,
  listErased,
  listedErasures,
  missingIn,
} from './erased.ts';
import { beginGeneration } from './index-state.ts';
import { digestKeyOf, migrate } from './migrations.ts';
import { columnsIn, rowsIn } from './snapshot.ts';

/** Opens the history to look up files. @returns `has`: whether it has the file with this ID */
export function askingForFiles(path: string): { has(id: string): boolean; close(): void } {
  const db = new DatabaseSync(path, { readOnly: true });
  const known = db.prepare('SELECT 1 FROM chat_files WHERE stored = ?');
  return { has: (id) => known.get(id) !== undefined, close: () => db.close() };
}

/** A restore into a new file. */
export interface FileRestoring extends RowsTarget {
  /**
   * Prepares the file for a server: migrates it and repeats later erasures.
   * @param replaced path of the history to replace, which may be missing
   * @param unsettled see `Snapshot`
   */
  prepare(replaced: string, unsettled: number | undefined): Promise<void>;
  /**
   * Like `prepare`, for the rows of a history that moves here. The history continues where it was.
   * @param to the final path of the file
   */
  prepareMoved(to: string): Promise<void>;
  close(): void;
}

type OpenFile = (options: { path: string; onFailure: (error: Error) => void }) => Promise<ErasingHistory>;

/**
 * Creates a history for the rows of a backup.
 * @param format the number of the last migration of the backup
 * @param open opens the new history, to repeat erasures
 */
export function restoringFile(path: string, format: number, open: OpenFile): FileRestoring {
  const db = new DatabaseSync(path, { enableForeignKeyConstraints: true });
  // No other program uses the file before it is complete, and an interrupted restore deletes it.
  db.exec('PRAGMA journal_mode = OFF; PRAGMA synchronous = OFF');
  // Otherwise moved rows leave copies, which a later erasure does not find.
  db.exec('PRAGMA secure_delete = ON');
  migrate(db, { upTo: format });
  // Some migrations insert rows.
  for (const table of portableTables.filter((name) => name !== 'chat_erased'))
    db.exec(deleteRowsOf(table).text);
  const connection = new SqliteConnection(db);
  const dialect = sqlite(db);
  const columns = columnsIn(db);
  /** The erasures that the backup lists. */
  let listed: ListedErasure[] = [];
  return {
    ...rowsIn(db, columns, () => listed),
    async insert(table, rows) {
      if (table === 'chat_erased') {
        for (const [at, digest, erases] of rows)
          listed.push({ at: at as number, digest: digest as string, messages: erases as ErasedMessages });
        return;
      }
      db.exec('BEGIN');
      connection.query(dialect.insert(table, columns.get(table) ?? [], rows));
      db.exec('COMMIT');
    },
    async remove(table, keys) {
      if (table === 'chat_erased') {
        const removed = new Set(keys.map((key) => key.join()));
        listed = listed.filter(({ digest, at }) => !removed.has([digest, at].join()));
        return;
      }
      db.exec('BEGIN');
      connection.query(deleteRowsWith(dialect, table, keys));
      db.exec('COMMIT');
    },
    async setNextNumber(table, num) {
      if (table === 'chat_messages') db.prepare('UPDATE next_message SET num = ?').run(num);
      else {
        db.prepare('DELETE FROM sqlite_sequence WHERE name = ?').run(table);
        db.prepare('INSERT INTO sqlite_sequence (name, seq) VALUES (?, ?)').run(table, num - 1);
      }
    },
    async prepareMoved(to) {
      db.close();
      withFile(path, (copy) => {
        migrate(copy);
        copy.exec(freeConsumers);
        // For a search index that is built before a server starts.
        beginGeneration(copy);
      });
      listErased(to, missingIn(await listedErasures(to), listed));
    },
    async prepare(replaced, unsettled = Number.POSITIVE_INFINITY) {
      db.close();
      const current = await listedErasures(replaced);
      const unlisted = missingIn(listed, current);
      const uncertain = current.filter(({ at }) => at >= unsettled);
      const erased = erasuresByDigest([...unlisted, ...uncertain]);
      const { lost, hasUnfinished } = withFile(path, (copy) => {
        migrate(copy);
        copy.exec([freeConsumers, ...endLog].join(';'));
        // Unfinished erasures continue here, because no change-log entry will start a server's erasure task.
        const unfinished = copy.prepare('SELECT user_id FROM chat_erasures LIMIT 1').get();
        return { lost: lostErasures(copy, erased), hasUnfinished: unfinished !== undefined };
      });
      if (lost.length > 0 || hasUnfinished) await eraseIn(path, lost, open);
      withFile(path, (copy) => {
        copy.exec(`${forRestored().join(';')}; DELETE FROM former_texts; DELETE FROM generations`);
      });
      listErased(replaced, missingIn(current, listed));
    },
    close() {
      if (db.isOpen) db.close();
    },
  };
}

/** Opens a file that nothing else uses, without a WAL, so that it stays a single file. */
function withFile<T>(path: string, work: (db: DatabaseSync) => T): T {
  const db = new DatabaseSync(path);
  try {
    // Overwrite deleted data.
    db.exec('PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON');
    return work(db);
  } finally {
    db.close();
  }
}

/** Finds the users of the restored history among these erasures. */
function lostErasures(
  db: DatabaseSync,
  erased: ReadonlyMap<string, Omit<ListedErasure, 'digest'>>,
): LostErasure[] {
  if (erased.size === 0) return [];
  const key = digestKeyOf(db);
  const found = new Map<string, LostErasure>();
  for (const user of usersIn(db)) {
    const one = erased.get(erasedDigest(key, user));
    if (one !== undefined) found.set(user, { user, ...one });
  }
  return [...found.values()];
}

/** Yields the IDs of all users that rows name, with duplicates. */
function* usersIn(db: DatabaseSync): Generator<string> {
  const columns = db
    .prepare(
      `SELECT tables.name AS name, columns.name AS field FROM sqlite_master AS tables, pragma_table_info(tables.name) AS columns
       WHERE tables.type = 'table' AND (tables.name, columns.name) = ('chat_users', 'id')
         OR columns.name IN (SELECT value FROM json_each(?)) AND tables.type = 'table'`,
    )
    .all(JSON.stringify(namesOfUsers));
  for (const { name, field } of columns) {
    const rows = db.prepare(`SELECT DISTINCT ${field} AS id FROM ${name} WHERE ${field} IS NOT NULL`);
    for (const { id } of rows.iterate()) yield id as string;
  }
}

async function eraseIn(path: string, erasures: readonly LostErasure[], open: OpenFile): Promise<void> {
  let failure: Error | undefined;
  const history = await open({
    path,
    onFailure: (error) => {
      failure = error;
    },
  });
  await eraseAgain(history, erasures).finally(() => history.close());
  if (failure !== undefined) throw failure;
}
