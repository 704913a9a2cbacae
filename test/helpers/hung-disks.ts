import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

/** More than this process's threads for file access. */
const many = 64;

/**
 * Simulates disks that do not respond: all threads for file access wait for a writer of a FIFO.
 * @param folder where the FIFO is created
 * @returns a function that ends this
 */
export function hangDisks(folder: string): () => Promise<void> {
  const fifo = join(folder, 'fifo');
  execFileSync('mkfifo', [fifo]);
  const opening = Array.from({ length: many }, () => open(fifo, 'r'));
  return async () => {
    const writer = openSync(fifo, constants.O_RDWR | constants.O_NONBLOCK);
    for (const file of await Promise.all(opening)) await file.close();
    closeSync(writer);
  };
}
