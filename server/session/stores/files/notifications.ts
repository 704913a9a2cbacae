import { type FSWatcher, watch } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { StoreError, type Watcher } from '../../store.ts';
import { keepWatching, type Line } from '../subscription.ts';
import type { turns } from './semaphore.ts';
import { type FilesSettings, unreadable } from './session-file.ts';

/** The kernel has a bound, for all that a user's programs watch. */
const mostFolders = 4096;
/** The name of a folder by a character of the id. */
const oneCharacter = /^[A-Za-z0-9,-]$/;

/**
 * Tells what the kernel tells of the files of sessions. Of a folder on NFS it tells nothing that another machine does,
 * and of many changes at once not all.
 */
export function watchFiles(
  settings: FilesSettings,
  inTurn: ReturnType<typeof turns>,
  watcher: Watcher,
): () => void {
  const { depth, prefix } = settings;
  const folder = resolve(settings.folder);
  const onDisk = async <T>(work: () => Promise<T>): Promise<T> => {
    try {
      return await inTurn(work);
    } catch (error) {
      throw error instanceof StoreError ? error : unreadable(folder, error);
    }
  };
  /** Which folder lies there now: another one may be mounted, or take its name. */
  const identity = () => onDisk(() => stat(folder).then(({ dev, ino }) => `${dev}/${ino}`));

  async function foldersByLevel(): Promise<string[][]> {
    const levels = [[folder]];
    let count = 1;
    for (let n = 0; n < depth; n++) {
      const next: string[] = [];
      for (const parent of levels[n] as string[]) {
        const entries = await onDisk(() => readdir(parent, { withFileTypes: true }));
        for (const entry of entries) {
          if (!entry.isDirectory() || !oneCharacter.test(entry.name)) continue;
          if (++count > mostFolders)
            throw new StoreError(`the session folder ${folder} has more folders than can be watched`);
          next.push(join(parent, entry.name));
        }
      }
      levels.push(next);
    }
    return levels;
  }

  return keepWatching(async (line) => {
    // First, since a watch begins without a thread of its own: on a disk that hangs, this process would hang too.
    const before = await identity();
    const levels = await foldersByLevel();
    const check = async () => {
      if ((await identity()) !== before)
        throw new StoreError(`the session folder ${folder} has been replaced by another one`);
    };
    let checking = false;
    let again = false;
    const checkNow = async () => {
      again = true;
      if (checking) return;
      checking = true;
      for (; again; await check()) again = false;
      checking = false;
    };
    const open: FSWatcher[] = [];
    const end = () => {
      for (const one of open.splice(0)) one.close();
    };
    line.signal.addEventListener('abort', end);
    for (const [level, folders] of levels.entries()) {
      for (const path of folders) {
        if (line.signal.aborted) break;
        open.push(
          watchFolder(path, line, folder, (name) => {
            // What happens to the folder itself comes under its name.
            if (level === 0 && name === basename(folder)) checkNow().catch(line.failed);
            if (level < depth) {
              if (oneCharacter.test(name))
                line.failed(new StoreError(`the folders in the session folder ${folder} have changed`));
            } else if (name.startsWith(prefix)) line.changed({ id: name.slice(prefix.length) });
          }),
        );
      }
    }
    return check;
  }, watcher);
}

function watchFolder(path: string, line: Line, folder: string, tell: (name: string) => void): FSWatcher {
  const failed = (error: unknown) => unwatchable(folder, error);
  try {
    const one = watch(path, (_, name) => {
      if (name !== null) tell(name);
    });
    one.on('error', (error) => line.failed(failed(error)));
    return one;
  } catch (error) {
    throw failed(error);
  }
}

function unwatchable(folder: string, error: unknown): StoreError {
  const { code = 'unknown' } = error as NodeJS.ErrnoException;
  const advice: Record<string, string> = {
    EACCES: ': this server must be allowed to list it, which in Debian’s own folder only root is',
    ENOSPC: ': the system’s fs.inotify.max_user_watches is used up',
    EMFILE: ': the system’s fs.inotify.max_user_instances is used up',
  };
  return new StoreError(`the session folder ${folder} cannot be watched (${code})${advice[code] ?? ''}`);
}
