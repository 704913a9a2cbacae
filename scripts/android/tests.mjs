import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { root, runtime } from '../npm-packages.mjs';
import { run } from '../processes.mjs';
import { manifest, packageName, resourceApk, testClasses } from './compile.mjs';
import { androidFolder, androidJar, app, emptyFolder, filesIn, joinPaths, out } from './libraries.mjs';

const screenshots = join(out, 'screenshots');
/** Screenshots that must look the same. */
const references = join(app, 'references');
/** The options of the tests' JVMs, in files because the class paths are long. */
const optionsFile = join(out, 'test.options');
const shrunkOptionsFile = join(out, 'shrunk-test.options');

/**
 * Runs the tests of the screens, then those with the real chat server.
 * @param {string[]} classPath with the tests
 * @param {string[]} [shrunkClassPath] of the shrunk app and its test, for the soak run
 */
export async function testApp(classPath, shrunkClassPath) {
  emptyFolder(screenshots);
  const settings = writeSettings();
  writeOptions(optionsFile, [settings, ...classPath]);
  if (shrunkClassPath !== undefined) writeOptions(shrunkOptionsFile, [settings, ...shrunkClassPath]);

  // Each class runs in its own process, because after some tests of another class Compose never becomes idle.
  let isGreen = true;
  for (const path of filesIn(testClasses, /Test\.class$/)) {
    const name = path.slice(testClasses.length + 1, -'.class'.length).replaceAll('/', '.');
    if (name.includes('.server.') || /\.(Drawing|Screen)Test$/.test(name)) continue;
    const args = [`@${optionsFile}`, 'org.junit.runner.JUnitCore', name];
    isGreen = (await run('java', args, { stdio: 'inherit' })) && isGreen;
  }
  for (const name of filesIn(references, /\.png$/).map((path) => basename(path))) {
    if (existsSync(join(screenshots, name))) continue;
    console.log(`No test draws ${join(references, name)}. Draw it, or delete the file.`);
    isGreen = false;
  }
  const { node, env } = runtime();
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [vitest, 'run', '-c', 'test/vitest.config.ts', '--project', 'android-app'];
  const server = await run(node, args, { cwd: root, env, stdio: 'inherit' });
  return isGreen && server ? 0 : 1;
}

/** @param {string} file @param {string[]} classPath */
function writeOptions(file, classPath) {
  const options = [
    ...[`-Drobolectric.dependency.dir=${androidFolder}`, '-Drobolectric.offline=true'],
    ...[
      '-Drobolectric.pixelCopyRenderMode=hardware',
      '-Djava.awt.headless=true',
      `-Dscreenshots=${screenshots}`,
      `-Dreferences=${references}`,
      `-Dvectors=${join(root, 'test', 'vectors')}`,
      // Screenshots show times.
      '-Duser.timezone=UTC',
      '--add-opens=java.base/java.io=ALL-UNNAMED',
    ],
    // As in `.mvn/jvm.config`: without the second compiler, a class needs half the CPU.
    '-XX:TieredStopAtLevel=1',
    // Android's JAR is last, because Robolectric's own classes of Android must be found first.
    ...['-XX:+UseSerialGC', '-Xmx2g', '-cp', joinPaths([...classPath, androidJar()])],
  ];
  writeFileSync(file, options.map((option) => `"${option}"\n`).join(''));
}

/** Writes Robolectric's settings. @returns their folder */
function writeSettings() {
  const folder = emptyFolder(join(out, 'test-settings'));
  const settings = join(folder, 'com', 'android', 'tools');
  mkdirSync(settings, { recursive: true });
  const lines = {
    android_merged_manifest: manifest,
    android_resource_apk: resourceApk,
    android_custom_package: packageName,
  };
  const text = Object.entries(lines).map(([name, value]) => `${name}=${value}\n`);
  writeFileSync(join(settings, 'test_config.properties'), text.join(''));
  return folder;
}
