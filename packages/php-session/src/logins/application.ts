import { timingSafeEqual } from 'node:crypto';
import { basename, dirname } from 'node:path';
import type { Configuration } from '../configuration/configuration.ts';
import type { EnvForm } from '../configuration/env.ts';
import type { PhpSettings } from '../configuration/php-settings.ts';
import type { SessionCall } from '../configuration/session-calls.ts';
import { ConfigurationError, type PhpSurroundings } from '../configuration/value.ts';
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

/** The folder with an application's configuration. File names are relative to it, or absolute. */
export interface SiteFolder {
  /** The real path of the folder, or of the configuration file itself. */
  readonly path: string;
  /** Whether a regular file is there. For a folder use `list`. */
  has(file: string): Promise<boolean>;
  /** The names in a folder. Empty if the folder does not exist. */
  list(folder: string): Promise<string[]>;
  /** @throws ConfigurationError */
  text(file: string): Promise<string>;
  /** Parses a PHP file without running it. */
  php(file: string, surroundings?: Omit<PhpSurroundings, 'environment'>): Promise<Configuration>;
  /** The settings of the PHP that runs the site. @throws ConfigurationError */
  settings(): Promise<PhpSettings>;
  /** The calls in the code that change settings of sessions. @throws ConfigurationError */
  calls(): Promise<readonly SessionCall[]>;
  /** The text of /etc/passwd. */
  users(): Promise<string>;
  /** The variables of the option `siteEnv`. */
  readonly environment: Readonly<Record<string, string>>;
  /**
   * Reads the variables of an `.env` file. Later calls of `php` use them.
   * @param before the variables of a former `.env` file
   */
  env(
    file: string,
    form?: EnvForm,
    before?: Readonly<Record<string, string>>,
  ): Promise<Readonly<Record<string, string>>>;
}

/** The options `siteAdmins` and `siteModerators`: roles or groups that replace the application's. */
export interface GivenRoles {
  admins?: readonly string[] | undefined;
  moderators?: readonly string[] | undefined;
}

/** The option `userTable`: the users of a site without a known application. */
export interface UserTable {
  /** `TABLE` or `SCHEMA.TABLE`. */
  table: string;
  /** The column of the IDs. */
  id: string;
  /** The column of the names. */
  name: string;
  database: GivenDatabase;
  /** As in `SiteOptions`. */
  nobody: readonly string[];
}

/** The options `admins` and `moderators`: IDs of users who get roles in addition to the site's. */
export interface NamedRoles {
  admins?: readonly string[] | undefined;
  moderators?: readonly string[] | undefined;
}

/** Options for a site's folder. */
export interface SiteOptions extends GivenRoles {
  cookieName?: string | undefined;
  /** The option `siteBlog`. */
  blog?: number | undefined;
  /** The option `siteChecks`: whether the application's checks of address and browser apply. */
  checks?: boolean | undefined;
  /** The option `userNobody`. */
  nobody?: readonly string[] | undefined;
  named?: NamedRoles | undefined;
  /** The option `store`, for a `MemberApplication`. */
  store?: string | undefined;
}

/** The database in a site's configuration. */
export interface SiteDatabase {
  kind: 'mysql' | 'postgres' | 'sqlite';
  /** Without options. */
  place: Pick<StoreUrl, 'user' | 'password' | 'hosts' | 'path'>;
  /** A Unix socket instead of a host. */
  socket?: string;
  /** `server` is the default character set of the server. */
  charset: 'utf8' | 'latin1' | 'server';
}

/** The values of configuration files, with the database that they name. */
export interface Located {
  database: SiteDatabase;
}

/** Values of configuration files that most applications have. */
export interface SiteFiles extends Located, GivenRoles {
  /** The prefix of tables. */
  prefix: string;
}

/** A SELECT, or the view that replaces it for a database user with minimal rights. */
export interface SiteTable {
  /** The name of the view. */
  view: string;
  /** The SELECT of that view. */
  select: string;
  /** The columns that are checked. */
  columns: Readonly<Record<string, 'text' | 'bytes'>>;
}

