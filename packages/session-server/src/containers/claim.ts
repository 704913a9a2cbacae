import { chmodSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';

/** The limit of the wait for a process that still holds the claim. */
const timeoutMs = 1000;
const SQLITE_BUSY = 5;

/**
 * Takes an exclusive lock until `close` or the end of the process, even by kill -9. Node cannot lock files, so an open
 * transaction of SQLite holds the lock. The file is never removed, because a process that opened it before would then lock
 * the removed file, and another process a new file.
 * @param path the lock file, which is created if it is missing
 * @param container names the container in the error
 * @throws Error if another process holds the lock, or the file cannot be created
 */
export function claim(path: string, container: string): { close(): void } {
  const db = new DatabaseSync(path, { timeout: timeoutMs });
  try {
    chmodSync(path, 0o600);
    // The transaction does not write, so a journal in memory is enough.
    db.exec('PRAGMA journal_mode = MEMORY; BEGIN EXCLUSIVE');
    return db;
  } catch (error) {
    db.close();
    if ((error as { errcode?: number }).errcode !== SQLITE_BUSY) throw error;
    throw new Error(
      `${container} is in use by another session server: stop that server, or set SESSION_SERVER_CONTAINER to another container`,
    );
  }
}
