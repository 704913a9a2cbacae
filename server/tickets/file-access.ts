import { createHmac, timingSafeEqual } from 'node:crypto';
import type { SessionUser } from 'php-sessions';
import { z } from 'zod';
import type { TicketLogin } from './tickets.ts';

/** The login that a token was issued for. */
export interface AccessLogin {
  user: SessionUser;
  /** See `TicketState.id`. */
  id: string;
}

const content = z.tuple([z.string(), z.string(), z.int(), z.array(z.enum(['admin', 'moderator']))]);

/**
 * The tokens with which a browser downloads files for a login by ticket. A picture in a page is requested without
 * headers, and the browser may send no cookie to the chat server. A token is part of URLs, so it allows nothing else and
 * expires with the ticket.
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
    const [text = '', signature = ''] = token.split('.');
    const given = Buffer.from(signature, 'base64url');
    const isSigned = this.#keys.map((key) => {
      const expected = mac(key, text);
      return given.length === expected.length && timingSafeEqual(given, expected);
    });
    if (!isSigned.includes(true)) return null;
    const [user, id, ends, roles] = content.parse(JSON.parse(Buffer.from(text, 'base64url').toString()));
    return Date.now() < ends ? { user: { id: user, name: user, roles }, id } : null;
  }
}

const mac = (key: Buffer, text: string): Buffer => createHmac('sha256', key).update(text).digest();
