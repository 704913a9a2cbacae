import { timingSafeEqual } from 'node:crypto';
import { basename, dirname } from 'node:path';
import type { Configuration } from '../configuration/configuration.ts';
import type { EnvForm } from '../configuration/env.ts';
import type { PhpSettings } from '../configuration/php-settings.ts';
import type { SessionCall } from '../configuration/session-calls.ts';
import type { PhpSurroundings } from '../configuration/value.ts';
import type { RequestCookies, SessionCookie } from '../cookie.ts';
import { formats } from '../formats/formats.ts';
import { FormatError, type PhpValue } from '../formats/value.ts';
import { displayName, type FoundUser } from '../identity.ts';
import type { Layer } from '../layers/layers.ts';
import {
  type CheckResult,
  type Credentials,
  type Explanation,
  type NotLoggedIn,
  notLoggedIn,
  type SessionUser,
} from '../login.ts';
import { option, type SessionOption, trustedProxies } from '../names.ts';
import type { StoreUrl } from '../source.ts';
import { maxSessionBytes, SessionTooLargeError } from '../store.ts';
import type { GivenDatabase } from '../store-url.ts';
import type { LoginRows, SiteSql } from './sql.ts';

export { notLoggedIn } from '../login.ts';

/** The folder of a site, as an application reads its configuration from it. */
export interface SiteFolder {
  /** The folder, or the configuration file itself, without symbolic links. */
  readonly path: string;
  has(file: string): Promise<boolean>;
  /** The names in a folder; none if it is not there. @param folder relative to the site's, or absolute */
  list(folder: string): Promise<string[]>;
  /** A file as text. @throws ConfigurationError */
  text(file: string): Promise<string>;
  /** A file of PHP, which is not run. */
  php(file: string, surroundings?: Omit<PhpSurroundings, 'environment'>): Promise<Configuration>;
  /** The settings of the PHP that runs the site. @throws ConfigurationError */
  settings(): Promise<PhpSettings>;
  /** The calls in the code that change settings of sessions. @throws ConfigurationError */
  calls(): Promise<readonly SessionCall[]>;
  /** The text of /etc/passwd. */
  users(): Promise<string>;
  /** CHAT_SITE_ENV: the environment of PHP. */
  readonly environment: Readonly<Record<string, string>>;
  /**
   * The variables of an `.env` file, which PHP files are then read with.
   * @param before those of the file before
   */
  env(
    file: string,
    form?: EnvForm,
    before?: Readonly<Record<string, string>>,
  ): Promise<Readonly<Record<string, string>>>;
}

/** CHAT_SITE_ADMINS and CHAT_SITE_MODERATORS: names of roles or groups, in place of those that the application has. */
export interface GivenRoles {
  admins?: readonly string[] | undefined;
  moderators?: readonly string[] | undefined;
}

/** CHAT_USER_TABLE: the users of a site whose application is not known. */
export interface UserTable {
  /** `TABLE` or `SCHEMA.TABLE`. */
  table: string;
  /** Its columns. */
  id: string;
  name: string;
  database: GivenDatabase;
  /** As in `SiteOptions`. */
  nobody: readonly string[];
}

/** The ids of users who have a role by the operator's settings. */
export interface NamedRoles {
  admins?: readonly string[] | undefined;
  moderators?: readonly string[] | undefined;
}

/** Settings of the operator beside the folder. */
export interface SiteOptions extends GivenRoles {
  /** CHAT_SESSION_NAME. */
  cookieName?: string | undefined;
  /** CHAT_SITE_BLOG. */
  blog?: number | undefined;
  /** CHAT_SITE_CHECKS: whether a login counts only from the address and the browser that the application takes it from. */
  checks?: boolean | undefined;
  /** CHAT_USER_NOBODY. */
  nobody?: readonly string[] | undefined;
  /** CHAT_ADMINS and CHAT_MODERATORS: the IDs of users who have a role besides the roles of the site. */
  named?: NamedRoles | undefined;
  /** CHAT_SESSION_STORE, for an application whose users are in sessions and in a table. */
  store?: string | undefined;
}

