import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { Log } from '../log.ts';
import { answerError, answerErrorRaw } from './answer.ts';
import { targetOf } from './target.ts';

/** Headers that are slower than this are an attack, or hopeless. */
const headersTimeout = 10_000;
const requestTimeout = 30_000;
/** So many connections may have sent no headers yet, and a new one has at least so many milliseconds. */
const mostSilent = 1000;
const silentAtLeast = 250;
/** How long a client has to take the last bytes that are on their way to it. */
const lastBytes = 2000;
/** Clients and proxies send up to 50. */
const mostHeaders = 100;
const socketPath = '/socket.io/';

/** What is asked for under `/socket.io/`. */
export interface SocketEndpoint {
  request(req: IncomingMessage, res: ServerResponse, url: URL): void;
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer, url: URL): void;
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
  routes: (req: IncomingMessage, res: ServerResponse, path: string) => Promise<void>;
  log: Log;
}): Promise<HttpServer> {
  const { endpoint, routes, log } = options;
  const server = createServer({
    headersTimeout,
    requestTimeout,
    connectionsCheckingInterval: 1000,
    // Node's own answer to that has no body; see targetOf.
    requireHostHeader: false,
    // Clients offer h2c and others, which a server may pass over; Node would take them all for WebSockets.
    shouldUpgradeCallback: (req) => /^websocket$/i.test(req.headers.upgrade ?? ''),
  });
  // What comes after that many Node leaves out without a word: one more, so that it is noticed.
  server.maxHeadersCount = mostHeaders + 1;
  server.on('request', (req, res) => {
    if (hasTooManyHeaders(req)) return answerError(res, 'header_too_large');
    const target = targetOf(req);
    if (target === null) return answerError(res, 'bad_request');
    if (target.path === socketPath) return endpoint.request(req, res, target.url);
    routes(req, res, target.path).catch((error: unknown) => {
      log.error({ err: error }, 'an HTTP request failed in a way that was not foreseen');
      res.destroy();
    });
  });
  server.on('upgrade', (req, socket, head) => {
    if (hasTooManyHeaders(req)) return answerErrorRaw(socket, 'header_too_large');
    const target = targetOf(req);
    if (target?.path !== socketPath)
      return answerErrorRaw(socket, target === null ? 'bad_request' : 'not_found');
    endpoint.upgrade(req, socket, head, target.url);
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
  keepFewSilent(server);
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

/**
 * A connection costs memory before it has said anything, and no limit by address knows it yet. Whoever means it
 * sends his headers at once: when many have not, the oldest of those goes.
 */
function keepFewSilent(server: Server): void {
  const silent = new Map<Socket, number>();
  server.on('connection', (socket) => {
    const now = performance.now();
    silent.set(socket, now);
    socket.on('close', () => silent.delete(socket));
    for (const [oldest, since] of silent) {
      if (silent.size <= mostSilent || now - since < silentAtLeast) break;
      silent.delete(oldest);
      oldest.destroy();
    }
  });
  const spoke = (req: IncomingMessage) => silent.delete(req.socket);
  server.prependListener('request', spoke);
  server.prependListener('upgrade', spoke);
}

const hasTooManyHeaders = (req: IncomingMessage): boolean => req.rawHeaders.length > 2 * mostHeaders;
