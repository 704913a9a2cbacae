import { isDeepStrictEqual } from 'node:util';
import { ConfigurationError } from '../configuration/configuration.ts';
import { databaseUrl, findExisting, listSockets, type SiteDatabase } from '../configuration/database-host.ts';
import { type Digest, type Fingerprint, StoreError } from '../login.ts';
import { grantsCommand, option } from '../names.ts';
import { type GivenDatabase, parseDatabaseUrl } from '../store-url.ts';
import { type Database, DatabaseError } from '../stores/sql/driver.ts';
import type {
  Accounts,
  Application,
  Located,
  MemberApplication,
  NamedRoles,
  SessionTexts,
  SiteOptions,
  SiteWarning,
  UserTable,
} from './application.ts';
import { asText } from './fingerprint.ts';
import type { SessionSettings } from './php-sessions.ts';
import { closeDelayMs, createReread, type OnProblem } from './reread.ts';
import { packTable, unpackRow } from './rows.ts';
import { type SiteFolderOptions, siteFolder } from './site-folder.ts';
import { quoteTable, type Row } from './site-table.ts';
import { type SiteSql, siteSql } from './sql.ts';
import { haveVersions } from './versions.ts';

/** A site whose configuration has been read and whose database answers. */
export interface OpenSite {
  /** The result of `Application.site`. It is the same object until the configuration, settings or `versions` change. */
  site: unknown;
  driver: SiteSql;
  database: Database;
  charset: 'utf8' | 'latin1';
  /** Whether the views of `grants` are read instead of the tables. */
  views: boolean;
  /** Whether versions of rows can be compared instead of their values. */
  versions: boolean;
}

export interface SiteReader {
  /**
   * Returns the site, after connecting and reading it if necessary.
   * @throws StoreError if the database does not answer or logins must be rejected, ConfigurationError
   */
  open(): Promise<OpenSite>;
  /** Reads the configuration and settings again. Reports errors in them to `SitePlace.onProblem`. */
  reload(): Promise<void>;
  /** Whether the database is a replica. @throws as `open` */
  isReplica(): Promise<boolean>;
  /** The IDs of the option `userNobody`. */
  readonly nobody: readonly string[];
  /** The IDs of the options `admins` and `moderators`. */
  readonly named: NamedRoles;
  /** The latest result of `open`. */
  readonly last: OpenSite | undefined;
  /** See `Logins`. */
  fingerprint(digest: Digest): Promise<Fingerprint | null>;
  close(): void;
}

/** A site's folder and the options for it. */
export interface SitePlace extends SiteOptions, SiteFolderOptions {
  /** The kind of application. Undefined to detect it. */
  kind?: string | undefined;
  /** The option `userTable`. */
  users?: UserTable | undefined;
  /** Without these options, applications with PHP sessions are not detected. */
  sessions?: GivenSessions;
  onProblem?: OnProblem;
  /** Called once with each warning that is not permanent. */
  onWarning?(warning: SiteWarning): void;
}

/** Options of PHP sessions for a site with a folder. */
interface GivenSessions {
  given: SessionTexts;
  /** The names of given options that an `Application` does not accept. */
  notForTables: readonly string[];
  /** The names of given options that a `MemberApplication` does not accept. */
  notForMembers: readonly string[];
  /** The names of given options that PHP sessions without accounts do not accept. */
  notForSessions: readonly string[];
  /** The names of given options that PHP sessions with accounts do not accept. */
  notForAccounts: readonly string[];
  /** Parses the options together with the detected ones. @throws ConfigurationError if an option is missing or wrong */
  settings(found: SessionTexts, appKeys: readonly Buffer[] | undefined): SessionSettings;
}

/** @param title of the application. @param values the relevant configuration */
export function toFingerprint(place: SitePlace, title: string, values: unknown, digest: Digest): Fingerprint {
  const { cookieName, blog, admins, moderators, team, checks, nobody, named, sessions } = place;
  const settings = {
    cookieName,
    blog,
    admins,
    moderators,
    team,
    checks,
    nobody,
    named,
    given: sessions?.given,
  };
  return { settings: digest(asText(settings)), site: digest(asText({ title, values })) };
}

