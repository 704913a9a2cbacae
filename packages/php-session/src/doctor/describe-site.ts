import { ConfigurationError } from '../configuration/configuration.ts';
import { StoreError } from '../login.ts';
import type { CookieScope, SiteFacts } from '../logins/application.ts';
import {
  type FolderSettings,
  findSite,
  findSitesNear,
  type LoginSettings,
  NoSiteError,
  openTables,
  type StoreSettings,
} from '../logins/applications.ts';
import { connectToSite, type OpenSite, type SitePlace } from '../logins/site.ts';
import { option } from '../names.ts';
import { pathText } from '../path.ts';
import { databaseProblem, lacksRights } from './examine.ts';
import { storeTitle } from './other-options.ts';

/** The accessed paths. `seen` means that only the existence of a file was checked. */
export type SiteFiles = ReadonlyMap<string, 'seen' | 'read'>;

/** Facts about a site from its folder and database. Unknown facts are absent. */
export interface SiteDescription extends SiteFacts {
  /** As in the option `site`, such as `wordpress`. */
  kind: string;
  /** The application, such as `WordPress`. */
  title: string;
  /** The store of the logins for display, such as `logins in MariaDB`. */
  logins: string;
  /** The requests in which browsers send the cookie of logins. */
  cookie: CookieScope;
  files: SiteFiles;
  /** Absent if the logins are in tables. */
  sessions?: StoreSettings;
  /** The folder of the sessions, if they are files. */
  sessionFolder?: string | undefined;
  /** Whether the paths to the user in a session are known. */
  isUserKnown: boolean;
  /** The database user that reads the tables: the user of the site, or an own user by the option `siteDatabase`. */
  databaseUser?: 'site' | 'own' | undefined;
  /** Known applications near this one, for display. If present, this may be the wrong folder. */
  nearby?: string | undefined;
  /** The settings of the same site, which can be examined even if `isUserKnown` is false. */
  settings: FolderSettings;
}

/** Why a site cannot be described. */
export interface SiteProblem {
  /** `database` if it answers but cannot be used. `unavailable` if it does not answer. */
  code: 'configuration' | 'database' | 'unavailable';
  problem: string;
  files: SiteFiles;
  /** Known applications near the folder, for display. */
  nearby?: string | undefined;
  /** See `Finding.lacksRights`. */
  lacksRights?: boolean;
}

/** Describes the site in a folder, without executing its code. */
export async function describeSite({ site: given }: FolderSettings): Promise<SiteDescription | SiteProblem> {
  const files = new Map<string, 'seen' | 'read'>();
  const place = withUnknownUser(given);
  try {
    const description = await describe({
      ...place,
      onFile(path, access) {
        if (files.get(path) !== 'read') files.set(path, access);
      },
    });
    return {
      cookie: { path: '/', domain: '', secure: false },
      ...description,
      files,
      settings: { site: place },
    };
  } catch (error) {
    if (error instanceof StoreError) return { ...explainStoreError(error, place), files };
    if (!(error instanceof ConfigurationError)) throw error;
    const nearby = error instanceof NoSiteError ? await describeNearby(place) : undefined;
    return { code: 'configuration', problem: error.message, files, nearby };
  }
}

/** Returns the kind of the application in a folder. Undefined without a folder, or if the kind cannot be detected. */
export async function findKind(settings: LoginSettings): Promise<string | undefined> {
  if ('session' in settings) return undefined;
  const { site: place } = settings;
  if (place.kind !== undefined) return place.kind;
  try {
    const site = await findSite(withUnknownUser(place));
    const tables = 'session' in site ? site.accounts : site;
    tables?.reader.close();
    return site.application.kind;
  } catch (error) {
    if (error instanceof ConfigurationError) return undefined;
    throw error;
  }
}

async function describeNearby(place: SitePlace): Promise<string | undefined> {
  if (place.kind !== undefined) return undefined;
  const sites = await findSitesNear(place);
  return sites.map(({ folder, title }) => `${title} is in ${folder}`).join(', ') || undefined;
}

const unknownPath = 'not_known_yet';

