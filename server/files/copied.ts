import { randomUUID } from 'node:crypto';
import { readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Milliseconds between two signs of a backup, and after which a silent one counts as ended. */
const signEvery = 30_000;
const silentAfter = 10 * 60_000;

/** The signs of the backups that are being made of a folder, and of those that were killed. */
async function signsIn(folder: string): Promise<{ path: string; isSilent: boolean }[]> {
  const names = (await readdir(folder).catch(absent)).filter((name) => name.startsWith('backup-'));
  const signs = names.map(async (name) => {
    const path = join(folder, name);
    const { mtimeMs } = await stat(path).catch(() => ({ mtimeMs: 0 }));
    // A clock that was ahead has left a time to come.
    return { path, isSilent: Math.abs(Date.now() - mtimeMs) > silentAfter };
  });
  return Promise.all(signs);
}

/** Whether a backup of the files in this folder is being made, by this machine or another one. */
export async function isCopied(folder: string): Promise<boolean> {
  return (await signsIn(folder)).some(({ isSilent }) => !isSilent);
}

/** Has the servers keep all files of this folder. @returns the end of it */
export async function keepFiles(folder: string): Promise<() => Promise<void>> {
  // The server makes it at the first upload.
  if ((await stat(folder).catch(() => null)) === null) return async () => {};
  for (const { path, isSilent } of await signsIn(folder)) if (isSilent) await rm(path, { force: true });
  // In two containers, backups have the same process id.
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
