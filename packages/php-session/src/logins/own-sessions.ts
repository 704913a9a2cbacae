import { ConfigurationError, SecondFactorError } from '../configuration/configuration.ts';
import { withCalls } from '../configuration/php-settings.ts';
import type { FoundSessions, SessionTexts, SiteFolder } from './application.ts';
import { storeOfPhp } from './php-store.ts';

/**
 * The sessions of an application that leaves it to PHP where they are.
 * @param cookieName as the application sets it; undefined where its cookie has the same name at every site
 * @param savePath as its configuration sets it; empty if that is left to PHP, too
 * @param handler that the application sets with a path of its own
 * @param lifetime as its configuration sets session.gc_maxlifetime; empty if that is left to PHP, too
 */
export async function ownSessions(
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
  const settings = withCalls(await folder.settings(), calls);
  const store = storeOfPhp(settings, await folder.users());
  return { files: settings.files, broken: settings.broken, options: { ...named, store } };
}

/**
 * Seconds after which PHP takes a session for unused, for an application whose own storage takes that from PHP; PHP's
 * default where no PHP is known.
 */
export async function lifetimeOfPhp(folder: SiteFolder): Promise<number> {
  const usual = 1440;
  try {
    return Number((await folder.settings()).get('session.gc_maxlifetime').value) || usual;
  } catch (error) {
    if (error instanceof ConfigurationError) return usual;
    throw error;
  }
}

/**
 * The fault of an application with an addition that asks for a second factor only after the login.
 * @param path where a session says that the factor was given
 */
export const asksAfterLogin = (where: string, addition: string, path: string): SecondFactorError =>
  new SecondFactorError(
    `${where}: ${addition} asks for the second factor after the login, so a password alone would be enough for the chat: set CHAT_USER_REQUIRE=${path}, where the session says that the factor was given; or name the path of the user there, if a password shall be enough`,
  );

/** Whether a file is there and has this text. */
export const says = async (folder: SiteFolder, file: string, text: string): Promise<boolean> =>
  (await folder.has(file)) && (await folder.text(file)).includes(text);