const queryTimeoutMs = 1000;

type AnyApplication = Pick<
  Application | MemberApplication,
  'title' | 'find' | 'settings' | 'site' | 'logins' | 'mails' | 'accounts' | 'warnings' | 'comparedSettings'
>;

/** A detected application with tables. */
export interface SiteTables<Of extends AnyApplication = AnyApplication> {
  application: Of;
  found: Located;
  reader: SiteReader;
}

type Connected = Pick<OpenSite, 'driver' | 'database' | 'charset'>;

/** Returns messages that do not mention a store URL. @param given whether the option `siteDatabase` is given */
function databaseMessages(given: boolean): Partial<Record<DatabaseError['problem'], string>> {
  const databaseOption = option('siteDatabase');
  const lacking = 'the database lacks a table or a column that is read';
  const user = given ? `the user of ${databaseOption}` : 'the user of the site';
  const rights = given
    ? `${grantsCommand()} prints the rights`
    : `give that user its rights, or set ${databaseOption}`;
  const hidden = `${lacking}, or ${user} may not read it: ${rights}`;
  // A given user reads views, which may be missing too.
  const missing = given ? hidden : lacking;
  return {
    login: `the database refuses the user or the password from the site's configuration or ${databaseOption}`,
    database: `there is no database of that name, or ${user} may not use it: ${rights}`,
    table: missing,
    column: missing,
    permission: hidden,
    hidden,
    hiddenColumn: hidden,
    renewal: `the user of the database may not renew logins, so activity in this program does not keep them alive: ${grantsCommand()} prints the right (UPDATE)`,
  };
}

/** Returns the same database with other messages. */
function withMessages(database: Database, given: boolean): Database {
  const messages = databaseMessages(given);
  const rethrow = (error: unknown): never => {
    const text = error instanceof DatabaseError ? messages[error.problem] : undefined;
    if (text === undefined) throw error;
    throw new StoreError(`${text} (${(error as DatabaseError).code})`, { cause: error });
  };
  return {
    timeoutMs: database.timeoutMs,
    rows: (select, ids) => database.rows(select, ids).catch(rethrow),
    query: (select) => database.query(select).catch(rethrow),
    search: (...of) => database.search(...of).catch(rethrow),
    change: (update, id) => database.change(update, id).catch(rethrow),
    close: () => database.close(),
  };
}

/** Connects to the site's database. @throws StoreError, or ConfigurationError for a wrong name of the database */
export async function connectToSite(
  application: AnyApplication,
  place: SitePlace,
  found: Located,
): Promise<Connected> {
  const own = found.database;
  const { driver: plain, open } = place.database ?? (await locateDatabase(application, own));
  const driver = siteSql(plain);
  const database = withMessages(open(), place.database !== undefined);
  if (own.charset !== 'server') return { driver, database, charset: own.charset };
  const [[charset] = []] = await database.query('SELECT @@character_set_server');
  return { driver, database, charset: charset?.startsWith('latin1') ? 'latin1' : 'utf8' };
}

async function locateDatabase({ title }: { title: string }, own: SiteDatabase): Promise<GivenDatabase> {
  const sockets = listSockets(own);
  if (sockets.length > 0 && (await findExisting(sockets)) === undefined) {
    throw new StoreError(
      `PHP reaches the site's database by a Unix socket, but this machine has no ${sockets.join(', ')}: start the database, or if the socket is elsewhere, set ${option('siteDatabase')}`,
    );
  }
  const charset: Record<string, string> = own.kind === 'sqlite' ? {} : { charset: 'utf8mb4' };
  try {
    return parseDatabaseUrl(await databaseUrl(own, { timeout: `${queryTimeoutMs}ms`, ...charset }));
  } catch (error) {
    if (!(error instanceof TypeError)) throw error;
    throw new ConfigurationError(`the database of ${title}: ${error.message}`, { cause: error });
  }
}

