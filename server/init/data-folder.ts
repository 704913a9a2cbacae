import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { CommandProblem, exit } from '../command/problem.ts';
import { ConfigError } from '../settings/config.ts';
import { givenSettings, usualFiles } from '../settings/file.ts';
import { lineForScreen } from '../wire/blank.ts';
import { shellWord } from './account.ts';

const defaultPort = 7070;

/**
 * Returns the folder for messages and files. Each file of settings has its own, so that sites share no history.
 * @throws CommandProblem
 */
export function dataFolder(settings: string): string {
  const [machineSettings, localSettings] = usualFiles;
  const machineData = '/var/lib/php-session-chat';
  const mainName = 'main';
  if (settings === machineSettings) return join(machineData, mainName);
  const name = basename(settings);
  if (dirname(settings) !== dirname(machineSettings))
    return join(dirname(settings), name === localSettings ? 'data' : `${name}-data`);
  const site = name.replace(/\.conf$/, '');
  if (site === mainName)
    throw new CommandProblem(
      exit.usage,
      `--settings ${settings}: ${join(machineData, site)} holds data of another chat; take another name`,
    );
  return join(machineData, site);
}

/** Returns the settings for messages and files in a folder. */
export const dataSettings = (data: string) => ({
  CHAT_HISTORY: `sqlite:${join(data, 'chat.db')}`,
  CHAT_FILES: `dir:${join(data, 'files')}`,
});

/**
 * Checks that the data folder holds no history of another site: its users with the same IDs would get that history.
 * @returns the problem; null if there is no history, or the settings file is for this site and names it
 */
export function findOtherHistory(data: string, folder: string, settings: string): string | null {
  const history = join(data, 'chat.db');
  if (!existsSync(history)) return null;
  const places = dataSettings(data);
  const before = readSettings(settings);
  const siteBefore = before.CHAT_SITE?.replace(/^[a-z][a-z0-9-]*:/, '');
  if (before.CHAT_HISTORY === places.CHAT_HISTORY && siteBefore === folder) return null;
  const words = Object.entries(places).map(([name, value]) => `${name}=${shellWord(value)}`);
  return lineForScreen(
    `${history} is there already, and may be the history of another site. If this is one more site, give it settings of its own: --settings ${join(dirname(usualFiles[0]), 'NAME.conf')}. If it is the history of this site, run this again with ${words.join(' ')} before the command`,
  );
}

/** Returns a setting for a port that no other settings in the folder use; empty for the default port. */
export function freePort(settings: string): { CHAT_PORT?: string } {
  const folder = dirname(settings);
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const taken = new Set(
    names
      .filter((name) => name === basename(usualFiles[0]) || name.endsWith('.conf'))
      .map((name) => join(folder, name))
      .filter((file) => file !== settings)
      .map(readSettings)
      // Other programs have files there, too.
      .filter(({ CHAT_HISTORY }) => CHAT_HISTORY !== undefined)
      .map(({ CHAT_PORT = String(defaultPort) }) => CHAT_PORT),
  );
  let port = defaultPort;
  while (taken.has(String(port))) port++;
  return port === defaultPort ? {} : { CHAT_PORT: String(port) };
}

/** Returns no settings if there is no such file, or no server could read it. */
function readSettings(path: string): NodeJS.ProcessEnv {
  try {
    return givenSettings(path, {}).env;
  } catch (error) {
    if (error instanceof ConfigError) return {};
    throw error;
  }
}
