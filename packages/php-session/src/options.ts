import { readFileSync } from 'node:fs';
import { ConfigurationError } from './configuration/configuration.ts';
import { parseEnv } from './configuration/env.ts';
import { parseCookieForm } from './cookie.ts';
import type { UserTable } from './logins/application.ts';
import { applications, asKnown, type LoginSettings } from './logins/applications.ts';
import { php } from './logins/php.ts';
import type { SessionSettings } from './logins/php-sessions.ts';
import type { OptionName } from './names.ts';
import { parsePath } from './path.ts';
import { databaseOfStore, parseDatabaseUrl, parseStoreUrl, withoutPassword } from './store-url.ts';

/** The surroundings of an option's text. */
interface Context {
  /** The cookie's name stands before its form. */
  cookieName: string;
  /** The keys that a site's configuration has. */
  appKeys: readonly Buffer[];
}

/** Each option: its default, and what parses it. */
const table = {
  site: ['', parseSite],
  siteDatabase: ['', (url) => (url === '' ? undefined : parseDatabaseUrl(url))],
  siteEnv: ['', (file) => (file === '' ? undefined : readEnv(file))],
  siteBlog: ['', parseNumber],
  siteAdmins: ['', (names) => (names === '' ? undefined : listed(names))],
  siteModerators: ['', (names) => (names === '' ? undefined : listed(names))],
  siteChecks: ['on', parseSwitch],
  store: ['', (text, { appKeys }) => parseStore(text, appKeys)],
  cookieName: ['PHPSESSID', parseCookieName],
  cookie: ['plain', (form, { cookieName, appKeys }) => parseCookieForm(form, cookieName, appKeys)],
  charset: ['', parseCharset],
  userId: ['user_id', parseUserPath],
  userName: ['firstname', parseUserPath],
  userRequire: ['', (path) => (path === '' ? undefined : parseUserPath(path))],
  userGroups: ['', (path) => (path === '' ? undefined : parseUserPath(path))],
  userRoles: ['', (path) => (path === '' ? undefined : parseUserPath(path))],
  userBanned: ['', (path) => (path === '' ? undefined : parseUserPath(path))],
  userMail: ['', (path) => (path === '' ? undefined : parseUserPath(path))],
  userNobody: ['', listed],
  userTable: ['', (text) => (text === '' ? undefined : parseUserTable(text))],
  admins: ['', listed],
  moderators: ['', listed],
} as const satisfies Record<
  OptionName,
  [fallback: string, parse: (text: string, context: Context) => unknown]
>;

type Texts = Partial<Record<OptionName, string | null>>;

type Parsed = { [Name in OptionName]: ReturnType<(typeof table)[Name][1]> };

const names = Object.keys(table) as OptionName[];
/** Options of a site, whichever way it keeps its logins. */
const ofSites: readonly OptionName[] = ['site', 'siteEnv'];
/** Options of logins in tables of their own alone. */
const ofTables = names.filter((name) => name.startsWith('site') && !ofSites.includes(name));
const ofBoth: readonly OptionName[] = ['cookieName', 'userNobody', 'admins', 'moderators'];
const ofSessions = names.filter((name) => !name.startsWith('site'));

/**
 * Reads the options of one site's logins. An option that is undefined or empty gets its default.
 * @param nameOf the name of an option where it was given, such as that of an environment variable
 * @returns the settings, or all problems, without what may be a password or a key
 */
