import { chmodSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** Milliseconds. A process that is just ending may still hold the claim. */
const patience = 1000;
/** SQLITE_BUSY. */
const busy = 5;

/**
 * Keeps something for this process alone until the claim is closed or the process ends, by kill -9 too. Node cannot lock
 * a file, but SQLite can: an empty database in an open transaction. The file is never removed, since another process may
 * have locked it by then, and a third would lock a new one.
 * @param lock the file; made if it is missing
 * @param inUse the message of the error when another process has it
 * @returns what ends the claim; may be called twice
 * @throws Error with that message, or of the file that cannot be made
 */
export function claim(lock: string, inUse: string): { close(): void } {
  const db = new DatabaseSync(lock, { timeout: patience });
  try {
    chmodSync(lock, 0o600);
    // Nothing is written, so the journal need not be a file.
    db.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return {
      close() {
        if (db.isOpen) db.close();
      },
    };
  } catch (error) {
    db.close();
    if ((error as { errcode?: number }).errcode !== busy) throw error;
    throw new Error(inUse);
  }
}
