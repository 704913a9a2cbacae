import type { Readable, Writable } from 'node:stream';
import { limitedWebSockets, type WsSocket } from './internals.ts';

/**
 * Bytes of a WebSocket's input that are read at a time. Most messages are smaller. TCP delivers 64 KiB at once, which
 * may be 10,000 frames: reading them in one turn of the event loop would delay everybody else.
 */
const pieceBytes = 1024;
/**
 * The most fragments of one message. Browsers and apps send one; each takes memory that the message's size does not
 * show.
 */
const mostFragments = 128;
/** The most TCP pieces of one frame, since each takes memory too. A frame on a slow line has about 100. */
const mostPieces = 1024;

export const WebSockets = limitedWebSockets({ maxFragments: mostFragments, maxBufferedChunks: mostPieces });

/** The source of a connection's packets, for all transports. */
export class PacketSource {
  #pace: Pace | undefined;
  #body: Readable | undefined;
  #paused = false;

  /** Packets come from this WebSocket too, which must not have read anything yet. */
  readSocket(socket: Pick<WsSocket, '_receiver'>): void {
    this.#pace = new Pace(socket);
    if (this.#paused) this.#pace.pause();
  }

  /** Packets come from the body of this POST too. False while another one is read: no client sends two at once. */
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

  /** The connection is closed: input that has arrived is not read any more. */
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

/** The key under which a WebSocket's stream stores its pace, so that all of them share one function. */
const pace = Symbol('pace');

interface Paced extends Writable {
  [pace]: Pace;
}

type Done = Parameters<Writable['_write']>[2];

/**
 * Lets a WebSocket read its frames in small pieces, and none while it is paused. ws's own `pause()` stops only TCP:
 * input that has arrived is read to its end, even when the connection is closed.
 */
class Pace {
  readonly #receiver: Writable;
  #paused = false;
  #dropped = false;
  #held: (() => void) | undefined;

  constructor({ _receiver: receiver }: Pick<WsSocket, '_receiver'>) {
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

/** Reads that are due, of all connections: one piece or one body per turn of the event loop. */
const waiting: (() => void)[] = [];

function inTurn(read: () => void): void {
  if (waiting.push(read) === 1) setImmediate(readNext);
}

function readNext(): void {
  // It stays in the list while it runs, so that the reads it adds do not start a second round of turns.
  waiting[0]?.();
  waiting.shift();
  if (waiting.length > 0) setImmediate(readNext);
}
