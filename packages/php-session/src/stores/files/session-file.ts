import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FormatError } from '../../formats/value.ts';
import { probeId, StoreError } from '../../store.ts';

/** Follows no link, as in mod_files.c, and does not wait for a writer of a FIFO. */
const readOnly = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** There is no such file, or the name is too long for one. */
const missing = new Set(['ENOENT', 'ENAMETOOLONG']);
/** A link or a socket. */
const unusual = new Set(['ELOOP', 'ENXIO']);
/** A file that was last written more than so many milliseconds ago is whole, and a later write changes its time. */
export const settled = 50;
/** The IDs of PHP's files handler: `php_session_valid_key()` in session.c. None of them leads out of the folder. */
const validId = /^[A-Za-z0-9,-]{1,256}$/;
/** The number of the user root. */
export const root = 0;

export interface FilesSettings {
  folder: string;
  depth: number;
  prefix: string;
  /** In seconds; 0: sessions do not expire. */
  lifetime: number;
  /** The number of PHP's user. */
  owner: number | undefined;
  /** Of one piece of work on the disk, in milliseconds. */
  timeout: number;
}

export interface SessionFile {
  handle: FileHandle;
  stats: Stats;
  /** The time since PHP last wrote it or renewed its TTL, in milliseconds. */
  age: number;
}

/**
 * Opens the file of a session for a piece of work, and closes it afterwards.
 * @returns null if there is no such file, or PHP's files handler rejects the ID
 * @throws StoreError if the disk reports any other error
 * @throws FormatError if the file is not PHP's
 */
export async function withFile<T>(
  id: string,
  settings: FilesSettings,
  work: (file: SessionFile) => Promise<T>,
): Promise<T | null> {
  if (!isPossible(id)) return null;
  const { folder, depth, owner } = settings;
  const folders = Array.from({ length: depth + 1 }, (_, n) => join(folder, ...id.slice(0, n)));
  try {
    const handle = await openIfThere(pathOf(id, settings));
    try {
      // The folders for the first characters may be missing too.
      const owners = await ownersIn(handle === null ? [folder] : folders, owner);
      if (handle === null) return null;
      const stats = await handle.stat();
      if (!stats.isFile() || owners?.has(stats.uid) === false) throw notPhps();
      return await work({ handle, stats, age: Date.now() - stats.mtimeMs });
    } finally {
      await handle?.close();
    }
  } catch (error) {
    throw unreadable(folder, error);
  }
}

/**
 * A value that changes when the file is written or replaced.
 * @returns null if there is no such file, or it was just written
 */
export async function versionOf(id: string, settings: FilesSettings): Promise<string | null> {
  if (!isPossible(id)) return null;
  const stats = await lstat(pathOf(id, settings)).catch(() => null);
  if (stats === null) return null;
  const { dev, ino, size, mtimeMs, ctimeMs } = stats;
  const age = Date.now() - mtimeMs;
  if (age <= settled || (settings.lifetime > 0 && age > settings.lifetime * 1000)) return null;
  return `${dev}/${ino}/${size}/${mtimeMs}/${ctimeMs}`;
}

const isPossible = (id: string) => validId.test(id) || id === probeId;

/** @param id one that `withFile` has found */
export function pathOf(id: string, { folder, depth, prefix }: FilesSettings): string {
  return join(folder, ...id.slice(0, depth), prefix + id);
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
 * The users whose files are sessions; undefined for all. Anyone could place a session in a folder that everybody may
 * write to, such as Debian's. PHP then accepts its own files and root's only (`mod_files.c`).
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
      'everybody may write into the session folder, and this server runs as root, so it cannot tell PHP’s files by their owner: run it as the user of the PHP site, or name that user in owner=',
    );
  }
  return new Set([root, self]);
}

function notPhps(): FormatError {
  return new FormatError(
    'the session file belongs to another user than PHP’s, or is not a regular file: if PHP runs as another user than this server, name that user in owner=',
  );
}

/** The failure for an error of the disk, any other error as it is. It does not name the file: that is the session id. */
export function unreadable(folder: string, error: unknown): Error {
  if (error instanceof StoreError || error instanceof FormatError) return error;
  const { code = 'unknown' } = error as NodeJS.ErrnoException;
  const advice =
    code === 'EACCES' || code === 'EPERM'
      ? ': run this server as the user of the PHP site, or in its group with files of mode 0640'
      : code === 'ENOENT' || code === 'ENOTDIR'
        ? ': there is no such folder'
        : '';
  return new StoreError(`the session folder ${folder} cannot be read (${code})${advice}`);
}
