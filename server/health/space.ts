import { statfs } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { type Finding, problem, warning } from 'php-sessions/doctor';
import type { FilesPlace } from '../files/place.ts';
import { minFreeBytes } from '../history/engine/sqlite/disk.ts';

/** Enough for a day of messages, and for some of the largest files. */
const scarceBytes = 200 * 1024 * 1024;

/**
 * Returns the free bytes on the disk of a folder, which need not exist yet. Undefined if they are unknown.
 */
export async function freeBytes(folder: string): Promise<number | undefined> {
  for (let path = resolve(folder); ; path = dirname(path)) {
    try {
      const { bavail, bsize } = await statfs(path);
      return bavail * bsize;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT' || path === dirname(path)) return undefined;
    }
  }
}

/** Returns where files are stored, without keys. */
export const filesPlaceOf = (place: Exclude<FilesPlace, { kind: 'off' }>): string =>
  place.kind === 'dir' ? `the folder ${resolve(place.folder)}` : `the bucket ${place.url}`;

/** Returns what to do if files cannot be stored. */
export const adviseFiles = ({ kind }: FilesPlace): string =>
  kind === 'dir'
    ? 'Let the account of the chat server write to it, or set CHAT_FILES to another folder or to off.'
    : 'Correct CHAT_FILES: the bucket, its endpoint and region, and a key that may get, put and delete there.';

const advice =
  'Enlarge the disk, or delete old backups and logs (journalctl --vacuum-size=500M). Delete no file next to the history. See docs/operate/trouble.md.';

/**
 * Describes too little space.
 * @param what what is stored there, such as "history"
 * @param failure what failed for lack of space; without it, only the free bytes count
 */
export function describeSpace(
  what: string,
  folder: string,
  free: number | undefined,
  failure?: string,
): Finding | undefined {
  const where = `The disk of the ${what}, ${folder},`;
  if (failure !== undefined || (free !== undefined && free < minFreeBytes))
    return problem(`${where} is full${failure === undefined ? '' : `: ${failure}`}.`, advice);
  if (free === undefined || free >= scarceBytes) return undefined;
  return warning(`${where} has only ${Math.floor(free / 1024 / 1024)} MB left.`, advice);
}
