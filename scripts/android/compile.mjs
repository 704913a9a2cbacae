import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { Problem } from '../command.mjs';
import { root } from '../npm-packages.mjs';
import {
  androidJar,
  app,
  emptyFolder,
  filesIn,
  jarsOf,
  java,
  joinPaths,
  libraryFiles,
  out,
  step,
  zipOf,
} from './libraries.mjs';
import { withLiteralValues, writeStrings } from './strings.mjs';
import { makeIfChanged } from './unchanged.mjs';

/** The Android library on top of the Java client. */
const library = join(root, 'android', 'chat-android');
const libraryManifest = join(library, 'AndroidManifest.xml');
export const libraryRules = join(library, 'consumer-rules.pro');

/** The package of the app's code. */
export const packageName = 'io.github.phpsessionchat.app';
export const minSdk = '26';

export const manifest = join(out, 'merged', 'AndroidManifest.xml');
/** The APK without code. */
export const resourceApk = join(out, 'merged', 'resources.apk');
/** Rules that keep the classes named in the manifest. */
export const resourceRules = join(out, 'merged', 'rules.pro');
export const testClasses = join(out, 'test-classes');

/**
 * Compiles the app, the Android library and the Java client.
 * @returns the class path without Android: folders first, then libraries
 */
export async function compileApp() {
  emptyFolder(dirname(manifest));
  await mergeManifests();
  const names = await linkResources();
  const client = await javac(
    'the Java client',
    join(root, 'android', 'chat-client', 'src', 'main', 'java'),
    join(out, 'client-classes'),
    [...jarsOf('app'), ...jarsOf('json')],
  );
  const classPath = [client, ...jarsOf('app')];
  const android = await kotlinc(
    'the Android library',
    [join(library, 'src')],
    join(out, 'library-classes'),
    classPath,
  );
  await writeAar(android);
  const all = [android, names, ...classPath];
  return [await kotlinc('the app', [join(app, 'src')], join(out, 'app-classes'), all), ...all];
}

/** Writes `android/app/out/chat-android.aar`. @param {string} classes the folder of the library's classes */
async function writeAar(classes) {
  const jar = zipOf(
    filesIn(classes, /\.class$|\.kotlin_module$/).map((path) => [
      relative(classes, path),
      readFileSync(path),
    ]),
  );
  const files = [
    ['AndroidManifest.xml', readFileSync(libraryManifest)],
    ['R.txt', Buffer.alloc(0)],
    ['classes.jar', await jar],
    ['proguard.txt', readFileSync(libraryRules)],
  ];
  writeFileSync(join(out, 'chat-android.aar'), await zipOf(/** @type {[string, Uint8Array][]} */ (files)));
}

/**
 * Compiles the service for pushes, which an owner can add to the app, with a stub of Firebase.
 * @param {string[]} classPath of the app
 * @returns the folder of its classes
 */
export const compilePushes = (classPath) =>
  kotlinc(
    'the service for pushes',
    [join(app, 'firebase'), join(app, 'test', 'com')],
    join(out, 'push-classes'),
    classPath,
  );

/**
 * Compiles the test of the shrunk app.
 * @param {string} shrunk the JAR of the shrunk app
 * @returns the class path with the test, without the JARs that R8 has shrunk
 */
export async function compileShrunkTest(shrunk) {
  const folder = join(out, 'shrunk-test-classes');
  // Robolectric uses it too, so it must be complete.
  const tracing = jarsOf('app').filter((path) => path.includes('androidx.tracing'));
  // These use what R8 has removed.
  const libraries = jarsOf('test').filter((path) => !/androidx\.compose|kotlinx-coroutines-test/.test(path));
  const all = [...tracing, shrunk, ...libraries];
  return [await javac('the test of the shrunk app', join(app, 'shrunk'), folder, all), ...all];
}

/** What the example in docs/android.md uses. An editor adds the imports. */
const exampleImports = [
  ...['android.app.Application', 'android.content.ContentResolver', 'android.net.Uri', 'android.util.Log'],
  ...['androidx.lifecycle.*', 'io.github.phpsessionchat.*', 'io.github.phpsessionchat.android.*'],
  ...['java.io.File', 'kotlinx.coroutines.*', 'kotlinx.coroutines.flow.map'],
];

/** @param {string[]} classPath of the app */
export async function compileTests(classPath) {
  const all = [...classPath, ...jarsOf('test')];
  const sources = [join(app, 'test'), join(app, 'firebase'), writeExample()];
  return [await kotlinc('the tests', sources, testClasses, all), ...all];
}