/** Adds a placeholder for missing paths to the user, so that PHP sessions can be opened without them. */
function withUnknownUser(place: SitePlace): SitePlace {
  const { sessions } = place;
  if (sessions === undefined) return place;
  return {
    ...place,
    sessions: {
      ...sessions,
      settings({ userId, userName, ...found }, appKeys) {
        const id = userId ?? unknownPath;
        return sessions.settings({ ...found, userId: id, userName: userName ?? id }, appKeys);
      },
    },
  };
}

type Parts = Omit<SiteDescription, 'cookie' | 'files' | 'settings'>;

async function describe(place: SitePlace): Promise<Parts> {
  const site = await findSite(place);
  const { folder } = site;
  if ('session' in site) {
    const { application, session, accounts } = site;
    const { given = {} } = place.sessions ?? {};
    const store = given.store ?? (await application.find?.(folder, given))?.options.store ?? '';
    const [, path] = /^file:\/\/(\/[^?]*)/.exec(store) ?? [];
    const sessionFolder = path && decodeURIComponent(path);
    return {
      ...(await application.describe?.(folder)),
      kind: application.kind,
      title: application.title,
      logins: `sessions in ${storeTitle(session.source)}${sessionFolder === undefined ? '' : ` in ${sessionFolder}`}`,
      sessions: { session },
      sessionFolder,
      isUserKnown: pathText(session.user.id) !== unknownPath,
      databaseUser: accounts && databaseUser(accounts.found.database.kind, place),
      nearby: application.kind === 'php' ? await describeNearby(place) : undefined,
    };
  }
  const { application, found, reader } = site;
  const logins = openTables(application, reader);
  try {
    const fault = await logins.fault();
    // The site creates this setting at its first login.
    if (fault !== null && !/ has no \w+ yet/.test(fault.message)) throw fault;
  } finally {
    logins.close();
  }
  const { database, driver } = await connectToSite(application, place, found);
  const { kind } = found.database;
  try {
    const query = queryValue(database, driver);
    const title = await databaseTitle(kind, query);
    const parts = await application.describe?.(folder, found, query, driver).catch((error: unknown) => {
      // The user of `siteDatabase` may lack rights for these queries.
      const isRefused = error instanceof StoreError && databaseProblem(error) !== undefined;
      if (isRefused || error instanceof ConfigurationError) return {};
      throw error;
    });
    return {
      ...application.facts,
      ...parts,
      kind: application.kind,
      title: application.title,
      logins: `logins in ${title}`,
      isUserKnown: true,
      databaseUser: databaseUser(kind, place),
    };
  } finally {
    database.close();
  }
}

/** Returns undefined for an SQLite file, which has no users. */
const databaseUser = (kind: string, { database }: SitePlace): SiteDescription['databaseUser'] =>
  kind === 'sqlite' ? undefined : database === undefined ? 'site' : 'own';

/** Returns a function that queries the only value of a SELECT as text. */
const queryValue =
  (database: OpenSite['database'], driver: OpenSite['driver']) =>
  async (select: string): Promise<string | null> => {
    const [[value = null] = []] = await database.query(`SELECT ${driver.asText(`(${select})`)}`);
    return value;
  };

async function databaseTitle(
  kind: 'mysql' | 'postgres' | 'sqlite',
  query: (select: string) => Promise<string | null>,
): Promise<string> {
  if (kind !== 'mysql') return { postgres: 'PostgreSQL', sqlite: 'SQLite' }[kind];
  return /maria/i.test((await query('SELECT VERSION()')) ?? '') ? 'MariaDB' : 'MySQL';
}

function explainStoreError(error: StoreError, place: SitePlace): Omit<SiteProblem, 'files'> {
  const { message } = error;
  const kind = databaseProblem(error) ?? '';
  if (/^(login|plugin|origin)$/.test(kind)) return { code: 'database', problem: message };
  if (lacksRights(place, error) || /^(table|column)$/.test(kind))
    return {
      code: 'database',
      problem: `the database of the site answers, but it is not complete: ${message}. Finish the installation of the site first`,
      lacksRights: lacksRights(place, error),
    };
  if (/^(database|permission|hidden|hiddenColumn)$/.test(kind))
    return { code: 'database', problem: `the database of the site answers, but ${message}` };
  const name = option('siteDatabase');
  const advice = message.includes(`set ${name}`)
    ? ''
    : `; if this machine reaches it at another address, set ${name}`;
  return {
    code: 'unavailable',
    problem: `the database of the site does not answer: ${message}. Start it, and run this again${advice}`,
  };
}
