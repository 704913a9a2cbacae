import { constants, type Stats } from 'node:fs';
import { type FileHandle, lstat, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { FormatError } from '../../formats/value.ts';
import { probeId, StoreError } from '../../store.ts';

/** Rejects links, as mod_files.c does, and does not wait for the writer of a FIFO. */
const openFlags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
/** The file does not exist, or its name is too long to exist. */
const missingCodes = new Set(['ENOENT', 'ENAMETOOLONG']);
/** The file is a link or a socket. */
const notRegularCodes = new Set(['ELOOP', 'ENXIO']);
/** A file is complete if its last write is longer ago than this. */
export const settleMs = 50;
/** As `php_session_valid_key()` in session.c. Such an ID cannot lead out of the folder. */
const validId = /^[A-Za-z0-9,-]{1,256}$/;
export const rootUid = 0;

export interface FilesSettings {
  folder: string;
  depth: number;
  prefix: string;
  /** 0 if sessions do not expire. */
  lifetimeSeconds: number;
  /** The user that PHP runs as. */
  ownerUid: number | undefined;
  /** The limit of one disk operation. */
  timeoutMs: number;
}

export interface SessionFile {
  handle: FileHandle;
  stats: Stats;
  /** The time since the last write or renewal of the TTL. */
  ageMs: number;
}

/**
 * Opens the file of a session for `work`, and closes it afterwards.
 * @returns null if the file does not exist, or PHP's files handler rejects the ID
 * @throws StoreError on any other error of the disk
 * @throws FormatError if the file was not written by PHP
 */
export async function withFile<T>(
  id: string,
  settings: FilesSettings,
  work: (file: SessionFile) => Promise<T>,
): Promise<T | null> {
  if (!isPossible(id)) return null;
  const { folder, depth, ownerUid } = settings;
  const folders = Array.from({ length: depth + 1 }, (_, n) => join(folder, ...id.slice(0, n)));
  try {
    const handle = await openIfExists(filePath(id, settings));
    try {
      // If the file does not exist, the folders for its first characters may not exist either.
      const allowedUids = await findAllowedUids(handle === null ? [folder] : folders, ownerUid);
      if (handle === null) return null;
      const stats = await handle.stat();
      if (!stats.isFile() || allowedUids?.has(stats.uid) === false) throw foreignFileError();
      return await work({ handle, stats, ageMs: Date.now() - stats.mtimeMs });
    } finally {
      await handle?.close();
    }
  } catch (error) {
    throw toReadError(folder, error);
  }
}

/**
 * Returns a value that changes when the file is written or replaced.
 * @returns null if the file does not exist, is expired, or was written within `settleMs`
 */
export async function readVersion(id: string, settings: FilesSettings): Promise<string | null> {
  if (!isPossible(id)) return null;
  const stats = await lstat(filePath(id, settings)).catch(() => null);
  if (stats === null) return null;
  const { dev, ino, size, mtimeMs, ctimeMs } = stats;
  const ageMs = Date.now() - mtimeMs;
  const { lifetimeSeconds } = settings;
  if (ageMs <= settleMs || (lifetimeSeconds > 0 && ageMs > lifetimeSeconds * 1000)) return null;
  return `${dev}/${ino}/${size}/${mtimeMs}/${ctimeMs}`;
}

const isPossible = (id: string) => validId.test(id) || id === probeId;

/** Returns the path of a session's file. @param id must pass `isPossible` */
export function filePath(id: string, { folder, depth, prefix }: FilesSettings): string {
  return join(folder, ...id.slice(0, depth), prefix + id);
}

async function openIfExists(path: string): Promise<FileHandle | null> {
  try {
    return await open(path, openFlags);
  } catch (error) {
    const { code = '' } = error as NodeJS.ErrnoException;
    if (missingCodes.has(code)) return null;
    throw notRegularCodes.has(code) ? foreignFileError() : error;
  }
}

/**
 * Returns the users whose files are sessions, or undefined for all users. In a folder that all users may write to, such
 * as Debian's, any user could create a session. PHP accepts only its own files and root's files (`mod_files.c`).
 */
async function findAllowedUids(
  folders: readonly string[],
  ownerUid: number | undefined,
): Promise<ReadonlySet<number> | undefined> {
  const folderStats = await Promise.all(folders.map((folder) => stat(folder)));
  const ownUid = process.geteuid?.() ?? rootUid;
  if (ownerUid !== undefined) return new Set([rootUid, ownUid, ownerUid]);
  if (folderStats.every(({ mode }) => (mode & constants.S_IWOTH) === 0)) return undefined;
  if (ownUid === rootUid) {
    throw new StoreError(
      'all users may write to the session folder, and this server runs as root, so the owner of a file does not show whether PHP wrote it: run this server as the user of the PHP site, or name that user in owner=',
    );
  }
  return new Set([rootUid, ownUid]);
}

function foreignFileError(): FormatError {
  return new FormatError(
    'the session file belongs to another user than PHP’s, or is not a regular file: if PHP runs as another user than this server, name that user in owner=',
  );
}

/** Converts a disk error. The message omits the file name, which contains the session ID. */
export function toReadError(folder: string, error: unknown): Error {
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
