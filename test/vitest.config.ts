import { globSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { defineConfig, type TestProjectConfiguration } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';
import { hanging } from './helpers/hanging.ts';
import { threadsOfBundles } from './helpers/make-bundles.ts';

/**
 * Seconds that files took in each project when they were recorded (`npm run test:durations`); those of less than five are
 * missing.
 */
const durations: Record<string, Record<string, number>> = JSON.parse(
  readFileSync(new URL('durations.json', import.meta.url), 'utf8'),
);

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const seconds = ({ moduleId, project }: TestSpecification) =>
      durations[project.name]?.[relative(root, moduleId)] ?? 0;
    return (await super.sort(files)).sort((a, b) => seconds(b) - seconds(a));
  }
}

const root = fileURLToPath(new URL('..', import.meta.url));

/**
 * The test files that have more in the soak run, by themselves or by what they share with others. There the project `soak`
 * runs them, not `integration`.
 */
const more = /guarantees\/size\.ts|\.\/size\.ts|\/contracts\/|helpers\/(again-in-soak|hidden|subscribed)\.ts/;
const moreInSoak = globSync('{test,packages/*/test}/**/*.test.ts', { cwd: root }).filter((file) =>
  more.test(readFileSync(join(root, file), 'utf8')),
);

/** The unit tests that read the clock. `npm test` also runs them at the times of `nights`. */
const readsClock = /\b(?:Date|Intl|Temporal)\b/;
const timed = globSync('{test,packages/*/test}/**/*.unit.test.ts', { cwd: root }).filter((file) =>
  readsClock.test(readFileSync(join(root, file), 'utf8')),
);

/**
 * The times at which the tests that read the clock run again, with the zone and the language of the machine. In the
 * first night the clocks change.
 */
const nights = [
  { zone: 'America/St_Johns', time: '2027-03-13 23:30:00', language: 'tr_TR.UTF-8' },
  { zone: 'Asia/Kathmandu', time: '2026-12-31 23:30:00', language: 'ar_EG.UTF-8' },
  { zone: 'Pacific/Apia', time: '2028-02-29 23:30:00', language: 'de_DE.UTF-8' },
];

const [faketime = ''] = globSync('/usr/lib/*/faketime/libfaketime.so.1');

const soakFiles = ['{test,packages/*/test}/**/*.soak.test.ts', ...moreInSoak];
/** The files of the soak run that measure times, load the machine, or pack this checkout. */
const alone = [
  ...['floods', 'keepalive.soak', 'level.soak', 'logout', 'presence', 'silent-stores.soak', 'slow-reader'],
  ...['stress-time', 'timing'],
]
  .map((name) => `test/guarantees/${name}.test.ts`)
  .concat(
    ...['test/server/chat/hidden-times.soak.test.ts', 'test/server/package.soak.test.ts'],
    ...['test/deploy/installed.soak.test.ts', 'packages/php-session/test/package.soak.test.ts'],
  );

const soak = (
  name: string,
  more: { include: string[]; exclude?: string[]; maxWorkers: number },
): TestProjectConfiguration => ({
  test: {
    name,
    setupFiles: ['test/helpers/each-file.ts'],
    globalSetup: ['test/helpers/make-bundles.ts', 'test/helpers/lean-php.ts'],
    env: { SOAK: '1' },
    testTimeout: 600_000,
    expect: { poll: { timeout: hanging } },
    hookTimeout: 3 * hanging,
    allowOnly: false,
    ...more,
  },
});

export default defineConfig({
  test: {
    root,
    // With Node's default (16), young objects do not fit into a core's cache, which takes a tenth of the CPU when the cores
    // are busy. Each thread of a worker has room of its own.
    execArgv: ['--max-semi-space-size=8'],
    sequence: { sequencer: LongestFirst },
    // Without it, each of a hundred tests compiles the threads of the history that it opens.
    env: { NODE_COMPILE_CACHE: fileURLToPath(new URL('../node_modules/.cache/node', import.meta.url)) },
    projects: [
      {
        test: {
          name: 'unit',
          setupFiles: ['test/helpers/each-file.ts', 'test/helpers/each-unit-file.ts'],
          include: ['{test,packages/*/test}/**/*.unit.test.ts'],
          // As below. A process for each file would take as much CPU as all of the tests, and so do two that share the cores
          // with the other steps.
          isolate: false,
          maxWorkers: 1,
          testTimeout: hanging,
          // The default of 50 ms would be a tenth of the time of all unit tests.
          expect: { poll: { interval: 5 } },
          allowOnly: false,
        },
      },
      ...nights.map(
        ({ zone, time, language }, n): TestProjectConfiguration => ({
          test: {
            name: `nights-${n}`,
            setupFiles: ['test/helpers/each-file.ts'],
            // Vitest starts a process with them, because the C library reads them only then.
            env: {
              ...{ TZ: zone, LC_ALL: language, LD_PRELOAD: faketime },
              ...{ FAKETIME: `@${time}`, FAKETIME_DONT_FAKE_MONOTONIC: '1' },
            },
            include: timed,
            isolate: false,
            maxWorkers: 1,
            testTimeout: hanging,
            allowOnly: false,
          },
        }),
      ),
      {
        plugins: [threadsOfBundles()],
        test: {
          name: 'integration',
          setupFiles: ['test/helpers/each-file.ts', 'test/helpers/reused-threads.ts'],
          globalSetup: [
            'scripts/memory-folder.mjs',
            'test/helpers/make-bundles.ts',
            'test/helpers/lean-php.ts',
          ],
          // Each file stops what it starts, so the modules need not be loaded again for the next file. A worker serves no
          // second project, so the guarantees have none of their own.
          isolate: false,
          include: ['{test,packages/*/test}/**/*.test.ts'],
          exclude: [
            ...['**/*.{unit,soak}.test.ts', '**/node_modules/**'],
            ...(process.env.SOAK_RUN === undefined ? [] : moreInSoak),
          ],
          // Within one file, where they mostly wait.
          maxConcurrency: 6,
          testTimeout: 3 * hanging,
          expect: { poll: { timeout: hanging } },
          hookTimeout: 3 * hanging,
          allowOnly: false,
        },
      },
      // Run by `npm run android:app:test`, which builds the app first.
      {
        plugins: [threadsOfBundles()],
        test: {
          name: 'android-app',
          setupFiles: ['test/helpers/each-file.ts'],
          globalSetup: ['test/helpers/make-bundles.ts'],
          include: ['test/android-app/*.app.ts'],
          // Only the soak run writes the APK.
          exclude: process.env.SOAK === undefined ? ['test/android-app/apk.app.ts'] : [],
          testTimeout: 6 * hanging,
          hookTimeout: 3 * hanging,
          expect: { poll: { timeout: 2 * hanging } },
          allowOnly: false,
        },
      },
      // The guarantees with the promised counts; all combinations of stores, databases, applications and containers, of
      // which an ordinary run has one of each family; what another test shows by another way; and tests that need
      // installations. They mostly wait, so several files run at once.
      soak('soak', { include: soakFiles, exclude: [...alone, '**/node_modules/**'], maxWorkers: 3 }),
      soak('soak-alone', { include: alone, maxWorkers: 1 }),
    ],
  },
});
