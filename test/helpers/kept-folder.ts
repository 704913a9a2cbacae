import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, renameSync, rmSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';

const cache = join(import.meta.dirname, '../../node_modules/.cache/folders');

/** Creates a folder as `make` does. The result is kept per version of the program, and copied the next time. */
export function makeOnce(folder: string, program: string, make: () => void): void {
  const kept = placeOf(program);
  if (existsSync(kept)) return copy(kept, folder);
  make();
  keep(folder, kept);
}

/** As `makeOnce`, with a `make` that takes its time. */
export async function makeOnceLater(
  folder: string,
  program: string,
  make: () => Promise<void>,
): Promise<void> {
  const kept = placeOf(program);
  if (existsSync(kept)) return copy(kept, folder);
  await make();
  keep(folder, kept);
}

const placeOf = (program: string) =>
  join(cache, `${program.replaceAll('/', '-')}-${Math.round(statSync(program).mtimeMs)}`);

function keep(folder: string, kept: string): void {
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
