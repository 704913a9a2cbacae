import { createHash } from 'node:crypto';
import { existsSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { filesIn } from './libraries.mjs';

/**
 * Makes a file or folder, unless an earlier build made it from the same inputs.
 * @param {string} output its path
 * @param {string[]} inputs options, and paths of files and folders, of which the contents count
 * @param {() => Promise<unknown>} make
 */
export async function makeIfChanged(output, inputs, make) {
  const madeFrom = `${output}.inputs`;
  const hash = hashOf(inputs);
  if (existsSync(output) && existsSync(madeFrom) && readFileSync(madeFrom, 'utf8') === hash) return;
  // If the step fails, its output is incomplete.
  rmSync(madeFrom, { force: true });
  await make();
  writeFileSync(madeFrom, hash);
}

/** @param {string[]} inputs */
function hashOf(inputs) {
  const hash = createHash('sha256');
  for (const input of inputs) {
    hash.update(`${input}\0`);
    if (!existsSync(input)) continue;
    for (const path of statSync(input).isDirectory() ? filesIn(input, /./) : [input]) {
      if (statSync(path).isFile()) hash.update(`${path}\0`).update(readFileSync(path));
    }
  }
  return hash.digest('hex');
}
