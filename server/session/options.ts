import { readFileSync } from 'node:fs';
import { applications, type LoginSettings } from './applications.ts';
import { parseEnv } from './configuration/env.ts';
import { parseCookieForm } from './cookie.ts';
import { parsePath } from './path.ts';
import { presetOf } from './presets.ts';
import { parseDatabaseUrl, parseStoreUrl, withoutPassword } from './store-url.ts';

/**
 * Each option: its default, and what parses it. The cookie stands behind its name, the preset before all that it sets, and
 * the site before all.
 */
const table = {
  site: ['', parseSite],
  siteDatabase: ['', (url) => (url === '' ? undefined : parseDatabaseUrl(url))],
  siteEnv: ['', (file) => (file === '' ? undefined : readEnv(file))],
  siteBlog: ['', parseNumber],
  siteAdmins: ['', (names) => (names === '' ? undefined : listed(names))],
  siteModerators: ['', (names) => (names === '' ? undefined : listed(names))],
  siteChecks: ['on', parseSwitch],
  preset: ['', (name) => (name === '' ? {} : presetOf(name))],
  store: ['', parseStore],
  cookieName: ['PHPSESSID', parseCookieName],
  cookie: ['plain', parseCookieForm],
  userId: ['user_id', parseUserPath],
  userName: ['firstname', parseUserPath],
  userRequire: ['', (path) => (path === '' ? undefined : parseUserPath(path))],
  userRooms: ['', (path) => (path === '' ? undefined : parseUserPath(path))],
  userRoles: ['', (path) => (path === '' ? undefined : parseUserPath(path))],
  userBanned: ['', (path) => (path === '' ? undefined : parseUserPath(path))],
  userNobody: ['', listed],
} as const satisfies Record<string, [fallback: string, parse: (text: string, cookieName: string) => unknown]>;

/** A site says everything else by itself. */
const besideSite = new Set<string>([
  'site',
  'siteDatabase',
  'siteEnv',
  'siteBlog',
  'siteAdmins',
  'siteModerators',
  'siteChecks',
  'cookieName',
  'userNobody',
]);

export type OptionName = keyof typeof table;

type Parsed = { [Name in OptionName]: ReturnType<(typeof table)[Name][1]> };

/**
 * Reads the options of one site's logins. An option that is undefined or empty gets its default.
 * @param nameOf the name of an option where it was given, such as that of an environment variable
 * @returns the settings, or all problems, without what may be a password or a key
 */
export function readOptions(
  given: Readonly<Record<string, unknown>>,
  nameOf: (option: OptionName) => string,
): LoginSettings | { problems: string[] } {
  const problems = Object.keys(given)
    .filter((name) => given[name] !== undefined && !Object.hasOwn(table, name))
    .map((name) => `${name}: there is no such option`);
  const parsed: Record<string, unknown> = {};
  for (const [name, [fallback, parse]] of Object.entries(table)) {
    if (given.site && !besideSite.has(name)) {
      if (given[name])
        problems.push(`${nameOf(name as OptionName)}: ${nameOf('site')} says this; leave out one of the two`);
      continue;
    }
    try {
      const preset = (parsed.preset ?? {}) as Readonly<Record<string, string | null>>;
      const text = textOf(given[name]) ?? preset[name];
      if (text === null) {
        throw new TypeError(`every site has its own, so ${nameOf('preset')}=${given.preset} needs it`);
      }
      parsed[name] = parse(text ?? fallback, String(parsed.cookieName));
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      problems.push(`${nameOf(name as OptionName)}: ${error.message}`);
    }
  }
  if (problems.length > 0) return { problems };
  const { site, siteDatabase, siteEnv, siteBlog, siteAdmins, siteModerators, siteChecks } = parsed as Parsed;
  if (site !== undefined) {
    return {
      site: {
        ...site,
        database: siteDatabase,
        environment: siteEnv,
        blog: siteBlog,
        admins: siteAdmins,
        moderators: siteModerators,
        checks: siteChecks,
        cookieName: given.cookieName ? (parsed as Parsed).cookieName : undefined,
        nobody: (parsed as Parsed).userNobody,
      },
    };
  }
  const { store, cookie, userId, userName, userRequire, userNobody, userRooms, userRoles, userBanned } =
    parsed as Parsed;
  return {
    session: {
      source: store,
      cookie,
      user: {
        id: userId,
        name: userName,
        require: userRequire,
        nobody: userNobody,
        rooms: userRooms,
        roles: userRoles,
        banned: userBanned,
      },
    },
  };
}

/** An option as it was given, or where else its value comes from. */
export interface OptionText {
  option: OptionName;
  /** Without a password. */
  text: string;
  from: 'given' | 'preset' | 'default';
}

/** All options of one site's logins, which `readOptions` accepts, with their values and where these come from. */
export function optionTexts(given: Readonly<Partial<Record<OptionName, string | undefined>>>): OptionText[] {
  const preset: Readonly<Partial<Record<OptionName, string | null>>> = given.preset
    ? presetOf(given.preset)
    : {};
  return (Object.keys(table) as OptionName[]).map((option) => {
    if (given[option]) {
      const text = given[option];
      return {
        option,
        text: option === 'store' || option === 'siteDatabase' ? withoutPassword(text) : text,
        from: 'given',
      };
    }
    const text = preset[option];
    return typeof text === 'string'
      ? { option, text, from: 'preset' }
      : { option, text: table[option][0], from: 'default' };
  });
}

function textOf(value: unknown): string | undefined {
  if (value === undefined || value === '') return undefined;
  if (typeof value !== 'string') throw new TypeError('a string is needed');
  return value;
}

/** A store is never guessed: with the wrong one, every visitor would count as logged out. */
function parseStore(text: string): ReturnType<typeof parseStoreUrl> {
  if (text !== '') return parseStoreUrl(text);
  throw new TypeError('not set; it says where PHP keeps its sessions, such as file:///var/lib/php/sessions');
}

function listed(text: string): string[] {
  return text.split(',').flatMap((one) => one.trim() || []);
}

/** A folder, or the kind of the application and a folder. */
function parseSite(text: string): { kind: string | undefined; folder: string } | undefined {
  if (text === '') return undefined;
  const kinds = applications.map(({ kind }) => kind);
  const [, kind, folder] = /^(?:([a-z][a-z0-9-]*):)?(\/.*)$/.exec(text) ?? [];
  if (folder !== undefined && (kind === undefined || kinds.includes(kind))) return { kind, folder };
  throw new TypeError(
    `${JSON.stringify(text)} is not the folder of a site, such as /var/www/html or ${kinds.map((one) => `${one}:/var/www/html`).join(', ')}`,
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
