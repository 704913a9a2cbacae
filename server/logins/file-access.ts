import { createHmac, timingSafeEqual } from 'node:crypto';
import type { SessionUser } from 'php-sessions';
import { z } from 'zod';
import { decodeBase64Url } from './base64url.ts';
import type { TicketLogin } from './tickets.ts';

/** The login that a token was issued for. */
interface AccessLogin {
  user: SessionUser;
  /** See `TicketState.id`. */
  id: string;
}

const content = z.tuple([z.string(), z.string(), z.int(), z.array(z.enum(['admin', 'moderator', 'team']))]);

/**
 * Tokens for file downloads by a browser that is logged in by ticket. The page cannot add a header to the request of a
 * picture, and browsers block cookies of other sites. Tokens appear in URLs, so they give access to files only, and
 * expire with the ticket.
 */
export class FileAccess {
  readonly #keys: readonly [Buffer, ...Buffer[]];

  constructor(ticketKeys: readonly Buffer[]) {
    // Derived, so that a token is never a valid ticket.
    this.#keys = ticketKeys.map((key) => mac(key, 'file access')) as [Buffer, ...Buffer[]];
  }

  issue({ user, state, ends }: TicketLogin): string {
    const text = Buffer.from(JSON.stringify([user.id, state.id, ends, user.roles ?? []])).toString(
      'base64url',
    );
    return `${text}.${mac(this.#keys[0], text).toString('base64url')}`;
  }

  /** Returns null if the token is not valid, or has expired. */
  verify(token: string): AccessLogin | null {
    const [text = '', signature = '', ...more] = token.split('.');
    const given = decodeBase64Url(signature);
    if (given === null || more.length > 0) return null;
    const isSigned = this.#keys.map((key) => {
      const expected = mac(key, text);
      return given.length === expected.length && timingSafeEqual(given, expected);
    });
    if (!isSigned.includes(true)) return null;
    const [user, id, ends, roles] = content.parse(JSON.parse(Buffer.from(text, 'base64url').toString()));
    // The token has no rooms, so the stored memberships decide.
    const groups = 'unreadable' as const;
    return Date.now() < ends ? { user: { id: user, name: user, roles, groups }, id } : null;
  }
}

const mac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
