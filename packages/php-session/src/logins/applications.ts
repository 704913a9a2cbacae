import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { ConfigurationError } from '../configuration/configuration.ts';
import { databaseUrl, encodeOptions } from '../configuration/database-host.ts';
import { type Logins, StoreError } from '../login.ts';
import { option } from '../names.ts';
import { type Path, parsePath, type Step } from '../path.ts';
import type {
  Accounts,
  Application,
  FoundSessions,
  MemberApplication,
  SessionApplication,
  UserTable,
} from './application.ts';
import { cacti } from './cacti.ts';
import { changingLogins, type SessionLogins } from './changing-logins.ts';
import { codeigniter } from './codeigniter.ts';
import { dokuwiki } from './dokuwiki.ts';
import { drupal } from './drupal.ts';
import { icingaweb2 } from './icingaweb2.ts';
import { joomla } from './joomla.ts';
import { laravel } from './laravel.ts';
import { magento } from './magento.ts';
import { mediawiki } from './mediawiki.ts';
import { accountLogins, memberLogins } from './members.ts';
import { moodle } from './moodle.ts';
import { mybb } from './mybb.ts';
import { opencart } from './opencart.ts';
import { php } from './php.ts';
import { phpSessions, type SessionSettings } from './php-sessions.ts';
import { phpbb } from './phpbb.ts';
import { phpmyadmin } from './phpmyadmin.ts';
import { postfixadmin } from './postfixadmin.ts';
import { prestashop } from './prestashop.ts';
import { roundcube } from './roundcube.ts';
import { shaarli } from './shaarli.ts';
import { simplesamlphp } from './simplesamlphp.ts';
import {
  accountTables,
  type SitePlace,
  type SiteReader,
  type SiteTables,
  siteReader,
  toFingerprint,
} from './site.ts';
import { type SiteFolder, siteFolder } from './site-folder.ts';
import { smf } from './smf.ts';
import { symfony } from './symfony.ts';
import { tableLogins } from './tables.ts';
import { ttrss } from './ttrss.ts';
import { typo3 } from './typo3.ts';
import { withUserTable } from './user-table.ts';
import { wordpress } from './wordpress.ts';

export { ConfigurationError } from '../configuration/configuration.ts';

/** The first application that recognises a folder is used for it. */
export const applications: readonly (Application | MemberApplication | SessionApplication)[] = [
  // Logins in tables.
  wordpress,
  joomla,
  drupal,
  moodle,
  phpbb,
  mybb,
  typo3,
  smf,
  prestashop,
  // PHP sessions, and a table with their users.
  opencart,
  magento,
  // PHP sessions.
  laravel,
  codeigniter,
  cacti,
  dokuwiki,
  icingaweb2,
  mediawiki,
  phpmyadmin,
  postfixadmin,
  roundcube,
  shaarli,
  simplesamlphp,
  symfony,
  ttrss,
  // Any other site in PHP.
  php,
];

/** Settings from `readOptions`. */
export type LoginSettings = FolderSettings | StoreSettings;

/** Settings of a site in a folder. */
export interface FolderSettings {
  site: SitePlace;
}

/** Settings of PHP sessions in a store. */
export interface StoreSettings {
  session: SessionSettings;
  users?: UserTable | undefined;
}

/** Callbacks while the logins of a folder are open. */
export type LoginEvents = Pick<SitePlace, 'onProblem' | 'onWarning'>;

/** Opens the logins of a site. @throws ConfigurationError */
export async function openLogins(settings: LoginSettings, events: LoginEvents = {}): Promise<Logins> {
  if ('session' in settings) return withUserTable(phpSessions(settings.session), settings.users);
  return (await openSite({ ...settings.site, ...events })).logins;
}

type FoundSite = { folder: SiteFolder } & (
  | SiteTables<Application | MemberApplication>
  | (ReadSessions & {
      application: SessionApplication;
      /** Reads the configuration again. Returns undefined if nothing changed. Absent without a configuration. */
      reread?(): Promise<ReadSessions | undefined>;
      /** Returns the current values of the configuration that decide about logins. */
      values?(): unknown;
    })
);

interface ReadSessions {
  session: SessionSettings;
  accounts?: (SiteTables & { accounts: Accounts; sessions: FoundSessions['table'] }) | undefined;
}

/** The folder has no known application. */
export class NoSiteError extends ConfigurationError {}