/** Values by columns. Null is NULL. */
export type Row = Readonly<Record<string, Buffer | null>>;

/** A table of logins. */
export interface LoginTable extends SiteTable {
  /** The column of the primary key. */
  id: string;
  /** The column that `Claim.lookup` searches. */
  lookup: string;
  /** The application ignores the case in the column `lookup`, as the database does. */
  ignoresCase?: true;
  /**
   * The parts of a login's row. If the database knows when tables were changed, these are compared, and the login is read
   * only if a part changed or has NULL as its key.
   */
  parts?: readonly LoginPart[];
  /** The rows that make up a login. If the database keeps versions of rows, these are compared. */
  rows?: LoginRows;
  /** The table in which a page view renews a login. */
  renewed?: {
    table: string;
    /** The column with the value of `LoginTable.id`. */
    id: string;
    /** The column with the Unix time of the last page view. */
    column: string;
    /** The login expires this many seconds after the last page view. */
    lifetime: number;
  };
}

/** The accounts that can log in, without blocked, deleted and unconfirmed ones. Columns besides `id` make the name. */
export interface AccountTable extends SiteTable {
  /** The columns that a search compares. Use only columns that other users may see. */
  search: readonly string[];
  /** The user's name as in `checkRow`. Empty if the account has no name. @param text returns a column's text */
  name(text: (column: string) => string): string;
}

/** A part of a login's row. */
export interface LoginPart extends SiteTable {
  /** The column of the primary key. */
  id: string;
  /** The login columns of the part, by the login column with the part's primary key. */
  of: Readonly<Record<string, readonly string[]>>;
  /** The part is not read while these tables are unchanged. Absent if one of them changes all the time. */
  tables?: readonly string[];
  /** The values are short, so comparing them is cheaper than computing a digest. */
  short?: true;
  /**
   * The part consists of all rows with that key, if any. The only column of logins has their values, as `SiteSql.lines`.
   * `id`: the login exists only with a line that begins with its primary key and a blank.
   */
  lines?: 'id' | true;
  /** A login whose key is NULL does not have this part. */
  optional?: true;
}

/** The parts of a request that a claim is made from. */
export type ClaimSource = Omit<Credentials, 'cookies' | 'session'> & { cookies: RequestCookies };

/** What a request's cookies claim, before the database is read. */
export interface Claim {
  /** The name of the table in `Application.logins`. */
  readonly table: string;
  /** The value of the column `lookup` in the row. */
  readonly lookup: string;
  /** As in `toHandle`. */
  readonly secrets: readonly string[];
  /** Counts if this claim proves no login. */
  readonly fallback?: this;
}

/** The user of a row, and what the next check needs. */
export interface RowUser {
  user: SessionUser;
  /** The end of the login in Unix ms, as in `Login`. */
  ends?: number;
  /** From this Unix time in seconds, the row is checked again even if it is unchanged. */
  idle?: number;
  /** Passed to the next check of this login, also of its fallback. */
  memo?: string;
  /** As in `Login`. */
  mayBeOver?: true;
}

/** A problem for the operator that does not affect logins. */
export type SiteWarning = Pick<Explanation, 'reason' | 'hint'> & {
  /** It cannot be corrected, so only the doctor reports it. */
  isPermanent?: true;
};

/** The table with the application's settings. */
export interface SettingsTable extends SiteTable {
  /** The settings to read, by the column `name`. */
  names: readonly string[];
}

export interface CookieScope {
  path: string;
  /** Empty for the host that sets the cookie, `.` for that host and its subdomains. */
  domain: string;
  secure: boolean;
}

/** Helps an operator to recognise the site. */
export interface SiteFacts {
  version?: string | null | undefined;
  address?: string | null | undefined;
  /** The login page relative to the address, with `{return}` for the page to return to. */
  login?: string;
  /** The number of users with the role `admin`. */
  administrators?: number | undefined;
  cookie?: CookieScope;
  /** The code for a part of a template that only logged-in users see. */
  condition?: { language: 'PHP' | 'Blade' | 'Twig'; open: string; close: string } | undefined;
  /** The account that PHP runs as. */
  account?: string | undefined;
}

