import { access, constants, lstat, mkdir, readdir, rm, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { sync } from './sync.ts';

/** A file that is unchanged for this time in ms counts as left by a killed server. */
const abandonedAfter = 24 * 60 * 60 * 1000;
/** The disk space in bytes that must stay free, because the history may be on the same disk. */
const reserveBytes = 64 * 1024 * 1024;
/** The maximum part of a small disk that must stay free. */
const reservePart = 1 / 4;

/** Space on the disk for bytes that are about to be written. */
export interface Reservation {
  /** Reports that some of the bytes were written. */
  written(bytes: number): void;
  /** Releases the space that was not used. */
  end(): void;
}

/** A folder for files in progress. It is created at the first use. */
export class WorkFolder {
  readonly #path: string;
  readonly #place: 'given' | 'own';
  #ready: Promise<string> | undefined;
  /** The reserved bytes that are not yet written, by user. */
  readonly #reservedBy = new Map<string, number>();
  /** The sum of `#reservedBy`. */
  #reserved = 0;
  /** All bytes that were written or released so far. */
  #released = 0;

  /** @param place `own`: its parent is open to other accounts, so the owner of the folder is checked */
  constructor(path: string, place: 'given' | 'own' = 'given') {
    this.#path = path;
    this.#place = place;
  }

  path(): Promise<string> {
    const ready = this.#ready ?? this.#prepare();
    this.#ready = ready;
    ready.catch(() => {
      if (this.#ready === ready) this.#ready = undefined;
    });
    return ready;
  }

  /**
   * Reserves space, so that concurrent writes do not share the same free bytes. `charged` must not exceed the free
   * space, so one user alone can fill only half of the disk.
   * @param charged bytes of files on this disk that are charged to the user now, including these
   * @returns null if there is too little space
   */
  async reserve(user: string, bytes: number, charged = 0): Promise<Reservation | null> {
    const path = await this.path();
    const releasedBefore = this.#released;
    const { bavail, blocks, bsize } = await statfs(path);
    // A file system that does not know its size reports 0 blocks.
    const unused =
      blocks === 0
        ? Number.POSITIVE_INFINITY
        : bavail * bsize - Math.min(reserveBytes, blocks * bsize * reservePart);
    // `statfs` may not include bytes that were written during the call.
    const free = unused - this.#reserved - (this.#released - releasedBefore);
    const own = this.#reservedBy.get(user) ?? 0;
    if (Math.max(charged, own + bytes) > free) return null;
    const change = (by: number) => {
      const now = (this.#reservedBy.get(user) ?? 0) + by;
      if (now === 0) this.#reservedBy.delete(user);
      else this.#reservedBy.set(user, now);
      this.#reserved += by;
      this.#released += Math.max(0, -by);
    };
    change(bytes);
    let left = bytes;
    const written = (now: number) => {
      const taken = Math.min(now, left);
      left -= taken;
      change(-taken);
    };
    return { written, end: () => written(left) };
  }

  /** Rejects if the folder is not writable and cannot be created. */
  async check(): Promise<void> {
    let there = this.#path;
    for (;;) {
      try {
        await access(there, constants.R_OK | constants.W_OK | constants.X_OK);
        if (!(await stat(there)).isDirectory()) throw new Error(`${there} is not a folder`);
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || there === dirname(there)) throw error;
        there = dirname(there);
      }
    }
  }

  /** Deletes files that killed servers left here. */
  async tidy(): Promise<void> {
    // The folder may belong to another account, or it cannot be created.
    if (this.#place === 'own' && (await this.path().catch(() => null)) === null) return;
    const before = Date.now() - abandonedAfter;
    for (const name of await readdir(this.#path).catch(none)) {
      const path = join(this.#path, name);
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: before }));
      if (mtimeMs < before) await rm(path, { force: true, recursive: true });
    }
  }

  async #prepare(): Promise<string> {
    const first = await mkdir(this.#path, { recursive: true, mode: 0o700 });
    if (this.#place === 'own') await this.#checkOwner();
    else if (first !== undefined) {
      // Sync the created folders, so that they survive a power failure like the stored files next to them.
      for (let made = this.#path; made.length >= first.length; made = dirname(made))
        await sync(dirname(made));
    }
    return this.#path;
  }

  async #checkOwner(): Promise<void> {
    const there = await lstat(this.#path);
    const isOwn = there.isDirectory() && (process.getuid === undefined || there.uid === process.getuid());
    if (isOwn && (there.mode & 0o077) === 0) return;
    throw new Error(
      `${this.#path} belongs to another account, or other accounts can access it: remove it, or set TMPDIR`,
    );
  }
}

/** Returns an empty list if the folder does not exist yet. @throws any other error */
function none(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT') return [];
  throw error;
}