/** Writes the Kotlin code of docs/android.md to a file, so that the tests fail if it does not compile. @returns its folder */
function writeExample() {
  const code = readFileSync(join(root, 'docs', 'android.md'), 'utf8').match(/```kotlin\n(.*?)```/s)?.[1];
  if (code === undefined) throw new Problem('docs/android.md has no Kotlin example.');
  const folder = emptyFolder(join(out, 'example'));
  const imports = exampleImports.map((name) => `import ${name}\n`).join('');
  writeFileSync(join(folder, 'Example.kt'), `package example\n\n${imports}\n${code}`);
  return folder;
}

async function mergeManifests() {
  await java('merging the manifests', [
    ...['-cp', joinPaths(jarsOf('tools')), 'com.android.manifmerger.Merger'],
    ...['--main', join(app, 'AndroidManifest.xml')],
    ...['--libs', joinPaths([libraryManifest, ...libraryFiles('app', /^[^/]+\/AndroidManifest\.xml$/)])],
    ...['--placeholder', `applicationId=${appId()}`, '--remove-tools-declarations', '--out', manifest],
  ]);
}

/** Returns the ID by which Android knows the app. */
function appId() {
  const site = readFileSync(join(app, 'res', 'values', 'site.xml'), 'utf8');
  const id = site.match(/<string name="app_id"[^>]*>([^<]+)</)?.[1];
  if (id === undefined) throw new Problem('android/app/res/values/site.xml has no string app_id.');
  return id;
}

/** Writes `resourceApk`. @returns the folder of the compiled R classes */
async function linkResources() {
  const res = emptyFolder(join(out, 'res'));
  cpSync(join(app, 'res'), res, { recursive: true });
  const site = join(res, 'values', 'site.xml');
  writeFileSync(site, withLiteralValues(readFileSync(site, 'utf8')));
  writeStrings(res);
  const compiled = join(out, 'merged', 'res.zip');
  await step('compiling the resources', 'aapt2', ['compile', '--dir', res, '-o', compiled]);

  const names = emptyFolder(join(out, 'resource-names'));
  const overlays = [...libraryFiles('app', /^[^/]+\/res\.zip$/), compiled];
  await step('linking the resources', 'aapt2', [
    ...[
      'link',
      '-I',
      androidJar(),
      '--manifest',
      manifest,
      '--min-sdk-version',
      minSdk,
      '--auto-add-overlay',
    ],
    ...['--rename-manifest-package', appId()],
    ...['--no-version-vectors', '--java', names, '--extra-packages', resourcePackages().join(':')],
    ...libraryFiles('app', /^[^/]+\/assets$/).flatMap((folder) => ['-A', folder]),
    ...overlays.flatMap((path) => ['-R', path]),
    ...['--proguard', resourceRules, '-o', resourceApk],
  ]);
  return await javac('the resource names', names, join(out, 'names-classes'), []);
}

/** Returns the packages of the libraries that have resources. */
function resourcePackages() {
  const packages = libraryFiles('app', /^[^/]+\/R\.txt$/)
    .filter((path) => readFileSync(path).length > 0)
    .map((path) => readFileSync(join(dirname(path), 'AndroidManifest.xml'), 'utf8'))
    .map((text) => text.match(/package="([^"]+)"/)?.[1] ?? '');
  return [...new Set(packages)].sort();
}

/** @param {string} what @param {string} sources @param {string} folder @param {string[]} classPath */
async function javac(what, sources, folder, classPath) {
  const all = [...classPath, androidJar()];
  const options = ['-nowarn', '-encoding', 'UTF-8', '--release', '8'];
  await makeIfChanged(folder, [...options, ...all, sources], () =>
    step(`compiling ${what}`, 'javac', [
      ...options,
      ...['-cp', joinPaths(all), '-d', emptyFolder(folder)],
      ...filesIn(sources, /\.java$/),
    ]),
  );
  return folder;
}

/** @param {string} what @param {string[]} sources @param {string} folder @param {string[]} classPath */
async function kotlinc(what, sources, folder, classPath) {
  const jars = jarsOf('kotlinc');
  const plugins = jars.filter((path) => path.includes('compose-compiler-plugin'));
  const all = [...classPath, androidJar()];
  // Android's JAR has no java.* classes, so the compiler takes them from the JDK.
  const options = ['-no-stdlib', '-no-reflect', '-Xjdk-release=8', '-Werror', '-module-name', 'app'];
  await makeIfChanged(folder, [...options, ...jars, ...all, ...sources], () =>
    java(`compiling ${what}`, [
      ...['-cp', joinPaths(jars.filter((path) => !plugins.includes(path)))],
      ...['org.jetbrains.kotlin.cli.jvm.K2JVMCompiler', ...plugins.map((path) => `-Xplugin=${path}`)],
      ...options,
      ...['-classpath', joinPaths(all), '-d', emptyFolder(folder), ...sources],
    ]),
  );
  return folder;
}