/**
 * An application with logins in its own tables. One file in `logins/` describes it, and no other code knows it.
 * @typeParam Found the values of its configuration files
 * @typeParam Site what a claim is checked against, from these values and the settings in the database
 */
export interface Application<Found extends Located = Located, Site = unknown, Cookies extends Claim = Claim>
  extends SiteApplication<Found, Site, Cookies> {
  claim(site: Site, source: ClaimSource): Cookies | NotLoggedIn;
  /** For the doctor: the stored address and browser, which later requests must match. Null if they are not compared. */
  loginOrigin?(
    site: Site,
    claim: Cookies,
    row: Row,
  ): { address: string | null; browser: string | null } | null;
  /** The cookie's name if a login has only one. A client may then send its value itself. */
  onlyCookie?(site: Site): string;
}

/** An application with PHP sessions, in which a row of its tables decides whether the session's user is logged in. */
export interface MemberApplication<
  Found extends Located = Located,
  Site = unknown,
  Named extends Claim = Claim,
> extends SiteApplication<Found, Site, Named> {
  sessions(site: Site): MemberSessions;
  claim(site: Site, session: NamingSession, source: ClaimSource): Named | NotLoggedIn;
}

export interface NamingSession {
  /** For `Claim.secrets`. */
  secrets: readonly string[];
  /** The texts at `MemberSessions.proof`. */
  proof: readonly (string | null)[];
}

export interface MemberSessions {
  cookie: SessionCookie;
  /** A store URL, or a table in the site's database. */
  store: string | MemberTable;
  /** The innermost layer. */
  layer?: Layer;
  /** The paths to the user's ID. If none has a value, the session is not logged in. */
  ids: readonly [string, ...string[]];
  /** The paths to other texts for the claim. */
  proof: readonly string[];
  /** The names of other cookies for the claim. */
  otherCookies?: readonly string[];
}

export interface MemberTable extends SiteTable {
  /** The table behind the view. */
  table: string;
  /** The options of a store URL, without `table=`. */
  options: string;
  /** The columns of the ID and of the time that a page view renews. */
  renewed: { id: string; column: string };
}

export interface SiteApplication<Found extends Located, Site, Cookies extends Claim> {
  kind: string;
  /** The name to show. */
  title: string;
  /**
   * Reads the configuration.
   * @returns null if the folder has another application
   * @throws ConfigurationError with the problem and the option that helps
   */
  find(folder: SiteFolder, options: SiteOptions): Promise<Found | null>;
  /** Null if the database has no relevant settings. */
  settings(found: Found, sql: SiteSql): SettingsTable | null;
  /**
   * @param settings by their names
   * @throws SecondFactorError, or StoreError if a setting is missing that the application may create later
   */
  site(found: Found, settings: ReadonlyMap<string, Row>): Site;
  /** The part that is equal on all servers, without values that users may change. Defaults to all of `site`. */
  comparedSettings?(site: Site): unknown;
  /** Settings and options without the expected effect. */
  warnings?(site: Site): readonly SiteWarning[];
  /** The keys that verify cookies in `claim`. New keys end logins by the former keys. */
  keys?(site: Site): unknown;
  /**
   * The mail addresses, in the columns `id` and `mail`, without banned accounts (docs/security.md lists the bans that
   * count) and unconfirmed addresses. Absent if the application has no addresses.
   */
  mails?(site: Site, sql: SiteSql): SiteTable;
  accounts(site: Site, sql: SiteSql): AccountTable;
  /** The tables of logins by `Claim.table`. */
  logins(site: Site, sql: SiteSql): Readonly<Record<string, LoginTable>>;
  /**
   * Checks a claim against its row.
   * @param now Unix time
   * @param memo of the former check. Undefined for a new login.
   */
  checkRow(site: Site, claim: Cookies, row: Row | null, now: number, memo?: string): CheckResult<RowUser>;
  /**
   * For `init`.
   * @param ask returns the only value of a SELECT
   * @throws ConfigurationError, StoreError
   */
  describe?(
    folder: SiteFolder,
    found: Found,
    ask: (select: string) => Promise<string | null>,
    sql: SiteSql,
  ): Promise<SiteFacts>;
}

