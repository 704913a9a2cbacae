import { ConfigurationError, readIfKnown } from '../configuration/configuration.ts';
import { applyCalls } from '../configuration/php-settings.ts';
import type { SessionApplication } from './application.ts';
import { codeigniter } from './codeigniter.ts';
import { toStoreUrl } from './php-store.ts';
import { pageFolders, type SiteFolder } from './site-folder.ts';

/** Any other site with PHP sessions. The operator names the paths to the user. */
export const php: SessionApplication = {
  kind: 'php',
  title: 'a site in PHP',
  options: { userId: null, userName: null },
  // The site may use CodeIgniter, also version 3, which no other application recognises.
  idVersionKey: codeigniter.idVersionKey,

  async find(folder, given, before) {
    if (!(await hasPhp(folder))) return null;
    if (given.store && given.cookieName) return { options: {} };
    const calls = before?.calls ?? (await folder.calls());
    const settings = applyCalls(await folder.settings(), calls);
    return {
      calls,
      files: settings.files,
      broken: settings.broken,
      options: {
        ...(given.cookieName ? {} : { cookieName: settings.get('session.name').value }),
        ...(given.store ? {} : { store: toStoreUrl(settings, await folder.users()) }),
      },
    };
  },

  async describe(folder) {
    // PHP may run on another machine. Then the operator has given all options, and the settings are unknown.
    const here = await folder.settings().catch((error: Error) => {
      if (error instanceof ConfigurationError) return null;
      throw error;
    });
    if (here === null) return {};
    const settings = applyCalls(here, await folder.calls());
    const value = (name: string) => readIfKnown(() => settings.get(name).value) ?? '';
    return {
      version: `(${settings.title})`,
      account: settings.user,
      cookie: {
        path: value('session.cookie_path') || '/',
        domain: value('session.cookie_domain'),
        secure: /^(1|on|yes|true)$/i.test(value('session.cookie_secure')),
      },
    };
  },
};

async function hasPhp(folder: SiteFolder): Promise<boolean> {
  for (const name of pageFolders) {
    if ((await folder.list(name)).some((file) => file.endsWith('.php'))) return true;
  }
  return false;
}
