import type { Socket } from 'node:net';
import { Client, type Services } from './client.ts';
import { execute } from './commands/execute.ts';
import { LineReader, LineTooLong } from './line-reader.ts';
import type { WorkQueue } from './work-queue.ts';
import { WriteBuffer } from './write-buffer.ts';

export interface ConnectionLimits {
  /** Bytes of one line. */
  line: number;
  /** Milliseconds until the first command; if there is a token, until the right one. */
  firstCommand: number;
  /** Milliseconds from the first byte of a line to its last. */
  lineTime: number;
}

/**
 * The bytes that all connections together may use: unfinished lines, open sessions and unread replies. Each connection
 * has limits of its own too, but thousands of connections at their limits would need too much.
 */
export class MemoryBudget {
  readonly #limit: number;
  #used = 0;

  constructor(limit: number) {
    this.#limit = limit;
  }

  /** @param bytes may be negative. @returns false if there is no room; then nothing is reserved */
  reserve(bytes: number): boolean {
    if (bytes > 0 && this.#used + bytes > this.#limit) return false;
    this.#used += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#used -= bytes;
  }
}

/** The parts of the server that a connection needs. */
export interface Host {
  services: Services;
  limits: ConnectionLimits;
  budget: MemoryBudget;
  /** That of all clients which have not shown the token: they must not take the memory of the others. */
  budgetBeforeAuth: MemoryBudget;
  work: WorkQueue;
  helpPhp: boolean;
  /** An idle connection has no session and no subscription, so it can be closed to make room. */
  idle(connection: Connection, isIdle: boolean): void;
  /** Logs an error that is not the client's fault. */
  failed(error: unknown): void;
}

/** Bytes of one line before the right token: no client needs more. */
const lineBeforeAuth = 1024;
/** Bytes of unread replies before the right token. */
const unreadBeforeAuth = 4096;
/** Bytes that are read ahead while a command runs; then reading stops. */
const readAhead = 65_536;
/** Milliseconds from the last reply until the socket is destroyed, so that the reply arrives. */
const linger = 1000;
/** Bytes that each connection has in addition to the common budget. */
const freeBytes = 16_384;

/** The connection of a client. Its lines are run one after the other, and answered in that order. */
export class Connection {
  readonly #socket: Socket;
  readonly #host: Host;
  readonly #client: Client;
  readonly #writes: WriteBuffer;
  #reader = new LineReader();
  readonly #gone = new AbortController();
  readonly #closed = Promise.withResolvers<void>();
  #running = false;
  /** The client has closed its half, and waits for the replies that are still to come. */
  #halfClosed = false;
  /** No further command is run. */
  #ending = false;
  #deadline: NodeJS.Timeout | undefined;
  #waitsForFirst = true;
  /** Bytes that this connection has reserved, and where. */
  #reserved = 0;
  #budget: MemoryBudget;

  constructor(socket: Socket, host: Host) {
    this.#socket = socket;
    this.#host = host;
    this.#budget = host.budget;
    this.#writes = new WriteBuffer(
      socket,
      (bytes) => this.#reserveOrEnd(bytes),
      () => this.#reserve(0),
    );
    this.#client = new Client(host.services, host.helpPhp, this.#gone.signal, (event) =>
      this.#writes.push(event),
    );
    // Finds out if the other machine has vanished without closing the connection.
    socket.setKeepAlive(true, 30_000).setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#arrived(chunk));
    socket.on('end', () => {
      this.#halfClosed = true;
      void this.#run();
    });
    // `close` follows each error.
    socket.on('error', () => {});
    socket.on('close', () => this.#socketClosed());
    this.#arm(host.limits.firstCommand);
    host.idle(this, true);
  }

  /** Resolves when the connection is closed and no command of it runs any more. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Finishes the command that is running, runs no further one, and closes. A command that waits for a lock fails. */
  end(reply?: string): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#gone.abort();
    // Does not wait for a client that reads slowly.
    this.#writes.stop();
    if (this.#running) return;
    if (reply !== undefined) this.#writes.sendLast(reply);
    this.#finish();
  }

  /** Closes at once to make room for another connection. Only for an idle one, which loses nothing. */
  drop(): void {
    this.#ending = true;
    this.#socket.destroy();
  }

