import { createHash, timingSafeEqual } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { answerError, answerJson } from './answer.ts';

/** As in a session: 1 to 64 characters, none of them a control character. */
const userId = /^\P{Cc}{1,64}$/u;

/**
 * In the target as it was sent. In that of a URL `..` and `%2e%2e` have already led one folder up, and a user may be
 * called so.
 */
const connections = /^(?:[^/]+\/\/[^/?#]*)?\/api\/users\/([^/?#]+)\/connections(?:[?#]|$)/;

/** What the PHP application may do with its key. */
export interface Api {
  /** Closes all connections of a user; how many there were. */
  kick(user: string): number;
}

/** Answers what is asked for under `/api/`. Without a key configured there is nothing there. */
export function createApi(
  api: Api,
  key: string | undefined,
): (req: IncomingMessage, res: ServerResponse) => void {
  return (req, res) => {
    if (key === undefined) return answerError(res, 'not_found');
    if (!hasKey(req, key)) return answerUnauthorized(res);
    const [, user] = connections.exec(req.url ?? '') ?? [];
    if (user === undefined) return answerError(res, 'not_found');
    if (req.method !== 'DELETE') {
      return answerError(res, 'method_not_allowed', undefined, { Allow: 'DELETE' });
    }
    const id = decoded(user);
    if (id === null || !userId.test(id)) return answerError(res, 'bad_request');
    answerJson(req, res, 200, { closed: api.kick(id) });
  };
}

export function answerUnauthorized(res: ServerResponse): void {
  answerError(res, 'unauthorized', undefined, { 'WWW-Authenticate': 'Bearer' });
}

/** Whether the request carries the key, as `Authorization: Bearer KEY`. */
export function hasKey(req: IncomingMessage, key: string | undefined): boolean {
  const given = /^Bearer (.+)$/i.exec(req.headers.authorization ?? '')?.[1];
  if (key === undefined || given === undefined) return false;
  // Digests of one length, so that the comparison tells nothing about the key.
  const digest = (text: string) => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(given), digest(key));
}

function decoded(part: string): string | null {
  try {
    return decodeURIComponent(part);
  } catch {
    return null;
  }
}
