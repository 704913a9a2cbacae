import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { tryAgainAfter } from '../limits/by-key.ts';
import { Turns } from '../limits/per-turn.ts';
import type { HttpErrorCode } from '../wire/errors.ts';
import { answerError, answerErrorRaw } from './answer.ts';
import { parserOf } from './node-http.ts';

/** Unanswered requests of one connection. Browsers and proxies send one at a time. */
const mostUnanswered = 8;
/** Headers of a pipelined request. Node parses all requests in one piece of input at once, so they must be small. */
const mostPipelinedHeaders = 25;
/** If the body of a request has more bytes than this, its connection closes after the response. */
const mostUnreadBody = 65_536;
/** The body of a request must arrive within this time (ms), except for an upload. */
const longestBody = 30_000;
/** A client must send a request or receive a response within this time (ms), however slowly its bytes arrive. */
const defaultTimeoutMs = 80_000;
/**
 * Connections that may wait for their clients. Beyond that, the longest waiting ones are closed, but not before
 * `waitAtLeast` milliseconds.
 */
const mostWaiting = 1000;
const waitAtLeast = 250;
/**
 * The same limit for connections without any input. It is higher, because each takes half the memory of a connection
 * with half a request (11 KB), and many clients send late when thousands reconnect at once.
 */
const mostSilent = 6000;
/**
 * The weight of the responses and upgrades that start per event-loop tick. Node accepts one new connection per tick,
 * and neither new connections nor open WebSockets should wait for hundreds of them.
 */
const mostInATurn = 32;
/**
 * The weight of a response. An upgrade has the weight 1, so a tick starts 4 responses or 32 upgrades. Fewer upgrades
 * per tick would slow down thousands of upgrades more than it helps others.
 */
const answerWeight = 8;

/** Why a connection was closed by force. Also a label of the metrics. */
export type HttpBreach = 'pipelining' | 'slow_reader';

/**
 * Limits by address. `connection` and `request` reserve a slot and return the function that releases it, or null if the
 * limit is reached.
 */
export interface Places {
  keyOf(req: IncomingMessage): string;
  connection(socket: Socket): (() => void) | null;
  request(req: IncomingMessage): (() => void) | null;
}

export interface Bounds {
  places: Places;
  /** `reason` is for the log; `kind` distinguishes reasons of the same code. */
  onRefusal: (refusal: { code: HttpErrorCode; reason: string; kind: string; hint?: string }) => void;
  onBreach: (breach: HttpBreach) => void;
}

interface HttpConnection {
  /** The response in progress. */
  current: ServerResponse | undefined;
  /** The deadline for the whole request, by the monotonic clock. */
  bodyUntil: number;
  /** Pipelined requests that are not passed to Node yet. */
  readonly queue: (() => unknown)[];
  /** Releases the connection's slot. */
  readonly release: () => void;
}

/** Return values for the parser. It does not know the second value, so it stops with an error. */
const goOn = 0;
const refuseRequest = -1;

/**
 * Limits the resources that one client can occupy over plain HTTP, up to the upgrade to a WebSocket: connections by
 * address, unanswered requests, unread responses, and time. Node alone answers all pipelined requests and keeps every
 * response until it is read, without a limit.
 */
export class Connections {
  readonly #bounds: Bounds;
  readonly #timeoutMs: number;
  readonly #open = new Map<Socket, HttpConnection>();
  /**
   * When a connection started to wait for its client to send a request or receive a response. The connection that waits
   * longest is first.
   */
  readonly #waiting = new Map<Socket, number>();
  /** Like `#waiting`, for connections that had no input at the last check. */
  readonly #silent = new Map<Socket, number>();
  /** Whether `#closeLongest` is about to close connections. */
  #closing = false;
  /** Schedules responses and upgrades. */
  readonly #turns = new Turns(mostInATurn);
  /** Shared by all connections, because a function each would keep Node's HTTP parser for the life of a WebSocket. */
  readonly #closed: (this: Socket) => void;

  constructor(server: Server, bounds: Bounds, timeoutMs = defaultTimeoutMs) {
    const leave = (socket: Socket) => this.#leave(socket);
    this.#closed = function () {
      leave(this);
    };
    this.#bounds = bounds;
    this.#timeoutMs = timeoutMs;
    server.on('connection', (socket: Socket) => this.#add(socket));
    const timer = setInterval(() => this.#sweep(), Math.min(1000, this.#timeoutMs / 4)).unref();
    server.on('close', () => clearInterval(timer));
  }

  /**
   * Answers a request when it may start, at once if possible, because a client may close its half of the connection
   * right after the request.
   */
  inTurn(req: IncomingMessage, res: ServerResponse, answer: () => void): void {
    const { socket } = req;
    const connection = this.#open.get(socket);
    if (connection === undefined) return;
    connection.current = res;
    connection.bodyUntil = performance.now() + longestBody;
    this.#heard(socket);
    if (mayBeLarge(req)) res.setHeader('Connection', 'close');
    res.on('close', () => {
      connection.current = undefined;
      const next = connection.queue.shift();
      if (next !== undefined) next();
      else this.#wait(socket);
    });
    this.#turns.take(this.#bounds.places.keyOf(req), answerWeight, () => {
      if (!this.#open.has(socket)) return;
      const release = this.#bounds.places.request(req);
      if (release === null) {
        this.#onTooMany('too many concurrent HTTP requests from one address');
        return answerError(res, 'rate_limited', tryAgainAfter);
      }
      res.on('close', release);
      answer();
    });
  }

