import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './npm-packages.mjs';

/**
 * @typedef {object} Step
 * @property {string} name
 * @property {string} command to run in the project's folder, with the npm packages' programs in PATH
 * @property {NodeJS.ProcessEnv} [env]
 * @property {string} [report] the file that the command writes its report to, in JUnit's format
 * @property {string[]} [needs] the names of steps that must pass first, and `debian` for the Debian packages, such as PHP,
 * databases, browser and Java
 * @property {string[]} [sources] all files that its result depends on, as git's pathspecs; undefined if it always runs
 * @property {string[]} [makes] folders that it fills for other steps. If their content has changed since, it runs again
 * @property {number} [slots] the number of its busy processes, by default 1
 * @property {number} [niceness] how much lower its priority is, so that a longer step gets a core
 */

/**
 * The maximum number of busy processes. It keeps two cores busy. More processes take more CPU for the same tests, because
 * each finds less of its data in the caches.
 */
export const capacity = 6;

const packageTests = 'packages/php-session/test packages/session-server/test';

/** Returns all files except these. @param {string} folders and files, separated by spaces */
const allBut = (folders) => ['.', ...folders.split(' ').map((folder) => `:!${folder}`)];

/** Builds the bundles of the programs if they are missing, and prints their folder. */
const makeBundles = 'node test/helpers/make-bundles.ts';

/**
 * Returns all steps of CI.
 * @param {string} reports the folder for the reports
 * @returns {Step[]}
 */
export function testSteps(reports) {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return [
    { name: 'bundles', command: `exec ${makeBundles}` },
    { name: 'build', command: scripts.build },
    // Javadoc takes a third of the time.
    {
      ...javaStep(reports, '-Dmaven.javadoc.skip'),
      sources: ['android', 'test/vectors', 'package.json', 'scripts/test-steps.mjs'],
      makes: ['android/chat-client/target', 'android/sample-cli/target'],
    },
    {
      // Each worker waits for a third of its time.
      ...vitestStep('integration', reports, '--maxWorkers=6'),
      needs: ['debian', 'bundles', 'java', 'build'],
      slots: 4,
      sources: allBut('test/e2e test/php bench CHANGELOG.md'),
    },
    {
      ...e2eStep(reports, 2),
      needs: ['debian', 'bundles', 'java', 'build'],
      slots: 2,
      sources: allBut(
        `test/android test/client test/php test/php-app test/server ${packageTests} bench CHANGELOG.md`,
      ),
    },
    {
      ...phpunitStep(reports),
      needs: ['debian', 'bundles'],
      sources: allBut(
        `android client test/android test/client test/e2e test/php-app test/server ${packageTests} bench CHANGELOG.md`,
      ),
    },
    { ...nightsStep(reports), sources: ['.'] },
    ...quickSteps(reports, scripts.lint),
  ];
}

/**
 * Returns the steps of `npm run check`. The search for floating promises takes a third of the CPU of `lint`, so only
 * `npm test` does it.
 * @param {string} reports @returns {Step[]}
 */
export function checkSteps(reports) {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return quickSteps(reports, `${scripts.lint} --skip=nursery/noFloatingPromises`);
}

/**
 * Returns the steps that take seconds and need only the npm packages.
 * @param {string} reports @param {string} lint the command @returns {Step[]}
 */
function quickSteps(reports, lint) {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  return [
    { ...vitestStep('unit', reports), sources: ['.'] },
    // The compiler is written in Go. With less frequent garbage collection it needs a fifth less CPU, but 400 MB more.
    { name: 'types', command: scripts.types, env: { GOGC: '400' }, niceness: 9, sources: ['.'] },
    { name: 'lint', command: lint, niceness: 9, sources: ['.'] },
  ];
}

/**
 * Returns the steps of the soak run. The last one runs alone, because load tests must not disturb each other.
 * @param {string} reports @returns {Step[]}
 */