/** The database of a site, as its configuration names it. */
export interface SiteDatabase {
  kind: 'mysql' | 'postgres' | 'sqlite';
  /** Without options. */
  place: Pick<StoreUrl, 'user' | 'password' | 'hosts' | 'path'>;
  /** A Unix socket, in place of a host. */
  socket?: string;
  /** `server`: the character set that the server has by default. */
  charset: 'utf8' | 'latin1' | 'server';
}

/** A table, or a SELECT in its place. */
export interface SiteTable {
  /** The name of the view that grants its columns, and nothing else, to a user of the chat's own. */
  view: string;
  /** The SELECT of that view. */
  select: string;
  /** The columns that are judged. */
  columns: Readonly<Record<string, 'text' | 'bytes'>>;
}

/** A row by its columns: null for NULL. */
export type Row = Readonly<Record<string, Buffer | null>>;

/** A table of logins. */
export interface LoginTable extends SiteTable {
  /** The column of the primary key. */
  id: string;
  /** The column of the claims. */
  lookup: string;
  /** The application finds a name in that column also in capital or small letters, as far as the database does. */
  ignoresCase?: true;
  /**
   * The rows that a login consists of. If the database knows when a table has changed last, they are compared, and the login is
   * read only if one has changed, or one of their keys is NULL.
   */
  parts?: readonly LoginPart[];
  /** The rows that a login consists of. If the database keeps versions of rows, these are compared. */
  rows?: LoginRows;
  /** Where a page view of the application would renew a login. */
  renewed?: {
    table: string;
    /** The column of `LoginTable.id` there. */
    id: string;
    /** The column of the last page view, in seconds since 1970. */
    column: string;
    /** Seconds after the last page view for which a login lasts. */
    lifetime: number;
  };
}

/**
 * The accounts that can log in: not those that the site has blocked or deleted, or that wait for a confirmation. Its
 * columns besides `id` make the name.
 */
export interface AccountTable extends SiteTable {
  /** Columns of the view by whose beginning an account is found. Only what the chat shows of a user may be searched. */
  search: readonly string[];
  /** The name that the chat shows, as `checkRow` makes it; empty without one. @param text of a column */
  name(text: (column: string) => string): string;
}

/** A row of which a row of logins is made. */
export interface LoginPart extends SiteTable {
  /** The column of the primary key. */
  id: string;
  /** The columns of logins that have the primary key of such a row, and those that have its columns. */
  of: Readonly<Record<string, readonly string[]>>;
  /**
   * As long as none of these tables has changed, it is not read: what else it is made of is in another part. Left out
   * where one of them changes all the time.
   */
  tables?: readonly string[];
  /** The values are short: to compare them costs less than a digest of them. */
  short?: true;
  /**
   * The part consists of all rows with that key, if any. The only column of logins has their values, as `SiteSql.lines`.
   */
  lines?: true;
  /** A row of logins whose key is NULL has no such part. */
  optional?: true;
}

/** The parts of a request that make a claim. */
export type ClaimSource = Omit<Credentials, 'cookies' | 'session'> & { cookies: RequestCookies };

/** The claim of a request's cookies, before any look at the database. */
export interface Claim {
  /** The name of the table in `Application.logins`. */
  readonly table: string;
  /** The value of the column `lookup` by which the row is found. */
  readonly lookup: string;
  /** Everything secret that is verified, and what else of the request a check compares, in a fixed order. */
  readonly secrets: readonly string[];
  /** The claim that counts if nobody is logged in by this one. */
  readonly fallback?: this;
}

/** The user of a row, and what the next check needs. */
export interface RowUser {
  user: SessionUser;
  /** As in `Login`. */
  ends?: number;
  /** From this second since 1970 on the row is checked again even if nothing in it has changed. */
  idle?: number;
  /** For the next check of this login, also by the claim that counts otherwise. */
  memo?: string;
  /** As in `Login`. */
  mayBeOver?: true;
}

