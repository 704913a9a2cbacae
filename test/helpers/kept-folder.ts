import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

const cache = join(import.meta.dirname, '../../node_modules/.cache/folders');

/**
 * Makes a folder as `make` would. What takes a program a second is done once for each of its versions, and copied from
 * then on.
 */
export function makeOnce(folder: string, program: string, make: () => void): void {
  const kept = join(cache, `${program.replaceAll('/', '-')}-${Math.round(statSync(program).mtimeMs)}`);
  if (existsSync(kept)) return copy(kept, folder);
  make();
  const own = `${kept}.${process.pid}`;
  mkdirSync(dirname(own), { recursive: true });
  copy(folder, own);
  try {
    renameSync(own, kept);
  } catch {
    // Another test was as fast.
    rmSync(own, { recursive: true });
  }
}

/** With its owners, and without what is nothing but zeros. */
function copy(from: string, to: string): void {
  execFileSync('cp', ['-a', '--sparse=always', from, to]);
}
