import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FormatError } from '../../formats/value.ts';
import { StoreError } from '../../store.ts';

/** Through no link, as in mod_files.c, and without waiting for somebody who writes into a FIFO. */
const readOnly = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** No such file, or none with such a long name. */
const missing = new Set(['ENOENT', 'ENAMETOOLONG']);
/** A link, a socket. */
const unusual = new Set(['ELOOP', 'ENXIO']);
/** What was written to longer ago than this many milliseconds is whole, and a later write changes its time. */
export const settled = 50;
/** The number of the user root. */
const root = 0;

export interface FilesSettings {
  folder: string;
  depth: number;
  prefix: string;
  /** In seconds, 0 for no end. */
  lifetime: number;
  /** The number of the user whose files count. */
  owner: number | undefined;
  /** Of one piece of work on the disk, in milliseconds. */
  timeout: number;
}

export interface SessionFile {
  handle: FileHandle;
  stats: Stats;
  /** Since PHP last wrote it or renewed its life, in milliseconds. */
  age: number;
}

/**
 * Does something with the file of a session, which is closed afterwards.
 * @param id `A-Za-z0-9,-` only, as the caller has checked, so that none leads out of the folder
 * @returns null when there is no such file
 * @throws StoreError when the disk says anything else
 * @throws FormatError when it is no file of PHP's
 */
export async function withFile<T>(
  id: string,
  settings: FilesSettings,
  work: (file: SessionFile) => Promise<T>,
): Promise<T | null> {
  const { folder, depth, prefix, owner } = settings;
  const folders = Array.from({ length: depth + 1 }, (_, n) => join(folder, ...id.slice(0, n)));
  try {
    const handle = await openIfThere(join(folders[depth] as string, prefix + id));
    try {
      // The folders by the first characters may be missing, too.
      const owners = await ownersIn(handle === null ? [folder] : folders, owner);
      if (handle === null) return null;
      const stats = await handle.stat();
      if (!stats.isFile() || owners?.has(stats.uid) === false) throw notPhps();
      return await work({ handle, stats, age: Date.now() - stats.mtimeMs });
    } finally {
      await handle?.close();
    }
  } catch (error) {
    if (error instanceof StoreError || error instanceof FormatError) throw error;
    throw unreadable(folder, error);
  }
}

/**
 * What is written into the file changes this, and so does whoever puts another one in its place.
 * @returns null when there is no such file, or it was written to a moment ago
 */
export async function versionOf(id: string, settings: FilesSettings): Promise<string | null> {
  const path = join(settings.folder, ...id.slice(0, settings.depth), settings.prefix + id);
  const stats = await lstat(path).catch(() => null);
  if (stats === null) return null;
  const { dev, ino, size, mtimeMs, ctimeMs } = stats;
  const age = Date.now() - mtimeMs;
  if (age <= settled || (settings.lifetime > 0 && age > settings.lifetime * 1000)) return null;
  return `${dev}/${ino}/${size}/${mtimeMs}/${ctimeMs}`;
}

async function openIfThere(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, readOnly);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (missing.has(code)) return null;
    throw unusual.has(code) ? notPhps() : error;
  }
}

/**
 * The users whose files count; undefined for all. Where everybody may write, as into Debian's folder, anybody could
 * put a session of his own making, so PHP takes those only that are its own or root's (`mod_files.c`).
 */
async function ownersIn(
  folders: readonly string[],
  owner: number | undefined,
): Promise<ReadonlySet<number> | undefined> {
  const found = await Promise.all(folders.map((folder) => stat(folder)));
  const self = process.geteuid?.() ?? root;
  if (owner !== undefined) return new Set([root, self, owner]);
  if (found.every(({ mode }) => (mode & constants.S_IWOTH) === 0)) return undefined;
  if (self === root) {
    throw new StoreError(
      'everybody may write into the session folder, and this server is root, who cannot know PHP’s files by their owner: run it as the user of the PHP site, or say that one in owner=',
    );
  }
  return new Set([root, self]);
}

function notPhps(): FormatError {
  return new FormatError(
    'the session is no file of PHP’s user, or no regular file: if PHP runs as another user than this server, say that one in owner=',
  );
}

/** The file's name is the session id: it is not told. */
export function unreadable(folder: string, error: unknown): StoreError {
  const { code = 'unknown' } = error as NodeJS.ErrnoException;
  const advice =
    code === 'EACCES' || code === 'EPERM'
      ? ': run this server as the user of the PHP site, or in its group with files of mode 0640'
      : code === 'ENOENT' || code === 'ENOTDIR'
        ? ': there is no such folder'
        : '';
  return new StoreError(`the session folder ${folder} cannot be read (${code})${advice}`);
}
