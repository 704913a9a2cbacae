import { readdir, realpath, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import {
  ConfigurationError,
  maxConfigurationBytes,
  readConfiguration,
  readSessionCalls,
} from '../configuration/configuration.ts';
import { databaseUrl, firstThere, socketsOf } from '../configuration/database-host.ts';
import { parseEnv } from '../configuration/env.ts';
import { readPhpSettings } from '../configuration/php-settings.ts';
import { readRegularFile } from '../configuration/regular-file.ts';
import { openSystem, type System } from '../configuration/system.ts';
import { type Digest, type Fingerprint, StoreError } from '../login.ts';
import { grantsCommand, option } from '../names.ts';
import { type GivenDatabase, parseDatabaseUrl } from '../store-url.ts';
import { type Database, DatabaseError } from '../stores/sql/driver.ts';
import {
  type Accounts,
  type Application,
  type MemberApplication,
  type NamedRoles,
  quoteTable,
  type Row,
  type SessionTexts,
  type SiteDatabase,
  type SiteFolder,
  type SiteOptions,
  type SiteWarning,
  type UserTable,
} from './application.ts';
import { asText } from './fingerprint.ts';
import type { SessionSettings } from './php-sessions.ts';
import { closedAfter, type OnProblem, rereading } from './reread.ts';
import { packedRows, unpacked } from './rows.ts';
import { type SiteSql, siteSql } from './sql.ts';
import { haveVersions } from './versions.ts';

/** A site whose configuration has been read and whose database answers. */
export interface OpenSite {
  /** As `Application.site` made it. The same object as long as nothing has changed. */
  site: unknown;
  driver: SiteSql;
  database: Database;
  charset: 'utf8' | 'latin1';
  /** Whether the views of `doctor --grants` are read in place of the tables. */
  views: boolean;
  /** Whether the versions of rows can be compared in place of their values. */
  versions: boolean;
}

export interface SiteReader {
  /** @throws StoreError if the database does not answer or nobody may be let in, ConfigurationError if the configuration cannot be read */
  open(): Promise<OpenSite>;
  /** Reads the configuration and the settings again. `SitePlace.onProblem` gets the faults in them. */
  reload(): Promise<void>;
  /** Whether its database is the copy of another one. @throws as `open` does */
  isReplica(): Promise<boolean>;
  /** The ids of users who are nobody, by CHAT_USER_NOBODY. */
  readonly nobody: readonly string[];
  /** Users with a role by CHAT_ADMINS and CHAT_MODERATORS. */
  readonly named: NamedRoles;
  /** As it was opened last; undefined before. */
  readonly last: OpenSite | undefined;
  /** As in `Logins`. */
  fingerprint(digest: Digest): Promise<Fingerprint | null>;
  close(): void;
}

export interface SitePlace extends SiteOptions {
  folder: string;
  /** The kind of application; undefined to find out. */
  kind?: string | undefined;
  /** CHAT_SITE_DATABASE: replaces the credentials of the site. */
  database?: GivenDatabase | undefined;
  /** CHAT_SITE_ENV: the environment of PHP. */
  environment?: Readonly<Record<string, string>> | undefined;
  /** The root of the machine that the site runs on, for the configuration of PHP; `/` if undefined. */
  machine?: string | undefined;
  /** CHAT_USER_TABLE, for an application with PHP sessions. */
  users?: UserTable | undefined;
  /** Without these no application with PHP sessions is found. */
  sessions?: GivenSessions;
  /** Called with each file and folder that is looked at, also if that is forbidden. */
  onFile?(path: string, wanted: 'seen' | 'read'): void;
  onProblem?: OnProblem;
  /** Called once with each warning that somebody can correct. */
  onWarning?(warning: SiteWarning): void;
}

/** The operator's options of PHP sessions beside a folder. */
interface GivenSessions {
  given: SessionTexts;
  /** The names of given options that logins in tables do not have, and those whose sessions name the user. */
  notForTables: readonly string[];
  notForMembers: readonly string[];
  /** The names of given options that PHP sessions do not have, and those that they do not have beside accounts. */
  notForSessions: readonly string[];
  notForAccounts: readonly string[];
  /** @throws ConfigurationError if what was found and what was given is not enough */
  settings(found: SessionTexts, appKeys: readonly Buffer[] | undefined): SessionSettings;
}

/** @param values all that counts of the configuration. @param title of the application */
export function fingerprintOf(place: SitePlace, title: string, values: unknown, digest: Digest): Fingerprint {
  const { cookieName, blog, admins, moderators, checks, nobody, named, sessions } = place;
  const settings = { cookieName, blog, admins, moderators, checks, nobody, named, given: sessions?.given };
  return { settings: digest(asText(settings)), site: digest(asText({ title, values })) };
}

/** The folder of a site itself, and the names of the one for the web server in it. */
export const pageFolders = ['.', 'public', 'public_html', 'web', 'www', 'htdocs', 'html'];

/** The files of a site, with the environment that they are read with. */
export async function siteFolder({
  folder: path,
  environment,
  database,
  cookieName,
  machine,
  onFile = () => {},
}: Pick<
  SitePlace,
  'folder' | 'environment' | 'database' | 'cookieName' | 'machine' | 'onFile'
>): Promise<SiteFolder> {
  const given = new Set<string>();
  if (database !== undefined) given.add(option('siteDatabase'));
  if (cookieName !== undefined) given.add(option('cookieName'));
  const real = await realpath(path).catch((cause: NodeJS.ErrnoException) => {
    throw new ConfigurationError(`${path} cannot be read (${cause.code})`, { cause });
  });
  let known = environment;
  const system: System = openSystem(machine);
  const at = (file: string, wanted: 'seen' | 'read' = 'read') => {
    const found = file.startsWith('/') ? file : join(real, file);
    onFile(found, wanted);
    return found;
  };
  return {
    path: real,
    has: (file) =>
      stat(at(file, 'seen')).then(
        (found) => found.isFile(),
        () => false,
      ),
    list: (folder) =>
      readdir(at(folder)).catch((cause: NodeJS.ErrnoException) => {
        if (cause.code === 'ENOENT' || cause.code === 'ENOTDIR') return [];
        throw new ConfigurationError(`${at(folder)} cannot be listed (${cause.code})`, { cause });
      }),
    text: (file) => textOf(at(file)),
    settings: () => readPhpSettings(real, { system, environment }),
    calls: () => readSessionCalls(real),
    users: async () => (await system.text('/etc/passwd')) ?? '',
    environment: environment ?? {},
    php: (file, surroundings) =>
      readConfiguration(
        at(file),
        { ...surroundings, ...(known === undefined ? {} : { environment: known }) },
        given,
      ),
    async env(file, form, before) {
      const path = at(file);
      const found = parseEnv(await textOf(path), path, form, { before, environment });
      // The environment of PHP wins, as it does there.
      known = { ...before, ...found, ...environment };
      return known;
    },
  };
}

async function textOf(file: string): Promise<string> {
  try {
    const read = await readRegularFile(file, maxConfigurationBytes);
    if (typeof read === 'string') throw new ConfigurationError(`${file} ${read}`);
    return read.toString();
  } catch (error) {
    if (error instanceof ConfigurationError) throw error;
    throw new ConfigurationError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code})`, {
      cause: error,
    });
  }
}

/** Milliseconds for a question to the database of a site. */
const timeout = 1000;

/** An application with tables. */
type AnyApplication = Pick<
  Application | MemberApplication,
  | 'title'
  | 'find'
  | 'database'
  | 'settings'
  | 'site'
  | 'logins'
  | 'mails'
  | 'accounts'
  | 'warnings'
  | 'comparedSettings'
>;

/** An application with tables, and its place. */
export interface SiteTables<Of extends AnyApplication = AnyApplication> {
  application: Of;
  found: unknown;
  reader: SiteReader;
}

export type Connected = Pick<OpenSite, 'driver' | 'database' | 'charset'>;

const printed = () => `${grantsCommand()} prints the rights`;

/** The failures of a database that have other words where no store URL is. @param given whether it is CHAT_SITE_DATABASE */
function wordsOfSite(given: boolean): Partial<Record<DatabaseError['problem'], string>> {
  const lacking = 'the database lacks a table or a column that is read';
  const user = given ? 'the user of CHAT_SITE_DATABASE' : 'the user of the site';
  const rights = given ? printed() : 'give that user its rights, or set CHAT_SITE_DATABASE';
  const hidden = `${lacking}, or ${user} may not read it: ${rights}`;
  // Of the chat's own user these are views.
  const missing = given ? hidden : lacking;
  return {
    login:
      'the database refuses the user or the password, which are those of the site or of CHAT_SITE_DATABASE',
    database: `there is no database of that name, or ${user} may not use it: ${rights}`,
    table: missing,
    column: missing,
    permission: hidden,
    hidden,
    hiddenColumn: hidden,
    renewal: `the user of the database may not renew logins, so writing in the chat is no use of the site: ${grantsCommand()} prints the right (UPDATE)`,
  };
}

/** The same database, whose failures name no store URL. */
function inWordsOfSite(database: Database, given: boolean): Database {
  const words = wordsOfSite(given);
  const explained = (error: unknown): never => {
    const text = error instanceof DatabaseError ? words[error.problem] : undefined;
    if (text === undefined) throw error;
    throw new StoreError(`${text} (${(error as DatabaseError).code})`, { cause: error });
  };
  return {
    timeout: database.timeout,
    rows: (select, ids) => database.rows(select, ids).catch(explained),
    query: (select) => database.query(select).catch(explained),
    search: (...of) => database.search(...of).catch(explained),
    change: (update, id) => database.change(update, id).catch(explained),
    close: () => database.close(),
  };
}

/** @throws StoreError if the server is not there, ConfigurationError if it is named wrongly */
export async function connected(
  application: AnyApplication,
  place: SitePlace,
  found: unknown,
): Promise<Connected> {
  const own = application.database(found);
  const { driver: plain, open } = place.database ?? (await located(application, own));
  const driver = siteSql(plain);
  const database = inWordsOfSite(open(), place.database !== undefined);
  if (own.charset !== 'server') return { driver, database, charset: own.charset };
  const [[charset] = []] = await database.query('SELECT @@character_set_server');
  return { driver, database, charset: charset?.startsWith('latin1') ? 'latin1' : 'utf8' };
}

/** @throws StoreError if the server is not there, ConfigurationError if it is named wrongly */
async function located({ title }: { title: string }, own: SiteDatabase): Promise<GivenDatabase> {
  const sockets = socketsOf(own);
  if (sockets.length > 0 && (await firstThere(sockets)) === undefined) {
    throw new StoreError(
      `PHP reaches the site's database by a Unix socket, and there is no ${sockets.join(', ')}: set CHAT_SITE_DATABASE if it is elsewhere`,
    );
  }
  const charset = own.kind === 'sqlite' ? {} : { charset: 'utf8mb4' };
  try {
    return parseDatabaseUrl(await databaseUrl(own, { timeout: `${timeout}ms`, ...charset }));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new ConfigurationError(`the database of ${title}: ${error.message}`, { cause: error });
  }
}