/** For the operator; nobody is refused for it. */
export type SiteWarning = Pick<Explanation, 'reason' | 'hint'> & {
  /** Nobody can correct it, so the doctor alone says it, and not the log at each start. */
  isPermanent?: true;
};

/** Where the settings lie that an application keeps in its database. */
export interface SettingsTable extends SiteTable {
  /** The values of the column `name` that are read. */
  names: readonly string[];
}

/** The requests that browsers send a cookie with. */
export interface CookieScope {
  path: string;
  /** Empty: the host alone that has set it. `.`: that host and all below it. */
  domain: string;
  secure: boolean;
}

/** Helps an owner to recognise the site. Unknown parts are left out. */
export interface SiteFacts {
  version?: string | null | undefined;
  address?: string | null | undefined;
  /** The page of its login, relative to the address, with a placeholder of docs/element.md for the page to return to. */
  login?: string;
  /** The number of users who are `admin` in the chat. */
  administrators?: number | undefined;
  cookie?: CookieScope;
  /** What a template needs around a part for people who are logged in. */
  condition?: { language: 'PHP' | 'Blade' | 'Twig'; open: string; close: string } | undefined;
  /** The account that PHP runs as. */
  account?: string | undefined;
}

/**
 * An application that keeps its logins in tables of its own. A single file in `logins/` says all of it; no other code
 * knows the application.
 * @typeParam Found the values of its configuration files
 * @typeParam Site these, and the settings in its tables: all that a claim is judged by
 */
export interface Application<Found = unknown, Site = unknown, Cookies extends Claim = Claim>
  extends SiteApplication<Found, Site, Cookies> {
  claim(site: Site, source: ClaimSource): Cookies | NotLoggedIn;
  /**
   * For the doctor: what the login noted of the request that began it, as far as others are compared with it; null where
   * they are not.
   */
  loginOrigin?(
    site: Site,
    claim: Cookies,
    row: Row,
  ): { address: string | null; browser: string | null } | null;
  /** The name of the cookie, where a login has only one: a client may then send its value itself. */
  onlyCookie?(site: Site): string;
}

/**
 * An application whose cookie is the id of a PHP session. The session names the user, and a table says whether that
 * counts.
 */
export interface MemberApplication<Found = unknown, Site = unknown, Named extends Claim = Claim>
  extends SiteApplication<Found, Site, Named> {
  sessions(site: Site): MemberSessions;
  claim(site: Site, session: NamingSession, source: ClaimSource): Named | NotLoggedIn;
}

/** A session that names somebody. */
export interface NamingSession {
  /** For the claim. */
  secrets: readonly string[];
  /** The texts at `MemberSessions.proof`, as `Identity` has them. */
  proof: readonly (string | null)[];
}

/** The sessions of a `MemberApplication`. */
export interface MemberSessions {
  cookie: SessionCookie;
  /** A store URL, or a table in the database of the site. */
  store: string | MemberTable;
  /** An encoding inside those of the store. */
  layer?: Layer;
  /** The paths to the id of a user. If nothing is there, nobody is logged in. */
  ids: readonly [string, ...string[]];
  /** The paths to the texts that make the claim. */
  proof: readonly string[];
  /** The names of other cookies that make the claim. */
  otherCookies?: readonly string[];
}

export interface MemberTable extends SiteTable {
  /** The name of the table itself. */
  table: string;
  /** As behind the `?` of a store URL, without `table=`. */
  options: string;
  /** The columns of the id and of the time that a page view renews. */
  renewed: { id: string; column: string };
}

