import { constants } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { isCopied } from './copied.ts';
import { type Storage, storedName } from './storage.ts';
import { sync } from './sync.ts';
import { WorkFolder } from './work-folder.ts';

/**
 * Does not follow symbolic links or wait for the writer of a FIFO, because root may back up a folder in which another
 * account can create them.
 */
const readOnly = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** The errors of a missing file, a symbolic link, and a socket. */
const missing = new Set(['ENOENT', 'ELOOP', 'ENXIO']);

/** Opens a storage in a folder, which several servers may share. */
export function folderStorage(setting: string): Storage {
  const folder = resolve(setting);
  const work = new WorkFolder(join(folder, 'incoming'));
  // Subfolders keep each folder small.
  const pathOf = (name: string) => join(folder, name.slice(0, 2), name);
  return {
    work: () => work.path(),
    reserve: (user, bytes, charged) => work.reserve(user, bytes, charged),
    async put(name, path) {
      const to = pathOf(name);
      await mkdir(dirname(to), { recursive: true, mode: 0o700 });
      // Sync the bytes before the name, so that a confirmed upload survives a power failure.
      await sync(path);
      await rename(path, to);
      await sync(dirname(to));
      // This upload, or a concurrent one, may have created the subfolder.
      await sync(folder);
    },
    async open(name, part) {
      if (!storedName.test(name)) return null;
      const handle = await open(pathOf(name), readOnly).catch(absent);
      if (handle === null) return null;
      try {
        const stats = await handle.stat();
        if (!stats.isFile()) {
          await handle.close();
          return null;
        }
        // The stream closes the handle at its end.
        const bytes = handle.createReadStream({ ...part, highWaterMark: 64 * 1024 });
        return { size: part === undefined ? stats.size : part.end - part.start + 1, bytes };
      } catch (error) {
        await handle.close();
        throw error;
      }
    },
    async delete(name) {
      if (storedName.test(name)) await rm(pathOf(name), { force: true });
    },
    isCopied: () => isCopied(folder),
    tidy: () => work.tidy(),
    check: () => work.check(),
  };
}

function absent(error: NodeJS.ErrnoException): null {
  if (missing.has(error.code ?? '')) return null;
  throw error;
}