/**
 * Detects the application in a folder.
 * @throws NoSiteError if no application recognises the folder, ConfigurationError if a configuration cannot be read
 */
export async function findSite(place: SitePlace): Promise<FoundSite> {
  const folder = await siteFolder(place);
  const candidates = applications.filter(({ kind }) => place.kind === undefined || place.kind === kind);
  for (const application of candidates) {
    const site =
      'options' in application
        ? await findSessions(application, place, folder)
        : await findTables(application, place, folder);
    if (site !== null) return site;
  }
  const titles = candidates.flatMap(({ find, title }) => (find === undefined ? [] : title));
  throw new NoSiteError(
    `${place.folder} is not the folder of ${titles.join(', ')}: check the path, and that this server may read it; for another site with PHP sessions set ${option('store')}`,
  );
}

const maxSearchedFolders = 100;

/** Finds known applications directly below a folder, or in the nearest folder above, in case a wrong folder was given. */
export async function findSitesNear(place: SitePlace): Promise<{ folder: string; title: string }[]> {
  const { path, list } = await siteFolder(place);
  const below = (await list('.')).slice(0, maxSearchedFolders).map((name) => join(path, name));
  const found = (await Promise.all(below.map((folder) => findTitle(folder, place)))).flat();
  for (let at = dirname(path); found.length === 0 && at !== '/'; at = dirname(at))
    found.push(...(await findTitle(at, place)));
  return found;
}

async function findTitle(path: string, place: SitePlace): Promise<{ folder: string; title: string }[]> {
  try {
    const folder = await siteFolder({ folder: path, environment: place.environment });
    if ((await folder.list('.')).length === 0) return [];
    for (const application of applications) {
      if (application === php) continue;
      const found =
        'options' in application
          ? await application.find?.(folder, place.sessions?.given ?? {})
          : await application.find(folder, place);
      if (found) return [{ folder: path, title: application.title }];
    }
  } catch (error) {
    if (!(error instanceof ConfigurationError)) throw error;
  }
  return [];
}

async function findTables(
  application: Application | MemberApplication,
  place: SitePlace,
  folder: SiteFolder,
): Promise<FoundSite | null> {
  const found = await application.find(folder, place);
  if (found === null) return null;
  const { notForTables, notForMembers } = place.sessions ?? {};
  rejectOptions(
    application,
    'sessions' in application ? notForMembers : notForTables,
    'determines this itself',
  );
  return { application, folder, found, reader: siteReader(application, place, found) };
}

async function findSessions(
  application: SessionApplication,
  place: SitePlace,
  folder: SiteFolder,
): Promise<FoundSite | null> {
  const { kind, sessions } = place;
  if (sessions === undefined) return null;
  const { find, title } = application;
  const settings = async ({ options, table, appKeys, accounts }: FoundSessions): Promise<ReadSessions> => {
    // Sessions in the database of the accounts are read through the same access.
    const sharedTable = isDeepStrictEqual(table?.database, accounts?.database) ? table : undefined;
    const store =
      sharedTable && place.database
        ? place.database.table(encodeOptions(sharedTable.options))
        : table && (await databaseUrl(table.database, table.options));
    const session = withApplication(
      application,
      sessions.settings({ ...application.options, ...options, ...(store && { store }) }, appKeys),
    );
    if (accounts === undefined) return { session };
    const proof = accounts.proof.map(parsePath);
    return {
      session: { ...session, user: { ...session.user, proof } },
      accounts: { ...accountTables(title, accounts, place), accounts, sessions: sharedTable },
    };
  };
  // Without `find`, the folder counts only if the operator names the application.
  let found = find ? await find(folder, sessions.given) : kind ? { options: {} } : null;
  if (found === null) return null;
  const { notForSessions, notForAccounts } = sessions;
  rejectOptions(
    application,
    found.accounts ? notForAccounts : notForSessions,
    'keeps its logins in PHP sessions, which do not use this option',
  );
  const read = await settings(found);
  if (find === undefined) return { application, folder, ...read };
  const reread = async () => {
    const before: FoundSessions = found ?? { options: {} };
    const folder = await siteFolder(place);
    const now = await find(folder, sessions.given, before);
    if (now === null)
      throw new ConfigurationError(`${place.folder}: the configuration of ${title} is missing`);
    for (const file of before.files ?? []) {
      if (!now.files?.includes(file))
        throw new ConfigurationError(
          `${file} is missing or no longer used: restart this server if that is intended`,
        );
    }
    if (now.broken !== undefined && now.broken !== before.broken)
      throw new ConfigurationError(`${now.broken}: PHP cannot read the rest of the file`);
    if (isDeepStrictEqual(valuesOf(now), valuesOf(before))) return undefined;
    const changed = await settings(now);
    found = now;
    return changed;
  };
  return { application, folder, ...read, reread, values: () => valuesOf(found ?? { options: {} }) };
}

