import { createHash } from 'node:crypto';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { answerInTime } from '../limits/answer-in-time.ts';
import type { RateLimit } from '../limits/by-key.ts';
import { answerError, end, securityHeaders } from './answer.ts';
import { readBody } from './api.ts';

/** The maximum body of a request, in bytes. Mail programs and browsers send a form with one field. */
const mostBody = 4096;
/** The field of RFC 8058, in both encodings of forms. */
const oneClick =
  /^List-Unsubscribe=One-Click\b|name="?List-Unsubscribe"?(?:\r?\n[^\r\n]+)*\r?\n\r?\nOne-Click\b/;

export interface MailStopRoute {
  /** Whether a token has the right form and is not too old. */
  takes(token: string): boolean;
  /**
   * Turns off mails for the token's user. An unknown token has no effect.
   * @throws RequestError
   */
  stop(token: string): Promise<void>;
  page(is: 'asked' | 'stopped' | 'over', acceptLanguage: string | undefined): string;
  /** The inline style of each page. */
  style: string;
  limit: RateLimit;
  keyOf(req: IncomingMessage): string;
}

/**
 * Serves the unsubscribe links in mails. A GET does not unsubscribe, because malware scanners follow all links in a
 * mail. An unknown token gets the same responses as a known one.
 */
export function createMailStop(
  route: MailStopRoute,
): (req: IncomingMessage, res: ServerResponse) => Promise<void> {
  const policy = [
    "default-src 'none'",
    "img-src 'self'",
    `style-src 'sha256-${createHash('sha256').update(route.style).digest('base64')}'`,
    "form-action 'self'",
    "base-uri 'none'",
    "frame-ancestors 'none'",
  ].join('; ');
  const answer = (req: IncomingMessage, res: ServerResponse, is: 'asked' | 'stopped' | 'over') => {
    const body = route.page(is, req.headers['accept-language']);
    res.writeHead(200, {
      ...securityHeaders,
      'Content-Type': 'text/html; charset=utf-8',
      'Content-Length': Buffer.byteLength(body),
      'Content-Security-Policy': policy,
      'Cache-Control': 'no-store',
    });
    end(res, req.method === 'HEAD' ? '' : body);
  };
  return async (req, res) => {
    const { method = '' } = req;
    if (!['GET', 'HEAD', 'POST'].includes(method))
      return answerError(res, 'method_not_allowed', undefined, { Allow: 'GET, HEAD, POST' });
    const wait = route.limit.take(route.keyOf(req));
    if (wait !== null) return answerError(res, 'rate_limited', wait);
    const token = new URL(req.url ?? '', 'http://localhost').searchParams.get('t') ?? '';
    if (!route.takes(token)) return answer(req, res, 'over');
    if (method !== 'POST') return answer(req, res, 'asked');
    const body = await readBody(req, mostBody);
    if (body === null) return answerError(res, 'too_large', undefined, { Connection: 'close' });
    if (!oneClick.test(body.toString())) return answerError(res, 'bad_request');
    await answerInTime(route.stop(token));
    answer(req, res, 'stopped');
  };
}
