import type { Socket } from 'node:net';

/** With more unread bytes, no further command runs and events are dropped. */
const maxUnreadBytes = 262_144;
/** A client is disconnected if it does not read for this time. */
const stallTimeoutMs = 60_000;

/** Replies and events for a client that may read slowly. */
export class WriteBuffer {
  readonly #socket: Socket;
  readonly #reserve: (bytes: number) => boolean;
  #isCorked = false;
  #stallTimer: NodeJS.Timeout | undefined;
  /** Lets the next command run. */
  #resume: (() => void) | undefined;
  /** Whether an event was dropped and `event lost` must be sent. */
  #hasLostEvent = false;

  /**
   * @param reserve reserves memory for more bytes, or returns false
   * @param onDrain called when all bytes are sent
   */
  constructor(socket: Socket, reserve: (bytes: number) => boolean, onDrain: () => void) {
    this.#socket = socket;
    this.#reserve = reserve;
    socket.on('drain', () => {
      this.stopWaiting();
      if (this.#hasLostEvent) {
        this.#hasLostEvent = false;
        this.send('event lost');
      }
      onDrain();
    });
  }

  /** The number of bytes that the kernel has not accepted yet. */
  get pendingBytes(): number {
    return this.#socket.writableLength;
  }

  /**
   * Sends a line.
   * @param line a character per byte, sent as the UTF-8 form of the code point
   * @returns false if the line was not sent, because there is no memory for it
   */
  send(line: string): boolean {
    const bytes = encodeLine(line);
    if (!this.#reserve(bytes.length)) return false;
    this.#write(bytes);
    return true;
  }

  /** Sends the last line before the connection is closed, without reserving memory. */
  sendLast(line: string): void {
    this.#write(encodeLine(line));
  }

  #write(bytes: Buffer): void {
    if (this.#socket.writableEnded || this.#socket.destroyed) return;
    // Combines the replies to commands that arrived together into one packet.
    if (!this.#isCorked) {
      this.#isCorked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#isCorked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(bytes);
  }

  /** Sends an event. If the client reads too slowly, drops the event and sends `event lost` later. */
  push(event: string): void {
    if (this.#hasLostEvent) return;
    if (this.pendingBytes <= maxUnreadBytes) {
      this.send(event);
      return;
    }
    this.#hasLostEvent = true;
    this.#startStall();
  }

  /** Resolves when the next command may run or the connection ends. */
  async waitForDrain(): Promise<void> {
    if (this.pendingBytes <= maxUnreadBytes) return;
    this.#startStall();
    await new Promise<void>((resolve) => {
      this.#resume = resolve;
    });
  }

  /** Stops waiting for the client. */
  stopWaiting(): void {
    clearTimeout(this.#stallTimer);
    this.#stallTimer = undefined;
    this.#resume?.();
  }

  #startStall(): void {
    this.#stallTimer ??= setTimeout(() => this.#socket.destroy(), stallTimeoutMs).unref();
  }
}

/** Encodes a line, because the socket would count the characters of a string instead of its bytes. */
const encodeLine = (line: string): Buffer => Buffer.from(`${line}\r\n`, 'utf8');
