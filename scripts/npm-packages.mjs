import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Problem, UNAVAILABLE } from './command.mjs';
import { runQuietly } from './quiet.mjs';

export const root = fileURLToPath(new URL('..', import.meta.url));
const modules = join(root, 'node_modules');
const bin = join(modules, '.bin');

/** Installs the npm packages if they are missing or differ from package-lock.json. */
export async function installNpmPackages() {
  if (!installed()) await installAnew();
  const problem = linkPinnedNode(); // npm may be configured not to run scripts
  if (problem !== undefined) throw new Problem(cannotRun(problem), UNAVAILABLE);
}

async function installAnew() {
  console.log('installing npm packages');
  const outside = (process.env.PATH ?? '')
    .split(delimiter)
    .filter((folder) => !folder.endsWith(join('node_modules', '.bin')));
  // npm must run on the machine's Node, not on the pinned Node, which it may replace. The flags install the tools and
  // the pinned Node even if NODE_ENV or npm's settings exclude them, and although `engines` may exclude the machine's Node.
  const flags = ['--include=dev', '--include=optional', '--engine-strict=false'];
  const result = await runQuietly('npm', ['ci', ...flags], {
    cwd: root,
    env: { ...process.env, PATH: outside.join(delimiter) },
  });
  if (!result.ok) throw new Problem(`npm could not install the packages:\n\n${result.output}`);
}

/** Whether the packages are installed. npm writes node_modules/.package-lock.json at the end of an installation. */
function installed() {
  const wanted = packagesOf(join(root, 'package-lock.json'));
  const present = packagesOf(join(modules, '.package-lock.json'));
  if (wanted === undefined || present === undefined) return false;
  for (const [path, entry] of Object.entries(wanted)) {
    if (path === '') continue;
    const found = present[path];
    // Optional packages for other platforms are missing.
    if (found === undefined && entry.optional) continue;
    if (found?.version !== entry.version || found?.integrity !== entry.integrity) return false;
  }
  return true;
}

/** @param {string} path @returns {Record<string, { version?: string, integrity?: string, optional?: boolean }> | undefined} */
function packagesOf(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).packages;
  } catch (error) {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  }
}

/**
 * Links the pinned Node again. There is a package for each platform, and all of them link a program `node`. When npm 10
 * (of Node 20) omits the packages of other platforms, it also removes the link of the installed package.
 * @returns {string | undefined} why the installed pinned Node cannot run; undefined if it can or is missing
 */
export function linkPinnedNode() {
  const link = join(bin, 'node');
  if (existsSync(link)) return undefined;
  const platform = `${process.platform}-${process.arch}`;
  const name = [`node-${platform}`, `node-bin-${platform}`].find((each) => existsSync(join(modules, each)));
  if (name === undefined) return undefined;
  const { status, stderr, error } = spawnSync(join(modules, name, 'bin', 'node'), ['-v'], {
    encoding: 'utf8',
  });
  // A broken Node would be first in npm's PATH, so no npm script could start.
  if (status !== 0) return error?.message ?? stderr.trim();
  mkdirSync(bin, { recursive: true });
  symlinkSync(join('..', name, 'bin', 'node'), link);
  return undefined;
}

/** @param {string} problem the output of the pinned Node */
export const cannotRun = (problem) =>
  `The packaged Node 26 cannot run: ${problem}\n${
    problem.includes('libatomic.so.1')
      ? 'Install that library (on Debian: apt-get install libatomic1), and run the command again.'
      : 'Fix this, and run the command again.'
  }`;

/**
 * Removes the `engines` of packages from package-lock.json. The pinned Node is compatible with all packages, but npm
 * checks the machine's Node, and would warn about each package.
 */
export function dropEngines() {
  const path = join(root, 'package-lock.json');
  const before = readFileSync(path, 'utf8');
  const lock = JSON.parse(before);
  for (const [name, entry] of Object.entries(lock.packages)) if (name !== '') delete entry.engines;
  const after = `${JSON.stringify(lock, null, 2)}\n`;
  if (after !== before) writeFileSync(path, after);
}

/**
 * Returns the Node for programs of the project: the path of the pinned Node, because on the first run `node` in PATH is
 * still the machine's Node.
 */
export function runtime() {
  if (!existsSync(modules)) throw new Problem('The npm packages are not installed. Run: npm ci', UNAVAILABLE);
  // Links again, because the libraries of the pinned Node may have been installed later.
  const problem = linkPinnedNode();
  const env = { ...process.env, PATH: `${bin}${delimiter}${process.env.PATH}` };
  const pinned = join(bin, 'node');
  if (existsSync(pinned)) return { node: pinned, env };
  if (Number(process.versions.node.split('.')[0]) >= 26) return { node: process.execPath, env };
  if (problem !== undefined) throw new Problem(cannotRun(problem), UNAVAILABLE);
  throw new Problem(
    `There is no packaged Node 26 for ${process.platform}-${process.arch}. Install Node 26, and run the command again.`,
    UNAVAILABLE,
  );
}
