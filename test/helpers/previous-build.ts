import { execFile, spawnSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const root = fileURLToPath(new URL('../../', import.meta.url));
const execute = promisify(execFile);

/**
 * The build that owners may still run, with which this build must work. The tag of the last version replaces it at the
 * first release.
 */
const previousBuild = 'a3d954bde1616d8604387b1280f9f66766ce56f7';

/** Why the previous build cannot be checked out; undefined if it can. A clone without its whole history lacks it. */
export const previousIsMissing =
  spawnSync('git', ['cat-file', '-e', `${previousBuild}^{commit}`], { cwd: root }).status === 0
    ? undefined
    : `this checkout does not contain commit ${previousBuild}: git fetch --unshallow`;

/** Checks the previous build out into a new folder, and builds its clients. Needs the registries of npm and Maven. */
export async function makePreviousBuild(folder: string): Promise<void> {
  mkdirSync(folder);
  await execute('sh', ['-c', `git archive ${previousBuild} | tar -x -C "$0"`, folder], { cwd: root });
  for (const command of [
    'npm ci',
    'exec node scripts/build.mjs',
    'exec mvn -B -ntp -q -f android/pom.xml -pl chat-client process-test-classes',
  ])
    await execute('sh', ['-c', command], { cwd: folder, maxBuffer: 2 ** 26 });
}
