import type { Data } from '../backup/backup.ts';
import { readConfig } from '../settings/config.ts';
import { givenSettings } from '../settings/file.ts';
import { CommandProblem, exit } from './problem.ts';

/**
 * The backup that a command is about, and the data of the chat server with these settings.
 * @param words behind the command
 * @throws CommandProblem, ConfigError
 */
export function dataOf(
  words: readonly string[],
  given: { settings?: string | undefined; 'without-files': boolean; help: string; env: NodeJS.ProcessEnv },
): { file: string; data: Data } {
  const [file, ...more] = words;
  if (file === undefined || file === '' || more.length > 0) {
    const wrong = file ? `one file, and not ${words.length}` : 'the file of the backup is missing';
    throw new CommandProblem(exit.usage, `${wrong}\n\n${given.help}`);
  }
  const { env, lines } = givenSettings(given.settings, given.env);
  const { history, files } = readConfig(env, lines);
  if (files.kind === 's3' && !given['without-files']) {
    throw new CommandProblem(
      exit.configuration,
      'the files are in a bucket, which has to be copied by itself: --without-files leaves them out',
    );
  }
  const isLeftOut = given['without-files'] || files.kind !== 'dir';
  return { file, data: { history, files: isLeftOut ? undefined : files.folder } };
}
