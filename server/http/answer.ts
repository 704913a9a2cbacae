import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { type HttpErrorCode, httpErrors } from '../wire/errors.ts';
import { STATUS_CODES } from './node-http.ts';

export const securityHeaders = {
  'X-Content-Type-Options': 'nosniff',
  'Referrer-Policy': 'no-referrer',
};

export function answerJson(res: ServerResponse, status: number, value: unknown, retryAfterMs?: number): void {
  if (retryAfterMs !== undefined) res.setHeader('Retry-After', Math.ceil(retryAfterMs / 1000));
  send(res, status, 'application/json', JSON.stringify(value));
}

/** Sends a body that must not be cached. */
export function send(res: ServerResponse, status: number, type: string, body: string): void {
  res.writeHead(status, {
    ...securityHeaders,
    'Content-Type': type,
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
  });
  end(res, res.req.method === 'HEAD' ? '' : body);
}

/** Limits for reading the rest of a request's body after the response. */
const linger = { ms: 3000, bytes: 64 * 1024 * 1024 };

/**
 * Ends a response. First reads and drops the rest of the request's body up to a limit, because closing a connection
 * with unread input would lose the response.
 */
export function end(res: ServerResponse, body: string): void {
  const { req } = res;
  const { 'content-length': length = '0', 'transfer-encoding': coding } = req.headers;
  const isRead = req.complete || req.destroyed || (coding === undefined && length === '0');
  if (isRead) return void res.end(body);
  res.write(body);
  const until = req.socket.bytesRead + linger.bytes;
  const finish = () => {
    clearTimeout(timer);
    req.off('data', count);
    res.end();
  };
  const count = () => req.socket.bytesRead > until && finish();
  const timer = setTimeout(finish, linger.ms).unref();
  req.on('data', count).once('end', finish).once('close', finish).resume();
}

/** Clients of Engine.IO 3 recognise a newer server by this error (`Server.errors` of engine.io). */
const engineError = { code: 5, message: 'Unsupported protocol version' };

function errorBody(code: HttpErrorCode): string {
  const error = { code, message: httpErrors[code].message };
  return JSON.stringify(code === 'unsupported_protocol' ? { ...engineError, error } : { error });
}

/** Sends `{"error":{"code","message"}}` with the status of the code. */
export function answerError(
  res: ServerResponse,
  code: HttpErrorCode,
  retryAfterMs?: number,
  headers: Record<string, string> = {},
): void {
  const body = errorBody(code);
  res.writeHead(httpErrors[code].status, {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...(retryAfterMs === undefined ? {} : { 'Retry-After': Math.ceil(retryAfterMs / 1000) }),
    ...headers,
  });
  end(res, body);
}

/** A client must receive a response of `answerErrorRaw` within this time (ms). */
const rawAnswerTimeout = 2000;

/** Like `answerError`, for a connection without a response object: a rejected upgrade or an unparsable request. */
export function answerErrorRaw(socket: Duplex, code: HttpErrorCode, retryAfterMs?: number): void {
  // The client may already have disconnected, which is not an error.
  socket.on('error', () => {});
  if (!socket.writable) return void socket.destroy();
  const unread = setTimeout(() => socket.destroy(), rawAnswerTimeout).unref();
  socket.on('close', () => clearTimeout(unread));
  const body = errorBody(code);
  const { status } = httpErrors[code];
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/json\r\n` +
      'Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n' +
      (retryAfterMs === undefined ? '' : `Retry-After: ${Math.ceil(retryAfterMs / 1000)}\r\n`) +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}

/**
 * Evaluates the conditions of a request for a version with this ETag (RFC 9110, section 13.2.2). `changed`: `If-Match`
 * names only others. `known`: the client already has it (`If-None-Match`). null: the request is to be answered.
 */
export function conditionOf({ headers }: IncomingMessage, etag: string): 'changed' | 'known' | null {
  const has = (tags: string[]) => tags.includes(etag) || tags.includes('*');
  const { 'if-match': wanted, 'if-none-match': known } = headers;
  if (wanted !== undefined && !has(tagsOf(wanted))) return 'changed';
  // Compared weakly, since a proxy that changes the encoding makes the tag weak.
  return known !== undefined && has(tagsOf(known).map((tag) => tag.replace(/^W\//, ''))) ? 'known' : null;
}

const tagsOf = (header: string): string[] => header.split(',').map((tag) => tag.trim());

/**
 * Whether a page loads this as an image, a frame or similar. A visitor may have put such an element into a page of the
 * same origin.
 */
export function isEmbedded(req: IncomingMessage): boolean {
  const dest = req.headers['sec-fetch-dest'] ?? 'empty';
  return dest !== 'empty' && dest !== 'document';
}
