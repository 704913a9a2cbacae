import { existsSync, readdirSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { shellWord } from '../doctor/account.ts';
import { CommandProblem, exit } from '../program/problem.ts';
import { ConfigError } from '../settings/config.ts';
import { givenSettings, usualFiles } from '../settings/file.ts';
import { lineForScreen } from '../text/blank.ts';

const defaultPort = 7070;

/**
 * Returns the folder for messages and files. Each settings file has a separate folder, so that sites do not share a
 * history.
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
      `--settings ${settings}: ${join(machineData, site)} contains the data of another chat; choose another name`,
    );
  return join(machineData, site);
}

/** Returns the settings for messages and files in a folder. */
export const dataSettings = (data: string) => ({
  CHAT_HISTORY: `sqlite:${join(data, 'chat.db')}`,
  CHAT_FILES: `dir:${join(data, 'files')}`,
});

/**
 * Checks that the data folder does not contain the history of another site, because users with the same IDs would see
 * it.
 * @returns the problem; null if there is no history, or the settings file is for this site and names the history
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
    `${history} already exists, and may be the history of another site. If this is an additional site, give it a separate settings file: --settings ${join(dirname(usualFiles[0]), 'NAME.conf')}. If it is the history of this site, run this again with ${words.join(' ')} before the command`,
  );
}

/** Returns the setting for a port that other settings files in the folder do not use. Empty for the default port. */
export function freePort(settings: string): { CHAT_PORT?: string } {
  const folder = dirname(settings);
  const names = existsSync(folder) ? readdirSync(folder) : [];
  const taken = new Set(
    names
      .filter((name) => name === basename(usualFiles[0]) || name.endsWith('.conf'))
      .map((name) => join(folder, name))
      .filter((file) => file !== settings)
      .map(readSettings)
      // Skips the files of other programs.
      .filter(({ CHAT_HISTORY }) => CHAT_HISTORY !== undefined)
      .map(({ CHAT_PORT = String(defaultPort) }) => CHAT_PORT),
  );
  let port = defaultPort;
  while (taken.has(String(port))) port++;
  return port === defaultPort ? {} : { CHAT_PORT: String(port) };
}

/** Returns the settings in a file. Empty if the file does not exist or is invalid. */
function readSettings(path: string): NodeJS.ProcessEnv {
  try {
    return givenSettings(path, {}).env;
  } catch (error) {
    if (error instanceof ConfigError) return {};
    throw error;
  }
}