/** The parts that applications with tables share. */
export interface SiteApplication<Found, Site, Cookies extends Claim> {
  kind: string;
  /** The name as people know it. */
  title: string;
  /**
   * Reads the configuration.
   * @returns null if the folder is not that of this application
   * @throws ConfigurationError that says what is wrong with it, and which setting helps
   */
  find(folder: SiteFolder, options: SiteOptions): Promise<Found | null>;
  database(found: Found): SiteDatabase;
  /** Null if no setting lies in the database. */
  settings(found: Found, sql: SiteSql): SettingsTable | null;
  /**
   * @param settings by their names
   * @throws StoreError if one is missing, which the application may make later; SecondFactorError
   */
  site(found: Found, settings: ReadonlyMap<string, Row>): Site;
  /** The part that all servers have to read alike, without what users change at any time; all of it if absent. */
  comparedSettings?(site: Site): unknown;
  /** For the log and the doctor: settings of the site or of the operator that do not have the effect that one would think. */
  warnings?(site: Site): readonly SiteWarning[];
  /** The keys that a cookie is taken by before `checkRow` sees it: new ones end the logins by those before. */
  keys?(site: Site): unknown;
  /**
   * The addresses of users for mails: the columns `id` and `mail`. They are read when a mail is sent. No row is there for an
   * account that the site has shut out (docs/security.md says which bans count), or whose address it waits to see confirmed.
   * Absent if the application has none.
   */
  mails?(site: Site, sql: SiteSql): SiteTable;
  /** All accounts, for the search for users and to reject IDs that do not exist. */
  accounts(site: Site, sql: SiteSql): AccountTable;
  /** By the names that the claims have for them. */
  logins(site: Site, sql: SiteSql): Readonly<Record<string, LoginTable>>;
  /**
   * Checks a claim by the row that it names.
   * @param now in seconds since 1970
   * @param memo of the check before; undefined for a login that is new
   */
  checkRow(site: Site, claim: Cookies, row: Row | null, now: number, memo?: string): CheckResult<RowUser>;
  /**
   * For `init`.
   * @param ask for the only value of a SELECT; null for NULL
   * @throws ConfigurationError, StoreError
   */
  describe?(
    folder: SiteFolder,
    found: Found,
    ask: (select: string) => Promise<string | null>,
    sql: SiteSql,
  ): Promise<SiteFacts>;
}

/** Options of PHP sessions, as text. Null: every site has its own, which is found or given. */
export type SessionTexts = Readonly<Partial<Record<SessionOption, string | null>>>;

/** An application that keeps its users in PHP sessions. A single file in `logins/` says all of it. */
export interface SessionApplication {
  kind: string;
  title: string;
  /** The options that are the same at every site. */
  options: SessionTexts;
  /** Paths, as in `UserPaths`. */
  firstIds?: readonly string[];
  otherIds?: readonly string[];
  typed?: true | string;
  otherNames?: readonly string[];
  /**
   * The key in the session of a text that changes when the session gets another ID. If it changes under one ID, the
   * browser has moved on to the new ID, though the old record still names the user.
   */
  idVersionKey?: string | undefined;
  /** Absent if the browser needs no other cookie. */
  loginCheck?: LoginCheck;
  /**
   * Reads the configuration; absent if it does not say where the sessions are.
   * @param given options of the operator, which need not be found
   * @param before as it was read last
   * @returns null if the folder is not that of this application
   * @throws ConfigurationError that says what is wrong with it, and which setting helps
   */
  find?(folder: SiteFolder, given: SessionTexts, before?: FoundSessions): Promise<FoundSessions | null>;
  /** For `init`. @throws ConfigurationError */
  describe?(folder: SiteFolder): Promise<SiteFacts>;
}

export interface FoundSessions {
  options: SessionTexts;
  /** Where the sessions are, if that is a table, with the options of its store URL. */
  table?: { database: SiteDatabase; options: Readonly<Record<string, string>> };
  /** The keys for the forms `laravel` of the cookie and of a layer. */
  appKeys?: readonly Buffer[];
  /** Absent where the session alone says who is logged in. */
  accounts?: Accounts;
  /** The files of PHP that were read. If one is missing later, its values still count. */
  files?: readonly string[];
  /** A file of these that PHP reads only up to an error of syntax. */
  broken?: string | undefined;
  /** The code of a site is no configuration: it is looked through once. */
  calls?: readonly SessionCall[];
}

