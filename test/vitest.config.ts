import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Short files that wait for long: Vitest begins with the largest files, and these would be the last to end. */
const waiting =
  /\/(deploy|keepalive|stress-time|erased|silent-stores|logout|presence|limits|failures|session-server-durability|postgres|mariadb|moderation|expiry|login-limit)\.test\.ts$/;

class WaitingFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const { true: first = [], false: others = [] } = Object.groupBy(await super.sort(files), ({ moduleId }) =>
      String(waiting.test(moduleId)),
    );
    return [...first, ...others];
  }
}

export default defineConfig({
  test: {
    root: new URL('..', import.meta.url).pathname,
    sequence: { sequencer: WaitingFirst },
    // The threads of a history opened in a test are compiled once, and not by each of a hundred tests anew.
    env: { NODE_COMPILE_CACHE: new URL('../node_modules/.cache/node', import.meta.url).pathname },
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/**/*.unit.test.ts'],
          // Vitest takes one less than there are cores.
          maxWorkers: 2,
          // On a machine that does other things, too.
          testTimeout: 20_000,
          allowOnly: false,
        },
      },
      {
        test: {
          name: 'integration',
          // What each file starts it stops: the modules of the others need not be loaded anew.
          isolate: false,
          include: ['test/**/*.test.ts'],
          exclude: ['test/**/*.{unit,measured,soak}.test.ts', 'test/guarantees/*.test.ts'],
          testTimeout: 60_000,
          expect: { poll: { timeout: 10_000 } },
          hookTimeout: 60_000,
          allowOnly: false,
        },
      },
      {
        test: {
          name: 'guarantees',
          isolate: false,
          include: ['test/guarantees/*.test.ts'],
          exclude: ['test/**/*.measured.test.ts'],
          // Of one file, where they mostly wait.
          maxConcurrency: 6,
          testTimeout: 60_000,
          expect: { poll: { timeout: 10_000 } },
          hookTimeout: 60_000,
          allowOnly: false,
        },
      },
      {
        test: {
          name: 'measured',
          // They measure times of milliseconds, or memory: with anything beside them they would measure that.
          include: ['test/**/*.measured.test.ts'],
          maxWorkers: 1,
          // One measures, one gets ready, one waits for what is left: see `oneAtATime`.
          maxConcurrency: 3,
          testTimeout: 60_000,
          expect: { poll: { timeout: 10_000 } },
          hookTimeout: 60_000,
          allowOnly: false,
        },
      },
      {
        test: {
          name: 'soak',
          // The guarantees with the promised counts; and all combinations of the session stores and of the session
          // server's containers, of which an ordinary run has one of each family; and what has to be installed first.
          include: [
            'test/**/*.soak.test.ts',
            'test/guarantees/*.test.ts',
            'test/server/session/*.test.ts',
            'test/session-server/{limits,start-and-stop,subscriptions}.test.ts',
          ],
          env: { SOAK: '1' },
          testTimeout: 600_000,
          expect: { poll: { timeout: 10_000 } },
          hookTimeout: 60_000,
          allowOnly: false,
        },
      },
    ],
  },
});
