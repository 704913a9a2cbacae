import { existsSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { basename, delimiter, dirname, join, relative } from 'node:path';
import { root } from '../npm-packages.mjs';
import { libraryRules, minSdk, resourceApk, resourceRules } from './compile.mjs';
import {
  androidJar,
  app,
  emptyFolder,
  filesIn,
  jarsOf,
  java,
  libraryFiles,
  out,
  step,
  zipOf,
} from './libraries.mjs';
import { makeIfChanged } from './unchanged.mjs';

const apk = join(out, 'chat.apk');
const debugKey = join(out, 'debug.p12');
const keyPassword = 'android';

/** Writes the signed `android/app/out/chat.apk`. @param {string[]} classPath of the app */
export async function writeApk(classPath) {
  const { unzipSync } = await import('fflate');
  const shrunk = join(out, 'shrunk.zip');
  await shrink(classPath, shrunk, ['--min-api', minSdk]);
  const code = new Map(Object.entries(unzipSync(readFileSync(shrunk))));
  const unaligned = join(out, 'unaligned.apk');
  writeFileSync(unaligned, await pack(code));
  await step('aligning the APK', 'zipalign', ['-f', '-p', '4', unaligned, apk]);
  rmSync(unaligned);
  await sign();
  console.log(`\n${relative(root, apk)}: ${(statSync(apk).size / 1e6).toFixed(1)} MB`);
}

/** Returns a JAR with the same classes as the APK, for tests on the JVM. @param {string[]} classPath of the app */
export async function writeShrunkJar(classPath) {
  const shrunk = join(out, 'shrunk.jar');
  await shrink(classPath, shrunk, ['--classfile']);
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

/** Returns the APK without signature. @param {Map<string, Uint8Array>} code */
async function pack(code) {
  const { unzipSync } = await import('fflate');
  const entries = new Map([...Object.entries(unzipSync(readFileSync(resourceApk))), ...code]);
  for (const path of libraryFiles('app', /^[^/]+\/jni\/.+\.so$/)) {
    entries.set(path.replace(/^.*\/jni\//, 'lib/'), readFileSync(path));
  }
  // Android maps these files into memory, so they must not be compressed.
  return await zipOf(entries, (name) => name === 'resources.arsc' || name.endsWith('.so'));
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
