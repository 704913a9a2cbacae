import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import { parseCookie } from 'cookie';
import { FormatError } from './formats/value.ts';
import { readKeyFile } from './layers/key-file.ts';
import { decryptLaravel, readAppKeys } from './layers/laravel.ts';
import type { Explanation, NotLoggedIn } from './login.ts';
import { option } from './names.ts';
import { probeId } from './store.ts';

/**
 * `php_session_start()` in ext/session/session.c rejects blanks and `< > ' " \`. No handler creates IDs with control
 * or non-ASCII characters, so they are rejected too. Each store adds the rule of its PHP handler.
 */
const validId = /^[!#-&(-;=?-[\]-~]{1,256}$/;

/** `Store::isValidId()` in Illuminate/Session/Store.php. */
const validLaravelId = /^[A-Za-z0-9]{40}$/;

/** Browsers reject cookies above 4 KB. Laravel's session cookie has about 340 characters. */
const maxLaravelCookieLength = 8192;

/** Returns the ID if PHP's session extension accepts it, otherwise null. */
function toPlainId(id: unknown): string | null {
  return typeof id === 'string' && validId.test(id) && id !== probeId ? id : null;
}

/**
 * Suggests a value of the option `cookie` for a cookie value that looks encrypted or signed. Undefined for other values.
 */
export function suggestCookieForm(value: unknown): string | undefined {
  if (typeof value !== 'string') return undefined;
  if (value.startsWith('eyJ'))
    return `the value looks encrypted by Laravel: set ${option('cookie')}=laravel:KEYFILE with the key of this site`;
  if (/^[A-Za-z0-9,-]+\.[0-9a-f]{64}$/.test(value))
    return `the value looks signed by TableSession: set ${option('cookie')}=signed:KEYFILE with the key file of this site. If it is already set, no key of the file has signed this value for a cookie of this name`;
  return undefined;
}

/** The cookie with the session ID. */
export interface SessionCookie {
  name: string;
  /** Describes a valid value, for the log. */
  expected: string;
  /** Returns the session ID in a value from the client. Null if PHP would not accept the value. */
  idIn(value: unknown): string | null;
}

/**
 * Parses the option `cookie`:
 * - `plain`: the value is the ID
 * - `signed:KEYFILE`: the value is `ID.SIGNATURE`, signed by the PHP class TableSession with a key of 32 bytes
 * - `laravel:KEYFILE`: the value is encrypted by Laravel's middleware `EncryptCookies`
 * - `laravel`: the same, with a key of the site's configuration
 *
 * Reads the key file.
 * @param appKeys the keys of the site's configuration
 * @throws TypeError for an unknown form or an unusable key file
 */
export function parseCookieForm(form: string, name: string, appKeys: readonly Buffer[] = []): SessionCookie {
  if (form === 'plain') return { name, expected: 'a session ID that PHP accepts', idIn: toPlainId };
  if (form === 'laravel' && appKeys.length > 0) return laravelCookie(name, appKeys);
  const [, kind, keyFile] = /^(signed|laravel):(.+)$/.exec(form) ?? [];
  if (keyFile === undefined)
    throw new TypeError('the cookie must be plain, signed:KEYFILE or laravel:KEYFILE');
  return kind === 'signed'
    ? signedCookie(name, readKeyFile(keyFile, [32]))
    : laravelCookie(name, readAppKeys(keyFile));
}

/**
 * Returns the cookie of a Laravel application. A prefix ties the value to this cookie
 * (Illuminate/Cookie/CookieValuePrefix.php), because an application encrypts other cookies with the same key and may let
 * visitors choose their content.
 */
function laravelCookie(name: string, keys: readonly Buffer[]): SessionCookie {
  const prefixOf = (key: Buffer) => `${createHmac('sha1', key).update(`${name}v2`).digest('hex')}|`;
  const prefixes = new Map(keys.map((key) => [key, Buffer.from(prefixOf(key))]));
  return {
    name,
    expected: 'a session ID that Laravel has encrypted with a key of this site',
    idIn(value) {
      if (typeof value !== 'string' || value.length > maxLaravelCookieLength) return null;
      try {
        // A client may send the value as the browser stores it, with `%3D` at the end.
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

/** The default of PHP's `max_input_vars`. PHP ignores further cookies. */
const maxCookies = 1000;

/** C's `isspace()`. */
const leadingBlanks = /^[ \t\n\v\f\r]+/;

/** Returns the session ID in a `Cookie` header. Null without an ID that PHP would accept. */
export function readSessionId(header: string | undefined, cookie: SessionCookie): string | null {
  const value = new RequestCookies(header).value(cookie.name);
  return value === null ? null : cookie.idIn(value);
}

interface ParsedHeader {
  count: number;
  /** The cookies as PHP reads them, by their keys in `$_COOKIE`. */
  byKey: ReadonlyMap<string, readonly { name: string; value: string }[]>;
  /** The values as most software on Node reads them, by name. */
  byName: Readonly<Record<string, string | undefined>>;
}

/** Reads the `Cookie` header of one request, as `php_default_treat_data()` in PHP's main/php_variables.c does. */
export class RequestCookies {
  readonly header: string | undefined;
  /** Parsed once, because a visitor may send hundreds of cookies, and an application may read them one by one. */
  #parsed: ParsedHeader | undefined;
  #conflict: Explanation | null = null;

  constructor(header: string | undefined) {
    this.header = header;
  }

  /** The distinct names. */
  get names(): string[] {
    const names = (this.header ?? '').split(';', maxCookies).map((pair) => pair.split('=', 1)[0] ?? '');
    return [...new Set(names.map((name) => name.replace(leadingBlanks, '')))];
  }

  /** Whether PHP reads any cookie under this name. */
  has(name: string): boolean {
    return Boolean(selectCookies(this.header, [name]));
  }

  /**
   * Returns the value of a cookie, or null. Also null if PHP and other software could read different values. Otherwise an
   * attacker who sets a second cookie, such as from a sibling subdomain, could choose the login.
   */
  value(name: string): string | null {
    const value = this.#read(name);
    if (value === null || typeof value === 'string') return value;
    this.#conflict ??= value;
    return null;
  }

  /** Adds the first conflict that `value` detected. The conflict replaces a reason that names a missing cookie. */
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

  /** Returns the value of a cookie, null if it is missing, or why it is rejected. */
  #read(name: string): string | Explanation | null {
    this.#parsed ??= parseHeader(this.header ?? '');
    const { count, byKey, byName } = this.#parsed;
    if (count > maxCookies)
      return conflict(`the request has more than ${maxCookies} cookies, and PHP ignores the rest`);
    const cookies = byKey.get(name) ?? [];
    const [first] = cookies;
    if (first === undefined) return null;
    // Browsers protect `__Host-ID`, but let any page set `..Host-ID`, which PHP reads under the same key.
    if (cookies.some((cookie) => cookie.name !== name))
      return conflict(`PHP reads a cookie of another name as ${name}`, name);
    if (cookies.some(({ value }) => value !== first.value))
      return conflict(
        `the request has two cookies ${name} with different values, set for different Paths or Domains; PHP uses the first in the header, but this server accepts neither`,
        name,
      );
    return byName[name] === first.value
      ? first.value
      : conflict(`PHP and other software read different values of the cookie ${name}`, name);
  }
}

function parseHeader(header: string): ParsedHeader {
  const byKey = new Map<string, { name: string; value: string }[]>();
  let count = 0;
  for (const pair of header.split(';')) {
    const equals = pair.indexOf('=');
    const name = (equals === -1 ? pair : pair.slice(0, equals)).replace(leadingBlanks, '');
    if (name === '') continue;
    count++;
    // A pair without `=` has an empty value. Blanks around a value belong to it.
    const cookie = { name, value: equals === -1 ? '' : rawUrlDecode(pair.slice(equals + 1)) };
    const key = toPhpName(name);
    const same = byKey.get(key);
    if (same === undefined) byKey.set(key, [cookie]);
    else same.push(cookie);
  }
  return { count, byKey, byName: parseCookie(header, { decode: rawUrlDecode }) };
}

/**
 * Explains why the cookies of a request are ambiguous.
 * @param name is removed from `kind`, because visitors choose the names of some cookies
 */
function conflict(reason: string, name?: string): Explanation {
  return {
    reason,
    kind: name === undefined ? reason : reason.replaceAll(` ${name}`, ''),
    hint: 'delete the cookies of the site in the browser and log in again; if they come back, this site, or another site below the same domain, sets the cookie twice: give the cookie one Path and one Domain (session.cookie_path, session.cookie_domain)',
    forClient: true,
  };
}

/** Returns the part of a `Cookie` header with the cookies of these names. Undefined without a header. */
export function selectCookies(header: string | undefined, names: readonly string[]): string | undefined {
  const nameOf = (pair: string) => (pair.split('=', 1)[0] ?? '').replace(leadingBlanks, '');
  const pairs = header?.split(';', maxCookies).filter((pair) => names.includes(toPhpName(nameOf(pair))));
  return pairs?.join(';');
}

/** Whether any cookie has this secret value. */
export function hasCookieValue(header: string, secret: string): boolean {
  const digest = (text: string) => createHash('sha256').update(text, 'latin1').digest();
  const wanted = digest(secret);
  return header
    .split(';', maxCookies)
    .some((pair) => timingSafeEqual(digest(rawUrlDecode(pair.slice(pair.indexOf('=') + 1))), wanted));
}

/**
 * Returns the key of a cookie in `$_COOKIE`, as `php_register_variable_ex()` computes it. Blanks and dots become `_`,
 * `NAME[KEY]` is an array NAME, and a `[` without a `]` becomes `_`. Also returns keys with the prefix `__Host-` or
 * `__Secure-` for other names, as PHP before 8.1.11 does.
 */
function toPhpName(name: string): string {
  const bracket = name.indexOf('[');
  const isArray = bracket !== -1 && name.includes(']', bracket);
  return (isArray ? name.slice(0, bracket) : name).replace(/[ .[]/g, '_');
}

/** Decodes like PHP's `php_raw_url_decode()`, which keeps `+`, and a `%` without two hexadecimal digits. */
function rawUrlDecode(value: string): string {
  return value.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}

const signedForm = /^([A-Za-z0-9,-]{1,256})\.([0-9a-f]{64})$/;

/**
 * Returns a cookie with the value `ID.SIGNATURE`, as `SignedCookie.php` creates it. The signature is the HMAC-SHA-256 of
 * `NAME.ID` in hexadecimal digits. It includes the cookie's name, so a value signed for another cookie is rejected.
 * @param keys accepted keys
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