  /**
   * Calls `answer` when this upgrade may start, unless the client has disconnected. HTTP then no longer manages the
   * connection.
   */
  upgradeInTurn(req: IncomingMessage, answer: () => void): void {
    const { socket } = req;
    this.#heard(socket);
    // The socket has no other listener until the upgrade starts, and an error without a listener ends the process.
    socket.on('error', ignore);
    this.#turns.take(this.#bounds.places.keyOf(req), 1, () => {
      if (socket.destroyed) return;
      this.#leave(socket);
      answer();
      socket.off('error', ignore);
    });
  }

  /** Lifts the time limit for the body of this request. Its handler must check the progress instead. */
  patient({ socket }: IncomingMessage): void {
    const connection = this.#open.get(socket);
    if (connection !== undefined) connection.bodyUntil = Number.POSITIVE_INFINITY;
  }

  /** Whether a request on this connection awaits its response. */
  owes(socket: Duplex): boolean {
    return this.#open.get(socket as Socket)?.current !== undefined;
  }

  /** Whether the body of a request is still arriving, and its response has not begun and can still be an error. */
  awaitsBody(socket: Duplex): boolean {
    const current = this.#open.get(socket as Socket)?.current;
    return current !== undefined && !current.req.complete && !current.headersSent;
  }

  /** Called when the connection closes or becomes a WebSocket. */
  #leave(socket: Socket): void {
    const connection = this.#open.get(socket);
    if (connection === undefined) return;
    connection.release();
    connection.queue.length = 0;
    this.#open.delete(socket);
    socket.off('close', this.#closed);
    this.#heard(socket);
  }

  /** Removes a connection from the waiting ones. */
  #heard(socket: Socket): void {
    this.#silent.delete(socket);
    this.#waiting.delete(socket);
  }

  #add(socket: Socket): void {
    const release = this.#bounds.places.connection(socket);
    if (release === null) {
      this.#onTooMany(
        'too many HTTP connections from one address: if it is your proxy, list it in CHAT_TRUSTED_PROXIES',
      );
      return answerErrorRaw(socket, 'rate_limited', tryAgainAfter);
    }
    const connection: HttpConnection = { current: undefined, bodyUntil: 0, queue: [], release };
    this.#open.set(socket, connection);
    this.#silent.set(socket, performance.now());
    socket.on('close', this.#closed);
    const parser = parserOf(socket);
    const { onIncoming } = parser;
    parser.onIncoming = (req, keepAlive) => {
      const { current, queue } = connection;
      if (current === undefined) return onIncoming(req, keepAlive);
      const isSmall = req.rawHeaders.length <= 2 * mostPipelinedHeaders;
      if (isSmall && !req.upgrade && queue.length + 1 < mostUnanswered) {
        queue.push(() => onIncoming(req, keepAlive));
        return goOn;
      }
      this.#close(socket, 'pipelining');
      return refuseRequest;
    };
    this.#closeLongest();
  }

  #onTooMany(reason: string): void {
    this.#bounds.onRefusal({ code: 'rate_limited', reason, kind: reason });
  }

  #wait(socket: Socket): void {
    this.#heard(socket);
    if (this.#open.has(socket)) this.#waiting.set(socket, performance.now());
  }

  #sweep(): void {
    const now = performance.now();
    for (const [socket, { current, bodyUntil }] of this.#open) {
      if (current !== undefined && !current.req.complete && now > bodyUntil) {
        this.#close(socket, 'slow_reader');
        continue;
      }
      if (current?.writableEnded && !this.#waiting.has(socket)) this.#waiting.set(socket, now);
    }
    for (const socket of this.#silent.keys()) if (socket.bytesRead > 0) this.#wait(socket);
    for (const waiting of [this.#silent, this.#waiting]) {
      for (const [socket, since] of waiting) {
        if (now - since < this.#timeoutMs) break;
        this.#close(socket, 'slow_reader');
      }
    }
    this.#closeLongest();
  }

  /** Closes the longest waiting connections if too many wait, because real clients act at once. */
  #closeLongest(): void {
    if (this.#closing || (this.#waiting.size <= mostWaiting && this.#silent.size <= mostSilent)) return;
    this.#closing = true;
    const limit = performance.now() - waitAtLeast;
    // A blocked event loop does not read. After the next tick, all input that arrived until now is read.
    setImmediate(() =>
      setImmediate(() => {
        this.#closing = false;
        this.#closeOf(this.#waiting, mostWaiting, limit);
        this.#closeOf(this.#silent, mostSilent, limit);
      }),
    );
  }

  /**
   * Closes the connections that wait longest, until `most` are left.
   * @param limit connections that started to wait later are kept, even if there are more than `most`
   */
  #closeOf(waiting: ReadonlyMap<Socket, number>, most: number, limit: number): void {
    for (const [socket, since] of waiting) {
      if (waiting.size <= most || since > limit) break;
      this.#close(socket, 'slow_reader');
    }
  }

  #close(socket: Socket, breach: HttpBreach): void {
    // An idle connection broke no rule.
    if (this.owes(socket)) this.#bounds.onBreach(breach);
    this.#leave(socket);
    socket.destroy();
  }
}

function ignore(): void {}

/** Whether skipping the body after the response could take long, before the next request can be read. */
function mayBeLarge({ headers }: IncomingMessage): boolean {
  return (
    headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > mostUnreadBody
  );
}
