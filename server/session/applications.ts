import type { Application } from './application.ts';
import { ConfigurationError } from './configuration/configuration.ts';
import { type Logins, StoreError } from './login.ts';
import { drupal } from './logins/drupal.ts';
import { joomla } from './logins/joomla.ts';
import { phpSessions, type SessionSettings } from './logins/php-sessions.ts';
import { phpbb } from './logins/phpbb.ts';
import { tableLogins } from './logins/tables.ts';
import { wordpress } from './logins/wordpress.ts';

export { ConfigurationError } from './configuration/configuration.ts';

import { type SitePlace, type SiteReader, siteFolder, siteReader } from './site.ts';

/** The applications that keep their logins in tables of their own. The first that knows a folder has it. */
export const applications: readonly Application[] = [wordpress, joomla, drupal, phpbb];

/** How the logins of a site are read: by its folder, or by a setting for each part. */
export type LoginSettings = { site: SitePlace } | { session: SessionSettings };

/**
 * @param onProblem as in `SitePlace`
 * @throws ConfigurationError
 */
export async function openLogins(
  settings: LoginSettings,
  onProblem: (problem: Error) => void,
): Promise<Logins> {
  if ('session' in settings) return phpSessions(settings.session);
  return (await openSite({ ...settings.site, onProblem })).logins;
}

/** A site that was found. */
export interface FoundSite {
  application: Application;
  found: unknown;
  reader: SiteReader;
}

/**
 * Finds out which application a folder has.
 * @throws ConfigurationError if its configuration cannot be read, or no known application is there
 */
export async function findSite(place: SitePlace): Promise<FoundSite> {
  const { kind, environment } = place;
  const folder = await siteFolder(place.folder, environment);
  const candidates = kind === undefined ? applications : applications.filter((one) => one.kind === kind);
  for (const application of candidates) {
    const found = await application.find(folder, place);
    if (found !== null) return { application, found, reader: siteReader(application, place, found) };
  }
  throw new ConfigurationError(
    `${place.folder} is not the folder of ${candidates.map(({ title }) => title).join(', ')}: check the path, and that this server may read it; for a site with PHP sessions set CHAT_SESSION_STORE`,
  );
}

/** Opens the logins of a site by its folder. @throws ConfigurationError as `findSite` does */
export async function openSite(place: SitePlace): Promise<{ title: string; logins: Logins }> {
  const { application, reader } = await findSite(place);
  // The names of the cookies may lie in the database. If it is silent now, the first visitor asks again.
  await reader.open().catch((error: unknown) => {
    if (error instanceof StoreError) return;
    reader.close();
    throw error;
  });
  return { title: application.title, logins: tableLogins(application, reader) };
}
