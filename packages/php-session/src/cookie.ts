import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { parseCookie } from 'cookie';
import { FormatError } from './formats/value.ts';
import { readKeyFile } from './layers/key-file.ts';
import { decryptLaravel, readAppKeys } from './layers/laravel.ts';
import type { Explanation, NotLoggedIn } from './login.ts';
import { probeId } from './store.ts';

/**
 * `php_session_start()` in ext/session/session.c rejects blanks and `< > ' " \`. No handler makes IDs with control
 * characters or with bytes outside ASCII, so they are rejected too. Each store adds the rule of its PHP handler.
 */
const validId = /^[!#-&(-;=?-[\]-~]{1,256}$/;

/** Laravel's own ids: `Store::isValidId()` in Illuminate/Session/Store.php. */
const validLaravelId = /^[A-Za-z0-9]{40}$/;

/** Browsers keep no cookie of more than 4 KB, and Laravel's session cookie has about 450 characters. */
const maxLaravelCookie = 8192;

/** Returns the ID if PHP's session extension accepts it, else null. */
function checkedId(id: unknown): string | null {
  return typeof id === 'string' && validId.test(id) && id !== probeId ? id : null;
}

/** Forms of a cookie that is not plain, by its value. */
const otherForms: readonly [RegExp, string][] = [
  [/^eyJ/, 'it looks encrypted by Laravel: CHAT_SESSION_COOKIE=laravel:KEYFILE, with the key of this site'],
  [
    /^[A-Za-z0-9,-]+\.[0-9a-f]{64}$/,
    'it looks signed by TableSession: CHAT_SESSION_COOKIE=signed:KEYFILE, with the key file of this site. If that is set already, no key of the file has signed this value for a cookie of this name',
  ],
];

/** The setting that this value of the cookie may lack. */
export const formHint = (value: unknown): string | undefined =>
  otherForms.find(([form]) => typeof value === 'string' && form.test(value))?.[1];

/** The cookie that carries the session id. */
export interface SessionCookie {
  name: string;
  /** What its value must be, for the log. */
  expected: string;
  /** The session id in the cookie's value, whatever was sent as that; null when there is none that PHP would take. */
  idIn(value: unknown): string | null;
}

/**
 * - `plain`: the value is the id itself
 * - `signed:KEYFILE`: the value is `ID.SIGNATURE`, of a session that is kept without PHP's own; keys of 32 bytes
 * - `laravel:KEYFILE`: the value is encrypted by Laravel's middleware `EncryptCookies`; without a key file the site's
 *   configuration has the keys
 *
 * Key files are read here.
 * @param appKeys those of the site's configuration
 * @throws TypeError for a form that is none, and for a key file that cannot be used
 */
export function parseCookieForm(form: string, name: string, appKeys: readonly Buffer[] = []): SessionCookie {
  if (form === 'plain') return { name, expected: 'a session ID that PHP accepts', idIn: checkedId };
  if (form === 'laravel' && appKeys.length > 0) return laravelCookie(name, appKeys);
  const [, kind, keyFile] = /^(signed|laravel):(.+)$/.exec(form) ?? [];
  if (keyFile === undefined) throw new TypeError('the cookie is plain, signed:KEYFILE or laravel:KEYFILE');
  return kind === 'signed'
    ? signedCookie(name, readKeyFile(keyFile, [32]))
    : laravelCookie(name, readAppKeys(keyFile));
}

/**
 * Before the id stands what ties the value to this cookie (Illuminate/Cookie/CookieValuePrefix.php): an application
 * encrypts other cookies with the same key, and may let visitors choose what is in them.
 */
function laravelCookie(name: string, keys: readonly Buffer[]): SessionCookie {
  const prefixOf = (key: Buffer) => `${createHmac('sha1', key).update(`${name}v2`).digest('hex')}|`;
  const prefixes = new Map(keys.map((key) => [key, Buffer.from(prefixOf(key))]));
  return {
    name,
    expected: 'a session ID that Laravel has encrypted with a key of this site',
    idIn(value) {
      if (typeof value !== 'string' || value.length > maxLaravelCookie) return null;
      try {
        // A client that hands the value over by itself may do so as the browser keeps it: with `%3D` at the end.
        const { plaintext, key } = decryptLaravel(rawUrlDecode(value), keys);
        const prefix = prefixes.get(key) as Buffer;
        const start = plaintext.subarray(0, prefix.length);
        if (start.length !== prefix.length || !timingSafeEqual(start, prefix)) return null;
        const id = plaintext.toString('latin1', prefix.length);
        return validLaravelId.test(id) ? id : null;
      } catch (error) {
        if (!(error instanceof FormatError)) throw error;
        return null;
      }
    },
  };
}

/** PHP's `max_input_vars`: it reads no more cookies than that. */
const mostCookies = 1000;

/** C's `isspace()`. */
const leadingBlanks = /^[ \t\n\v\f\r]+/;

/** The session ID in a `Cookie` header; null if there is none that PHP would take. */
export function sessionIdFrom(header: string | undefined, cookie: SessionCookie): string | null {
  const value = new RequestCookies(header).value(cookie.name);
  return value === null ? null : cookie.idIn(value);
}

interface Parsed {
  count: number;
  /** The cookies as PHP reads them, by their keys in `$_COOKIE`. */
  byKey: ReadonlyMap<string, readonly { name: string; value: string }[]>;
  /** The values as other software reads them, by name. */
  elsewhere: Readonly<Record<string, string | undefined>>;
}

/** Reads the `Cookie` header of one request, as `php_default_treat_data()` in PHP's main/php_variables.c does. */
export class RequestCookies {
  readonly header: string | undefined;
  /** Parsed once: a visitor may send hundreds of cookies whose names an application reads one by one. */
  #parsed: Parsed | undefined;
  #conflict: Explanation | null = null;

  constructor(header: string | undefined) {
    this.header = header;
  }

  /** The names, each once. */
  get names(): string[] {
    const names = (this.header ?? '').split(';', mostCookies).map((pair) => pair.split('=', 1)[0] ?? '');
    return [...new Set(names.map((name) => name.replace(leadingBlanks, '')))];
  }

  /** Whether PHP reads any cookie under this name. */
  has(name: string): boolean {
    return Boolean(onlyCookies(this.header, [name]));
  }

  /**
   * The value of a cookie; null if there is none. Null also if PHP and other software could read different values:
   * whoever sets one of the cookies, such as a sibling subdomain, would choose the login.
   */
  value(wanted: string): string | null {
    const read = this.#read(wanted);
    if (read === null || typeof read === 'string') return read;
    this.#conflict ??= read;
    return null;
  }

  /** Adds the conflict that `value` has met. It replaces the reason that a cookie is missing. */
  explain(why: NotLoggedIn): NotLoggedIn {
    const conflict = this.#conflict;
    if (conflict === null) return why;
    if (why.cookie !== undefined) return { state: why.state, ...conflict };
    return {
      ...why,
      reason: `${why.reason}; ${conflict.reason}`,
      kind: `${why.kind}; ${conflict.kind}`,
      hint: why.hint ?? conflict.hint,
    };
  }

  /** The value of a cookie, null if there is none, or why it is not read. */
  #read(wanted: string): string | Explanation | null {
    this.#parsed ??= parsed(this.header ?? '');
    const { count, byKey, elsewhere } = this.#parsed;
    if (count > mostCookies)
      return conflict(`the request has more than ${mostCookies} cookies, and PHP reads no more`);
    const found = byKey.get(wanted) ?? [];
    const [first] = found;
    if (first === undefined) return null;
    // A browser lets a page set `..Host-ID` where `__Host-ID` is protected.
    if (found.some(({ name }) => name !== wanted))
      return conflict(`PHP reads a cookie of another name as ${wanted}`, wanted);
    if (found.some(({ value }) => value !== first.value))
      return conflict(
        `there are two cookies ${wanted} with different values, set for another Path or Domain; PHP uses the first in the header, the chat neither`,
        wanted,
      );
    return elsewhere[wanted] === first.value
      ? first.value
      : conflict(`PHP and other software read different values of the cookie ${wanted}`, wanted);
  }
}

