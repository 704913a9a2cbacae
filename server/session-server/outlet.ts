import type { Socket } from 'node:net';

/** What may wait for a slow reader before the next command is begun, or an event is dropped. */
const unread = 262_144;
/** Who reads nothing for so long has gone. */
const stalled = 60_000;

/** What goes out on one connection, to a reader who may be slow. */
export class Outlet {
  readonly #socket: Socket;
  #corked = false;
  #stall: NodeJS.Timeout | undefined;
  /** Goes on with the commands. */
  #goOn: (() => void) | undefined;
  /** An event was dropped, and the client has not been told yet. */
  #lost = false;

  /** @param drained hears that everything has gone out */
  constructor(socket: Socket, drained: () => void) {
    this.#socket = socket;
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

  /** @param line one character a byte; each travels as the UTF-8 form of its number */
  send(line: string): void {
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
    this.#socket.write(`${line}\r\n`, 'utf8');
  }

  /** Sends an event, or, when too much waits already, later that some were dropped. */
  push(event: string): void {
    if (this.#lost) return;
    if (this.pending <= unread) return this.send(event);
    this.#lost = true;
    this.#startStall();
  }

  /** Resolves when there is room for the reply to the next command, or the connection has gone. */
  async room(): Promise<void> {
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
