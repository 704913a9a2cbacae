import { chmodSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** A process that is ending may still hold the claim. */
const timeoutMs = 1000;
const SQLITE_BUSY = 5;

/**
 * Takes an exclusive lock, which lasts until `close` or the end of the process, even by kill -9. Node cannot lock files, so
 * SQLite does it by an open transaction. The file stays: otherwise a process could lock a file that was just removed.
 * @param path the lock file; created if missing
 * @param container names the container in the error
 * @throws Error if another process holds the lock, or the file cannot be created
 */
export function claim(path: string, container: string): { close(): void } {
  const db = new DatabaseSync(path, { timeout: timeoutMs });
  try {
    chmodSync(path, 0o600);
    // The transaction writes nothing, so it needs no journal file.
    db.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return db;
  } catch (error) {
    db.close();
    if ((error as { errcode?: number }).errcode !== SQLITE_BUSY) throw error;
    throw new Error(
      `${container} is in use by another session server: stop that one, or use another SESSION_SERVER_CONTAINER`,
    );
  }
}
