import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

const cache = join(import.meta.dirname, '../../node_modules/.cache/folders');

/** Creates a folder as `make` does. The result is kept per version of the program, and copied the next time. */
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
    // Another test was faster.
    rmSync(own, { recursive: true });
  }
}

/** Copies with owners, and with holes instead of zeros. */
function copy(from: string, to: string): void {
  execFileSync('cp', ['-a', '--sparse=always', from, to]);
}
