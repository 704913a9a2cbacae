import { readFileSync } from 'node:fs';
import { ConfigurationError } from './configuration/configuration.ts';
import { parseEnv } from './configuration/env.ts';
import { parseCookieForm } from './cookie.ts';
import type { UserTable } from './logins/application.ts';
import { applications, type LoginSettings, withApplication } from './logins/applications.ts';
import { php } from './logins/php.ts';
import type { SessionSettings } from './logins/php-sessions.ts';
import { type OptionName, option } from './names.ts';
import { parsePath } from './path.ts';
import { databaseOfStore, parseDatabaseUrl, parseStoreUrl, withoutPassword } from './store-url.ts';

interface Context {
  cookieName: string;
  /** The keys in the site's configuration. */
  appKeys: readonly Buffer[];
  /** The caller's name of the option `site`. */
  siteOption: string;
}

const unlessEmpty =
  <Value>(parse: (text: string) => Value) =>
  (text: string): Value | undefined =>
    text === '' ? undefined : parse(text);

const table = {
  site: ['', parseSite],
  siteDatabase: ['', unlessEmpty(parseDatabaseUrl)],
  siteEnv: ['', unlessEmpty(readEnv)],
  siteBlog: ['', unlessEmpty(parseNumber)],
  siteAdmins: ['', unlessEmpty(parseList)],
  siteModerators: ['', unlessEmpty(parseList)],
  siteChecks: ['on', parseSwitch],
  store: ['', parseStore],
  cookieName: ['PHPSESSID', parseCookieName],
  cookie: ['plain', (form, { cookieName, appKeys }) => parseCookieForm(form, cookieName, appKeys)],
  charset: ['', parseCharset],
  userId: ['user_id', parseUserPath],
  userName: ['firstname', parseUserPath],
  userRequire: ['', unlessEmpty(parseUserPath)],
  userGroups: ['', unlessEmpty(parseUserPath)],
  userRoles: ['', unlessEmpty(parseUserPath)],
  userBanned: ['', unlessEmpty(parseUserPath)],
  userMail: ['', unlessEmpty(parseUserPath)],
  userNobody: ['', parseList],
  userTable: ['', unlessEmpty(parseUserTable)],
  admins: ['', parseList],
  moderators: ['', parseList],
  teamRoles: ['', unlessEmpty(parseList)],
} as const satisfies Record<
  OptionName,
  [fallback: string, parse: (text: string, context: Context) => unknown]
>;

type Texts = Partial<Record<OptionName, string | null>>;

type Parsed = { [Name in OptionName]: ReturnType<(typeof table)[Name][1]> };

const names = Object.keys(table) as OptionName[];
/** The options for every kind of site. */
const siteOptions: readonly OptionName[] = ['site', 'siteEnv'];
/** The options only for applications with tables of logins. */
const tableOptions = names.filter((name) => name.startsWith('site') && !siteOptions.includes(name));
const commonOptions: readonly OptionName[] = [
  'cookieName',
  'userNobody',
  'admins',
  'moderators',
  'teamRoles',
];
const sessionOptions = names.filter((name) => !name.startsWith('site'));

/**
 * Reads the options of one site's logins. An undefined or empty option gets its default.
 * @param given texts by the names of options
 * @param nameOf the caller's names of options. Default: the names of `useNames`.
 * @returns the settings, or all problems, without passwords and keys
 */
