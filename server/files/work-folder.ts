import { access, constants, lstat, mkdir, readdir, rm, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { sync } from './sync.ts';

/** Milliseconds after which a file counts as left over from a killed server. */
const abandonedAfter = 24 * 60 * 60 * 1000;
/** Bytes that must stay free on the disk, because the history may be on it too. */
const keptFree = 2 * 1024 * 1024;

/** A folder for files that are being made. It is created at the first use. */
export class WorkFolder {
  readonly #path: string;
  readonly #place: 'given' | 'own';
  #ready: Promise<string> | undefined;

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

  /** Whether this many bytes can be written. */
  async hasRoomFor(bytes: number): Promise<boolean> {
    const { bavail, blocks, bsize } = await statfs(await this.path());
    // A file system that does not know its size reports 0 blocks.
    return blocks === 0 || bavail * bsize >= bytes + keptFree;
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
