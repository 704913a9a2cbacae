import { once } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { setTimeout as pause } from 'node:timers/promises';
import type { Log, QuietLog } from '../log.ts';
import { maxHeaderBytes, maxHeaders, RequestError, tooManyHeaders } from '../wire/errors.ts';
import { answerError, answerErrorRaw } from './answer.ts';
import { answerRequestError } from './api.ts';
import { type Bounds, Connections } from './connections.ts';
import { isUpload } from './files.ts';
import { askForBody, holdBody } from './held-body.ts';
import { createServer } from './node-http.ts';
import { targetOf } from './target.ts';

/**
 * A client must send its headers within this time (ms). Slower headers are an attack, or come over a line that is too
 * slow to use.
 */
const headersTimeout = 10_000;
/**
 * An idle connection stays open for this time (ms), which is less than `defaultTimeoutMs` of `Connections`. Proxies keep
 * connections for up to 60 s, and a request on a connection that the server is closing would fail.
 */
const keepAliveTimeout = 75_000;
/** The time limit (ms) of uploads. `Connections` limits all other requests. */
const requestTimeout = 15 * 60_000;
/**
 * Connections that the kernel queues until they are accepted. A single client address can queue more than Node's
 * default of 511.
 */
const backlog = 4096;
const socketPath = '/socket.io/';

/** Handles requests and upgrades under `/socket.io/`. */
export interface SocketEndpoint {
  request(req: IncomingMessage, res: ServerResponse, url: URL): void;
  upgrade(req: IncomingMessage, socket: Duplex, head: Buffer, url: URL): void;
}

export interface HttpServer {
  port: number;
  /**
   * Closes the port, and then the connections.
   * @param lastBytes the time in milliseconds for clients to receive the bytes in transit
   */
  close(lastBytes: number): Promise<void>;
}

/** Opens the port, and passes requests under `/socket.io/` to `endpoint` and all others to `routes`. */
export async function openHttpServer(options: {
  host: string;
  port: number;
  endpoint: SocketEndpoint;
  routes: (req: IncomingMessage, res: ServerResponse, path: string) => Promise<void>;
  bounds: Bounds;
  log: Log;
  quiet: QuietLog;
}): Promise<HttpServer> {
  const { endpoint, routes, bounds, log, quiet } = options;
  const server = createServer({
    maxHeaderSize: maxHeaderBytes,
    headersTimeout,
    keepAliveTimeout,
    requestTimeout,
    connectionsCheckingInterval: 1000,
    // Node's own response to a missing `Host` has no body, so `targetOf` checks it instead.
    requireHostHeader: false,
    // Clients offer h2c and other upgrades, which a server may ignore. Node would treat them all as WebSockets, and
    // would pass on an upgrade before its body arrives.
    shouldUpgradeCallback: ({ headers }) =>
      /^websocket$/i.test(headers.upgrade ?? '') &&
      (headers['content-length'] ?? '0') === '0' &&
      headers['transfer-encoding'] === undefined,
  });
  // Node silently drops headers beyond its limit. A limit one higher than ours makes an excess visible.
  server.maxHeadersCount = maxHeaders + 1;
  const connections = new Connections(server, bounds);
  const onHeaderTooLarge = () => {
    const reason = `a request had ${tooManyHeaders}`;
    const hint =
      'the cookies of the site are the usual cause: limit their number and size, or let the proxy pass only the cookies of the login to the chat';
    bounds.onRefusal({ code: 'header_too_large', reason, kind: 'header_too_large', hint });
  };
  const answer = (req: IncomingMessage, res: ServerResponse): void => {
    if (hasTooManyHeaders(req)) {
      onHeaderTooLarge();
      return answerError(res, 'header_too_large');
    }
    const target = targetOf(req);
    if (target === null) return answerError(res, 'bad_request');
    if (codingsOf(req).length > 1) return answerError(res, 'not_implemented');
    if (isUpload(req, target.path)) connections.patient(req);
    if (target.path === socketPath) {
      askForBody(req);
      return endpoint.request(req, res, target.url);
    }
    routes(req, res, target.path).catch((error: unknown) => {
      if (error instanceof RequestError) {
        const { code, message: reason } = error;
        if (error.isOfStorage) quiet.warn(`http ${code}`, { code, reason }, 'a request failed');
        if (!res.headersSent) return answerRequestError(res, error);
      } else if (error !== req.errored) {
        // A client that disconnects during its request is not a failure.
        log.error({ err: error }, 'unexpected error in an HTTP request');
      }
      // An archive whose response has started can only be cut off.
      res.destroy();
    });
  };
  const onRequest = (req: IncomingMessage, res: ServerResponse) => {
    // Without `chunked` at the end, the end of the body is unknown (RFC 9112, section 6.3).
    if (codingsOf(req).at(-1) !== chunked) return answerErrorRaw(req.socket, 'bad_request');
    connections.inTurn(req, res, () => answer(req, res));
  };
  server.on('request', onRequest);
  server.on('checkContinue', (req: IncomingMessage, res: ServerResponse) => {
    holdBody(req, res);
    onRequest(req, res);
  });
  // Expectations other than 100-continue may be ignored (RFC 9110, section 10.1.1).
  server.on('checkExpectation', onRequest);
  const upgrade = (req: IncomingMessage, socket: Duplex, head: Buffer): void => {
    if (hasTooManyHeaders(req)) {
      onHeaderTooLarge();
      return answerErrorRaw(socket, 'header_too_large');
    }
    const target = targetOf(req);
    if (target?.path !== socketPath)
      return answerErrorRaw(socket, target === null ? 'bad_request' : 'not_found');
    endpoint.upgrade(req, socket, head, target.url);
  };
  server.on('upgrade', (req, socket, head) =>
    connections.upgradeInTurn(req, () => upgrade(req, socket, head)),
  );
  server.on('connect', (_req, socket) => answerErrorRaw(socket, 'not_implemented'));
  server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
    // `onRequest` has answered.
    if (socket.writableEnded) return;
    // The client would take an error for the response to its earlier request.
    if (connections.owes(socket) && !connections.awaitsBody(socket)) socket.destroy();
    else if (error.code === 'HPE_HEADER_OVERFLOW') {
      onHeaderTooLarge();
      answerErrorRaw(socket, 'header_too_large');
    } else if (error.code === 'ERR_HTTP_REQUEST_TIMEOUT') answerErrorRaw(socket, 'request_timeout');
    else answerErrorRaw(socket, 'bad_request');
  });
  // Node does not track connections that became WebSockets.
  const sockets = new Set<Socket>();
  const forget = function (this: Socket): void {
    sockets.delete(this);
  };
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.on('close', forget);
  });
  server.listen({ port: options.port, host: options.host, backlog });
  await once(server, 'listening');

  return {
    port: (server.address() as AddressInfo).port,
    async close(lastBytes) {
      const closed = new Promise((resolve) => server.close(resolve));
      // Waits first, because destroying a connection with unread input loses its pending output.
      await Promise.race([closed, pause(lastBytes)]);
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

const chunked = 'chunked';
/** Returns the codings of a body in their order. A body without `Transfer-Encoding` counts as chunked. */
const codingsOf = ({ headers }: IncomingMessage): string[] =>
  (headers['transfer-encoding'] ?? chunked).split(',').map((coding) => coding.trim().toLowerCase());

const hasTooManyHeaders = (req: IncomingMessage): boolean => req.rawHeaders.length > 2 * maxHeaders;