/** Cookies of a browser that count beside its session when it logs in, and what else its session says of that. */
export interface LoginCheck {
  /** Paths in the session. */
  proof: readonly string[];
  /**
   * Why they do not belong to the session; null if they do.
   * @param cookies undefined if the client sends the value of the session's cookie itself
   */
  check(cookies: RequestCookies | undefined, found: FoundUser): NotLoggedIn | null;
}

/** Other cookies of the browser, and the user's row in a table of the site, which count beside the session. */
export interface Accounts {
  /** Paths in the session. */
  proof: readonly string[];
  /**
   * Why the other cookies of a browser do not belong to its session, when it logs in; null if they do. A client that
   * sends the value of the session's cookie itself has no others.
   * @param cookie the value of a cookie by its name; null if there is none
   * @param at when the browser sent them, in seconds since 1970
   */
  checkCookies?(cookie: (name: string) => string | null, named: FoundUser, at: number): NotLoggedIn | null;
  database: SiteDatabase;
  /** All values of the configuration that these functions use: what is the same has not changed. */
  basis: unknown;
  /** Gives facts that the query for users needs, such as the columns that exist; absent if it needs none. */
  settings?(sql: SiteSql): SettingsTable;
  /** The users by their ids. @param known the names of the settings that are there */
  users(sql: SiteSql, known: ReadonlySet<string>): LoginTable;
  /** As `SiteApplication.mails`, unless the session has the addresses. @param known as in `users` */
  mails?(sql: SiteSql, known: ReadonlySet<string>): SiteTable;
  /** As `SiteApplication.accounts`. @param known as in `users` */
  all(sql: SiteSql, known: ReadonlySet<string>): AccountTable;
  /** Checks the user by the row of that id. */
  checkRow(row: Row | null, named: FoundUser): CheckResult<{ user: SessionUser }>;
}

/** The addresses in a table. @param from the table, which may have the alias `u` and a condition */
export const selectMails = (view: string, from: string, id: string, mail: string): SiteTable => ({
  view,
  columns: { mail: 'text' },
  select: `SELECT ${id} AS id, ${mail} AS mail FROM ${from}`,
});

/**
 * The accounts in a table whose names are in one column.
 * @param from the table, which may have an alias and a condition
 * @param name the column, which may be any expression
 * @param decode undoes what the application does to a name that it stores
 */
export const selectAccounts = (
  view: string,
  from: string,
  { id, name, decode = (text) => text }: { id: string; name: string; decode?: (text: string) => string },
): AccountTable => ({
  view,
  columns: texts('name'),
  search: ['name'],
  select: `SELECT ${id} AS id, ${name} AS name FROM ${from}`,
  name: (text) => displayName(decode(text('name'))),
});

/** Ends the check of a request: its other claims do not count. */
export const rejectFinally = (reason: string, hint?: string) => ({
  ...notLoggedIn(reason, hint),
  isFinal: true as const,
});

/** The roles of a user in the chat. */
export function toRoles(isAdmin = false, isModerator = false): Pick<SessionUser, 'roles'> {
  const roles = [...(isAdmin ? (['admin'] as const) : []), ...(isModerator ? (['moderator'] as const) : [])];
  return roles.length === 0 ? {} : { roles };
}

/** Rejects the text of a session that SELECT cuts off at `maxSessionBytes`; null if it is whole. */
export function checkSize(session: Buffer | null | undefined): NotLoggedIn | null {
  if (!session || session.length < maxSessionBytes) return null;
  return { state: 'invalid', ...new SessionTooLargeError().why };
}

/** The keys of the site no longer accept the login. */
export const keyChanged = notLoggedIn('the site has another key for its logins now');

/** @param hint if every visitor gets it: how the site sets the cookie */
export const missingCookie = (name: string, hint: string): NotLoggedIn => ({
  ...notLoggedIn(
    `there is no cookie ${name}`,
    `if every visitor gets this: ${hint}; ${option('cookieName')} sets another name`,
  ),
  cookie: name,
});

/** The hint if the visitor's address is not the one of the login. */
export const addressHint = () =>
  `if every visitor gets this: PHP sees another address than this server, see ${trustedProxies()}; ${option('siteChecks')}=off leaves the comparison out`;