/** The settings that lie in the database, by their names. */
async function settingsOf(
  application: AnyApplication,
  found: unknown,
  { driver, database, charset }: Connected,
  views: boolean,
): Promise<ReadonlyMap<string, Row>> {
  const table = application.settings(found, driver);
  if (table === null) {
    const logins = views ? Object.values(application.logins(application.site(found, new Map()), driver)) : [];
    // Otherwise only the first login would show that there are no views.
    for (const { view } of logins)
      await database.query(`SELECT 1 FROM ${quoteTable(view, driver)} WHERE 1 = 0`);
    return new Map();
  }
  const { packed, from } = packedRows(driver, table, { charset, views });
  const name = `${driver.quote}name${driver.quote}`;
  const rows = await database.rows(
    `SELECT ${driver.asText(name)}, ${packed}, NULL FROM ${from} WHERE ${name}`,
    table.names,
  );
  const columns = Object.keys(table.columns);
  const settings = new Map<string, Row>();
  for (const { id, data } of rows) {
    if (data !== null && !settings.has(id)) settings.set(id, unpacked(data, columns));
  }
  return settings;
}

/** Reads a site, and again when more than a minute has passed. The last values count until then. */
export function siteReader(application: AnyApplication, place: SitePlace, first: unknown): SiteReader {
  let found = first;
  let open: OpenSite | undefined;
  let last: OpenSite | undefined;
  let opening: Promise<OpenSite> | undefined;
  let closed = false;
  const reread = rereading(reload, place.onProblem);
  let reported: readonly string[] = [];

  async function connect(): Promise<OpenSite> {
    const now = open ?? (await connected(application, place, found));
    try {
      // An operator who gives a user of the chat's own has made the views, or lets that user read the tables.
      const views = open?.views ?? place.database !== undefined;
      const [settings, byViews] = await settingsOf(application, found, now, views).then(
        (read) => [read, views] as const,
        async (error: unknown) => {
          if (!views || open !== undefined || !(error instanceof StoreError)) throw error;
          return [await settingsOf(application, found, now, false), false] as const;
        },
      );
      const site = application.site(found, settings);
      if (closed) throw new StoreError('the site was closed');
      const tables = Object.values(application.logins(site, now.driver));
      const versions = !byViews && (await haveVersions(tables, now));
      if (open === undefined || versions !== open.versions || !isDeepStrictEqual(site, open.site))
        open = { ...now, site, views: byViews, versions };
      last = open;
      const warnings = application.warnings?.(site) ?? [];
      for (const warning of warnings)
        if (!warning.isPermanent && !reported.includes(warning.reason)) place.onWarning?.(warning);
      reported = warnings.map(({ reason }) => reason);
      return open;
    } catch (error) {
      if (open?.database !== now.database) now.database.close();
      throw error;
    }
  }

  async function reload(): Promise<void> {
    const now = await application.find(await siteFolder(place), place);
    if (now === null)
      throw new ConfigurationError(`${place.folder}: the configuration of ${application.title} is gone`);
    if (!isDeepStrictEqual(now, found)) {
      // The next question connects with the new one.
      found = now;
      const before = open;
      open = undefined;
      if (before !== undefined) setTimeout(() => before.database.close(), closedAfter).unref();
    }
    await connect();
  }

  return {
    nobody: place.nobody ?? [],
    named: place.named ?? {},
    get last() {
      return last;
    },
    open() {
      if (reread.refusal !== undefined) {
        reread.ifDue();
        return Promise.reject(reread.refusal);
      }
      if (open === undefined) {
        opening ??= connect().finally(() => {
          opening = undefined;
        });
        return opening;
      }
      reread.ifDue();
      return Promise.resolve(open);
    },
    reload: reread.now,
    async isReplica() {
      const { driver, database } = await this.open();
      if (driver.isReplica === undefined) return false;
      const sql = `SELECT CASE WHEN ${driver.isReplica} THEN 'replica' ELSE 'primary' END`;
      const [[role] = []] = await database.query(sql);
      return role === 'replica';
    },
    async fingerprint(digest) {
      await this.open().catch((error: unknown) => {
        // The store answers nobody then, and says why.
        if (!(error instanceof StoreError || error instanceof ConfigurationError)) throw error;
      });
      if (last === undefined) return null;
      const { title, comparedSettings = (site: unknown) => site } = application;
      return fingerprintOf(place, title, comparedSettings(last.site), digest);
    },
    close() {
      closed = true;
      open?.database.close();
    },
  };
}

/** The table with the accounts of a site with PHP sessions, whose configuration is read elsewhere. */
export function accountTables(title: string, accounts: Accounts, place: SitePlace): SiteTables {
  const { mails } = accounts;
  const application: AnyApplication = {
    title,
    find: () => Promise.resolve(accounts),
    database: () => accounts.database,
    settings: (_, sql) => accounts.settings?.(sql) ?? null,
    site: (_, settings): ReadonlySet<string> => new Set(settings.keys()),
    logins: (known, sql) => ({ users: accounts.users(sql, known as ReadonlySet<string>) }),
    ...(mails && { mails: (known, sql) => mails(sql, known as ReadonlySet<string>) }),
    accounts: (known, sql) => accounts.all(sql, known as ReadonlySet<string>),
  };
  return { application, found: accounts, reader: siteReader(application, place, accounts) };
}
