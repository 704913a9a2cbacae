import { open } from 'node:fs/promises';

/** Writes a file, or the names in a folder, to the disk, so that they survive a power failure. */
export async function sync(path: string): Promise<void> {
  const handle = await open(path);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
