import { parseCookie } from 'cookie';

/**
 * The ids PHP itself makes and accepts: `php_session_valid_key()` in ext/session/session.c, up to
 * `PS_MAX_SID_LENGTH`. Checked before anything else is done with an id.
 */
const validId = /^[A-Za-z0-9,-]{1,256}$/;

/** The id when PHP could have made it, else null. */
export function checkedId(id: unknown): string | null {
  return typeof id === 'string' && validId.test(id) ? id : null;
}

/** The cookie that carries the session id. */
export interface SessionCookie {
  name: string;
  /** The session id in the cookie's value, whatever was sent as that; null when there is none that PHP would take. */
  idIn(value: unknown): string | null;
}

/**
 * `plain`: the value is the id itself.
 * @throws TypeError for a form that is none
 */
export function parseCookieForm(form: string, name: string): SessionCookie {
  if (form === 'plain') return { name, idIn: checkedId };
  throw new TypeError('this version knows plain');
}

/**
 * The session id in a `Cookie` header, read as PHP reads it; null when there is none that PHP would take.
 *
 * Two cookies of that name (for the host and for its parent domain, say) with different values are none:
 * PHP takes the first, other software the last, so an attacker who can set one would choose who is who.
 */
export function sessionIdFrom(header: string | undefined, cookie: SessionCookie): string | null {
  const values = new Set<string>();
  // One pair at a time, since the parser keeps only the first of two equal names.
  for (const pair of header?.split(';') ?? []) {
    const value = parseCookie(pair, { decode: rawUrlDecode })[cookie.name];
    if (value !== undefined) values.add(value);
  }
  const [value] = values;
  return values.size === 1 ? cookie.idIn(value) : null;
}

/** PHP's `php_raw_url_decode()`: a `%` that two hexadecimal digits do not follow stays, and so does `+`. */
function rawUrlDecode(value: string): string {
  return value.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
