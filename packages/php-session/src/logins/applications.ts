import { dirname, join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { ConfigurationError } from '../configuration/configuration.ts';
import { databaseUrl, queryOf } from '../configuration/database-host.ts';
import { type Logins, StoreError } from '../login.ts';
import { type Path, parsePath, type Step } from '../path.ts';
import type {
  Accounts,
  Application,
  FoundSessions,
  MemberApplication,
  SessionApplication,
  SiteFolder,
  SiteWarning,
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
import type { OnProblem } from './reread.ts';
import { roundcube } from './roundcube.ts';
import { shaarli } from './shaarli.ts';
import { simplesamlphp } from './simplesamlphp.ts';
import {
  accountTables,
  fingerprintOf,
  type SitePlace,
  type SiteReader,
  type SiteTables,
  siteFolder,
  siteReader,
} from './site.ts';
import { smf } from './smf.ts';
import { symfony } from './symfony.ts';
import { tableLogins } from './tables.ts';
import { ttrss } from './ttrss.ts';
import { typo3 } from './typo3.ts';
import { withUserTable } from './user-table.ts';
import { wordpress } from './wordpress.ts';

export { ConfigurationError } from '../configuration/configuration.ts';

/** The applications by the folders of their sites. The first that knows a folder has it. */
export const applications: readonly (Application | MemberApplication | SessionApplication)[] = [
  // Logins in tables of their own.
  wordpress,
  joomla,
  drupal,
  moodle,
  phpbb,
  mybb,
  typo3,
  smf,
  prestashop,
  // PHP sessions, and a table of their users.
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
  // Every other site.
  php,
];

/** How the logins of a site are read: by its folder, or by a setting for each part. */
export type LoginSettings = { site: SitePlace } | { session: SessionSettings; users?: UserTable | undefined };

/**
 * @param onProblem, onWarning as in `SitePlace`
 * @throws ConfigurationError
 */
export async function openLogins(
  settings: LoginSettings,
  onProblem: OnProblem,
  onWarning: (warning: SiteWarning) => void = () => {},
): Promise<Logins> {
  if ('session' in settings) return withUserTable(phpSessions(settings.session), settings.users);
  return (await openSite({ ...settings.site, onProblem, onWarning })).logins;
}

/** A site that was found, with its logins in tables of its own or in PHP sessions. */
export type FoundSite = { folder: SiteFolder } & (
  | SiteTables<Application | MemberApplication>
  | (ReadSessions & {
      application: SessionApplication;
      /** Reads the configuration again; absent if there is none. Undefined if nothing has changed. */
      again?(): Promise<ReadSessions | undefined>;
      /** The values of the configuration that decide about logins, as last read. */
      values?(): unknown;
    })
);

interface ReadSessions {
  session: SessionSettings;
  accounts?: (SiteTables & { accounts: Accounts; sessions: FoundSessions['table'] }) | undefined;
}

/** A folder has no application that is known. */
export class NoSiteError extends ConfigurationError {}

/**
 * Finds out which application a folder has.
 * @throws ConfigurationError if its configuration cannot be read, or no known application is there
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
    `${place.folder} is not the folder of ${titles.join(', ')}: check the path, and that this server may read it; for another site with PHP sessions set CHAT_SESSION_STORE`,
  );
}

/** Folders that are looked into. */
const mostFolders = 100;

/** The known applications right below a folder, or in the nearest one above it: where somebody names the wrong one. */
export async function sitesNear(place: SitePlace): Promise<{ folder: string; title: string }[]> {
  const { path, list } = await siteFolder(place);
  const below = (await list('.')).slice(0, mostFolders).map((name) => join(path, name));
  const found = (await Promise.all(below.map((folder) => titleIn(folder, place)))).flat();
  for (let at = dirname(path); found.length === 0 && at !== '/'; at = dirname(at))
    found.push(...(await titleIn(at, place)));
  return found;
}

async function titleIn(path: string, place: SitePlace): Promise<{ folder: string; title: string }[]> {
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
  refuse(application, 'sessions' in application ? notForMembers : notForTables, 'says this itself');
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
    // Otherwise they are in another database than the accounts.
    const beside = isDeepStrictEqual(table?.database, accounts?.database) ? table : undefined;
    const store =
      beside && place.database
        ? place.database.table(queryOf(beside.options))
        : table && (await databaseUrl(table.database, table.options));
    const session = asKnown(
      application,
      sessions.settings({ ...application.options, ...options, ...(store && { store }) }, appKeys),
    );
    if (accounts === undefined) return { session };
    const proof = accounts.proof.map(parsePath);
    return {
      session: { ...session, user: { ...session.user, proof } },
      accounts: { ...accountTables(title, accounts, place), accounts, sessions: beside },
    };
  };
  // A folder that says nothing belongs to an application that the operator has named.
  let found = find ? await find(folder, sessions.given) : kind ? { options: {} } : null;
  if (found === null) return null;
  const { notForSessions, notForAccounts } = sessions;
  refuse(application, found.accounts ? notForAccounts : notForSessions, 'has PHP sessions');
  const read = await settings(found);
  if (find === undefined) return { application, folder, ...read };
  const again = async () => {
    const before: FoundSessions = found ?? { options: {} };
    const folder = await siteFolder(place);
    const now = await find(folder, sessions.given, before);
    if (now === null) throw new ConfigurationError(`${place.folder}: the configuration of ${title} is gone`);
    for (const file of before.files ?? []) {
      if (!now.files?.includes(file))
        throw new ConfigurationError(
          `${file} is gone, or counts no more: restart the chat server if that is right`,
        );
    }
    if (now.broken !== undefined && now.broken !== before.broken)
      throw new ConfigurationError(`${now.broken}: PHP cannot read the rest of the file`);
    if (isDeepStrictEqual(valuesOf(now), valuesOf(before))) return undefined;
    const changed = await settings(now);
    found = now;
    return changed;
  };
  return { application, folder, ...read, again, values: () => valuesOf(found ?? { options: {} }) };
}

/**
 * Adds to the settings what the application says beside its options. Where it has other cookies, the session alone lets
 * nobody in. Where the operator has set the path of the id or of the name, the application's other paths to it do not
 * count; if the operator has only named the key that is the application's, all its paths lead through that key.
 */
export function asKnown(
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
  /** A path of the application, by the key that the operator has named. */
  const through = (text: string): Path => {
    const path = parsePath(text);
    return isNamed && isDeepStrictEqual(path[0], own) ? path.with(0, key as Step) : path;
  };
  const isOwn = (path: Path, text?: string | null) => text && isDeepStrictEqual(path, through(text));
  const user = {
    ...given,
    idVersionKey,
    ...(isOwn(given.id, userId) && {
      firstIds: firstIds?.map(through),
      otherIds: otherIds?.map(through),
      ...(typed && { typed: typed === true || through(typed) }),
    }),
    ...(userName &&
      isDeepStrictEqual(given.name, parsePath(userName)) && {
        name: through(userName),
        otherNames: otherNames?.map(through),
      }),
  };
  if (loginCheck === undefined) return { ...session, user };
  return {
    ...session,
    user: { ...user, proof: loginCheck.proof.map(through) },
    check: loginCheck.check,
  };
}

/** Two readings are compared by this: functions are never the same. */
const valuesOf = ({ options, table, appKeys, accounts }: FoundSessions) => {
  const { proof, database, basis } = accounts ?? {};
  return { options, table, appKeys, proof, database, basis };
};

function refuse({ title }: { title: string }, names: readonly string[] = [], why: string): void {
  if (names.length > 0) throw new ConfigurationError(`${names.join(', ')}: ${title} ${why}; leave it out`);
}

/** Opens the logins of a site by its folder. @throws ConfigurationError as `findSite` does */
export async function openSite(
  place: SitePlace,
): Promise<{ title: string; logins: Logins; session?: SessionSettings }> {
  const site = await findSite(place);
  const { title } = site.application;
  if ('session' in site) {
    const open = ({ session, accounts }: ReadSessions): SessionLogins => {
      const sessions = phpSessions(session);
      if (accounts === undefined) return sessions;
      // A path that the operator has given counts before the tables.
      return accountLogins(accounts.accounts, sessions, accounts, session.user.mail === undefined);
    };
    const { session, again, values } = site;
    if (again === undefined || values === undefined)
      return { title, logins: withUserTable(open(site), place.users), session };
    const logins = changingLogins(
      open(site),
      () => again().then((read) => read && open(read)),
      (digest) => fingerprintOf(place, title, values(), digest),
      place.onProblem,
    );
    return { title, logins: withUserTable(logins, place.users), session };
  }
  const { application, reader } = site;
  // The names of the cookies may lie in the database. If it is silent now, the first visitor asks again.
  await reader.open().catch((error: unknown) => {
    if (error instanceof StoreError) return;
    reader.close();
    throw error;
  });
  return { title, logins: openTables(application, reader) };
}

/** The logins of a site by its tables. */
export function openTables(application: Application | MemberApplication, reader: SiteReader): Logins {
  return 'sessions' in application ? memberLogins(application, reader) : tableLogins(application, reader);
}
