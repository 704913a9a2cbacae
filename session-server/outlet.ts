import type { Socket } from 'node:net';

/** What may wait for a slow reader before the next command is begun, or an event is dropped. */
const unread = 262_144;
/** Who reads nothing for so long has gone. */
const stalled = 60_000;

/** What goes out on one connection, to a reader who may be slow. */
export class Outlet {
  readonly #socket: Socket;
  readonly #room: (bytes: number) => boolean;
  #corked = false;
  #stall: NodeJS.Timeout | undefined;
  /** Goes on with the commands. */
  #goOn: (() => void) | undefined;
  /** An event was dropped, and the client has not been told yet. */
  #lost = false;

  /**
   * @param room whether so many more bytes may wait here
   * @param drained hears that everything has gone out
   */
  constructor(socket: Socket, room: (bytes: number) => boolean, drained: () => void) {
    this.#socket = socket;
    this.#room = room;
    socket.on('drain', () => {
      this.stop();
      if (this.#lost) {
        this.#lost = false;
        this.send('event lost');
      }
      drained();
    });
  }

  /** Bytes that wait here, and not in the kernel. */
  get pending(): number {
    return this.#socket.writableLength;
  }

  /**
   * Asks for room first: replies that are not read are what takes most.
   * @param line one character a byte; each travels as the UTF-8 form of its number
   * @returns false when there is no room, and it was not sent
   */
  send(line: string): boolean {
    const bytes = bytesOf(line);
    if (!this.#room(bytes.length)) return false;
    this.#write(bytes);
    return true;
  }

  /** Sends the few bytes that say why nothing else follows, room or not. */
  sendLast(line: string): void {
    this.#write(bytesOf(line));
  }

  #write(bytes: Buffer): void {
    if (this.#socket.writableEnded || this.#socket.destroyed) return;
    // Replies to what came together leave together.
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

  /** Sends an event, or, when too much waits already, later that some were dropped. */
  push(event: string): void {
    if (this.#lost) return;
    if (this.pending <= unread) {
      this.send(event);
      return;
    }
    this.#lost = true;
    this.#startStall();
  }

  /** Resolves when there is room for the reply to the next command, or the connection has gone. */
  async drained(): Promise<void> {
    if (this.pending <= unread) return;
    this.#startStall();
    await new Promise<void>((resolve) => {
      this.#goOn = resolve;
    });
  }

  /** Waits for nobody any more. */
  stop(): void {
    clearTimeout(this.#stall);
    this.#stall = undefined;
    this.#goOn?.();
  }

  #startStall(): void {
    this.#stall ??= setTimeout(() => this.#socket.destroy(), stalled).unref();
  }
}

/** Not left to the socket, which would count the characters, and keep them beside the bytes. */
const bytesOf = (line: string): Buffer => Buffer.from(`${line}\r\n`, 'utf8');