/** Reads the settings that the application keeps in the database, by their names. */
async function readSettings(
  application: AnyApplication,
  found: Located,
  { driver, database, charset }: Connected,
  views: boolean,
): Promise<ReadonlyMap<string, Row>> {
  const table = application.settings(found, driver);
  if (table === null) {
    const logins = views ? Object.values(application.logins(application.site(found, new Map()), driver)) : [];
    // Detects missing views before the first login.
    for (const { view } of logins)
      await database.query(`SELECT 1 FROM ${quoteTable(view, driver)} WHERE 1 = 0`);
    return new Map();
  }
  const { packed, from } = packTable(driver, table, { charset, views });
  const name = `${driver.quote}name${driver.quote}`;
  const rows = await database.rows(
    `SELECT ${driver.asText(name)}, ${packed}, NULL FROM ${from} WHERE ${name}`,
    table.names,
  );
  const columns = Object.keys(table.columns);
  const settings = new Map<string, Row>();
  for (const { id, data } of rows) {
    if (data !== null && !settings.has(id)) settings.set(id, unpackRow(data, columns));
  }
  return settings;
}

/** Reads a site's configuration and settings, and reads them again every minute while they are used. */
export function siteReader(application: AnyApplication, place: SitePlace, first: Located): SiteReader {
  let found = first;
  let open: OpenSite | undefined;
  let last: OpenSite | undefined;
  let opening: Promise<OpenSite> | undefined;
  let isClosed = false;
  const reread = createReread(reload, place.onProblem);
  let reported: readonly string[] = [];

  async function connect(): Promise<OpenSite> {
    const now = open ?? (await connectToSite(application, place, found));
    try {
      // A given database user reads the views of `grants` or, if they are missing, the tables.
      const views = open?.views ?? place.database !== undefined;
      const [settings, byViews] = await readSettings(application, found, now, views).then(
        (read) => [read, views] as const,
        async (error: unknown) => {
          if (!views || open !== undefined || !(error instanceof StoreError)) throw error;
          return [await readSettings(application, found, now, false), false] as const;
        },
      );
      const site = application.site(found, settings);
      if (isClosed) throw new StoreError('the site was closed');
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
      throw new ConfigurationError(`${place.folder}: the configuration of ${application.title} is missing`);
    if (!isDeepStrictEqual(now, found)) {
      // `connect` then uses the new configuration.
      found = now;
      const before = open;
      open = undefined;
      if (before !== undefined) setTimeout(() => before.database.close(), closeDelayMs).unref();
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
        // Logins report the failure themselves.
        if (!(error instanceof StoreError || error instanceof ConfigurationError)) throw error;
      });
      if (last === undefined) return null;
      const { title, comparedSettings = (site: unknown) => site } = application;
      return toFingerprint(place, title, comparedSettings(last.site), digest);
    },
    close() {
      isClosed = true;
      open?.database.close();
    },
  };
}

/** Describes the accounts of a site with PHP sessions as tables. Its `SessionApplication` reads the configuration. */
export function accountTables(title: string, accounts: Accounts, place: SitePlace): SiteTables {
  const { mails } = accounts;
  const application: AnyApplication = {
    title,
    find: () => Promise.resolve(accounts),
    settings: (_, sql) => accounts.settings?.(sql) ?? null,
    site: (_, settings): ReadonlySet<string> => new Set(settings.keys()),
    logins: (known, sql) => ({ users: accounts.users(sql, known as ReadonlySet<string>) }),
    mails: mails && ((known, sql) => mails(sql, known as ReadonlySet<string>)),
    accounts: (known, sql) => accounts.all(sql, known as ReadonlySet<string>),
  };
  return { application, found: accounts, reader: siteReader(application, place, accounts) };
}
