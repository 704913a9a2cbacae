import { hash } from 'node:crypto';
import { findUser, type Login, type PhpValue, type Refusal, toHandle, type UserPaths } from 'php-sessions';
import { z } from 'zod';
import { loginId } from '../wire/events.ts';
import { isGuest } from '../wire/guest.ts';
import { decodeBase64Url } from './base64url.ts';

/** How the tickets of the site are verified. */
export interface TicketSettings {
  /** HMAC keys of at least 32 bytes. A ticket is signed with one of them. */
  keys: readonly Buffer[];
  /** The required `aud`. */
  audience: string;
  /** Maximum of `exp` - `iat`, in milliseconds. */
  maxAgeMs: number;
  /** IDs of users who have a role in addition to the roles in their tickets. */
  admins: readonly string[];
  moderators: readonly string[];
  /** Names of roles in tickets whose users are in the team. */
  team: readonly string[];
}

/** The state of a login by ticket. */
export class TicketState {
  /** A digest, because `sid` may be the site's session ID. */
  readonly id: string;

  constructor(sid: string) {
    this.id = digestOf(sid);
  }
}

export type TicketLogin = Login<TicketState> & { ends: number; issuedAt: number };

/** The maximum size of a ticket, in bytes. Tickets of sites are much smaller. */
const maxTicketLength = 4096;
/** How far the clocks of the site and of this server may differ, in milliseconds. */
export const clockSkewMs = 30_000;

/** The claims of a ticket. `jose` checks `aud` and the times first. Other claims are ignored. */
const claims = z.object({
  sub: z.union([z.string(), z.int()]),
  sid: loginId,
  iat: z.number().positive(),
  exp: z.number().positive(),
  name: z.string().nullish(),
  rooms: z
    .union([z.array(z.union([z.string(), z.int()])), z.record(z.string(), z.string().nullable())])
    .nullish(),
  roles: z.union([z.string(), z.array(z.string())]).nullish(),
  mail: z.string().nullish(),
});

/** A ticket has the same fields as a session. */
const claimPaths: UserPaths = {
  id: ['sub'],
  name: ['name'],
  groups: ['rooms'],
  roles: ['roles'],
  mail: ['mail'],
};

/** Returns the digest of a `sid`. It identifies an ended login in the history. */
export const digestOf = (sid: string): string => hash('sha256', sid, 'base64url');

/** Returns the `TicketState.id` of a verified ticket. */
export const loginIdOf = (ticket: string): string =>
  digestOf(JSON.parse(Buffer.from(ticket.split('.')[1] ?? '', 'base64url').toString()).sid);

/**
 * Returns when the last ticket of a login expires, in Unix ms, after the site ended the login at `endedAt`. The site's
 * clock may be ahead by `clockSkewMs` when it issues a ticket, and a ticket is accepted for `clockSkewMs` after `exp`.
 */
export const lastTicketEnd = (endedAt: number, maxAgeMs: number): number =>
  endedAt + maxAgeMs + 2 * clockSkewMs;

/** Verifies one ticket, as of `at` in Unix ms. Never rejects because of the ticket. */
export type VerifyTicket = (ticket: unknown, at: number) => Promise<TicketLogin | Refusal>;

/**
 * Returns the function that verifies tickets: JSON Web Tokens (RFC 7519) in compact form, signed with HS256.
 * A refusal names the claim that is wrong, but not its value.
 */
export async function openVerifier({
  keys,
  audience,
  maxAgeMs,
  admins,
  moderators,
  team,
}: TicketSettings): Promise<VerifyTicket> {
  // Loaded on demand, because most sites have no tickets.
  const { errors, jwtVerify } = await import('jose');
  const options = { algorithms: ['HS256'], audience, clockTolerance: clockSkewMs / 1000 };
  const paths = { ...claimPaths, admins, moderators, team };

  async function verifySigned(ticket: string, currentDate: Date): Promise<{ payload: unknown } | Refusal> {
    for (const key of keys) {
      try {
        return await jwtVerify(ticket, key, { ...options, currentDate });
      } catch (error) {
        if (error instanceof errors.JWSSignatureVerificationFailed) continue;
        if (error instanceof errors.JWTExpired) return refuse('unauthorized', 'the ticket has expired');
        if (error instanceof errors.JOSEAlgNotAllowed) return invalid('the ticket is not signed with HS256');
        if (error instanceof errors.JWTClaimValidationFailed)
          return invalid(
            error.claim === 'aud'
              ? `the claim aud of the ticket is not ${audience} (CHAT_TICKET_AUDIENCE)`
              : wrongClaim(error.claim),
          );
        if (error instanceof errors.JOSEError) return invalid('the ticket is not a signed JSON Web Token');
        throw error;
      }
    }
    return invalid('the ticket is not signed with a key of CHAT_TICKET_KEY_FILE');
  }

  return async (ticket, at) => {
    if (typeof ticket !== 'string') return invalid('the ticket is not a string');
    if (ticket.length > maxTicketLength) return invalid(`the ticket is longer than ${maxTicketLength} bytes`);
    // `jose` also accepts blanks, padding and excess bits.
    if (ticket.split('.').some((part) => decodeBase64Url(part) === null))
      return invalid(
        'the ticket is not a signed JSON Web Token: a part is not base64url (RFC 7515, section 2)',
      );
    const signed = await verifySigned(ticket, new Date(at));
    if ('code' in signed) return signed;
    const parsed = claims.safeParse(signed.payload);
    if (!parsed.success) return invalid(wrongClaim(String(parsed.error.issues[0]?.path[0])));
    const { sid, iat, exp } = parsed.data;
    if (iat * 1000 > at + clockSkewMs) return invalid('the claim iat of the ticket is in the future');
    if (exp <= iat) return invalid(wrongClaim('exp'));
    if ((exp - iat) * 1000 > maxAgeMs)
      return invalid(`the ticket is valid for longer than ${maxAgeMs / 1000} s (CHAT_TICKET_TTL)`);
    const found = findUser(parsed.data as PhpValue, paths);
    if (found.state !== 'user' || isGuest(found.user.id)) return invalid(wrongClaim('sub'));
    const { user } = found;
    const state = new TicketState(sid);
    return {
      handle: toHandle('ticket', user.id, [sid]),
      user,
      state,
      issuedAt: iat * 1000,
      // Claims may have fractions, but the end is stored as an integer.
      ends: Math.floor(exp * 1000) + clockSkewMs,
    };
  };
}

/** Why a server without keys rejects tickets. */
export const noTickets = 'this server does not accept tickets (CHAT_TICKET_KEY_FILE)';

const wrongClaim = (claim: string) => `the claim ${claim} of the ticket is missing or not valid`;

/** Returns a refusal whose reason the client may know. */
export const refuse = (code: Refusal['code'], reason: string): Refusal => ({
  code,
  kind: reason,
  reason,
  forClient: true,
});

const invalid = (reason: string) => refuse('session_invalid', reason);