export function readOptions(
  given: Readonly<Record<string, unknown>>,
  nameOf: (name: OptionName) => string = option,
): LoginSettings | { problems: string[] } {
  const texts: Texts = {};
  const problems: string[] = [];
  for (const [name, text] of Object.entries(given)) {
    if (text === undefined || text === '') continue;
    if (!Object.hasOwn(table, name)) problems.push(`${name}: there is no such option`);
    // Callers in JavaScript may give other types, which `parse` rejects.
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
        if (text === null && given[name] !== null)
          throw new TypeError('the value is different on every site, so it must be given');
        if (text !== undefined && typeof text !== 'string') throw new TypeError('the value must be a string');
        const context = { cookieName: String(parsed.cookieName), appKeys, siteOption: nameOf('site') };
        parsed[name] = parseText(text ?? fallback, context);
      } catch (error) {
        if (!(error instanceof TypeError)) throw error;
        problems.push(`${nameOf(name)}: ${error.message}`);
      }
    }
    return { parsed: parsed as Parsed, problems };
  };
  const siteRead = parse(
    names.filter((name) => name.startsWith('site')),
    texts,
  );
  problems.push(...siteRead.problems);
  const { site, siteDatabase, siteEnv, siteBlog, siteAdmins, siteModerators, siteChecks } = siteRead.parsed;
  const application = applications.find(({ kind }) => kind === site?.kind);
  const namesGiven = (which: readonly OptionName[]) => which.filter(isGiven).map(nameOf);
  // `siteDatabase` may also be the database of `userTable`.
  const folderOptions = tableOptions.filter((name) => name !== 'siteDatabase' || !isGiven('userTable'));
  const toUserTable = ({ userTable, userNobody = [] }: Partial<Parsed>): UserTable | undefined => {
    if (userTable === undefined) return undefined;
    const database = siteDatabase ?? databaseOfStore(texts.store ?? '');
    if (database !== undefined) return { ...userTable, database, nobody: userNobody };
    problems.push(
      `${nameOf('userTable')}: the sessions are not in a database, so name the database of the table with ${nameOf('siteDatabase')}`,
    );
    return undefined;
  };
  if (site?.folder === undefined) {
    const all = { ...(application && 'options' in application && application.options), ...texts };
    const read = parse(
      isGiven('site') && site === undefined ? sessionOptions.filter(isGiven) : sessionOptions,
      all,
    );
    problems.push(...read.problems);
    if (site !== undefined)
      problems.push(
        ...namesGiven([...folderOptions, 'siteEnv']).map(
          (name) => `${name}: this option is only for a site with a folder`,
        ),
      );
    const users = toUserTable(read.parsed);
    if (problems.length > 0) return { problems };
    const { session, problem } = toSettings(read.parsed, nameOf);
    if (problem !== undefined) return { problems: [problem] };
    return {
      session: withApplication(application && 'options' in application ? application : php, session),
      users,
    };
  }
  const read = parse(sessionOptions.filter(isGiven), texts);
  problems.push(...read.problems);
  const users = toUserTable(read.parsed);
  if (problems.length > 0) return { problems };
  const { cookieName, userNobody, admins, moderators, teamRoles } = read.parsed;
  return {
    site: {
      ...site,
      folder: site.folder,
      database: siteDatabase,
      environment: siteEnv,
      blog: siteBlog,
      admins: siteAdmins,
      moderators: siteModerators,
      team: teamRoles,
      checks: siteChecks,
      cookieName,
      nobody: userNobody,
      named: { admins, moderators },
      store: texts.store ?? undefined,
      users,
      sessions: {
        given: Object.fromEntries(sessionOptions.filter(isGiven).map((name) => [name, texts[name]])),
        notForTables: namesGiven(sessionOptions.filter((name) => !commonOptions.includes(name))),
        notForMembers: namesGiven(
          sessionOptions.filter((name) => ![...commonOptions, 'store'].includes(name)),
        ),
        notForSessions: namesGiven(folderOptions),
        notForAccounts: namesGiven(tableOptions.filter((name) => name !== 'siteDatabase')),
        settings(found, appKeys) {
          const { parsed, problems } = parse(sessionOptions, { ...found, ...texts }, appKeys);
          if (problems.length > 0) throw new ConfigurationError(problems.join('; '));
          const { session, problem } = toSettings(parsed, nameOf);
          if (problem !== undefined) throw new ConfigurationError(problem);
          return session;
        },
      },
    },
  };
}

function toSettings(
  parsed: Parsed,
  nameOf: (name: OptionName) => string,
): { session: SessionSettings; problem?: string | undefined } {
  const session = {
    source: parsed.store,
    cookie: parsed.cookie,
    user: {
      id: parsed.userId,
      name: parsed.userName,
      require: parsed.userRequire,
      nobody: parsed.userNobody,
      admins: parsed.admins,
      moderators: parsed.moderators,
      team: parsed.teamRoles,
      groups: parsed.userGroups,
      roles: parsed.userRoles,
      banned: parsed.userBanned,
      mail: parsed.userMail,
      // JSON is always UTF-8.
      charset: parsed.store.format === 'json' ? undefined : parsed.charset,
    },
  };
  if (parsed.teamRoles === undefined || parsed.userRoles !== undefined) return { session };
  const problem = `${nameOf('teamRoles')}: no session has a role of the site; set ${nameOf('userRoles')} to the path of the roles in the session`;
  return { session, problem };
}

