import { globSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Returns the path of libfaketime. @throws Error that names the Debian package if it is missing */
function library(): string {
  const [found] = globSync('/usr/lib/*/faketime/libfaketime.so.1');
  if (found === undefined) throw new Error('libfaketime is missing: install the Debian package libfaketime');
  return found;
}

export interface FakeClock {
  /** The environment of the process with this clock. */
  readonly env: NodeJS.ProcessEnv;
  /** Sets the difference between the process's wall clock and the real one. Its monotonic clock is not affected. */
  jump(seconds: number): void;
  remove(): void;
}

/** Creates a wall clock that can jump while a process runs. */
export function fakeClock(): FakeClock {
  const folder = mkdtempSync(join(tmpdir(), 'chat-clock-'));
  const file = join(folder, 'offset');
  const jump = (seconds: number) => {
    // Replaced atomically, because the process may read it at any moment.
    writeFileSync(`${file}.new`, `${seconds < 0 ? '' : '+'}${seconds}`);
    renameSync(`${file}.new`, file);
  };
  jump(0);
  return {
    env: {
      LD_PRELOAD: library(),
      FAKETIME_TIMESTAMP_FILE: file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      DONT_FAKE_MONOTONIC: '1',
    },
    jump,
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Returns the environment of a process whose clock, including timers, runs this many times as fast. */
export const fastClock = (factor: number): NodeJS.ProcessEnv => ({
  LD_PRELOAD: library(),
  FAKETIME: `+0 x${factor}`,
});
