import { randomUUID } from 'node:crypto';
import { readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Interval in ms at which a running backup updates its marker file. */
const signEvery = 30_000;
/** A backup without an update for this time in ms counts as ended. */
const silentAfter = 10 * 60_000;

/** Returns the marker files of running and killed backups of a folder. */
async function signsIn(folder: string): Promise<{ path: string; isSilent: boolean }[]> {
  const names = (await readdir(folder).catch(absent)).filter((name) => name.startsWith('backup-'));
  const signs = names.map(async (name) => {
    const path = join(folder, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: 0 }));
    // The absolute difference, because the clock may have been ahead at the last update.
    return { path, isSilent: Math.abs(Date.now() - mtimeMs) > silentAfter };
  });
  return Promise.all(signs);
}

/** Whether a backup of the files in this folder is running, on this machine or on another one. */
export async function isCopied(folder: string): Promise<boolean> {
  return (await signsIn(folder)).some(({ isSilent }) => !isSilent);
}

/**
 * Marks a running backup of this folder, so that no server deletes its files.
 * @returns a function that removes the mark
 */
export async function keepFiles(folder: string): Promise<() => Promise<void>> {
  // The server creates the folder at the first upload.
  if ((await stat(folder).catch(() => null)) === null) return async () => {};
  for (const { path, isSilent } of await signsIn(folder)) if (isSilent) await rm(path, { force: true });
  // A random name, because backups in two containers may have the same process ID.
  const sign = join(folder, `backup-${randomUUID()}`);
  await writeFile(sign, '');
  const timer = setInterval(() => {
    const now = new Date();
    utimes(sign, now, now).catch(() => {});
  }, signEvery);
  return async () => {
    clearInterval(timer);
    await rm(sign, { force: true });
  };
}

function absent(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT') return [];
  throw error;
}
