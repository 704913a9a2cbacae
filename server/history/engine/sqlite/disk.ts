import { randomBytes } from 'node:crypto';
import { fstatSync, ftruncateSync, openSync, statfsSync, statSync, writeSync } from 'node:fs';
import { dirname } from 'node:path';
import type { DatabaseSync } from 'node:sqlite';
import { isFull } from './protocol.ts';

/** No message is stored when less is free, in bytes: what is left is for users who join, and for the checkpoint. */
const keptFree = 128 * 1024;
/** The largest reserve, in bytes. */
const maxReserve = 1024 * 1024;

/**
 * Keeps the history usable when its disk is full.
 *
 * A message that is stored alone goes into the WAL as five to ten pages of 4 KB: its row, two indexes, its room, its
 * sender's membership, and the neighbours of a page that is full. A checkpoint writes them into the database, which
 * grows by a tenth of that or less, and needs this room before the WAL gives its own back. So that it is there even
 * after another program has taken all that was free, a file beside the database, which ends in `-reserve`, holds 1 MB,
 * or a quarter of what was free if that is less, and is emptied for that moment. A start on a full disk needs it too,
 * for SQLite's `-shm`.
 */
export class Disk {
  readonly #db: DatabaseSync;
  readonly #path: string;
  /** The file, and how large it is to be in bytes. */
  readonly #reserve: number;
  readonly #reserved: number;

  constructor(db: DatabaseSync, path: string) {
    this.#db = db;
    this.#path = path;
    this.#reserve = openSync(`${path}-reserve`, 'a', 0o600);
    const { size } = fstatSync(this.#reserve);
    this.#reserved = Math.min(maxReserve, Math.max(size, Math.floor((size + this.#free()) / 4)));
  }

  /** Whether a message may be stored. Before the answer is no, the WAL has given back what it can. */
  hasRoom(): boolean {
    if (this.#free() >= keptFree) return true;
    if (this.#size('-wal') === 0) return false;
    this.makeRoom();
    return this.#free() >= keptFree;
  }

  /** To be called when a transaction is done: keeps what the next checkpoint needs far below the reserve. */
  checkpointInTime(): void {
    try {
      const { page_count, page_size } = this.#db
        .prepare('SELECT page_count, page_size FROM pragma_page_count, pragma_page_size')
        .get() as { page_count: number; page_size: number };
      if (page_count * page_size - this.#size('') < this.#reserved / 4) return;
      this.#db.exec('PRAGMA wal_checkpoint(PASSIVE)');
    } catch {
      // As in `makeRoom`.
    }
  }

  /** Brings all of the WAL into the database and gives back the room that it took, as far as that can be done. */
  makeRoom(): void {
    try {
      this.lend(() => this.#emptyWal());
    } catch {
      // The messages are safe in the WAL. The next transaction meets whatever is wrong, and says so.
    }
  }

  /**
   * Does what has to be possible on a full disk. If it fails for lack of room, it is done again with the room of the
   * reserve.
   * @param less a part of the work, where all of it could leave too little of the reserve for the checkpoint
   * @throws what the work throws, the second time if there is one
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
    // Committed data must not need the room that the work takes, also if it fails once more.
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
      // The reserve gets what is left.
    }
  }

  #emptyWal(): void {
    this.#db.exec('PRAGMA wal_checkpoint(TRUNCATE)');
  }

  /** As far as there is room. With random bytes, since some file systems store zeros without taking any. */
  #fillReserve(): void {
    try {
      const missing = this.#reserved - fstatSync(this.#reserve).size;
      if (missing > 0) writeSync(this.#reserve, randomBytes(missing));
    } catch {
      // The disk is full, or fails: what was done before is done. Whenever room is made, this is tried again.
    }
  }

  /** The free space for this user, in bytes; a file system that does not know it reports no blocks at all. */
  #free(): number {
    const { bavail, blocks, bsize } = statfsSync(dirname(this.#path));
    return blocks === 0 ? Number.POSITIVE_INFINITY : bavail * bsize;
  }

  #size(suffix: '' | '-wal'): number {
    return statSync(`${this.#path}${suffix}`, { throwIfNoEntry: false })?.size ?? 0;
  }
}
