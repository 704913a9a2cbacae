import { chmodSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** A daemon that is just ending may still have it. */
const patience = 1000;
/** SQLITE_BUSY. */
const busy = 5;

/**
 * Keeps something for this process alone, until that is closed or the process ends, by kill -9 too. Node cannot lock a
 * file, but SQLite does: an empty database within a transaction that is never done. The file stays where it is, since
 * who removed it might take it away from under the next one, and two would have it.
 * @param lock the file, which is made
 * @param what is kept, for the error
 * @throws when another process has it
 */
export function claim(lock: string, what: string): { close(): void } {
  const db = new DatabaseSync(lock, { timeout: patience });
  try {
    chmodSync(lock, 0o600);
    // Nothing is written, so that the journal need not be a file.
    db.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return db;
  } catch (error) {
    db.close();
    if ((error as { errcode?: number }).errcode !== busy) throw error;
    throw new Error(`${what} is in use by another session daemon`);
  }
}
