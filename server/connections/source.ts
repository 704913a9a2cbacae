import type { Readable, Writable } from 'node:stream';
import { Turns } from '../limits/per-turn.ts';
import { limitedWebSockets, type WsSocket } from './internals.ts';

/**
 * A WebSocket's input is read in pieces of this number of bytes, one per event-loop tick. Most messages are smaller.
 * TCP delivers 64 KiB at once, which may be 10,000 frames, and reading them in one tick would delay all other
 * connections.
 */
const pieceBytes = 1024;
/**
 * Fragments of one message. Browsers and apps send one, and each takes memory that the message's size does not show.
 */
const mostFragments = 128;
/** TCP chunks of one frame, because each takes memory. A frame on a slow line has about 100. */
const mostPieces = 1024;

export const WebSockets = limitedWebSockets({ maxFragments: mostFragments, maxBufferedChunks: mostPieces });

/** The input of one connection, for all transports. */
export class PacketSource {
  /** The account whose turns this input takes. Until the login is known, it is the address. */
  account: string;
  #pace: Pace | undefined;
  #body: Readable | undefined;
  #paused = false;

  constructor(account: string) {
    this.account = account;
  }

  /** Adds a WebSocket as input. Its input must still be unread. */
  readSocket(socket: Pick<WsSocket, '_receiver'>): void {
    this.#pace = new Pace(socket, this);
    if (this.#paused) this.#pace.pause();
  }

  /**
   * Adds the body of a POST as input.
   * @returns false if another body is still being read, since no client sends two at once
   */
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

  /** Discards unread input of the WebSocket, because the connection is closed. */
  drop(): void {
    this.#pace?.drop();
  }

  #resumeBody(): void {
    const body = this.#body;
    if (body === undefined) return;
    inTurn(this.account, () => {
      if (!this.#paused) body.resume();
    });
  }
}

/** A WebSocket's stream stores its pace under this key, so that all streams share one function. */
const pace = Symbol('pace');

interface Paced extends Writable {
  [pace]: Pace;
}

type Done = Parameters<Writable['_write']>[2];

/**
 * Makes a WebSocket read its frames in small pieces, and stop while it is paused. ws's own `pause()` stops only TCP.
 * Input that was already received would still be read, even after the connection closed.
 */
class Pace {
  readonly #receiver: Writable;
  readonly #source: PacketSource;
  #paused = false;
  #dropped = false;
  #deferredRead: (() => void) | undefined;

  constructor({ _receiver: receiver }: Pick<WsSocket, '_receiver'>, source: PacketSource) {
    this.#receiver = receiver;
    this.#source = source;
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
    else inTurn(own.#source.account, () => own.#read(bytes, encoding, done));
  };

  #read(bytes: Buffer, encoding: BufferEncoding, done: Done): void {
    if (this.#dropped) return done();
    if (this.#paused) {
      this.#deferredRead = () => this.#read(bytes, encoding, done);
      return;
    }
    const read = (piece: Buffer, then: Done) =>
      (Object.getPrototypeOf(this.#receiver) as Writable)._write.call(this.#receiver, piece, encoding, then);
    if (bytes.length <= pieceBytes) return read(bytes, done);
    read(bytes.subarray(0, pieceBytes), (error) =>
      error
        ? done(error)
        : inTurn(this.#source.account, () => this.#read(bytes.subarray(pieceBytes), encoding, done)),
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
    if (this.#deferredRead !== undefined) inTurn(this.#source.account, this.#deferredRead);
    this.#deferredRead = undefined;
  }
}

/** Each event-loop tick runs one pending read, for one piece or one body. */
const turns = new Turns(1);

const inTurn = (account: string, read: () => void): void => turns.takeLater(account, 1, read);