function parsed(header: string): Parsed {
  const byKey = new Map<string, { name: string; value: string }[]>();
  let count = 0;
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=');
    const name = (equals === -1 ? pair : pair.slice(0, equals)).replace(leadingBlanks, '');
    if (name === '') continue;
    count++;
    // Without `=` the value is empty. Blanks around a value are part of it.
    const cookie = { name, value: equals === -1 ? '' : rawUrlDecode(pair.slice(equals + 1)) };
    const key = nameInPhp(name);
    const same = byKey.get(key);
    if (same === undefined) byKey.set(key, [cookie]);
    else same.push(cookie);
  }
  // Most software on Node reads cookies by this package.
  return { count, byKey, elsewhere: parseCookie(header, { decode: rawUrlDecode }) };
}

/** @param name is left out of the kind: visitors choose the names of some cookies */
function conflict(reason: string, name?: string): Explanation {
  return {
    reason,
    kind: name === undefined ? reason : reason.replaceAll(` ${name}`, ''),
    hint: 'delete the cookies of the site in the browser and log in again; if they come back, the site, or another one below the same domain, sets the cookie twice: give it one Path and one Domain (session.cookie_path, session.cookie_domain)',
    forClient: true,
  };
}

/** The cookies of these names, as they stand in a `Cookie` header. */
export function onlyCookies(header: string | undefined, names: readonly string[]): string | undefined {
  const nameOf = (pair: string) => (pair.split('=', 1)[0] ?? '').replace(leadingBlanks, '');
  const some = header?.split(';', mostCookies).filter((pair) => names.includes(nameInPhp(nameOf(pair))));
  return some?.join(';');
}