/** Options of PHP sessions. Null: every site has its own value, which is detected or given. */
export type SessionTexts = Readonly<Partial<Record<SessionOption, string | null>>>;

/** An application with its users in PHP sessions. One file in `logins/` describes it. */
export interface SessionApplication {
  kind: string;
  title: string;
  /** The options that are equal on every site. */
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
   * Reads the configuration. Absent if the configuration does not name the store.
   * @param given options that need not be detected
   * @param before the former result
   * @returns null if the folder has another application
   * @throws ConfigurationError with the problem and the option that helps
   */
  find?(folder: SiteFolder, given: SessionTexts, before?: FoundSessions): Promise<FoundSessions | null>;
  /** For `init`. @throws ConfigurationError */
  describe?(folder: SiteFolder): Promise<SiteFacts>;
}

export interface FoundSessions {
  options: SessionTexts;
  /** The table of the sessions, with the options of its store URL. Replaces the option `store`. */
  table?: { database: SiteDatabase; options: Readonly<Record<string, string>> };
  /** The keys for the forms `laravel` of the cookie and of a layer. */
  appKeys?: readonly Buffer[];
  /** Absent if the session alone proves the login. */
  accounts?: Accounts;
  /** The files of PHP's configuration. If a file is missing later, its values still count. */
  files?: readonly string[];
  /** One of these files that PHP reads only up to a syntax error. */
  broken?: string | undefined;
  /** Found in the site's code, which is searched once. */
  calls?: readonly SessionCall[];
}

/** A check of other cookies and texts of the session in `Logins.identify`. */
export interface LoginCheck {
  /** The paths to the texts. */
  proof: readonly string[];
  /** @param cookies undefined if the client sends the value of the session's cookie itself */
  check(cookies: RequestCookies | undefined, found: FoundUser): NotLoggedIn | null;
}

/** A check of other cookies, and of the user's row in a table. */
export interface Accounts {
  /** The paths to texts of the session for the checks. */
  proof: readonly string[];
  /**
   * Checks the other cookies in `Logins.identify`. A client that sends the session's cookie itself has none.
   * @param cookie returns the value of a cookie, or null
   * @param at the Unix time of the request
   */
  checkCookies?(cookie: (name: string) => string | null, found: FoundUser, at: number): NotLoggedIn | null;
  database: SiteDatabase;
  /** All configuration values that these functions use, to detect changes. */
  basis: unknown;
  /** Facts that `users` needs, such as which columns exist. */
  settings?(sql: SiteSql): SettingsTable;
  /** The users by their IDs. @param known the names of existing settings */
  users(sql: SiteSql, known: ReadonlySet<string>): LoginTable;
  /** As `SiteApplication.mails`, unless the session has the addresses. @param known as in `users` */
  mails?(sql: SiteSql, known: ReadonlySet<string>): SiteTable;
  /** As `SiteApplication.accounts`. @param known as in `users` */
  all(sql: SiteSql, known: ReadonlySet<string>): AccountTable;
  /** Checks a session's user against the row. */
  checkRow(row: Row | null, found: FoundUser): CheckResult<{ user: SessionUser }>;
}

/** @param from the table, with the alias `u` and a condition if necessary */
export const selectMails = (view: string, from: string, id: string, mail: string): SiteTable => ({
  view,
  columns: { mail: 'text' },
  select: `SELECT ${id} AS id, ${mail} AS mail FROM ${from}`,
});

/**
 * @param from the table, with an alias and a condition if necessary
 * @param name a column or expression
 * @param decode undoes the application's encoding of names
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

/** Ends the check of a request, so its other claims do not count. */
export const rejectFinally = (reason: string, hint?: string) => ({
  ...notLoggedIn(reason, hint),
  isFinal: true as const,
});

