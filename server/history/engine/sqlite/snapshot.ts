import { backup, DatabaseSync } from 'node:sqlite';
import {
  eraseAgain,
  erasureMargin,
  forRestored,
  freeConsumers,
  type LostErasure,
  namesOfUsers,
} from '../../erasure/erase-again.ts';
import { fileStates } from '../../files/file.ts';
import { UnknownTables } from '../../unusable.ts';
import { erasedDigest, erasedSince, type ListedBefore } from './erased.ts';
import { digestKeyOf, formatOf, migrate } from './migrations.ts';
import { openSqliteHistory } from './sqlite.ts';

/** How long to wait while another program locks the file. */
const lockTimeoutMs = 5000;
/** Pages of 4 KB between two progress reports. */
const pagesPerStep = 2500;

/**
 * Copies a consistent state of a history, while a server may write to it.
 * @param onProgress from 0 to 1
 * @returns the number of the last migration
 * @throws Error of SQLite, or if the history is damaged or from a newer version
 */
export async function copyHistory(
  path: string,
  to: string,
  onProgress: (done: number) => void = () => {},
): Promise<number> {
  const from = new DatabaseSync(path, { readOnly: true, timeout: lockTimeoutMs });
  try {
    // In a read transaction. Without it, each write of the server would restart the copy.
    from.exec('BEGIN');
    from.prepare('SELECT count(*) FROM sqlite_master').get();
    await backup(from, to, {
      rate: pagesPerStep,
      progress: ({ totalPages, remainingPages }) => onProgress(1 - remainingPages / totalPages),
    });
  } finally {
    from.close();
  }
  return withFile(to, (copy) => {
    const format = checkedFormat(copy);
    // These texts of edited and deleted messages are only for the search index.
    copy.exec('DELETE FROM former_texts');
    return format;
  });
}

/** Yields the IDs of all stored files that are not pending deletion. */
export function* storedFiles(path: string): Generator<string> {
  const db = new DatabaseSync(path, { readOnly: true });
  try {
    const rows = db.prepare(`SELECT DISTINCT stored FROM chat_files WHERE state <> ${fileStates.dropped}`);
    for (const { stored } of rows.iterate()) yield stored as string;
  } finally {
    db.close();
  }
}

/** Opens the history to look up files. @returns `has`: whether it has the file with this ID */
export function askingForFiles(path: string): { has(id: string): boolean; close(): void } {
  const db = new DatabaseSync(path, { readOnly: true });
  const known = db.prepare('SELECT 1 FROM chat_files WHERE stored = ?');
  return { has: (id) => known.get(id) !== undefined, close: () => db.close() };
}

/**
 * Prepares a restored copy for a server: erases users again who were erased after the backup, and clears queues.
 * @param replaced path of the history to replace, which may be missing
 * @param made when the copy was made, in Unix ms
 * @param listed fingerprint of the erasure list at that time; older backups lack it
 * @throws Error if the copy is damaged, from a newer version, or has a trigger or a view
 */
export async function prepareRestored(
  path: string,
  replaced: string,
  made: number,
  listed: ListedBefore | undefined,
): Promise<void> {
  const lost = await withFile(path, async (db) => {
    checkedFormat(db);
    requireNoTriggers(db);
    migrate(db);
    db.exec(freeConsumers);
    const erased = await erasedSince(replaced, made - erasureMargin, listed);
    if (erased.size === 0) return [];
    const key = digestKeyOf(db);
    const found = new Map<string, LostErasure>();
    for (const user of usersIn(db)) {
      const one = erased.get(erasedDigest(key, user));
      if (one !== undefined) found.set(user, { user, messages: one.messages, at: one.at });
    }
    return [...found.values()];
  });
  if (lost.length > 0) await eraseIn(path, lost);
  await withFile(path, (db) => {
    db.exec(`${forRestored().join(';')}; DELETE FROM former_texts; DELETE FROM generations`);
  });
}

/**
 * Returns the number of the history's last migration, after a check of the file.
 * @throws Error if the history is damaged, or from a newer version
 */
function checkedFormat(db: DatabaseSync): number {
  const format = formatOf(db);
  const isWell = db.prepare('PRAGMA quick_check(1)').get()?.quick_check === 'ok';
  if (format === 0 || !isWell) throw new UnknownTables('the file is damaged, or is not a history');
  return format;
}

/**
 * Rejects triggers and views, which no history has. In a forged copy they would run at writes, even those of
 * `prepareRestored`.
 * @throws Error
 */
function requireNoTriggers(db: DatabaseSync): void {
  const found = db.prepare("SELECT 1 FROM sqlite_master WHERE type IN ('trigger', 'view')").get();
  if (found !== undefined)
    throw new Error('the backup contains a trigger or a view, which a chat server never creates');
}

/** Opens a file that nothing else uses, without a WAL, so that it stays a single file. */
async function withFile<T>(path: string, work: (db: DatabaseSync) => T | Promise<T>): Promise<T> {
  const db = new DatabaseSync(path);
  try {
    // Overwrite deleted data.
    db.exec('PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; PRAGMA secure_delete = ON');
    return await work(db);
  } finally {
    db.close();
  }
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

async function eraseIn(path: string, erasures: readonly LostErasure[]): Promise<void> {
  let failure: Error | undefined;
  const history = await openSqliteHistory({
    path,
    onFailure: (error) => {
      failure = error;
    },
  });
  await eraseAgain(history, erasures).finally(() => history.close());
  if (failure !== undefined) throw failure;
}
