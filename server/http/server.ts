import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { Log } from '../log.ts';
import { answerError, answerErrorRaw } from './answer.ts';

/** Headers that are slower than this are an attack, or hopeless. */
const headersTimeout = 10_000;
const requestTimeout = 30_000;
/** How long a client has to take the last bytes that are on their way to it. */
const lastBytes = 2000;
const socketPath = '/socket.io/';

/** What is asked for under `/socket.io/`. */
export interface SocketEndpoint {
  request(req: IncomingMessage, res: ServerResponse, url: URL): Promise<void>;
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer, url: URL): Promise<void>;
}

export interface HttpServer {
  port: number;
  close(): Promise<void>;
}

/** Opens the port and tells Socket.IO's requests from all others. */
export async function openHttpServer(options: {
  host: string;
  port: number;
  endpoint: SocketEndpoint;
  routes: (req: IncomingMessage, res: ServerResponse, url: URL) => Promise<void>;
  log: Log;
}): Promise<HttpServer> {
  const { endpoint, routes, log } = options;
  const server = createServer({
    headersTimeout,
    requestTimeout,
    connectionsCheckingInterval: 1000,
    // Clients offer h2c and others, which a server may pass over; Node would take them all for WebSockets.
    shouldUpgradeCallback: (req) => /^websocket$/i.test(req.headers.upgrade ?? ''),
  });
  server.on('request', (req, res) => {
    const url = requestUrl(req);
    if (url === null) return answerError(res, 'bad_request');
    const answering = url.pathname === socketPath ? endpoint.request(req, res, url) : routes(req, res, url);
    answering.catch((error: unknown) => {
      log.error({ err: error }, 'an HTTP request failed in a way that was not foreseen');
      res.destroy();
    });
  });
  server.on('upgrade', (req, socket, head) => {
    const url = requestUrl(req);
    if (url?.pathname !== socketPath)
      return answerErrorRaw(socket, url === null ? 'bad_request' : 'not_found');
    endpoint.upgrade(req, socket, head, url).catch((error: unknown) => {
      log.error({ err: error }, 'an upgrade failed in a way that was not foreseen');
      socket.destroy();
    });
  });
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    if (error.code === 'HPE_HEADER_OVERFLOW') answerErrorRaw(socket, 'header_too_large');
    else if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') answerErrorRaw(socket, 'request_timeout');
    else answerErrorRaw(socket, 'bad_request');
  });
  // Node forgets those that became WebSockets.
  const sockets = new Set<Socket>();
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
  });
  server.listen(options.port, options.host);
  await once(server, 'listening');

  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = new Promise((resolve) => server.close(resolve));
      // Closed by force while something unread waits, a connection loses what was already on its way out.
      await Promise.race([closed, pause(lastBytes)]);
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

/** Null for a target that is neither a path nor an absolute address (RFC 9112, section 3.2). */
function requestUrl(req: IncomingMessage): URL | null {
  const target = req.url ?? '';
  const absolute = /^https?:\/\//i.test(target);
  if (!absolute && (!target.startsWith('/') || target.startsWith('//'))) return null;
  const base = 'http://localhost';
  return URL.canParse(target, base) ? new URL(target, base) : null;
}
