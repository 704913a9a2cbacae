import { chmodSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** How long to wait for a process that is shutting down. */
const patienceMs = 1000;
/** The result code SQLITE_BUSY. */
const busyCode = 5;

/**
 * Takes an exclusive lock, and keeps it until `close` or until the process ends, even by kill -9. Node cannot lock a
 * file, but SQLite can, with an open transaction on an empty database. The file is never deleted, because another
 * process may already wait for it, and a third would create and lock a new file.
 * @param lock path of the lock file, which is created if missing
 * @param inUse error message if another process holds the lock
 * @returns the claim; `close` may be called twice
 * @throws Error with the message `inUse`, or an error of SQLite or the system
 */
export function claim(lock: string, inUse: string): { close(): void } {
  const claimed = tryClaim(lock, patienceMs);
  if (claimed === undefined) throw new Error(inUse);
  return claimed;
}

/** Like `claim`. @returns undefined if another process holds the lock */
export function tryClaim(lock: string, timeout = 0): { close(): void } | undefined {
  const db = new DatabaseSync(lock, { timeout });
  try {
    chmodSync(lock, 0o600);
    // The transaction writes nothing, so the journal can stay in memory.
    db.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return {
      close() {
        if (db.isOpen) db.close();
      },
    };
  } catch (error) {
    db.close();
    if ((error as { errcode?: number }).errcode !== busyCode) throw error;
    return undefined;
  }
}
