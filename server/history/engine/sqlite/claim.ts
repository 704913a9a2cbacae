import { chmodSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** Milliseconds. A process that is ending may still hold the claim. */
const patience = 1000;
/** SQLITE_BUSY. */
const busy = 5;

/**
 * An exclusive lock that this process holds until it closes the claim or ends, even by kill -9. Node cannot lock a
 * file, but SQLite can, by an open transaction on an empty database. The file is never removed, since another process
 * may have locked it by then, and a third would lock a new one.
 * @param lock the file; created if it is missing
 * @param inUse the message of the error when another process has it
 * @returns the claim; `close` may be called twice
 * @throws Error with that message, or the system's if the file cannot be created
 */
export function claim(lock: string, inUse: string): { close(): void } {
  const db = new DatabaseSync(lock, { timeout: patience });
  try {
    chmodSync(lock, 0o600);
    // The transaction writes nothing, so its journal can stay in memory.
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
