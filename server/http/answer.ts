import { type ServerResponse, STATUS_CODES } from 'node:http';
import type { Duplex } from 'node:stream';
import { type HttpErrorCode, httpErrors } from '../errors.ts';

const statuses = {
  bad_request: 400,
  unauthorized: 401,
  origin_not_allowed: 403,
  session_changed: 403,
  not_found: 404,
  method_not_allowed: 405,
  request_timeout: 408,
  header_too_large: 431,
  client_not_built: 503,
  server_draining: 503,
} as const satisfies Record<HttpErrorCode, number>;

function errorBody(code: HttpErrorCode): string {
  return JSON.stringify({ error: { code, message: httpErrors[code] } });
}

/** Answers `{"error":{"code","message"}}` with the status that belongs to the code. */
export function answerError(
  res: ServerResponse,
  code: HttpErrorCode,
  headers: Record<string, string> = {},
): void {
  const body = errorBody(code);
  res.writeHead(statuses[code], {
    'Content-Type': 'application/json',
    'Content-Length': Buffer.byteLength(body),
    'Cache-Control': 'no-store',
    'X-Content-Type-Options': 'nosniff',
    ...headers,
  });
  res.end(body);
}

/** The same answer on a bare connection: a refused upgrade, or a request that could not be parsed. */
export function answerErrorRaw(socket: Duplex, code: HttpErrorCode): void {
  // The other side may be gone already, which is no concern of anybody's.
  socket.on('error', () => {});
  if (!socket.writable) return void socket.destroy();
  const body = errorBody(code);
  socket.end(
    `HTTP/1.1 ${statuses[code]} ${STATUS_CODES[statuses[code]]}\r\nContent-Type: application/json\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
    () => socket.destroy(),
  );
}