/**
 * Adds the application's other paths and checks to the settings. The other paths do not count if the operator has set
 * the path to the ID or name. If the operator has only completed the application's first key (`DW*`), all paths use
 * that key.
 */
export function withApplication(
  {
    loginCheck,
    options: { userId, userName },
    otherIds,
    firstIds,
    typed,
    otherNames,
    idVersionKey,
  }: Pick<
    SessionApplication,
    'loginCheck' | 'options' | 'otherIds' | 'firstIds' | 'typed' | 'otherNames' | 'idVersionKey'
  >,
  { user: given, ...session }: SessionSettings,
): SessionSettings {
  const [own] = userId ? parsePath(userId) : [];
  const [key] = given.id;
  const text = typeof key === 'object' ? key.beginning : key;
  const isNamed = typeof own === 'object' && typeof text === 'string' && text.startsWith(own.beginning);
  /** Parses a path of the application, with the key of the operator. */
  const toPath = (text: string): Path => {
    const path = parsePath(text);
    return isNamed && isDeepStrictEqual(path[0], own) ? path.with(0, key as Step) : path;
  };
  const isOwn = (path: Path, text?: string | null) => text && isDeepStrictEqual(path, toPath(text));
  const user = {
    ...given,
    idVersionKey,
    ...(isOwn(given.id, userId) && {
      firstIds: firstIds?.map(toPath),
      otherIds: otherIds?.map(toPath),
      typed: typed ? typed === true || toPath(typed) : undefined,
    }),
    ...(userName &&
      isDeepStrictEqual(given.name, parsePath(userName)) && {
        name: toPath(userName),
        otherNames: otherNames?.map(toPath),
      }),
  };
  if (loginCheck === undefined) return { ...session, user };
  return {
    ...session,
    user: { ...user, proof: loginCheck.proof.map(toPath) },
    check: loginCheck.check,
  };
}

/** Returns the comparable values, without functions. */
const valuesOf = ({ options, table, appKeys, accounts }: FoundSessions) => {
  const { proof, database, basis } = accounts ?? {};
  return { options, table, appKeys, proof, database, basis };
};

function rejectOptions({ title }: { title: string }, names: readonly string[] = [], why: string): void {
  if (names.length > 0) throw new ConfigurationError(`${names.join(', ')}: ${title} ${why}; leave it out`);
}

/** Opens the logins of the site in a folder. @throws ConfigurationError as `findSite` */
export async function openSite(
  place: SitePlace,
): Promise<{ title: string; logins: Logins; session?: SessionSettings }> {
  const site = await findSite(place);
  const { title } = site.application;
  if ('session' in site) {
    const open = ({ session, accounts }: ReadSessions): SessionLogins => {
      const sessions = phpSessions(session);
      if (accounts === undefined) return sessions;
      // A path to the mail address takes precedence over the tables.
      return accountLogins(accounts.accounts, sessions, accounts, session.user.mail === undefined);
    };
    const { session, reread, values } = site;
    if (reread === undefined || values === undefined)
      return { title, logins: withUserTable(open(site), place.users), session };
    const logins = changingLogins(
      open(site),
      () => reread().then((read) => read && open(read)),
      (digest) => toFingerprint(place, title, values(), digest),
      place.onProblem,
    );
    return { title, logins: withUserTable(logins, place.users), session };
  }
  const { application, reader } = site;
  // The database may have the names of cookies. If it does not answer now, the first request opens it again.
  await reader.open().catch((error: unknown) => {
    if (error instanceof StoreError) return;
    reader.close();
    throw error;
  });
  return { title, logins: openTables(application, reader) };
}

/** Opens the logins of a site that have rows in its tables. */
export function openTables(application: Application | MemberApplication, reader: SiteReader): Logins {
  return 'sessions' in application ? memberLogins(application, reader) : tableLogins(application, reader);
}
