import { type FSWatcher, watch } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import { StoreError, type StoreListener } from '../../store.ts';
import type { OnDisk } from '../disk.ts';
import { keepSubscribed, type Sink } from '../subscription.ts';
import { type FilesSettings, unreadable } from './session-file.ts';

/** The kernel bounds the number of folders that all programs of a user watch. */
const mostFolders = 4096;
/** The name of a folder for one character of the id. */
const oneCharacter = /^[A-Za-z0-9,-]$/;

/**
 * Subscribes to the kernel's notifications of the session files. The kernel does not notify of what another machine
 * does in a folder on NFS, nor of every one of many changes at once.
 */
export function subscribeFiles(settings: FilesSettings, onDisk: OnDisk, listener: StoreListener): () => void {
  const { depth, prefix } = settings;
  const folder = resolve(settings.folder);
  const inFolder = <T>(work: () => Promise<T>): Promise<T> =>
    onDisk(work).catch((error: unknown) => {
      throw unreadable(folder, error);
    });
  /** Which folder is there now: another one may be mounted, or take its name. */
  const identity = () => inFolder(() => stat(folder).then(({ dev, ino }) => `${dev}/${ino}`));

  async function foldersByLevel(): Promise<string[][]> {
    const levels = [[folder]];
    let count = 1;
    for (let n = 0; n < depth; n++) {
      const next: string[] = [];
      for (const parent of levels[n] as string[]) {
        const entries = await inFolder(() => readdir(parent, { withFileTypes: true }));
        for (const entry of entries) {
          if (!entry.isDirectory() || !oneCharacter.test(entry.name)) continue;
          if (++count > mostFolders)
            throw new StoreError(
              `the session folder ${folder} has more than ${mostFolders} folders, too many to watch`,
            );
          next.push(join(parent, entry.name));
        }
      }
      levels.push(next);
    }
    return levels;
  }

  return keepSubscribed(async (sink) => {
    // First, since watch() runs on the main thread: on a disk that hangs, this process would hang too.
    const before = await identity();
    const levels = await foldersByLevel();
    const ping = async () => {
      if ((await identity()) !== before)
        throw new StoreError(`the session folder ${folder} has been replaced by another one`);
    };
    let pinging = false;
    let again = false;
    const pingNow = async () => {
      again = true;
      if (pinging) return;
      pinging = true;
      for (; again; await ping()) again = false;
      pinging = false;
    };
    const open: FSWatcher[] = [];
    const end = () => {
      for (const one of open.splice(0)) one.close();
    };
    sink.signal.addEventListener('abort', end);
    for (const [level, folders] of levels.entries()) {
      for (const path of folders) {
        if (sink.signal.aborted) break;
        open.push(
          watchFolder(path, sink, folder, (name) => {
            // A change of the folder itself comes under its name.
            if (level === 0 && name === basename(folder)) pingNow().catch(sink.failed);
            if (level < depth) {
              if (oneCharacter.test(name))
                sink.failed(new StoreError(`the folders in the session folder ${folder} have changed`));
            } else if (name.startsWith(prefix)) sink.changed({ id: name.slice(prefix.length) });
          }),
        );
      }
    }
    return ping;
  }, listener);
}

function watchFolder(path: string, sink: Sink, folder: string, onChange: (name: string) => void): FSWatcher {
  const failed = (error: unknown) => unwatchable(folder, error);
  try {
    const one = watch(path, (_, name) => {
      if (name !== null) onChange(name);
    });
    one.on('error', (error) => sink.failed(failed(error)));
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
