import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';

/** More than this process has threads for its files. */
const many = 64;

/**
 * No disk answers this process any more: all its threads for files wait for somebody who writes into a FIFO.
 * @param folder where the FIFO is made
 * @returns ends that
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