/** The name of a table for SQL, whatever its prefix has. A dot ends the name of a database or a schema. */
export const quoteTable = (name: string, { quote }: Pick<SiteSql, 'quote'>): string =>
  name
    .split('.')
    .map((part) => quote + part.replaceAll(quote, quote + quote) + quote)
    .join('.');

/** The settings that say which of these columns a table has. @param table may stand in a schema */
export function selectColumns(
  table: string,
  names: readonly string[],
  { view, kind, schema: own }: { view: string; kind: SiteDatabase['kind']; schema: string },
): SettingsTable {
  const literal = (text: string) =>
    `'${(kind === 'mysql' ? text.replaceAll('\\', '\\\\') : text).replaceAll("'", "''")}'`;
  const [bare = '', schema] = table.split('.').reverse();
  const select =
    kind === 'sqlite'
      ? `SELECT c.name AS name, c.name AS value FROM pragma_table_info(${literal(bare)}) AS c`
      : `SELECT c.column_name AS name, c.column_name AS value FROM information_schema.columns AS c WHERE c.table_schema = ${schema === undefined ? own : literal(schema)} AND c.table_name = ${literal(bare)}`;
  return { view, columns: { value: 'text' }, names, select };
}

/** The match of a pattern in a file; null if there is none, or no such file. */
export const matchFile = async (folder: SiteFolder, file: string, pattern: RegExp) =>
  (await folder.has(file)) ? pattern.exec(await folder.text(file)) : null;

/** The folder of an application: the site's own, or the one above if the web server serves its folder of this name. */
export async function findRoot(
  { path }: SiteFolder,
  served: string,
  isRoot: (root: string) => Promise<boolean>,
): Promise<string | null> {
  if (await isRoot(path)) return path;
  return basename(path) === served && (await isRoot(dirname(path))) ? dirname(path) : null;
}

/** The value of `serialize()` or of PHP's own session format; undefined if the bytes are not in that format. */
export function decodeValue(format: 'php' | 'php_serialize', bytes: Buffer): PhpValue | undefined {
  try {
    return formats[format](bytes);
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

/** Compares in constant time. */
export const isSameSecret = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && timingSafeEqual(one, other);

/** Whether one of the values is wanted. */
export const hasAny = (values: readonly string[], wanted: readonly string[] = []): boolean =>
  wanted.some((value) => values.includes(value));

/** The number of administrators, unless the operator names their roles. @param select for the number */
export const countAdmins = async (
  { admins }: GivenRoles,
  ask: (select: string) => Promise<string | null>,
  select: string,
): Promise<number | undefined> => (admins === undefined ? Number(await ask(select)) : undefined);

/** Columns of texts. */
export const texts = (...names: string[]) => Object.fromEntries(names.map((name) => [name, 'text' as const]));

/** A part with a primary key `id`, which is in the column `key` of logins. */
export const loginPart = ({
  key,
  columns,
  ...part
}: Omit<LoginPart, 'id' | 'of' | 'columns'> & { key: string; columns: readonly string[] }): LoginPart => ({
  ...part,
  columns: texts(...columns),
  id: 'id',
  of: { [key]: columns },
});

/** The same table, of which no row is read as long as none of these tables has changed. */
export function seldomChanged(table: LoginTable, tables: readonly string[]): LoginTable {
  const { view, select, columns, id } = table;
  const of = { [id]: Object.keys(columns) };
  return { ...table, parts: [{ view, select, columns, id, of, tables, short: true }] };
}

/** The columns of a row as texts: empty for NULL, and where there is no row. */
export const textsOf =
  (row: Row | null) =>
  (column: string): string =>
    row?.[column]?.toString('utf8') ?? '';

/** The settings by their names as texts: empty for NULL, and where there is none. */
export const settingTexts =
  (settings: ReadonlyMap<string, Row>) =>
  (name: string): string =>
    textsOf(settings.get(name) ?? null)('value');
