import { globSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** libfaketime. @throws Error naming the Debian package when it is missing */
function library(): string {
  const [found] = globSync('/usr/lib/*/faketime/libfaketime.so.1');
  if (found === undefined) throw new Error('libfaketime is missing: install the Debian package libfaketime');
  return found;
}

export interface FakeClock {
  /** The environment of the process whose clock it is. */
  readonly env: NodeJS.ProcessEnv;
  /**
   * Sets that process's wall clock off the real one by this many seconds, at once; its monotonic clock is not affected.
   */
  jump(seconds: number): void;
  remove(): void;
}

/** A wall clock that jumps while a process runs. */
export function fakeClock(): FakeClock {
  const folder = mkdtempSync(join(tmpdir(), 'chat-clock-'));
  const file = join(folder, 'offset');
  const jump = (seconds: number) => {
    // Replaced atomically, since the process may read it at any moment.
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

/** The environment of a process whose whole time, including timers, runs this many times as fast. */
export const fastClock = (factor: number): NodeJS.ProcessEnv => ({
  LD_PRELOAD: library(),
  FAKETIME: `+0 x${factor}`,
});
