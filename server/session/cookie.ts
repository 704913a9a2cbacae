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

/**
 * The session id in a `Cookie` header, read as PHP reads it; null when there is none that PHP would take.
 *
 * Two cookies of that name (for the host and for its parent domain, say) with different values are none:
 * PHP takes the first, other software the last, so an attacker who can set one would choose who is who.
 */
export function sessionIdFrom(header: string | undefined, name: string): string | null {
  const ids = new Set<string>();
  // One pair at a time, since the parser keeps only the first of two equal names.
  for (const pair of header?.split(';') ?? []) {
    const value = parseCookie(pair, { decode: rawUrlDecode })[name];
    if (value !== undefined) ids.add(value);
  }
  const [id] = ids;
  return ids.size === 1 ? checkedId(id) : null;
}

/** PHP's `php_raw_url_decode()`: a `%` that two hexadecimal digits do not follow stays, and so does `+`. */
function rawUrlDecode(value: string): string {
  return value.replace(/%([0-9A-Fa-f]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
}
