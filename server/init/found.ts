import { StoreError } from 'php-sessions';
import type { SessionSettings, SiteDatabase, SiteDescription } from 'php-sessions/doctor';
import {
  ConfigurationError,
  connected,
  findSite,
  grants,
  NoSiteError,
  type OpenSite,
  openTables,
  pathText,
  type SitePlace,
  sitesNear,
} from 'php-sessions/doctor';
import { CommandProblem, exit } from '../command/problem.ts';
import { lineForScreen } from '../wire/blank.ts';
import type { Wanted } from './account.ts';

/** A site as its folder and its database show it. */
export interface Found {
  title: string;
  description: SiteDescription;
  /** Where the logins are, in words. */
  logins: string;
  /** The files and folders that the server looks at. */
  files: ReadonlyMap<string, Wanted>;
  /** Absent if the logins are in tables of the application. */
  sessions?: SessionSettings;
  /** Whether the chat reads tables of the site, in a database that has users. */
  hasTables: boolean;
  /** Where the sessions are: `file:…`. */
  store: string;
  /** Whether it is known where the user is in a session. */
  userKnown: boolean;
  /** A known application near a folder that has none, in words. */
  elsewhere?: string | null;
}

/**
 * Finds out what is in a folder.
 * @param forbidden the problem, if files could not be read
 * @throws CommandProblem
 */
export async function lookAt(
  place: SitePlace,
  forbidden: (files: ReadonlyMap<string, Wanted>) => Promise<string | null>,
): Promise<Found> {
  const files = new Map<string, Wanted>();
  const onFile = (path: string, wanted: Wanted) => {
    if (files.get(path) !== 'read') files.set(path, wanted);
  };
  try {
    return await describeSite({ ...withoutUser(place), onFile }, files);
  } catch (error) {
    if (error instanceof ConfigurationError) {
      const near = error instanceof NoSiteError ? await elsewhere(place) : null;
      const advice = near === null ? '' : `\n  → ${near}: give that folder`;
      throw new CommandProblem(
        exit.configuration,
        (await forbidden(files)) ?? `${lineForScreen(error.message)}${advice}`,
      );
    }
    if (error instanceof StoreError)
      throw (await rightsProblem(error.message, place)) ?? databaseProblem(error);
    throw error;
  }
}

/** Says where near a folder a known application is; null if there is none, or a kind is given. */
async function elsewhere(place: SitePlace): Promise<string | null> {
  if (place.kind !== undefined) return null;
  const near = await sitesNear(place);
  return near.length === 0
    ? null
    : near.map(({ folder, title }) => `${title} is in ${lineForScreen(folder)}`).join(', ');
}

/** Stands where it is not known where the user is in a session. */
const nowhere = 'not_known_yet';

/** The same place, which can be opened before it is known where the user is in a session. */
export function withoutUser(place: SitePlace): SitePlace {
  const { sessions } = place;
  if (sessions === undefined) return place;
  const { settings } = sessions;
  return {
    ...place,
    sessions: {
      ...sessions,
      settings: (found, appKeys) =>
        settings(
          { ...found, userId: found.userId ?? nowhere, userName: found.userName ?? found.userId ?? nowhere },
          appKeys,
        ),
    },
  };
}

async function describeSite(place: SitePlace, files: ReadonlyMap<string, Wanted>): Promise<Found> {
  const site = await findSite(place);
  const { title } = site.application;
  if ('session' in site) {
    const { application, session, folder } = site;
    const { given = {} } = place.sessions ?? {};
    const store = given.store ?? (await application.find?.(folder, given))?.options.store ?? '';
    const userKnown = pathText(session.user.id) !== nowhere;
    const tables = site.accounts;
    return {
      ...{ title, files, sessions: session, store, userKnown },
      hasTables: tables !== undefined && hasUsers(tables.application.database(tables.found)),
      description: (await application.describe?.(folder)) ?? {},
      logins: `sessions in ${storeTitle(session.source.protocol, store)}`,
      elsewhere: application.kind === 'php' ? await elsewhere(place) : null,
    };
  }
  const { application, found, reader, folder } = site;
  const logins = openTables(application, reader);
  try {
    const fault = await logins.fault();
    // The site makes it when somebody logs in for the first time.
    if (fault !== null && !/ has no \w+ yet/.test(fault.message)) throw fault;
  } finally {
    logins.close();
  }
  const { database, driver } = await connected(application, place, found);
  try {
    const ask = asking(database, driver);
    const where = `logins in ${await databaseTitle(application.database(found).kind, ask)}`;
    // A user of the chat's own may not read all of this.
    const description = application.describe?.(folder, found, ask, driver).catch((error: unknown) => {
      if (error instanceof StoreError || error instanceof ConfigurationError) return {};
      throw error;
    });
    const hasTables = hasUsers(application.database(found));
    return {
      ...{ title, files, store: '', userKnown: true, hasTables, logins: where },
      description: (await description) ?? {},
    };
  } finally {
    database.close();
  }
}

