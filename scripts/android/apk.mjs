import { existsSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, delimiter, dirname, join, relative } from 'node:path';
import { root } from '../npm-packages.mjs';
import { minSdk, resourceApk } from './compile.mjs';
import {
  androidJar,
  emptyFolder,
  filesIn,
  hashOf,
  jarsOf,
  java,
  libraryFiles,
  out,
  step,
} from './libraries.mjs';

const apk = join(out, 'chat.apk');
const debugKey = join(out, 'debug.p12');
const keyPassword = 'android';

/** Writes the signed `android/app/out/chat.apk`. @param {string[]} classPath of the app */
export async function writeApk(classPath) {
  const libraries = classPath.filter((path) => path.endsWith('.jar'));
  const folders = classPath.filter((path) => !path.endsWith('.jar'));
  const dex = [...(await convertApp(folders, libraries)), ...(await convertLibraries(libraries))];
  const unaligned = join(out, 'unaligned.apk');
  writeFileSync(unaligned, await zip(dex, libraries));
  await step('aligning the APK', 'zipalign', ['-f', '-p', '4', unaligned, apk]);
  rmSync(unaligned);
  await sign();
  console.log(`\n${relative(root, apk)}: ${(statSync(apk).size / 1e6).toFixed(1)} MB`);
}

/** Converts the libraries, unless they are unchanged, because this takes a minute. @param {string[]} libraries */
async function convertLibraries(libraries) {
  const folder = join(out, 'library-dex');
  const mark = join(folder, 'sha256');
  const hash = hashOf(libraries);
  if (!existsSync(mark) || readFileSync(mark, 'utf8') !== hash) {
    await d8('converting the libraries for Android', emptyFolder(folder), libraries);
    writeFileSync(mark, hash);
  }
  return filesIn(folder, /\.dex$/);
}

/** @param {string[]} folders @param {string[]} libraries */
async function convertApp(folders, libraries) {
  const dex = emptyFolder(join(out, 'dex'));
  const classes = folders.flatMap((folder) => filesIn(folder, /\.class$/));
  await d8('converting the app for Android', dex, [
    ...libraries.flatMap((path) => ['--classpath', path]),
    ...classes,
  ]);
  return filesIn(dex, /\.dex$/);
}

/** @param {string} title @param {string} folder @param {string[]} input */
async function d8(title, folder, input) {
  const r8 = jarsOf('tools').find((path) => basename(path).startsWith('com.android.tools.r8-')) ?? '';
  // Android's JAR has no java.* classes, so D8 takes them from the JDK.
  const types = ['--lib', androidJar(), '--lib', jdkFolder()];
  const options = ['--debug', '--min-api', minSdk, ...types, '--output', folder];
  await java(title, ['-cp', r8, 'com.android.tools.r8.D8', ...options, ...input]);
}

function jdkFolder() {
  const programs = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'javac'));
  return dirname(dirname(realpathSync(programs.find((path) => existsSync(path)) ?? '')));
}

/**
 * Returns a ZIP whose bytes depend on the contents only.
 * @param {string[]} dex
 * @param {string[]} libraries
 */
async function zip(dex, libraries) {
  const { unzipSync, zipSync } = await import('fflate');
  /** @type {Map<string, Uint8Array>} */
  const entries = new Map(Object.entries(unzipSync(readFileSync(resourceApk))));
  dex.forEach((path, index) => {
    entries.set(`classes${index === 0 ? '' : index + 1}.dex`, readFileSync(path));
  });
  for (const path of libraryFiles('app', /^[^/]+\/jni\/.+\.so$/)) {
    entries.set(path.replace(/^.*\/jni\//, 'lib/'), readFileSync(path));
  }
  for (const path of libraries) {
    // Libraries find their parts by these files, for example the dispatcher of coroutines.
    const services = unzipSync(readFileSync(path), {
      filter: ({ name }) => /^META-INF\/services\/./.test(name),
    });
    for (const [name, data] of Object.entries(services)) {
      const others = entries.get(name);
      entries.set(name, others === undefined ? data : Buffer.concat([others, Buffer.from('\n'), data]));
    }
  }
  // ZIP stores local time, and this form is local time too.
  const mtime = new Date(1981, 0, 1);
  // Android maps these files into memory, so they must not be compressed.
  const isStored = (/** @type {string} */ name) => name === 'resources.arsc' || name.endsWith('.so');
  const sorted = [...entries].sort(([a], [b]) => (a < b ? -1 : 1));
  return zipSync(
    Object.fromEntries(
      sorted.map(([name, data]) => [name, [data, { mtime, level: isStored(name) ? 0 : 9 }]]),
    ),
  );
}

async function sign() {
  if (!existsSync(debugKey)) {
    await step('creating a debug key', 'keytool', [
      ...['-genkeypair', '-keystore', debugKey, '-storetype', 'PKCS12', '-storepass', keyPassword],
      ...['-alias', 'debug', '-dname', 'CN=Debug', '-validity', '10000'],
      // An ECDSA signature differs each time.
      ...['-keyalg', 'RSA', '-keysize', '2048'],
    ]);
  }
  const key = ['--ks', debugKey, '--ks-pass', `pass:${keyPassword}`];
  const schemes = ['--v1-signing-enabled', 'false', '--v4-signing-enabled', 'false'];
  await step('signing the APK', 'apksigner', ['sign', ...key, '--min-sdk-version', minSdk, ...schemes, apk]);
}
