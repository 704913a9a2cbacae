import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { basename, delimiter, dirname, join } from 'node:path';
import { Problem, UNAVAILABLE } from '../command.mjs';
import { installLine } from '../debian.mjs';
import { root } from '../npm-packages.mjs';
import { runQuietly } from '../quiet.mjs';

export const app = join(root, 'android', 'app');
export const out = join(app, 'out');
const libraries = join(out, 'libraries');

/**
 * The Debian package of each program.
 * @type {Record<string, string>}
 */
const packageOf = {
  aapt2: 'aapt',
  apksigner: 'apksigner',
  javac: 'default-jdk-headless',
  mvn: 'maven',
};

export function requirePrograms() {
  const folders = (process.env.PATH ?? '').split(delimiter);
  /** @param {string} name */
  const isMissing = (name) => !folders.some((folder) => existsSync(join(folder, name)));
  const missing = Object.keys(packageOf).filter(isMissing);
  if (missing.length === 0) return;
  const packages = missing.map((name) => packageOf[name]);
  throw new Problem(
    `The Android app cannot be built without ${missing.join(', ')}. Install:\n\n  ${installLine(packages)}`,
    UNAVAILABLE,
  );
}

/**
 * Runs a program of the build.
 * @param {string} title what it does
 * @param {string} program
 * @param {string[]} args
 */
export async function step(title, program, args) {
  console.log(title);
  await requireSuccess(title, program, args);
}

/** @param {string} title @param {string} program @param {string[]} args */
async function requireSuccess(title, program, args) {
  const result = await runQuietly(program, args, { cwd: root });
  if (!result.ok) throw new Problem(`${title} failed:\n\n${result.output}`);
}

/** @param {string} title @param {string[]} args */
export const java = (title, args) => step(title, 'java', ['-XX:+UseSerialGC', '-Xmx2g', ...args]);

/** @param {string[]} paths */
export const joinPaths = (paths) => paths.join(delimiter);

/** @param {string} folder */
export function emptyFolder(folder) {
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  return folder;
}

/**
 * Returns the paths of files whose name in the folder matches, sorted so that each build has the same order.
 * @param {string} folder
 * @param {RegExp} pattern
 */
export const filesIn = (folder, pattern) =>
  readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => pattern.test(name))
    .sort()
    .map((name) => join(folder, name));

/** The extra field with which Android's tools align an entry: the alignment in bytes, and padding. */
const alignmentField = 0xd935;
/** Sizes of the local header of an entry, and of that of an extra field (APPNOTE.TXT 4.3.7 and 4.5.1). */
const [entryHeader, fieldHeader] = [30, 4];

/**
 * Returns a ZIP whose bytes depend on the names and contents only.
 * @param {Iterable<[string, Uint8Array]>} entries
 * @param {(name: string) => number} alignmentOf the alignment in bytes of an entry that Android maps into memory, which is
 * not compressed; otherwise 0
 */
export async function zipOf(entries, alignmentOf = () => 0) {
  const { zipSync } = await import('fflate');
  // A ZIP stores local times, and this constructor also takes a local time.
  const mtime = new Date(1981, 0, 1);
  const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
  const { mapped = [], other = [] } = Object.groupBy(sorted, ([name]) =>
    alignmentOf(name) > 0 ? 'mapped' : 'other',
  );
  let offset = 0;
  // First, because the sizes of the entries before them must be known.
  const aligned = mapped.map(([name, data]) => {
    const alignment = alignmentOf(name);
    const start = offset + entryHeader + Buffer.byteLength(name) + fieldHeader + 2;
    const padding = (alignment - (start % alignment)) % alignment;
    offset = start + padding + data.length;
    const extra = Buffer.alloc(2 + padding);
    extra.writeUInt16LE(alignment);
    return [name, [data, { mtime, level: 0, extra: { [alignmentField]: extra } }]];
  });
  return zipSync(
    Object.fromEntries([...aligned, ...other.map(([name, data]) => [name, [data, { mtime, level: 9 }]])]),
  );
}

/**
 * Fetches the libraries of `android/app/deps`, unless an earlier build did.
 * @param {string[]} names
 */
export async function fetchLibraries(names) {
  for (const name of names) {
    const pom = join(app, 'deps', name, 'pom.xml');
    const fetched = join(libraries, `${name}.xml`);
    if (existsSync(fetched) && readFileSync(fetched, 'utf8') === readFileSync(pom, 'utf8')) continue;
    emptyFolder(join(libraries, name));
    await step(`fetching libraries: ${name}`, 'mvn', [
      '-B',
      '-q',
      '-f',
      pom,
      `-Dout=${libraries}`,
      'validate',
    ]);
    for (const aar of filesIn(join(libraries, name), /\.aar$/)) await unpackAar(aar);
    copyFileSync(pom, fetched);
  }
}

/** Unpacks an Android library next to its file, and compiles its resources to `res.zip`. @param {string} aar */
async function unpackAar(aar) {
  const { unzipSync } = await import('fflate');
  const folder = aar.replace(/\.aar$/, '');
  for (const [name, data] of Object.entries(unzipSync(readFileSync(aar)))) {
    if (name.endsWith('/')) continue;
    mkdirSync(dirname(join(folder, name)), { recursive: true });
    writeFileSync(join(folder, name), data);
  }
  if (filesIn(folder, /^res\/.+\/.+/).length === 0) return;
  const args = ['compile', '--dir', join(folder, 'res'), '-o', join(folder, 'res.zip')];
  await requireSuccess(`compiling the resources of ${basename(folder)}`, 'aapt2', args);
}

/** Returns files of the fetched libraries. @param {string} name @param {RegExp} pattern */
export const libraryFiles = (name, pattern) => filesIn(join(libraries, name), pattern);

/** @param {string} name */
export const jarsOf = (name) => libraryFiles(name, /^[^/]+\.jar$|^[^/]+\/(classes|libs\/[^/]+)\.jar$/);

/** The folder of Android's own classes, which Robolectric reads too. */
export const androidFolder = join(libraries, 'android');

/** Returns the classes of Android 14, which the app is compiled against. */
export const androidJar = () => filesIn(androidFolder, /^android-all-14-/)[0] ?? '';
