import type { SiteDatabase } from '../configuration/database-host.ts';
import type { SessionCall } from '../configuration/session-calls.ts';
import type { RequestCookies, SessionCookie } from '../cookie.ts';
import type { FoundUser } from '../identity.ts';
import type { Layer } from '../layers/layers.ts';
import type { CheckResult, Explanation, NotLoggedIn, SessionUser } from '../login.ts';
import type { SessionOption } from '../names.ts';
import type { GivenDatabase } from '../store-url.ts';
import type { Claim, ClaimSource, RowUser } from './claim.ts';
import type { SiteFolder } from './site-folder.ts';
import type { AccountTable, LoginTable, Row, SettingsTable, SiteTable } from './site-table.ts';
import type { SiteSql } from './sql.ts';

/** Roles or groups of the application, by its names. */
export interface GivenRoles {
  /** The options `siteAdmins` and `siteModerators`, which replace the application's roles or groups. */
  admins?: readonly string[] | undefined;
  moderators?: readonly string[] | undefined;
  /** The option `teamRoles`. */
  team?: readonly string[] | undefined;
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
  /** See `SiteOptions`. */
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

/** The values of configuration files, with the database that they name. */
export interface Located {
  database: SiteDatabase;
}

/** Values of configuration files that most applications have, and the options for roles. */
export interface SiteFiles extends Located, GivenRoles {
  /** The prefix of tables. */
  prefix: string;
}

/** A problem for the operator that does not affect logins. */
export type SiteWarning = Pick<Explanation, 'reason' | 'hint'> & {
  /** It cannot be corrected, so only the doctor reports it. */
  isPermanent?: true;
};

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
  /** The login page relative to the address. docs/element.md lists its placeholders, such as `{return}`. */
  login?: string;
  /** The number of users with the role `admin`. */
  administrators?: number | undefined;
  cookie?: CookieScope;
  /** The code for a part of a template that only logged-in users see. */
  condition?: { language: 'PHP' | 'Blade' | 'Twig' | 'Smarty'; open: string; close: string } | undefined;
  /** Where to add a button to all pages, and what to do then. For applications without a page for the tag. */
  footer?: { place: string; whenDone: string } | undefined;
  /** The time zone in the settings of the site, such as `Europe/Paris`. It may be a text that is not a time zone. */
  timeZone?: string | null | undefined;
  /** Whether it is a network of sites, with a dashboard of its own. */
  isNetwork?: boolean | undefined;
  /** The account that PHP runs as. */
  account?: string | undefined;
}

/**
 * An application with logins in its own tables. One file in `logins/` describes it.
 * @typeParam Found the values of its configuration files
 * @typeParam Site what a claim is checked against, from these values and the settings in the database
 */
export interface Application<Found extends Located = Located, Site = unknown, Cookies extends Claim = Claim>
  extends SiteApplication<Found, Site, Cookies> {
  claim(site: Site, source: ClaimSource): Cookies | NotLoggedIn;
  /**
   * For the doctor. Returns the stored address and browser, which later requests must match. Null if they are not compared.
   */
  loginOrigin?(
    site: Site,
    claim: Cookies,
    row: Row,
  ): { address: string | null; browser: string | null } | null;
  /** Returns the cookie's name if a login has only one. A client may then send its value itself. */
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

interface NamingSession {
  /** The values for `Claim.secrets`. */
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

interface MemberTable extends SiteTable {
  /** The table behind the view. */
  table: string;
  /** The options of a store URL, without `table=`. */
  options: string;
  /** The columns of the ID and of the time that a page view renews. */
  renewed: { id: string; column: string };
}

interface SiteApplication<Found extends Located, Site, Cookies extends Claim> {
  kind: string;
  /** The name to show. */
  title: string;
  /**
   * Reads the configuration.
   * @returns null if the folder has another application
   * @throws ConfigurationError with the problem and the option that helps
   */
  find(folder: SiteFolder, options: SiteOptions): Promise<Found | null>;
  /** Returns the table of settings. Null if the database has no relevant settings. */
  settings(found: Found, sql: SiteSql): SettingsTable | null;
  /**
   * @param settings by their names
   * @throws SecondFactorError, or StoreError if a setting is missing that the application may create later
   */
  site(found: Found, settings: ReadonlyMap<string, Row>): Site;
  /**
   * Returns the part of `site` that is equal on all servers, without values that users may change. Absent if all of it is.
   */
  comparedSettings?(site: Site): unknown;
  /** Returns a warning for each setting or option without the expected effect. */
  warnings?(site: Site): readonly SiteWarning[];
  /** Returns the keys that verify cookies in `claim`. New keys end logins by the former keys. */
  keys?(site: Site): unknown;
  /**
   * Returns the table of mail addresses, with the columns `id` and `mail`, without banned accounts (docs/security.md lists
   * the bans that count) and unconfirmed addresses. Absent if the application has no addresses.
   */
  mails?(site: Site, sql: SiteSql): SiteTable;
  accounts(site: Site, sql: SiteSql): AccountTable;
  /** Returns the tables of logins by `Claim.table`. */
  logins(site: Site, sql: SiteSql): Readonly<Record<string, LoginTable>>;
  /**
   * Checks a claim against its row.
   * @param now Unix time
   * @param memo of the former check. Undefined for a new login.
   */
  checkRow(site: Site, claim: Cookies, row: Row | null, now: number, memo?: string): CheckResult<RowUser>;
  /** For `init`. The facts that are the same on every site. */
  facts?: Pick<SiteFacts, 'login' | 'condition' | 'footer'>;
  /**
   * For `init`. Returns the other facts by which an operator recognises the site.
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
  /** For `init`. Returns facts by which an operator recognises the site. @throws ConfigurationError */
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
  /** `FILE line N` of a syntax error, up to which PHP reads the file. */
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
   * Checks the other cookies in `Logins.identify`. A client that sends the session ID itself has no other cookies.
   * @param cookie returns the value of a cookie, or null
   * @param at the Unix time of the request
   */
  checkCookies?(cookie: (name: string) => string | null, found: FoundUser, at: number): NotLoggedIn | null;
  database: SiteDatabase;
  /** All configuration values that these functions use, to detect changes. */
  basis: unknown;
  /** Returns a table of facts that `users` needs, such as which columns exist. */
  settings?(sql: SiteSql): SettingsTable;
  /** Returns the table of users by their IDs. @param known the names of existing settings */
  users(sql: SiteSql, known: ReadonlySet<string>): LoginTable;
  /** As `SiteApplication.mails`, unless the session has the addresses. @param known as in `users` */
  mails?(sql: SiteSql, known: ReadonlySet<string>): SiteTable;
  /** As `SiteApplication.accounts`. @param known as in `users` */
  all(sql: SiteSql, known: ReadonlySet<string>): AccountTable;
  /** Checks a session's user against the row. */
  checkRow(row: Row | null, found: FoundUser): CheckResult<{ user: SessionUser }>;
}
