import type { Readable, Writable } from 'node:stream';
import { type ServerOptions, WebSocketServer } from 'ws';

/**
 * What a WebSocket brings at once is read in pieces of so many bytes. Most messages are smaller. TCP hands over 64 KiB
 * at once, which may be 10,000 frames: read in one turn of the event loop, they would hold up everybody else.
 */
const pieceBytes = 1024;
/** Parts of one message. Browsers and apps send one; each takes memory, and their number is not in its size. */
const mostFragments = 128;
/** Pieces in which TCP may bring one frame, since each takes memory too. A frame on a slow line has about 100. */
const mostPieces = 1024;

/** ws, with the bounds that Engine.IO does not pass on to it. */
export class WebSockets extends WebSocketServer {
  constructor(options: ServerOptions) {
    super({ ...options, maxFragments: mostFragments, maxBufferedChunks: mostPieces });
  }
}

/** The parts of ws's WebSocket that its types leave out. */
export interface ReceivingSocket {
  /** The stream of frames, to which ws writes what TCP brings. */
  _receiver: Writable;
  /** The TCP connection. */
  _socket: Readable;
}

/** Where a connection's packets come from, whichever transport it has. */
export class Source {
  #pace: Pace | undefined;
  #body: Readable | undefined;
  #paused = false;

  /** Packets come from this WebSocket too, which has read nothing yet. */
  readSocket(socket: ReceivingSocket): void {
    this.#pace = new Pace(socket);
    if (this.#paused) this.#pace.pause();
  }

  /** Packets come from the body of this POST too. False while there is another one: no client sends two at once. */
  readBody(body: Readable): boolean {
    if (this.#body !== undefined) return false;
    this.#body = body;
    body.on('close', () => {
      if (this.#body === body) this.#body = undefined;
    });
    body.pause();
    this.#resumeBody();
    return true;
  }

  pause(): void {
    this.#paused = true;
    this.#pace?.pause();
    this.#body?.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#pace?.resume();
    this.#resumeBody();
  }

  /** The connection is closed: what it has sent is not read any more. */
  drop(): void {
    this.#pace?.drop();
  }

  #resumeBody(): void {
    const body = this.#body;
    if (body === undefined) return;
    inTurn(() => {
      if (!this.#paused) body.resume();
    });
  }
}

/** By this, the stream of a WebSocket knows its pace: all of them share one function. */
const pace = Symbol('pace');

interface Paced extends Writable {
  [pace]: Pace;
}

type Done = Parameters<Writable['_write']>[2];

/**
 * Lets a WebSocket read its frames in small pieces, and none while it is paused. ws's own `pause()` stops TCP alone:
 * what that has brought already is read to its end, even when the connection is closed.
 */
class Pace {
  readonly #receiver: Writable;
  #paused = false;
  #dropped = false;
  #held: (() => void) | undefined;

  constructor({ _receiver: receiver }: ReceivingSocket) {
    this.#receiver = receiver;
    Object.assign(receiver, { [pace]: this, _write: Pace.#write });
  }

  static readonly #write = function (
    this: Writable,
    bytes: Buffer,
    encoding: BufferEncoding,
    done: Done,
  ): void {
    const own = (this as Paced)[pace];
    if (bytes.length <= pieceBytes) own.#read(bytes, encoding, done);
    else inTurn(() => own.#read(bytes, encoding, done));
  };

  #read(bytes: Buffer, encoding: BufferEncoding, done: Done): void {
    if (this.#dropped) return done();
    if (this.#paused) {
      this.#held = () => this.#read(bytes, encoding, done);
      return;
    }
    const read = (piece: Buffer, then: Done) =>
      (Object.getPrototypeOf(this.#receiver) as Writable)._write.call(this.#receiver, piece, encoding, then);
    if (bytes.length <= pieceBytes) return read(bytes, done);
    read(bytes.subarray(0, pieceBytes), (error) =>
      error ? done(error) : inTurn(() => this.#read(bytes.subarray(pieceBytes), encoding, done)),
    );
  }

  pause(): void {
    this.#paused = true;
  }

  resume(): void {
    this.#paused = false;
    this.#goOn();
  }

  drop(): void {
    this.#dropped = true;
    this.#goOn();
  }

  #goOn(): void {
    if (this.#held !== undefined) inTurn(this.#held);
    this.#held = undefined;
  }
}

/** What is to be read, of all connections: one piece, or one body, in a turn of the event loop. */
const waiting: (() => void)[] = [];

function inTurn(read: () => void): void {
  if (waiting.push(read) === 1) setImmediate(readNext);
}

function readNext(): void {
  // It stays in the list while it is read, so that what it adds does not begin a second round of turns.
  waiting[0]?.();
  waiting.shift();
  if (waiting.length > 0) setImmediate(readNext);
}
