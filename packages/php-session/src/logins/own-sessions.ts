import { ConfigurationError, SecondFactorError } from '../configuration/configuration.ts';
import { applyCalls } from '../configuration/php-settings.ts';
import { option } from '../names.ts';
import type { FoundSessions, SessionTexts } from './application.ts';
import { toStoreUrl } from './php-store.ts';
import type { SiteFolder } from './site-folder.ts';

/**
 * Finds the sessions of an application that uses PHP's own storage.
 * @param cookieName the application's name of the cookie, unless every site has the same
 * @param savePath, handler, lifetime replace PHP's, and come from `file`, the application's configuration
 */
export async function findPhpSessions(
  folder: SiteFolder,
  given: SessionTexts,
  {
    cookieName,
    savePath = '',
    handler,
    lifetime = '',
    file = '',
  }: { cookieName?: string; savePath?: string; handler?: 'files'; lifetime?: string; file?: string } = {},
): Promise<FoundSessions> {
  const named = cookieName === undefined || given.cookieName ? {} : { cookieName };
  if (given.store) return { options: named };
  const call = (name: string, value: string) => ({ name, value, by: 'the configuration', file, line: 1 });
  const calls = [
    ...(savePath === '' ? [] : [call('session.save_path', savePath)]),
    ...(savePath === '' || handler === undefined ? [] : [call('session.save_handler', handler)]),
    ...(lifetime === '' ? [] : [call('session.gc_maxlifetime', lifetime)]),
  ];
  const settings = applyCalls(await folder.settings(), calls);
  const store = toStoreUrl(settings, await folder.users());
  return { files: settings.files, broken: settings.broken, options: { ...named, store } };
}

/** Reads PHP's `session.gc_maxlifetime` in seconds. Returns PHP's default if its configuration is unknown. */
export async function readLifetime(folder: SiteFolder): Promise<number> {
  const defaultSeconds = 1440;
  try {
    return Number((await folder.settings()).get('session.gc_maxlifetime').value) || defaultSeconds;
  } catch (error) {
    if (error instanceof ConfigurationError) return defaultSeconds;
    throw error;
  }
}

/**
 * Creates the error for an addition to an application that asks for a second factor only after the login.
 * @param path to the value in the session that shows that the factor was given
 */
export const toSecondFactorError = (where: string, addition: string, path: string): SecondFactorError =>
  new SecondFactorError(
    `${where}: ${addition} asks for the second factor after the login, so a password alone would be enough: set ${option('userRequire')}=${path}, the path of the value in the session that shows that the factor was given; or, to accept a password alone, set it to the path of the user’s ID`,
  );

/** Whether the file exists and contains the text. */
export const fileContains = async (folder: SiteFolder, file: string, text: string): Promise<boolean> =>
  (await folder.has(file)) && (await folder.text(file)).includes(text);
