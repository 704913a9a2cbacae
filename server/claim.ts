import { chmodSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** A process that is just ending may still have it. */
const patience = 1000;
/** SQLITE_BUSY. */
const busy = 5;

/**
 * Keeps something for this process alone, until that is closed or the process ends, by kill -9 too. Node cannot lock a
 * file, but SQLite does: an empty database within a transaction that is never done. The file stays where it is: if a
 * process removed it, that might be the one of the next process already, and two processes would have a claim.
 * @param lock the file, which is made
 * @param inUse the message of the error when another process has it
 * @returns what ends the claim; nothing happens when that is done twice
 * @throws Error with that message, or of the file that cannot be made
 */
export function claim(lock: string, inUse: string): { close(): void } {
  const db = new DatabaseSync(lock, { timeout: patience });
  try {
    chmodSync(lock, 0o600);
    // Nothing is written, so that the journal need not be a file.
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
