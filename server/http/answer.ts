import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type HttpErrorCode, httpErrors } from '../errors.ts';

function errorBody(code: HttpErrorCode): string {
  return JSON.stringify({ error: { code, message: httpErrors[code].message } });
}

/** Answers `{"error":{"code","message"}}` with the status that belongs to the code. */
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
  res.end(body);
}

/** The same answer on a bare connection: a refused upgrade, or a request that could not be parsed. */
export function answerErrorRaw(socket: Duplex, code: HttpErrorCode, retryAfterMs?: number): void {
  // The other side may be gone already, which is no concern of anybody's.
  socket.on('error', () => {});
  if (!socket.writable) return void socket.destroy();
  const body = errorBody(code);
  const { status } = httpErrors[code];
  socket.end(
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/json\r\n` +
      (retryAfterMs === undefined ? '' : `Retry-After: ${Math.ceil(retryAfterMs / 1000)}\r\n`) +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}
