import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { root } from './npm-packages.mjs';

// The results of passed steps on this machine, each in a file named by a hash of its dependencies. CI starts with a
// fresh clone, so it has no results and runs every step.
const folder = join(root, 'node_modules/.cache/passed-steps');

/**
 * Returns the file of a step's result; undefined if the step always runs, as in CI and without git.
 * @param {import('./test-steps.mjs').Step} step
 */
export function resultFile({ name, sources }) {
  if (sources === undefined || process.env.CI !== undefined) return undefined;
  const listed = spawnSync('git', ['ls-files', '-coz', '--exclude-standard', '--', ...sources], {
    cwd: root,
  });
  if (listed.status !== 0) return undefined;
  const hash = createHash('sha256');
  // The commands of the steps are not hashed separately, because test-steps.mjs is one of the sources.
  hash.update(`${process.version}\n${tools()}`);
  for (const path of listed.stdout.toString().split('\0').sort()) {
    const file = join(root, path);
    if (path !== '' && existsSync(file)) hash.update(`${path}\0`).update(readFileSync(file));
  }
  return join(folder, `${name}-${hash.digest('hex').slice(0, 16)}`);
}

/** Returns the names and versions of all Debian packages. */
const tools = () => spawnSync('dpkg-query', ['-W']).stdout?.toString() ?? '';

/**
 * @param {import('./test-steps.mjs').Step} step @param {string | undefined} file with its result
 * @returns {number | undefined} the number of passed tests; undefined if what the step made is no longer there
 */
export function passedBefore(step, file) {
  if (file === undefined || !existsSync(file)) return undefined;
  const [tests, made] = readFileSync(file, 'utf8').split(' ');
  return made === hashOfMade(step) ? Number(tests) : undefined;
}

/** @param {import('./test-steps.mjs').Step} step @param {string | undefined} file @param {number} tests */
export function notePassed(step, file, tests) {
  if (file === undefined) return;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, `${tests} ${hashOfMade(step)}`);
}

/** @param {import('./test-steps.mjs').Step} step */
function hashOfMade({ makes = [] }) {
  const hash = createHash('sha256');
  for (const folder of makes.map((made) => join(root, made)).filter(existsSync)) {
    const entries = readdirSync(folder, { recursive: true, withFileTypes: true });
    const files = entries
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
    for (const file of files.sort()) hash.update(`${file}\0`).update(readFileSync(file));
  }
  return hash.digest('hex');
}
