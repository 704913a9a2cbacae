import { accessSync, constants, existsSync, statSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import type { Data } from '../backup/backup.ts';
import { placeOf } from '../history/engine/address.ts';
import type { HistoryPlace } from '../history/open.ts';
import { CommandProblem, exit } from '../program/problem.ts';
import { readConfig } from '../settings/config.ts';
import { givenSettings } from '../settings/file.ts';

/**
 * Returns the path of the backup that a command names, and the data of the chat server with these settings.
 * @param words the positional arguments of the command
 * @throws CommandProblem, ConfigError
 */
export function dataOf(
  words: readonly string[],
  given: Given & { 'without-files': boolean; help: string },
): { file: string; data: Data } {
  const [file, ...more] = words;
  if (file === undefined || file === '' || more.length > 0) {
    const wrong = file ? `expected one file, got ${words.length}` : 'the backup file is missing';
    throw new CommandProblem(exit.usage, `${wrong}\n\n${given.help}`);
  }
  const { history, files } = configOf(given);
  if (files.kind === 's3' && !given['without-files']) {
    throw new CommandProblem(
      exit.configuration,
      'the files are in a bucket, which must be copied separately: omit them with --without-files',
    );
  }
  const isLeftOut = given['without-files'] || files.kind !== 'dir';
  return { file, data: { history, files: isLeftOut ? undefined : files.folder } };
}

/** Returns the history of the chat server with these settings. @throws ConfigError */
export const historyOf = (given: Given): HistoryPlace => configOf(given).history;

/** Returns the location of a history for messages, without user and password. */
export const nameOf = (history: HistoryPlace): string =>
  history.kind === 'sqlite' ? resolve(history.path) : placeOf(history);

interface Given {
  settings?: string | undefined;
  env: NodeJS.ProcessEnv;
}

function configOf(given: Given) {
  const { env, lines } = givenSettings(given.settings, given.env);
  // These commands do not read sessions. A container that runs one of them may lack the required session store.
  const namesStore = env.CHAT_SITE || env.CHAT_SESSION_STORE || env.CHAT_SESSION_STORE_FILE;
  return readConfig(namesStore ? env : { ...env, CHAT_SESSION_STORE: 'file:///' }, lines);
}

/**
 * Checks that this account owns the history and the files. The server could not write files of another account,
 * including files that root creates in the server's folder.
 * @throws CommandProblem naming the owner
 */
export function checkOwner({ history, files }: Data, command: 'restore' | 'import' | 'move'): void {
  const self = process.getuid?.();
  for (const path of [history.kind === 'sqlite' ? history.path : undefined, files]) {
    if (path === undefined || self === undefined) continue;
    let there = resolve(path);
    if (self === 0) while (!existsSync(there)) there = dirname(there);
    const owner = statSync(there, { throwIfNoEntry: false })?.uid ?? self;
    // A mounted folder may belong to root, but be writable by the group of the server.
    if (owner === self || (self !== 0 && path === files && isWritable(there))) continue;
    throw new CommandProblem(
      exit.configuration,
      `${there} belongs to another account (${owner}): ${command} as that account`,
    );
  }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}
