import { open } from 'node:fs/promises';

/** Brings a file to the disk, or the names in a folder, so that a loss of power leaves them. */
export async function sync(path: string): Promise<void> {
  const handle = await open(path);
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