export function toRoles(isAdmin = false, isModerator = false): Pick<SessionUser, 'roles'> {
  const roles = [...(isAdmin ? (['admin'] as const) : []), ...(isModerator ? (['moderator'] as const) : [])];
  return roles.length === 0 ? {} : { roles };
}

/** Rejects a session that SELECT has cut off at `maxSessionBytes`. */
export function checkSize(session: Buffer | null | undefined): NotLoggedIn | null {
  if (!session || session.length < maxSessionBytes) return null;
  return { state: 'invalid', ...new SessionTooLargeError().why };
}

export const keyChanged = notLoggedIn('the site has another key for its logins now');

/** @param hint how the site sets the cookie */
export const missingCookie = (name: string, hint: string): NotLoggedIn => ({
  ...notLoggedIn(
    `there is no cookie ${name}`,
    `if every visitor gets this: ${hint}; ${option('cookieName')} sets another name`,
  ),
  cookie: name,
});

/** The hint if the visitor's address differs from the address of the login. */
export const addressHint = () =>
  `if every visitor gets this: PHP sees another address than this server, see ${trustedProxies()}; ${option('siteChecks')}=off leaves the comparison out`;

/** Quotes the name of a table for SQL. A dot separates the database or schema. */
export const quoteTable = (name: string, { quote }: Pick<SiteSql, 'quote'>): string =>
  name
    .split('.')
    .map((part) => quote + part.replaceAll(quote, quote + quote) + quote)
    .join('.');

/** Finds out which of these columns a table has. @param table with its schema if necessary */
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

/** @param setting the name of the setting, for the error. @throws ConfigurationError if it is not safe in SQL */
export function requirePrefix(prefix: string, setting: string): string {
  if (/^\w{0,48}$/.test(prefix)) return prefix;
  throw new ConfigurationError(`${setting} must have at most 48 characters of A-Z a-z 0-9 _`);
}

/** The match of a pattern in a file. Null without a match or a file. */
export const matchFile = async (folder: SiteFolder, file: string, pattern: RegExp) =>
  (await folder.has(file)) ? pattern.exec(await folder.text(file)) : null;

/** The application's folder: the site's folder or, if that is the folder `served` to browsers, the one above. */
export async function findRoot(
  { path }: SiteFolder,
  served: string,
  isRoot: (root: string) => Promise<boolean>,
): Promise<string | null> {
  if (await isRoot(path)) return path;
  return basename(path) === served && (await isRoot(dirname(path))) ? dirname(path) : null;
}

/** Undefined if the bytes do not have the format. */
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

export const hasAny = (values: readonly string[], wanted: readonly string[] = []): boolean =>
  wanted.some((value) => values.includes(value));

/** The number of administrators, unless the operator names their roles. @param select for the number */
export const countAdmins = async (
  { admins }: GivenRoles,
  ask: (select: string) => Promise<string | null>,
  select: string,
): Promise<number | undefined> => (admins === undefined ? Number(await ask(select)) : undefined);

export const texts = (...names: string[]) => Object.fromEntries(names.map((name) => [name, 'text' as const]));

/** A part with the primary key `id`, which is in the login column `key`. */
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

/** A table whose rows are not read while these tables are unchanged. */
export function seldomChanged(table: LoginTable, tables: readonly string[]): LoginTable {
  const { view, select, columns, id } = table;
  const of = { [id]: Object.keys(columns) };
  return { ...table, parts: [{ view, select, columns, id, of, tables, short: true }] };
}

/** The columns of a row as texts. Empty for NULL and without a row. */
export const textsOf =
  (row: Row | null) =>
  (column: string): string =>
    row?.[column]?.toString('utf8') ?? '';

/** The settings by their names as texts. Empty for NULL and missing settings. */
export const settingTexts =
  (settings: ReadonlyMap<string, Row>) =>
  (name: string): string =>
    textsOf(settings.get(name) ?? null)('value');
