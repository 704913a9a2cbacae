import type { IncomingMessage } from 'node:http';

/** The session or ticket that a client sends itself, not in a cookie. */
export interface OwnLogin {
  session?: string | undefined;
  ticket?: string | undefined;
}

/** Reads `Authorization: Session ID` or `Authorization: Ticket JWT`. Pages of other sites need a preflight for it. */
export function ownLogin({ headers }: IncomingMessage): OwnLogin {
  const [, scheme, value] = /^(Session|Ticket) +(\S+)$/i.exec(headers.authorization ?? '') ?? [];
  if (scheme === undefined) return {};
  return scheme.toLowerCase() === 'ticket' ? { ticket: value } : { session: value };
}
