import { withCalls } from '../configuration/php-settings.ts';
import type { FoundSessions, SessionTexts, SiteFolder } from './application.ts';
import { storeOfPhp } from './php-store.ts';

/**
 * The sessions of an application that leaves it to PHP where they are.
 * @param cookieName as the application sets it; undefined where its cookie has the same name at every site
 * @param savePath as its configuration sets it; empty if that is left to PHP, too
 * @param handler that the application sets with a path of its own
 */
export async function ownSessions(
  folder: SiteFolder,
  given: SessionTexts,
  {
    cookieName,
    savePath = '',
    handler,
    file = '',
  }: { cookieName?: string; savePath?: string; handler?: 'files'; file?: string } = {},
): Promise<FoundSessions> {
  const named = cookieName === undefined || given.cookieName ? {} : { cookieName };
  if (given.store) return { options: named };
  const call = (name: string, value: string) => ({ name, value, by: 'the configuration', file, line: 1 });
  const calls = [
    call('session.save_path', savePath),
    ...(handler === undefined ? [] : [call('session.save_handler', handler)]),
  ];
  const settings = withCalls(await folder.settings(), savePath === '' ? [] : calls);
  const store = storeOfPhp(settings, await folder.users());
  return { files: settings.files, broken: settings.broken, options: { ...named, store } };
}

/** Whether a file is there and has this text. */
export const says = async (folder: SiteFolder, file: string, text: string): Promise<boolean> =>
  (await folder.has(file)) && (await folder.text(file)).includes(text);
