import type { FoundSessions, SessionTexts, SiteFolder } from '../application.ts';
import { withCalls } from '../php-settings.ts';
import { storeOfPhp } from '../php-store.ts';

/**
 * The sessions of an application that leaves it to PHP where they are.
 * @param cookieName as the application sets it; undefined where its cookie has the same name at every site
 * @param savePath as its configuration sets it; empty if that is left to PHP, too
 */
export async function ownSessions(
  folder: SiteFolder,
  given: SessionTexts,
  { cookieName, savePath = '', file = '' }: { cookieName?: string; savePath?: string; file?: string } = {},
): Promise<FoundSessions> {
  const named = cookieName === undefined || given.cookieName ? {} : { cookieName };
  if (given.store) return { options: named };
  const path = { name: 'session.save_path', value: savePath, by: 'the configuration', file, line: 1 };
  const settings = withCalls(await folder.settings(), savePath === '' ? [] : [path]);
  const store = storeOfPhp(settings, await folder.users());
  return { files: settings.files, broken: settings.broken, options: { ...named, store } };
}

/** Whether a file is there and has this text. */
export const says = async (folder: SiteFolder, file: string, text: string): Promise<boolean> =>
  (await folder.has(file)) && (await folder.text(file)).includes(text);
