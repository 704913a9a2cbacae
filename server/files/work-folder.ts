import { access, constants, mkdir, readdir, rm, stat, statfs } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** What is this much older is of a server that has ended in the middle, in milliseconds. */
const abandonedAfter = 24 * 60 * 60 * 1000;
/** What has to be left free on the disk, in bytes: the history may be on it too. */
const keptFree = 2 * 1024 * 1024;

/** A folder for files that are being made. It is made at the first use. */
export class WorkFolder {
  readonly #path: string;
  #ready: Promise<string> | undefined;

  constructor(path: string) {
    this.#path = path;
  }

  path(): Promise<string> {
    const ready = this.#ready ?? this.#prepare();
    this.#ready = ready;
    ready.catch(() => {
      if (this.#ready === ready) this.#ready = undefined;
    });
    return ready;
  }

  /** Whether so many bytes can be written. */
  async hasRoomFor(bytes: number): Promise<boolean> {
    const { bavail, blocks, bsize } = await statfs(await this.path());
    // A file system that does not know says that it has no blocks at all.
    return blocks === 0 || bavail * bsize >= bytes + keptFree;
  }

  /** Rejects if it can neither be written nor made. */
  async check(): Promise<void> {
    let there = this.#path;
    for (;;) {
      try {
        await access(there, constants.W_OK | constants.X_OK);
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
    const before = Date.now() - abandonedAfter;
    for (const name of await readdir(this.#path).catch(none)) {
      const path = join(this.#path, name);
      const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: before }));
      if (mtimeMs < before) await rm(path, { force: true, recursive: true });
    }
  }

  async #prepare(): Promise<string> {
    await mkdir(this.#path, { recursive: true, mode: 0o700 });
    return this.#path;
  }
}

/** Nothing was made there yet. */
function none(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT') return [];
  throw error;
}
