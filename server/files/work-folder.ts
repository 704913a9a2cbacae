import { access, constants, lstat, mkdir, readdir, rm, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { sync } from './sync.ts';

/** Milliseconds after which a file counts as left over from a killed server. */
const abandonedAfter = 24 * 60 * 60 * 1000;
/** Bytes that must stay free on the disk, because the history may be on it too; at most this part of a small disk. */
const reserveBytes = 64 * 1024 * 1024;
const reservePart = 1 / 4;

/** Space on the disk for bytes that are about to be written. */
export interface Reservation {
  /** Some of the bytes are on the disk now. */
  written(bytes: number): void;
  /** Releases what was not written. */
  end(): void;
}

/** A folder for files that are being made. It is created at the first use. */
export class WorkFolder {
  readonly #path: string;
  readonly #place: 'given' | 'own';
  #ready: Promise<string> | undefined;
  /** Bytes that are reserved and not yet written: of each user, of all, and how many ever ceased to be reserved. */
  readonly #reservedBy = new Map<string, number>();
  #reserved = 0;
  #released = 0;

  /** @param place `own`: a folder below one where others can create folders too, so its owner is checked */
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
   * Reserves space, so that concurrent writes never take the same bytes. A user gets at most as much as stays free, so one
   * user alone fills half of the disk.
   * @param charged bytes that the user has stored on this disk lately, with these
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
    // What was written while the system answered may be missing in its answer.
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

  /** Rejects if it can neither be written nor created. */
  async check(): Promise<void> {
    let there = this.#path;
    for (;;) {
      try {
        await access(there, constants.R_OK | constants.W_OK | constants.X_OK);
        if (!(await stat(there)).isDirectory()) throw new Error(`${there} is no folder`);
        return;
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || there === dirname(there)) throw error;
        there = dirname(there);
      }
    }
  }

  /** Deletes what killed servers have left here. */
  async tidy(): Promise<void> {
    // There may be no folder, or one of another user.
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
      // The folders that were made survive a loss of power, as the files beside this one do.
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
      `${this.#path} has another owner, or other accounts have access to it: remove it, or set TMPDIR`,
    );
  }
}

/** The folder was not created yet. */
function none(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT') return [];
  throw error;
}