export function readOptions(
  given: Readonly<Record<string, unknown>>,
  nameOf: (option: OptionName) => string,
): LoginSettings | { problems: string[] } {
  const texts: Texts = {};
  const problems: string[] = [];
  for (const [name, text] of Object.entries(given)) {
    if (text === undefined || text === '') continue;
    if (!Object.hasOwn(table, name)) problems.push(`${name}: there is no such option`);
    // JavaScript may give anything.
    else texts[name as OptionName] = text as string;
  }
  const isGiven = (name: OptionName) => texts[name] !== undefined;
  const parse = (which: readonly OptionName[], all: Texts, appKeys: readonly Buffer[] = []) => {
    const parsed: Record<string, unknown> = {};
    const problems: string[] = [];
    for (const name of which) {
      const [fallback, parseText] = table[name];
      const text = all[name];
      try {
        if (text === null) throw new TypeError('every site has its own, so it has to be given');
        if (text !== undefined && typeof text !== 'string') throw new TypeError('a string is needed');
        parsed[name] = parseText(text ?? fallback, { cookieName: String(parsed.cookieName), appKeys });
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
        problems.push(`${nameOf(name)}: ${error.message}`);
      }
    }
    return { parsed: parsed as Parsed, problems };
  };
  const aboutSite = parse(
    names.filter((name) => name.startsWith('site')),
    texts,
  );
  problems.push(...aboutSite.problems);
  const { site, siteDatabase, siteEnv, siteBlog, siteAdmins, siteModerators, siteChecks } = aboutSite.parsed;
  const application = applications.find(({ kind }) => kind === site?.kind);
  const unfit = (which: readonly OptionName[]) => which.filter(isGiven).map(nameOf);
  // With a table of users its database is named, too.
  const forFolder = ofTables.filter((name) => name !== 'siteDatabase' || !isGiven('userTable'));
  const usersIn = ({ userTable, userNobody = [] }: Partial<Parsed>): UserTable | undefined => {
    if (userTable === undefined) return undefined;
    const database = siteDatabase ?? databaseOfStore(texts.store ?? '');
    if (database !== undefined) return { ...userTable, database, nobody: userNobody };
    problems.push(
      `${nameOf('userTable')}: the sessions are not in a database, so give that of the table by ${nameOf('siteDatabase')}`,
    );
    return undefined;
  };
  if (site?.folder === undefined) {
    const all = { ...(application && 'options' in application && application.options), ...texts };
    const read = parse(isGiven('site') && site === undefined ? ofSessions.filter(isGiven) : ofSessions, all);
    problems.push(...read.problems);
    if (site !== undefined)
      problems.push(...unfit([...forFolder, 'siteEnv']).map((name) => `${name}: for a site with a folder`));
    const users = usersIn(read.parsed);
    if (problems.length > 0) return { problems };
    const session = settingsOf(read.parsed);
    return {
      session: asKnown(application && 'options' in application ? application : php, session),
      users,
    };
  }
  const read = parse(ofSessions.filter(isGiven), texts);
  problems.push(...read.problems);
  const users = usersIn(read.parsed);
  if (problems.length > 0) return { problems };
  const { cookieName, userNobody, admins, moderators } = read.parsed;
  return {
    site: {
      ...site,
      folder: site.folder,
      database: siteDatabase,
      environment: siteEnv,
      blog: siteBlog,
      admins: siteAdmins,
      moderators: siteModerators,
      checks: siteChecks,
      cookieName,
      nobody: userNobody,
      named: { admins, moderators },
      store: texts.store ?? undefined,
      users,
      sessions: {
        given: Object.fromEntries(ofSessions.filter(isGiven).map((name) => [name, texts[name]])),
        notForTables: unfit(ofSessions.filter((name) => !ofBoth.includes(name))),
        notForMembers: unfit(ofSessions.filter((name) => ![...ofBoth, 'store'].includes(name))),
        notForSessions: unfit(forFolder),
        notForAccounts: unfit(ofTables.filter((name) => name !== 'siteDatabase')),
        settings(found, appKeys) {
          const { parsed, problems } = parse(ofSessions, { ...found, ...texts }, appKeys);
          if (problems.length > 0) throw new ConfigurationError(problems.join('; '));
          return settingsOf(parsed);
        },
      },
    },
  };
}

const settingsOf = (parsed: Parsed): SessionSettings => ({
  source: parsed.store,
  cookie: parsed.cookie,
  user: {
    id: parsed.userId,
    name: parsed.userName,
    require: parsed.userRequire,
    nobody: parsed.userNobody,
    admins: parsed.admins,
    moderators: parsed.moderators,
    groups: parsed.userGroups,
    roles: parsed.userRoles,
    banned: parsed.userBanned,
    mail: parsed.userMail,
    // JSON is UTF-8.
    charset: parsed.store.format === 'json' ? undefined : parsed.charset,
  },
});

/** An option as it was given, or where else its value comes from. */
export interface OptionText {
  option: OptionName;
  /** Without a password. */
  text: string;
  from: 'given' | 'site' | 'default';
}

