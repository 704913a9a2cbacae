import { type FSWatcher, watch } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { StoreError, type StoreListener } from '../../store.ts';
import type { RunOnDisk } from '../disk.ts';
import { keepSubscribed, type Sink } from '../subscription.ts';
import { type FilesSettings, toReadError } from './session-file.ts';

/** The kernel limits the number of folders that all programs of a user watch. */
const maxFolders = 4096;
/** Each subfolder is named after one character of the ID. */
const subfolderName = /^[A-Za-z0-9,-]$/;

/**
 * Subscribes to the kernel's notifications of session files. The kernel does not notify of changes by other machines on
 * NFS, and drops notifications under load.
 */
export function subscribeFiles(
  settings: FilesSettings,
  runOnDisk: RunOnDisk,
  listener: StoreListener,
): () => void {
  const { depth, prefix } = settings;
  const folder = resolve(settings.folder);
  const run = <T>(work: () => Promise<T>): Promise<T> =>
    runOnDisk(work).catch((error: unknown) => {
      throw toReadError(folder, error);
    });
  /** Returns a value that changes when another folder is mounted at or renamed to this path. */
  const readIdentity = () => run(() => stat(folder).then(({ dev, ino }) => `${dev}/${ino}`));

  async function listFoldersByLevel(): Promise<string[][]> {
    const levels = [[folder]];
    let count = 1;
    for (let n = 0; n < depth; n++) {
      const level: string[] = [];
      for (const parent of levels[n] as string[]) {
        const entries = await run(() => readdir(parent, { withFileTypes: true }));
        for (const entry of entries) {
          if (!entry.isDirectory() || !subfolderName.test(entry.name)) continue;
          if (++count > maxFolders)
            throw new StoreError(
              `the session folder ${folder} has more than ${maxFolders} folders, too many to watch`,
            );
          level.push(join(parent, entry.name));
        }
      }
      levels.push(level);
    }
    return levels;
  }

  return keepSubscribed(async (sink) => {
    // Checks first that the disk responds, because watch() runs on the main thread.
    const identity = await readIdentity();
    const levels = await listFoldersByLevel();
    const ping = async () => {
      if ((await readIdentity()) !== identity)
        throw new StoreError(`the session folder ${folder} was replaced`);
    };
    let isPinging = false;
    let isRequested = false;
    const pingNow = async () => {
      isRequested = true;
      if (isPinging) return;
      isPinging = true;
      for (; isRequested; await ping()) isRequested = false;
      isPinging = false;
    };
    const watchers: FSWatcher[] = [];
    sink.signal.addEventListener('abort', () => {
      for (const watcher of watchers.splice(0)) watcher.close();
    });
    for (const [level, folders] of levels.entries()) {
      for (const path of folders) {
        if (sink.signal.aborted) break;
        const onChange = (name: string) => {
          // For a change of the folder itself, `name` is the name of the folder.
          if (level === 0 && name === basename(folder)) pingNow().catch(sink.failed);
          if (level < depth) {
            if (subfolderName.test(name))
              sink.failed(new StoreError(`the folders in the session folder ${folder} have changed`));
          } else if (name.startsWith(prefix)) sink.changed({ id: name.slice(prefix.length) });
        };
        watchers.push(watchFolder(path, sink, folder, onChange));
      }
    }
    return ping;
  }, listener);
}

function watchFolder(path: string, sink: Sink, folder: string, onChange: (name: string) => void): FSWatcher {
  try {
    const watcher = watch(path, (_, name) => {
      if (name !== null) onChange(name);
    });
    watcher.on('error', (error) => sink.failed(toWatchError(folder, error)));
    return watcher;
  } catch (error) {
    throw toWatchError(folder, error);
  }
}

function toWatchError(folder: string, error: unknown): StoreError {
  const { code = 'unknown' } = error as NodeJS.ErrnoException;
  const advice: Record<string, string> = {
    EACCES: ': this server must be allowed to list it, but Debian’s own folder can be listed only by root',
    ENOSPC: ': the system’s fs.inotify.max_user_watches is used up',
    EMFILE: ': the system’s fs.inotify.max_user_instances is used up',
  };
  return new StoreError(`the session folder ${folder} cannot be watched (${code})${advice[code] ?? ''}`);
}