export function soakSteps(reports) {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const elsewhere = { TZ: zoneOfLastHour(new Date().getUTCHours()), LC_ALL: 'tr_TR.UTF-8' };
  return [
    { name: 'build', command: scripts.build },
    javaStep(reports, '-DexcludedGroups='),
    {
      ...vitestStep('integration', reports, '--maxWorkers=4'),
      needs: ['debian', 'java', 'build'],
      env: { ...elsewhere, SOAK_RUN: '1' },
      slots: 4,
    },
    {
      ...phpunitStep(reports, '--group soak,soak-only'),
      needs: ['debian'],
      env: { ...elsewhere, SOAK: '1' },
    },
    {
      name: 'android-app',
      command: scripts['android:app:test'],
      needs: ['debian'],
      env: { SOAK: '1' },
      slots: 2,
    },
    { ...e2eStep(reports, 4, { SOAK: '1' }), needs: ['debian', 'java', 'build'], slots: 4 },
    {
      ...vitestStep('soak', reports),
      needs: ['debian', 'java', 'build'],
      env: elsewhere,
      // The app's tests, which take longer, use one core.
      slots: capacity - 2,
    },
    { ...vitestStep('soak-alone', reports), needs: ['debian', 'java', 'build'], slots: capacity },
  ];
}

/** @param {string} name of the project @param {string} reports @param {string[]} more @returns {Step} */
function vitestStep(name, reports, ...more) {
  const report = join(reports, `${name}.xml`);
  return { name, command: vitestCommand(name, report, ...more), report };
}

/** @param {string} project @param {string} report @param {string[]} more */
const vitestCommand = (project, report, ...more) =>
  `exec vitest run -c test/vitest.config.ts --project=${project} ${more.join(' ')} ` +
  `--reporter=default --reporter=junit --outputFile.junit=${report}`;

/** @param {string} reports @returns {Step} */
function nightsStep(reports) {
  const report = join(reports, 'nights.xml');
  return { name: 'nights', command: vitestCommand("'nights-*'", report), report, needs: ['debian'] };
}

/**
 * Returns a time zone in which the last hour of a day runs, so that a long run passes midnight.
 * @param {number} hour of the day in UTC
 */
function zoneOfLastHour(hour) {
  const ahead = 23 - hour > 14 ? -1 - hour : 23 - hour;
  // The signs of these names are the reverse of the usual ones.
  return `Etc/GMT${ahead > 0 ? '-' : '+'}${Math.abs(ahead)}`;
}

/** @param {string} reports @param {string[]} more @returns {Step} */
function phpunitStep(reports, ...more) {
  const report = join(reports, 'phpunit.xml');
  const strict = '--fail-on-skipped --fail-on-incomplete --fail-on-risky --fail-on-warning';
  const bundles = `TEST_BUNDLES=$(${makeBundles}) && export TEST_BUNDLES`;
  // With upload progress, newer versions of PHP reject changes of session settings, which the tests need.
  const phpunit = 'php -d session.upload_progress.enabled=0 "$(command -v phpunit)" -c test/php/phpunit.xml';
  const command = `${bundles} && exec ${phpunit} ${strict} ${more.join(' ')} --log-junit ${report}`;
  return { name: 'phpunit', command, report };
}

/** @param {string} reports @param {number} workers @param {NodeJS.ProcessEnv} env @returns {Step} */
function e2eStep(reports, workers, env = {}) {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const report = join(reports, 'e2e.xml');
  const command = `${scripts['test:e2e']} --workers=${workers} --reporter=list,junit`;
  return {
    name: 'e2e',
    command,
    env: {
      ...env,
      PLAYWRIGHT_JUNIT_OUTPUT_FILE: report,
      // By default the compiled tests are in TMPDIR, which `npm test` deletes at its end. Compiling takes 7 s of CPU.
      PWTEST_CACHE_DIR: join(root, 'node_modules/.cache/playwright'),
    },
    report,
  };
}

/** Maven writes a report for each class. @param {string} reports @param {string[]} more @returns {Step} */
function javaStep(reports, ...more) {
  const { scripts } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const report = join(reports, 'java.xml');
  const written = 'android/chat-client/target/surefire-reports';
  return {
    name: 'java',
    needs: ['debian'],
    command:
      `rm -rf ${written}; ${scripts['android:build']} ${more.join(' ')}; ended=$?; ` +
      `cat ${written}/TEST-*.xml > ${report}; exit $ended`,
    report,
  };
}
