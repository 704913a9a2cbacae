import type { IncomingMessage } from 'node:http';

/** The session, ticket or guest that a client sends itself, not in a cookie. */
export interface OwnLogin {
  session?: string | undefined;
  ticket?: string | undefined;
  guest?: { secret: string } | undefined;
}

/** `WWW-Authenticate` of a 401 to users. */
export const loginChallenge = 'Session';

/**
 * Reads `Authorization: Session ID`, `Authorization: Ticket JWT` or `Authorization: Guest SECRET`. Pages of other sites
 * need a preflight for this header.
 */
export function ownLogin({ headers }: IncomingMessage): OwnLogin {
  const [, scheme, value = ''] = /^(Session|Ticket|Guest) +(\S+)$/i.exec(headers.authorization ?? '') ?? [];
  switch (scheme?.toLowerCase()) {
    case 'session':
      return { session: value };
    case 'ticket':
      return { ticket: value };
    case 'guest':
      return { guest: { secret: value } };
    default:
      return {};
  }
}
