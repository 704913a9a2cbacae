import { randomBytes } from 'node:crypto';
import { fstatSync, ftruncateSync, openSync, statfsSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { isFull } from './errors.ts';

/** Below this free space in bytes, no message is stored. The remaining space is for joins and the checkpoint. */
export const minFreeBytes = 128 * 1024;
/** The maximum size of the reserve in bytes. */
const maxReserveBytes = 1024 * 1024;

/**
 * Keeps the history usable when its disk is full.
 *
 * A message stored in its own transaction adds five to ten pages of 4 KB to the WAL: its row, two index entries, its
 * room, its sender's membership, and neighbours of full pages. A checkpoint copies them into the database, which
 * grows by a tenth of that or less, before the WAL releases its space. To have that space even if another program
 * fills the disk, a `-reserve` file next to the database holds 1 MB, or a quarter of the free space if that is less.
 * It is emptied while the space is needed. A start on a full disk also needs it, for SQLite's `-shm` file.
 */
export class Disk {
  readonly #db: DatabaseSync;
  readonly #path: string;
  /** The reserve file, and its intended size in bytes. */
  readonly #reserve: number;
  readonly #reserveBytes: number;

  constructor(db: DatabaseSync, path: string) {
    this.#db = db;
    this.#path = path;
    this.#reserve = openSync(`${path}-reserve`, 'a', 0o600);
    const { size } = fstatSync(this.#reserve);
    this.#reserveBytes = Math.min(maxReserveBytes, Math.max(size, Math.floor((size + this.#free()) / 4)));
  }

  /** Whether a message may be stored. Before it returns false, it frees the space of the WAL. */
  hasRoom(): boolean {
    if (this.#free() >= minFreeBytes) return true;
    if (this.#size('-wal') === 0) return false;
    this.makeRoom();
    return this.#free() >= minFreeBytes;
  }

  /** Call after each transaction. Runs a checkpoint early enough that it needs far less than the reserve. */
  checkpointInTime(): void {
    try {
      const { page_count, page_size } = this.#db
        .prepare('SELECT page_count, page_size FROM pragma_page_count, pragma_page_size')
        .get() as { page_count: number; page_size: number };
      if (page_count * page_size - this.#size('') < this.#reserveBytes / 4) return;
      this.#db.exec('PRAGMA wal_checkpoint(PASSIVE)');
    } catch {
      // See `makeRoom`.
    }
  }

  /** Copies the WAL into the database and frees its space, as far as possible. */
  makeRoom(): void {
    try {
      this.lend(() => this.#emptyWal());
    } catch {
      // The messages are safe in the WAL. The next transaction fails with the same error and reports it.
    }
  }

  /**
   * Runs work that must succeed on a full disk. If it fails for lack of space, it runs again with the space of the
   * reserve.
   * @param less a smaller step for that second run, so that enough of the reserve is left for a checkpoint
   * @throws the error of the last run
   */
  lend<T>(work: () => T, less = work): T {
    try {
      const done = work();
      this.#fillReserve();
      return done;
    } catch (error) {
      if (!isFull(error)) throw error;
    }
    ftruncateSync(this.#reserve, 0);
    // First move committed data out of the WAL. Later, the work may have used the space that the checkpoint needs.
    this.#tryToEmptyWal();
    try {
      return less();
    } finally {
      this.#tryToEmptyWal();
      this.#fillReserve();
    }
  }

  #tryToEmptyWal(): void {
    try {
      this.#emptyWal();
    } catch {
      // The data is safe in the WAL, and a later checkpoint moves it.
    }
  }

  #emptyWal(): void {
    this.#db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  }

  /**
   * Fills the reserve as far as there is space. Random bytes, because some file systems store zeros without using
   * space.
   */
  #fillReserve(): void {
    try {
      const missing = this.#reserveBytes - fstatSync(this.#reserve).size;
      if (missing > 0) writeSync(this.#reserve, randomBytes(missing));
    } catch {
      // The disk is full or failing. The next call tries again.
    }
  }

  /** Returns the free space for this account in bytes. A file system that does not know it reports no blocks. */
  #free(): number {
    const { bavail, blocks, bsize } = statfsSync(dirname(this.#path));
    return blocks === 0 ? Number.POSITIVE_INFINITY : bavail * bsize;
  }

  #size(suffix: '' | '-wal'): number {
    return statSync(`${this.#path}${suffix}`, { throwIfNoEntry: false })?.size ?? 0;
  }
}