interface OptionText {
  option: OptionName;
  /** Without a password. */
  text: string;
  from: 'given' | 'site' | 'default';
}

/** Returns all options with their values and origins. @param given options that `readOptions` accepts */
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
    // The option comes from the configuration in the folder.
    if (site?.folder !== undefined && sessionOptions.includes(option))
      return { option, text: '', from: 'site' };
    return { option, text: table[option][0], from: 'default' };
  });
}

/** Quotes a wrong value, unless it may be a URL or key that was given as the wrong option. */
function show(text: string): string {
  return /:\/\/|base64:|password/i.test(text) ? 'the value' : JSON.stringify(text);
}

function parseUserTable(text: string): Omit<UserTable, 'database' | 'nobody'> {
  const [, table, id, name] = /^(\w+(?:\.\w+)?)\( *(\w+) *, *(\w+) *\)$/.exec(text) ?? [];
  if (table !== undefined && id !== undefined && name !== undefined) return { table, id, name };
  throw new TypeError(
    `${show(text)} is not a table with its columns of the ID and the name, such as users(id,name)`,
  );
}

/** Parses a store URL. There is no default, because with a wrong store every visitor would count as logged out. */
function parseStore(text: string, { appKeys, siteOption }: Context): ReturnType<typeof parseStoreUrl> {
  if (text !== '') return parseStoreUrl(text, appKeys);
  throw new TypeError(
    `not set; it must be the store of PHP’s sessions, such as file:///var/lib/php/sessions. For a site whose folder is on this machine, set ${siteOption} instead, such as /var/www/html, and the store is found`,
  );
}

function parseList(text: string): string[] {
  return text.split(',').flatMap((item) => item.trim() || []);
}

/** Parses `FOLDER`, `KIND:FOLDER` or, for applications with PHP sessions, `KIND:`. Undefined for an empty text. */
function parseSite(text: string): { kind: string | undefined; folder: string | undefined } | undefined {
  if (text === '') return undefined;
  const [, kind, folder] = /^(?:([a-z][a-z0-9-]*):)?(\/.*)?$/.exec(text) ?? [];
  const application = applications.find((application) => application.kind === kind);
  if (kind === undefined ? folder !== undefined : application && (folder || 'options' in application))
    return { kind, folder };
  throw new TypeError(
    `${show(text)} is not the folder of a site, such as /var/www/html, or KIND:/var/www/html with one of the kinds ${applications.map(({ kind }) => kind).join(', ')}`,
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

/** Parses the label of a character set. @returns its name in `TextDecoder`. Undefined for UTF-8 */
function parseCharset(label: string): string | undefined {
  if (label === '') return undefined;
  try {
    const { encoding } = new TextDecoder(label);
    if (encoding.startsWith('utf-16')) throw new RangeError();
    return encoding === 'utf-8' ? undefined : encoding;
  } catch {
    throw new TypeError(
      `${show(label)} is not a character set of PHP texts, such as windows-1252, windows-1251 or shift_jis`,
    );
  }
}

function parseNumber(text: string): number {
  if (/^[1-9]\d{0,8}$/.test(text)) return Number(text);
  throw new TypeError(`${show(text)} is not a positive integer`);
}

function parseSwitch(text: string): boolean {
  if (text === 'on' || text === 'off') return text === 'on';
  throw new TypeError(`${show(text)} is neither on nor off`);
}

/** Returns the name of a cookie. PHP replaces blanks, dots and brackets in names. */
function parseCookieName(name: string): string {
  if (/^[A-Za-z0-9_-]{1,128}$/.test(name)) return name;
  throw new TypeError(`${show(name)} is not the name of a cookie, 1 to 128 of A-Z a-z 0-9 _ -`);
}

function parseUserPath(text: string): ReturnType<typeof parsePath> {
  try {
    return parsePath(text);
  } catch (error) {
    const { message } = error as TypeError;
    throw new TypeError(
      `${show(text)} is not a path of keys separated by dots, such as app.user.id: ${message}`,
    );
  }
}