  #arrived(chunk: Buffer): void {
    if (this.#ending) return;
    this.#reader.push(chunk);
    if (this.#running && this.#reader.pending > readAhead) this.#socket.pause();
    if (this.#reserveOrEnd()) void this.#run();
  }

  async #run(): Promise<void> {
    if (this.#running || this.#ending) return;
    this.#running = true;
    this.#host.idle(this, false);
    const done = await this.#lines().catch((error: unknown) => {
      if (error instanceof LineTooLong) this.#writes.sendLast('err Line too long.');
      else this.#host.failed(error);
      this.#ending = true;
      return 0;
    });
    this.#running = false;
    if (this.#socket.destroyed) return this.#socketClosed();
    if (this.#ending || this.#halfClosed) return this.#finish();
    this.#reader.shrink();
    this.#reserveOrEnd();
    this.#awaitClient(done > 0);
    this.#socket.resume();
  }

  /** Runs the lines that have arrived. @returns how many */
  async #lines(): Promise<number> {
    let done = 0;
    while (await this.#line()) {
      done++;
      // Nothing refers to that line any more while this waits.
      await this.#writes.drained();
      if (this.#ending) break;
    }
    return done;
  }

  /** Runs the next line. @returns false if there is none, or if none may follow */
  async #line(): Promise<boolean> {
    const { limits, failed } = this.#host;
    const limit = this.#client.authorized ? limits.line : lineBeforeAuth;
    const line = this.#reader.next(limit, this.#client.guarded);
    if (line === null) return false;
    // The client has done its part, so no deadline runs.
    if (this.#client.authorized) this.#arm(undefined);
    // From here on the command is running: it is finished even if the server stops meanwhile.
    await this.#waitToRun(line);
    const lastReply = this.#client.cutOff(line);
    if (lastReply !== null) {
      this.#writes.sendLast(lastReply);
      this.#ending = true;
      return false;
    }
    const reply = await execute(this.#client, line, failed);
    // Without memory for the reply, it is not sent: a client must not believe that a session is open.
    if (this.#socket.destroyed || !this.#writes.send(reply)) return false;
    this.#client.subscriptions.replied();
    if (this.#client.quit) this.#ending = true;
    return !this.#ending;
  }

  /** Waits until the line may be run. */
  async #waitToRun(line: Buffer): Promise<void> {
    const turn = this.#host.work.wait(line.length + (this.#client.session?.values.size ?? 0));
    if (turn === undefined) return;
    // New data could overwrite the bytes of the line in the reader.
    this.#socket.pause();
    await turn;
    if (this.#reader.pending <= readAhead) this.#socket.resume();
  }

  /** Sets the deadline of the client: none, unless its first command or the rest of a line is to come. */
  #awaitClient(someDone: boolean): void {
    const { session, subscriptions, authorized } = this.#client;
    this.#host.idle(this, session === null && !subscriptions.any);
    if (someDone && authorized) this.#waitsForFirst = false;
    if (this.#waitsForFirst) return;
    if (this.#reader.pending === 0) this.#arm(undefined);
    else if (this.#deadline === undefined) this.#arm(this.#host.limits.lineTime);
  }

  #arm(ms: number | undefined): void {
    clearTimeout(this.#deadline);
    this.#deadline = ms === undefined ? undefined : setTimeout(() => this.end('err Timed out.'), ms).unref();
  }

  /**
   * Reserves what the connection uses in the budget of its kind.
   * @param more bytes that are about to be added
   * @returns false if that is too much; the connection is then closed
   */
  #reserveOrEnd(more = 0): boolean {
    if (this.#reserve(more)) return true;
    this.#writes.sendLast('err Out of memory.');
    this.end();
    return false;
  }

  #reserve(more: number): boolean {
    const { authorized, session } = this.#client;
    const unread = this.#writes.pending + more;
    if (!authorized && unread > unreadBeforeAuth) return false;
    const bytes = this.#reader.capacity + unread + (session?.values.memory ?? 0);
    const counted = Math.max(0, bytes - freeBytes);
    const budget = authorized ? this.#host.budget : this.#host.budgetBeforeAuth;
    const before = budget === this.#budget ? this.#reserved : 0;
    if (!budget.reserve(counted - before)) return false;
    this.#budget.release(this.#reserved - before);
    this.#budget = budget;
    this.#reserved = counted;
    return true;
  }

  #finish(): void {
    this.#ending = true;
    this.#arm(undefined);
    this.#client.subscriptions.clear();
    this.#client.endSession();
    this.#reader = new LineReader();
    // Frees the bytes for others before the socket is closed.
    this.#reserve(0);
    // It can make room for another connection until the client has closed its side, too.
    this.#host.idle(this, true);
    this.#socket.end();
    // Reads and drops what still arrives: closing a socket with unread data would reset it and lose the reply.
    this.#socket.resume();
    setTimeout(() => this.#socket.destroy(), linger).unref();
  }

  #socketClosed(): void {
    this.#gone.abort();
    this.#writes.stop();
    // The running command ends first; #run then calls this again.
    if (this.#running) return;
    this.#ending = true;
    this.#arm(undefined);
    this.#client.subscriptions.clear();
    this.#client.endSession();
    this.#budget.release(this.#reserved);
    this.#reserved = 0;
    this.#closed.resolve();
  }
}
