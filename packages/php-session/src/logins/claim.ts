import { timingSafeEqual } from 'node:crypto';
import type { RequestCookies } from '../cookie.ts';
import { formats } from '../formats/formats.ts';
import { FormatError, type PhpValue } from '../formats/value.ts';
import { mergeRoles } from '../identity.ts';
import { type Credentials, type NotLoggedIn, notLoggedIn, type SessionUser } from '../login.ts';
import { option, trustedProxies } from '../names.ts';
import { maxSessionBytes, SessionTooLargeError } from '../store.ts';

/** The parts of a request that a claim is made from. */
export type ClaimSource = Omit<Credentials, 'cookies' | 'session'> & { cookies: RequestCookies };

/** What a request claims, before the database is read. */
export interface Claim {
  /** The name of the table in `Application.logins`. */
  readonly table: string;
  /** The value of the column `lookup` in the row. */
  readonly lookup: string;
  /** See `toHandle`. */
  readonly secrets: readonly string[];
  /** Checked if this claim does not lead to a login. */
  readonly fallback?: this;
}

/** The user of a row, and what the next check needs. */
export interface RowUser {
  user: SessionUser;
  /** The end of the login in Unix ms, as in `Login`. */
  ends?: number;
  /** From this Unix time in seconds, the row is checked again even if it is unchanged. */
  idle?: number;
  /** Passed as `memo` to the next `checkRow` of this login, also if that checks a fallback claim. */
  memo?: string;
  /** See `Login`. */
  mayBeOver?: true;
}

/** Ends the check of a request, so its other claims do not count. */
export const rejectFinally = (reason: string, hint?: string) => ({
  ...notLoggedIn(reason, hint),
  isFinal: true as const,
});

/** Returns why a banned user is rejected, and what the operator can do. */
export const banned = (what = 'this user') =>
  [`${what} is banned on the site`, 'if that is a mistake, lift the ban on the site'] as const;

/** What the operator can do about a disabled account. */
export const enableHint = 'if that is a mistake, enable the account on the site';

export function toRoles(admin = false, moderator = false, team = false): Pick<SessionUser, 'roles'> {
  const roles = mergeRoles([], { admin, moderator, team });
  return roles.length === 0 ? {} : { roles };
}

/** Rejects a session that SELECT has cut off at `maxSessionBytes`. Returns null for any other session. */
export function checkSize(session: Buffer | null | undefined): NotLoggedIn | null {
  if (!session || session.length < maxSessionBytes) return null;
  return { state: 'invalid', ...new SessionTooLargeError().why };
}

export const keyChanged = notLoggedIn('the site now has another key for its logins');

/** Rejects a request without the cookie. @param hint how the site sets the cookie */
export const missingCookie = (name: string, hint: string): NotLoggedIn => ({
  ...notLoggedIn(
    `the request has no cookie ${name}`,
    `if every visitor gets this: ${hint}; ${option('cookieName')} sets another name`,
  ),
  cookie: name,
});

/** Returns the hint for a visitor whose address differs from the address of the login. */
export const addressHint = () =>
  `if every visitor gets this: PHP sees another address than this server, see ${trustedProxies()}; ${option('siteChecks')}=off disables the comparison`;

/** Decodes a value. Undefined if the bytes do not have the format. */
export function decodeValue(format: 'php' | 'php_serialize', bytes: Buffer): PhpValue | undefined {
  try {
    return formats[format](bytes);
  } catch (error) {
    if (error instanceof FormatError) return undefined;
    throw error;
  }
}

/** Whether two secrets are equal. Compares in constant time. */
export const isSameSecret = (one: Uint8Array, other: Uint8Array): boolean =>
  one.length === other.length && timingSafeEqual(one, other);

export const hasAny = (values: readonly string[], wanted: readonly string[] = []): boolean =>
  wanted.some((value) => values.includes(value));