/** All options of one site's logins, which `readOptions` accepts, with their values and where these come from. */
export function optionTexts(given: Readonly<Partial<Record<OptionName, string | undefined>>>): OptionText[] {
  const site = parseSite(given.site ?? '');
  const application = applications.find(({ kind }) => kind === site?.kind);
  const known: Texts = application && 'options' in application ? application.options : {};
  return names.map((option) => {
    if (given[option]) {
      const text = given[option];
      return {
        option,
        text: option === 'store' || option === 'siteDatabase' ? withoutPassword(text) : text,
        from: 'given',
      };
    }
    const text = known[option];
    if (typeof text === 'string') return { option, text, from: 'site' };
    // The configuration in the folder says it.
    if (site?.folder !== undefined && ofSessions.includes(option)) return { option, text: '', from: 'site' };
    return { option, text: table[option][0], from: 'default' };
  });
}

function parseUserTable(text: string): Omit<UserTable, 'database' | 'nobody'> {
  const [, table, id, name] = /^(\w+(?:\.\w+)?)\( *(\w+) *, *(\w+) *\)$/.exec(text) ?? [];
  if (table !== undefined && id !== undefined && name !== undefined) return { table, id, name };
  throw new TypeError(
    `${JSON.stringify(text)} is not a table with its columns of the ID and the name, such as users(id,name)`,
  );
}

/** A store is never guessed: with the wrong one, every visitor would count as logged out. */
function parseStore(text: string, appKeys: readonly Buffer[]): ReturnType<typeof parseStoreUrl> {
  if (text !== '') return parseStoreUrl(text, appKeys);
  throw new TypeError(
    'not set; it says where PHP keeps its sessions, such as file:///var/lib/php/sessions. For a site whose folder is on this machine set CHAT_SITE, such as /var/www/html, and this one is found',
  );
}

function listed(text: string): string[] {
  return text.split(',').flatMap((one) => one.trim() || []);
}

/** A folder, or the kind of the application and a folder. Its kind is enough for one with PHP sessions. */
function parseSite(text: string): { kind: string | undefined; folder: string | undefined } | undefined {
  if (text === '') return undefined;
  const [, kind, folder] = /^(?:([a-z][a-z0-9-]*):)?(\/.*)?$/.exec(text) ?? [];
  const application = applications.find((one) => one.kind === kind);
  if (kind === undefined ? folder !== undefined : application && (folder || 'options' in application))
    return { kind, folder };
  throw new TypeError(
    `${JSON.stringify(text)} is not the folder of a site, such as /var/www/html, or KIND:/var/www/html with one of the kinds ${applications.map(({ kind }) => kind).join(', ')}`,
  );
}

function readEnv(file: string): Record<string, string> {
  try {
    return parseEnv(readFileSync(file, 'utf8'), file);
  } catch (cause) {
    const { code = (cause as Error).message } = cause as NodeJS.ErrnoException;
    throw new TypeError(`the file of environment variables cannot be read (${code})`, { cause });
  }
}

/** @returns undefined for UTF-8, which needs no decoding */
function parseCharset(label: string): string | undefined {
  if (label === '') return undefined;
  try {
    const { encoding } = new TextDecoder(label);
    if (encoding.startsWith('utf-16')) throw new RangeError();
    return encoding === 'utf-8' ? undefined : encoding;
  } catch {
    throw new TypeError(
      `${JSON.stringify(label)} is not a character set of PHP texts, such as windows-1252, windows-1251 or shift_jis`,
    );
  }
}

function parseNumber(text: string): number | undefined {
  if (text === '') return undefined;
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new TypeError(`${JSON.stringify(text)} is not a number from 1`);
}

function parseSwitch(text: string): boolean {
  if (text === 'on' || text === 'off') return text === 'on';
  throw new TypeError(`${JSON.stringify(text)} is neither on nor off`);
}

/** A token by RFC 6265, of characters that PHP reads back unchanged. */
function parseCookieName(name: string): string {
  if (/^[A-Za-z0-9_-]{1,128}$/.test(name)) return name;
  throw new TypeError(`${JSON.stringify(name)} is not the name of a cookie, 1 to 128 of A-Z a-z 0-9 _ -`);
}

function parseUserPath(text: string): ReturnType<typeof parsePath> {
  try {
    return parsePath(text);
  } catch (error) {
    const { message } = error as TypeError;
    throw new TypeError(
      `${JSON.stringify(text)} is not a path of keys separated by dots, such as app.user.id: ${message}`,
    );
  }
}
