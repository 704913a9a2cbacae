import { existsSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, delimiter, dirname, join, relative } from 'node:path';
import { root } from '../npm-packages.mjs';
import { libraryRules, minSdk, resourceApk, resourceRules } from './compile.mjs';
import {
  androidJar,
  app,
  emptyFolder,
  fetchLibraries,
  filesIn,
  jarsOf,
  java,
  joinPaths,
  libraryFiles,
  out,
  step,
  zipOf,
} from './libraries.mjs';
import { makeIfChanged } from './unchanged.mjs';

const apk = join(out, 'chat.apk');
const bundle = join(out, 'chat.aab');
const debugKey = join(out, 'debug.p12');
const keyPassword = 'android';

/** Writes the signed `android/app/out/chat.apk`. @param {string[]} classPath of the app */
export async function writeApk(classPath) {
  const files = await readParts(resourceApk, classPath);
  writeFileSync(apk, await zipOf(files, alignmentOf));
  await sign();
  printSize(apk);
}

/** Writes `android/app/out/chat.aab` for a store, without signature. @param {string[]} classPath of the app */
export async function writeBundle(classPath) {
  await fetchLibraries(['bundle']);
  const resources = join(out, 'merged', 'resources-of-bundle.zip');
  await step('converting the resources', 'aapt2', [
    ...['convert', '--output-format', 'proto', '-o', resources, resourceApk],
  ]);
  const files = await readParts(resources, classPath);
  const module = join(out, 'merged', 'base.zip');
  writeFileSync(module, await zipOf([...files].map(([name, data]) => [pathInBundle(name), data])));
  rmSync(bundle, { force: true });
  await java('writing the bundle', [
    ...['-cp', joinPaths(jarsOf('bundle')), 'com.android.tools.build.bundletool.BundleToolMain'],
    ...['build-bundle', `--modules=${module}`, `--output=${bundle}`],
  ]);
  printSize(bundle);
}

/** @param {string} path */
const printSize = (path) =>
  console.log(`\n${relative(root, path)}: ${(statSync(path).size / 1e6).toFixed(1)} MB`);

/** Returns a JAR with the classes of the APK and the service for pushes. @param {string[]} classPath of both */
export async function writeShrunkJar(classPath) {
  const shrunk = join(out, 'shrunk.jar');
  await shrink(classPath, shrunk, ['--classfile', '--pg-conf', join(app, 'shrunk', 'keep.pro')]);
  return shrunk;
}

/**
 * Converts the app and its libraries, without what the app does not use.
 * @param {string[]} classPath
 * @param {string} shrunk the path of the written ZIP, which also has the libraries' other files
 * @param {string[]} target options of R8
 */
async function shrink(classPath, shrunk, target) {
  const { unzipSync } = await import('fflate');
  const r8 = jarsOf('tools').find((path) => basename(path).startsWith('com.android.tools.r8-')) ?? '';
  const libraries = classPath.filter((path) => path.endsWith('.jar'));
  const classes = classPath
    .filter((path) => !path.endsWith('.jar'))
    .flatMap((folder) => filesIn(folder, /\.class$/));
  const rules = [
    ...defaultRules(),
    ...[join(app, 'keep.pro'), libraryRules, resourceRules],
    ...libraryFiles('app', /^[^/]+\/proguard\.txt$/),
    ...rulesIn(libraries, unzipSync),
  ];
  // Android's JAR has no java.* classes, so R8 takes them from the JDK.
  const types = ['--lib', androidJar(), '--lib', jdkFolder()];
  await makeIfChanged(shrunk, [r8, ...target, androidJar(), ...rules, ...libraries, ...classes], () =>
    java(`converting the app to ${basename(shrunk)}`, [
      ...['-cp', r8, 'com.android.tools.r8.R8', '--release', ...target, ...types],
      ...rules.flatMap((path) => ['--pg-conf', path]),
      ...['--output', shrunk, ...libraries, ...classes],
    ]),
  );
}

/** Returns the parts of `proguard-android-optimize.txt`, which the Android Gradle plugin puts together for each build. */
const defaultRules = () => libraryFiles('tools', /^gradle\/.+\/proguard-(common|optimizations)\.txt$/);

/**
 * Unpacks the rules that JARs contain. @returns their paths
 * @param {string[]} jars
 * @param {typeof import('fflate').unzipSync} unzipSync
 */
function rulesIn(jars, unzipSync) {
  const folder = emptyFolder(join(out, 'rules'));
  return jars.flatMap((path, jar) => {
    const filter = ({ name = '' }) => /^META-INF\/proguard\/.+\.pro$/.test(name);
    return Object.entries(unzipSync(readFileSync(path), { filter })).map(([name, text]) => {
      const file = join(folder, `${jar}-${basename(name)}`);
      writeFileSync(file, text);
      return file;
    });
  });
}

function jdkFolder() {
  const programs = (process.env.PATH ?? '').split(delimiter).map((folder) => join(folder, 'javac'));
  return dirname(dirname(realpathSync(programs.find((path) => existsSync(path)) ?? '')));
}

/** Returns the files of the app. @param {string} resources @param {string[]} classPath */
async function readParts(resources, classPath) {
  const { unzipSync } = await import('fflate');
  const shrunk = join(out, 'shrunk.zip');
  await shrink(classPath, shrunk, ['--min-api', minSdk]);
  const unzip = (/** @type {string} */ path) => Object.entries(unzipSync(readFileSync(path)));
  const files = new Map([...unzip(resources), ...unzip(shrunk)]);
  for (const path of libraryFiles('app', /^[^/]+\/jni\/.+\.so$/)) {
    files.set(path.replace(/^.*\/jni\//, 'lib/'), readFileSync(path));
  }
  return files;
}

/**
 * The alignment of files that Android maps into memory: libraries by its largest pages.
 * @param {string} name
 */
const alignmentOf = (name) => (name === 'resources.arsc' ? 4 : name.endsWith('.so') ? 16_384 : 0);

/** Returns where a file of an APK is in a module of a bundle. @param {string} name */
function pathInBundle(name) {
  if (name === 'AndroidManifest.xml') return `manifest/${name}`;
  if (name.endsWith('.dex')) return `dex/${name}`;
  return name === 'resources.pb' || /^(assets|lib|res)\//.test(name) ? name : `root/${name}`;
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
