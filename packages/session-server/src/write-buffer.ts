import type { Socket } from 'node:net';

/** If more bytes than this wait for a slow client, no further command is run, and events are dropped. */
const maxUnread = 262_144;
/** Milliseconds after which a client that reads nothing is closed. */
const stallLimit = 60_000;

/** The replies and events of one connection, on their way to a client that may read slowly. */
export class WriteBuffer {
  readonly #socket: Socket;
  readonly #reserve: (bytes: number) => boolean;
  #corked = false;
  #stall: NodeJS.Timeout | undefined;
  /** Lets the next command run. */
  #resume: (() => void) | undefined;
  /** An event was dropped, and `event lost` is still to be sent. */
  #lost = false;

  /**
   * @param reserve whether this many more bytes may wait here
   * @param drained called when everything has been sent
   */
  constructor(socket: Socket, reserve: (bytes: number) => boolean, drained: () => void) {
    this.#socket = socket;
    this.#reserve = reserve;
    socket.on('drain', () => {
      this.stop();
      if (this.#lost) {
        this.#lost = false;
        this.send('event lost');
      }
      drained();
    });
  }

  /** Bytes that the kernel has not taken yet. */
  get pending(): number {
    return this.#socket.writableLength;
  }

  /**
   * Sends a line, if there is room in the budget: unread replies take the most memory.
   * @param line one character per byte; each byte travels as the UTF-8 form of the code point of its number
   * @returns false if there is no room; then nothing is sent
   */
  send(line: string): boolean {
    const bytes = bytesOf(line);
    if (!this.#reserve(bytes.length)) return false;
    this.#write(bytes);
    return true;
  }

  /** Sends the reason for which the connection is closed, without asking for room. */
  sendLast(line: string): void {
    this.#write(bytesOf(line));
  }

  #write(bytes: Buffer): void {
    if (this.#socket.writableEnded || this.#socket.destroyed) return;
    // Replies to commands that arrived together share a packet.
    if (!this.#corked) {
      this.#corked = true;
      this.#socket.cork();
      process.nextTick(() => {
        this.#corked = false;
        this.#socket.uncork();
      });
    }
    this.#socket.write(bytes);
  }

  /** Sends an event. If too much waits already, drops it, and sends `event lost` later. */
  push(event: string): void {
    if (this.#lost) return;
    if (this.pending <= maxUnread) {
      this.send(event);
      return;
    }
    this.#lost = true;
    this.#startStall();
  }

  /** Resolves when the next command may be run, or the connection is gone. */
  async drained(): Promise<void> {
    if (this.pending <= maxUnread) return;
    this.#startStall();
    await new Promise<void>((resolve) => {
      this.#resume = resolve;
    });
  }

  /** Stops waiting for the client. */
  stop(): void {
    clearTimeout(this.#stall);
    this.#stall = undefined;
    this.#resume?.();
  }

  #startStall(): void {
    this.#stall ??= setTimeout(() => this.#socket.destroy(), stallLimit).unref();
  }
}

/** Encoded here: the socket would count characters in writableLength, and keep the string beside the bytes. */
const bytesOf = (line: string): Buffer => Buffer.from(`${line}\r\n`, 'utf8');