const hasUsers = ({ kind }: SiteDatabase) => kind !== 'sqlite';

/** Asks a database for the only value of a SELECT. */
const asking =
  (database: OpenSite['database'], driver: OpenSite['driver']) =>
  async (select: string): Promise<string | null> => {
    const [[value = null] = []] = await database.query(`SELECT ${driver.asText(`(${select})`)}`);
    return value;
  };

async function databaseTitle(
  kind: SiteDatabase['kind'],
  ask: (select: string) => Promise<string | null>,
): Promise<string> {
  if (kind !== 'mysql') return { postgres: 'PostgreSQL', sqlite: 'SQLite' }[kind];
  return /maria/i.test((await ask('SELECT VERSION()')) ?? '') ? 'MariaDB' : 'MySQL';
}

const storeTitles: Readonly<Record<string, string>> = {
  memcached: 'memcached',
  redis: 'Redis',
  rediss: 'Redis',
  mysql: 'MariaDB or MySQL',
  mariadb: 'MariaDB',
  postgres: 'PostgreSQL',
  postgresql: 'PostgreSQL',
  sqlite: 'SQLite',
  'session-server': 'the session server',
};

const storeTitle = (protocol: string, store: string) =>
  protocol === 'file' ? `files in ${folderOfStore(store)}` : (storeTitles[protocol] ?? protocol);

/** The folder of a `file:` store. */
export function folderOfStore(store: string): string | undefined {
  const [, path] = /^file:\/\/(\/[^?]*)/.exec(store) ?? [];
  return path === undefined ? undefined : decodeURIComponent(path);
}

const incomplete = /lacks a table|no such table|no database of that name/;

/** The problem of a database user of the chat's own, with the SQL that gives it its rights; null for another one. */
export async function rightsProblem(message: string, place: SitePlace): Promise<CommandProblem | null> {
  if (place.database === undefined || !incomplete.test(message)) return null;
  const lines = await grants(place);
  if ('problem' in lines) return null;
  const rights = lines.filter((line) => !/^(--|CREATE (USER|ROLE) )/.test(line));
  return new CommandProblem(
    exit.configuration,
    `the user of CHAT_SITE_DATABASE may not read all that the chat needs. As an administrator of the database, with that user in place of “chat”:\n\n${rights.map((line) => `    ${line}`).join('\n')}`,
  );
}

function databaseProblem(error: StoreError): CommandProblem {
  const message = lineForScreen(error.message);
  if (/the user of the site may not/.test(message)) {
    return new CommandProblem(exit.configuration, `the database of the site answers, but ${message}`);
  }
  if (incomplete.test(message)) {
    return new CommandProblem(
      exit.configuration,
      `the database of the site answers, but it is not complete: ${message}. Finish the installation of the site first`,
    );
  }
  if (/refuses the user|does not accept this user|logs in by a method/.test(message))
    return new CommandProblem(exit.configuration, message);
  const otherwise = message.includes('set CHAT_SITE_DATABASE')
    ? ''
    : '; if it is elsewhere for this machine, set CHAT_SITE_DATABASE';
  return new CommandProblem(
    exit.unavailable,
    `the database of the site does not answer: ${message}. Start it, and run this again${otherwise}`,
  );
}
