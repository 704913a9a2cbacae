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
/** Node parses all requests in one piece of input at once, so pipelined ones must be small. */
const mostPipelinedHeaders = 25;
/** Bytes. Most requests are refused before their body has arrived. */
const mostUnreadBody = 65_536;
/** Milliseconds for the body of a request that is no upload. */
const longestBody = 30_000;
/** Milliseconds in which a client must send a request or receive an answer, however it spreads the bytes. */
const defaultPatience = 80_000;
/** The most connections that wait for their clients; each may wait at least `waitAtLeast` milliseconds. */
const mostWaiting = 1000;
const waitAtLeast = 250;
/**
 * The same for connections that have sent nothing yet. Each takes half of the memory of one with half a request (11
 * KB), and when thousands of clients come back at once, many of them are late.
 */
const mostSilent = 6000;
/**
 * Answers and upgrades that are started per turn of the event loop, so that neither open WebSockets nor new
 * connections, of which Node accepts one a turn, wait for hundreds of them.
 */
const mostInATurn = 32;
/**
 * The weight of an answer: 4 of them fill a turn. Smaller turns would cost thousands of upgrades more than they help.
 */
const answerWeight = 8;

/** Why a connection was closed by force; a label of the metrics. */
export type HttpBreach = 'pipelining' | 'slow_reader';

/** Limits by address. `connection` and `request` take a place; they return the function that frees it, or null. */
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
  /** The answer that is being made or sent. */
  current: ServerResponse | undefined;
  /** The time until which the whole request must have arrived. */
  bodyUntil: number;
  /** Later requests, which Node has not got yet. */
  readonly queue: (() => unknown)[];
  /** Frees its place. */
  readonly release: () => void;
}

/** Return values for the parser. It does not know the second, and ends with an error. */
const goOn = 0;
const refuseRequest = -1;

/**
 * Limits the resources that one client can occupy over plain HTTP, up to the upgrade to a WebSocket: connections by
 * address, unanswered requests, unread answers, and time. Node alone answers all pipelined requests and keeps every
 * answer until it is read, for ever.
 */
export class Connections {
  readonly #bounds: Bounds;
  readonly #patience: number;
  readonly #open = new Map<Socket, HttpConnection>();
  /**
   * The time since which a connection waits for its client to send a request or receive an answer. The longest wait is
   * first.
   */
  readonly #waiting = new Map<Socket, number>();
  /** The same for connections that have sent nothing yet, as of the last check. */
  readonly #silent = new Map<Socket, number>();
  /** Whether too many wait, and the longest waiting ones are about to be closed. */
  #closing = false;
  /** For answers and upgrades. */
  readonly #turns = new Turns(mostInATurn);
  /** Shared by all: a function each would keep Node's HTTP parser for as long as a WebSocket lives. */
  readonly #closed: (this: Socket) => void;

  constructor(server: Server, bounds: Bounds, patience = defaultPatience) {
    const leave = (socket: Socket) => this.#leave(socket);
    this.#closed = function () {
      leave(this);
    };
    this.#bounds = bounds;
    this.#patience = patience;
    server.on('connection', (socket: Socket) => this.#add(socket));
    const timer = setInterval(() => this.#sweep(), Math.min(1000, this.#patience / 4)).unref();
    server.on('close', () => clearInterval(timer));
  }

  /** Calls `answer`, at once if possible: a client may have closed its half of the connection after the request. */
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
        this.#onTooMany('too many HTTP requests of one address at once');
        return answerError(res, 'rate_limited', tryAgainAfter);
      }
      res.on('close', release);
      answer();
    });
  }

  /**
   * Calls `answer` when it is the turn of this upgrade, unless the client is gone by then. From then on HTTP no longer
   * manages the connection.
   */
  upgradeInTurn(req: IncomingMessage, answer: () => void): void {
    const { socket } = req;
    this.#heard(socket);
    // Until then nobody else listens, and an error without a listener ends the process.
    socket.on('error', ignore);
    this.#turns.take(this.#bounds.places.keyOf(req), 1, () => {
      if (socket.destroyed) return;
      this.#leave(socket);
      answer();
      socket.off('error', ignore);
    });
  }

  /** Lifts the time limit of this request; its handler must check that it makes progress. */
  patient({ socket }: IncomingMessage): void {
    const connection = this.#open.get(socket);
    if (connection !== undefined) connection.bodyUntil = Number.POSITIVE_INFINITY;
  }

  /** Whether an answer is due on this connection. */
  owes(socket: Duplex): boolean {
    return this.#open.get(socket as Socket)?.current !== undefined;
  }

  /** Called when the connection is closed, or has become a WebSocket. */
  #leave(socket: Socket): void {
    const connection = this.#open.get(socket);
    if (connection === undefined) return;
    connection.release();
    connection.queue.length = 0;
    this.#open.delete(socket);
    socket.off('close', this.#closed);
    this.#heard(socket);
  }

  /** The client is not waited for any more. */
  #heard(socket: Socket): void {
    this.#silent.delete(socket);
    this.#waiting.delete(socket);
  }

  #add(socket: Socket): void {
    const release = this.#bounds.places.connection(socket);
    if (release === null) {
      this.#onTooMany('too many HTTP connections of one address: a proxy belongs in CHAT_TRUSTED_PROXIES');
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
        if (now - since < this.#patience) break;
        this.#close(socket, 'slow_reader');
      }
    }
    this.#closeLongest();
  }

  /** Real clients act at once: if too many connections wait, the longest waiting ones are closed. */
  #closeLongest(): void {
    if (this.#closing || (this.#waiting.size <= mostWaiting && this.#silent.size <= mostSilent)) return;
    this.#closing = true;
    const limit = performance.now() - waitAtLeast;
    // Nothing was read while the event loop was blocked. After the next turn, everything that had arrived by now is
    // read.
    setImmediate(() =>
      setImmediate(() => {
        this.#closing = false;
        this.#closeOf(this.#waiting, mostWaiting, limit);
        this.#closeOf(this.#silent, mostSilent, limit);
      }),
    );
  }

  /** @param limit connections that wait since later than this are kept, however many they are */
  #closeOf(waiting: ReadonlyMap<Socket, number>, most: number, limit: number): void {
    for (const [socket, since] of waiting) {
      if (waiting.size <= most || since > limit) break;
      this.#close(socket, 'slow_reader');
    }
  }

  #close(socket: Socket, breach: HttpBreach): void {
    // An idle connection has broken no rule.
    if (this.owes(socket)) this.#bounds.onBreach(breach);
    this.#leave(socket);
    socket.destroy();
  }
}

function ignore(): void {}

/** Whether the body could take long to skip after the answer, before the next request can be read. */
function mayBeLarge({ headers }: IncomingMessage): boolean {
  return (
    headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > mostUnreadBody
  );
}
