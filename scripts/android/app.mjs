import { Problem, runCommand, USAGE } from '../command.mjs';
import { installNpmPackages } from '../npm-packages.mjs';
import { writeApk, writeBundle, writeShrunkJar } from './apk.mjs';
import { compileApp, compilePushes, compileShrunkTest, compileTests } from './compile.mjs';
import { fetchLibraries, requirePrograms } from './libraries.mjs';
import { writeStrings } from './strings.mjs';
import { testApp } from './tests.mjs';

/** Builds or tests the Android app with programs of Debian and Maven, without Google's SDK. */
await runCommand(async () => {
  const [command, ...rest] = process.argv.slice(2);
  const [folder] = rest;
  // For the build with Gradle.
  if (command === 'texts' && folder !== undefined) {
    writeStrings(folder);
    return 0;
  }
  if ((command !== undefined && !['bundle', 'test'].includes(command)) || rest.length > 0) {
    throw new Problem('Use npm run android:app, android:app:bundle or android:app:test.', USAGE);
  }
  requirePrograms();
  await installNpmPackages();
  await fetchLibraries(['app', 'kotlinc', 'tools']);
  const classPath = await compileApp();
  if (command === undefined) {
    await writeApk(classPath);
    return 0;
  }
  if (command === 'bundle') {
    await writeBundle(classPath);
    return 0;
  }
  await fetchLibraries(['test']);
  const testClassPath = await compileTests(classPath);
  if (process.env.SOAK === undefined) return await testApp(testClassPath);
  await writeApk(classPath);
  await writeBundle(classPath);
  const shrunk = await writeShrunkJar([await compilePushes(classPath), ...classPath]);
  return await testApp(testClassPath, await compileShrunkTest(shrunk));
});
