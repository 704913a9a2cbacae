import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { DiskFault, Next } from './disk-calls.ts';
import type { Faulty } from './faulty-line.ts';

export interface FaultyDisk extends Faulty<DiskFault> {
  /** The environment of the program that uses the disk. */
  readonly env: NodeJS.ProcessEnv;
  close(): void;
}

/**
 * Creates a disk on which one call of a program fails. The program imports `failing-calls.ts`, which makes it fail.
 *
 * @param named names the calls by their places in the sources, which then run instead of the bundle
 */
export function faultyDisk(named = true): FaultyDisk {
  const folder = mkdtempSync(join(tmpdir(), 'faulty-disk-'));
  const [counted, next] = [join(folder, 'calls'), join(folder, 'next')];
  writeFileSync(counted, '');
  const calls = () => readFileSync(counted, 'utf8').split('\n').slice(0, -1);
  return {
    env: {
      FAULTY_DISK: folder,
      ...(named ? {} : { FAULTY_DISK_BUNDLED: 'yes' }),
      NODE_OPTIONS: `--import=${fileURLToPath(new URL('./failing-calls.ts', import.meta.url))}`,
    },
    // Without the text of the statement.
    calls: () => calls().map((name) => name.trimEnd().replace(/(\.ts|\.mjs:\d+): .*/, '$1')),
    fail(which, fault) {
      const one = typeof which === 'number' ? { nth: calls().length + which } : { nth: 0, name: which };
      writeFileSync(next, JSON.stringify({ ...one, fault } satisfies Next));
    },
    failed() {
      const has = !existsSync(next);
      rmSync(next, { force: true });
      return has ? readFileSync(join(folder, 'failed'), 'utf8') : null;
    },
    close: () => rmSync(folder, { recursive: true, force: true }),
  };
}