/** Whether a cookie of any name has this secret value. */
export function hasCookieOf(header: string, secret: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text, 'latin1').digest();
  const wanted = digest(secret);
  return header
    .split(';', mostCookies)
    .some((pair) => timingSafeEqual(digest(rawUrlDecode(pair.slice(pair.indexOf('=') + 1))), wanted));
}

/**
 * The key in `$_COOKIE` under which PHP keeps a cookie: `php_register_variable_ex()`. Blanks and dots become `_`;
 * `NAME[KEY]` is an array NAME, and a `[` without a `]` becomes `_`. PHP since 8.1.11 drops names that begin with
 * `__Host-` or `__Secure-` only after that; they are kept here, as in older versions.
 */
function nameInPhp(name: string): string {
  const bracket = name.indexOf('[');
  const isArray = bracket !== -1 && name.includes(']', bracket);
  return (isArray ? name.slice(0, bracket) : name).replace(/[ .[]/g, '_');
}

/** PHP's `php_raw_url_decode()`: a `%` that two hexadecimal digits do not follow stays, and so does `+`. */
function rawUrlDecode(value: string): string {
  return value.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

const signedForm = /^([A-Za-z0-9,-]{1,256})\.([0-9a-f]{64})$/;

/**
 * `ID.SIGNATURE`, as `SignedCookie.php` makes it: the signature is the HMAC-SHA-256 of `NAME.ID` in hexadecimal digits,
 * with the cookie's name before the id, so that what is signed for one cookie does not pass as another.
 * @param keys any of them may have signed
 */
function signedCookie(name: string, keys: readonly Buffer[]): SessionCookie {
  return {
    name,
    expected: 'a session ID that a key of this site has signed',
    idIn(value) {
      const [, id, signature] = (typeof value === 'string' && signedForm.exec(value)) || [];
      if (id === undefined || signature === undefined) return null;
      const given = Buffer.from(signature, 'hex');
      const signedBy = (key: Buffer) =>
        timingSafeEqual(createHmac('sha256', key).update(`${name}.${id}`).digest(), given);
      return keys.some(signedBy) ? id : null;
    },
  };
}
