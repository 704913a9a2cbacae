import { parseCookieForm } from './cookie.ts';
import { parsePath } from './path.ts';
import { presetOf, presets } from './presets.ts';
import { createSessionReader, type SessionReader } from './read-session.ts';
import { parseStoreUrl } from './store-url.ts';

/** Where a site keeps its sessions, which cookie names one, and who is in it. */
export interface SessionOptions {
  /** A store URL, such as `file:///var/lib/php/sessions` or `redis://127.0.0.1:6379`. */
  store: string;
  /** PHP's `session.name`. Default `PHPSESSID`. */
  cookieName?: string | undefined;
  /** `plain`, the default: the cookie holds the session id itself. `laravel:KEYFILE`: encrypted by Laravel. */
  cookie?: string | undefined;
  /** The path to the user's id in the session, such as `app.user.id`. Default `user_id`. */
  userId?: string | undefined;
  /** The path to the user's name; the id is the name where there is none. Default `firstname`. */
  userName?: string | undefined;
  /** A path to what must not be empty, or nobody is logged in. */
  userRequire?: string | undefined;
  /** The ids of nobody, such as that of a guest account, separated by commas. */
  userNobody?: string | undefined;
  /** The options of a known application, such as `roundcube`; each can still be given by itself. */
  preset?: keyof typeof presets | undefined;
}

/** The sessions of one site. */
export interface Sessions extends Pick<SessionReader, 'changed' | 'answers' | 'close'> {
  /** `Cookie` header of a request → who is logged in, or why nobody is. Never throws. */
  readSession: SessionReader['fromCookie'];
}

const defaults = {
  cookieName: 'PHPSESSID',
  cookie: 'plain',
  userId: 'user_id',
  userName: 'firstname',
  userRequire: '',
  userNobody: '',
};

const known = new Set(['store', 'preset', ...Object.keys(defaults)]);

/**
 * Nothing is connected before the first session is read.
 * @throws TypeError that lists all that is wrong with the options, without a password
 */
export function openSessions(options: SessionOptions): Sessions {
  const values: Record<string, unknown> = { ...defaults, ...ofPreset(options.preset), ...given(options) };
  const problems = Object.keys(values)
    .filter((name) => !known.has(name))
    .map((name) => `${name}: there is no such option`);

  function parsed<T>(name: keyof SessionOptions, parse: (text: string) => T): T {
    const value = values[name];
    try {
      if (value === null) throw new TypeError('every site has its own, so it is needed with this preset');
      if (typeof value !== 'string') throw new TypeError('a string is needed');
      return parse(value);
    } catch (error) {
      if (!(error instanceof TypeError)) throw error;
      problems.push(`${name}: ${error.message}`);
      return undefined as never; // nor is it used: see below
    }
  }

  const name = parsed('cookieName', parseCookieName);
  const settings = {
    source: parsed('store', parseStoreUrl),
    cookie: parsed('cookie', (form) => parseCookieForm(form, name)),
    user: {
      id: parsed('userId', parsePath),
      name: parsed('userName', parsePath),
      require: parsed('userRequire', (path) => (path === '' ? undefined : parsePath(path))),
      nobody: parsed('userNobody', (ids) => ids.split(',').map((id) => id.trim())),
    },
  };
  if ('preset' in values) parsed('preset', checkPreset);
  if (problems.length > 0) throw new TypeError(`options that cannot be used:\n  ${problems.join('\n  ')}`);
  const { fromCookie, changed, answers, close } = createSessionReader(settings);
  return { readSession: fromCookie, changed, answers, close };
}

/** An option that is undefined is none that was given. */
function given(options: object) {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));
}

function ofPreset(name = ''): { [name in keyof typeof defaults]?: string | null } {
  const preset = presetOf(name);
  return given({
    cookieName: preset.CHAT_SESSION_NAME,
    userId: preset.CHAT_USER_ID,
    userName: preset.CHAT_USER_NAME,
    userRequire: preset.CHAT_USER_REQUIRE,
    userNobody: preset.CHAT_USER_NOBODY,
  });
}

function checkPreset(name: string): void {
  if (!Object.hasOwn(presets, name)) throw new TypeError(`one of ${Object.keys(presets).join(', ')}`);
}

/** A token, as RFC 6265 wants it, of the characters that PHP reads back unchanged. */
function parseCookieName(name: string): string {
  if (!/^[A-Za-z0-9_-]{1,128}$/.test(name)) throw new TypeError('1 to 128 of A-Z a-z 0-9 _ -');
  return name;
}
