import type { Socket } from 'node:net';
import { Client, type Services } from './client.ts';
import { execute } from './commands/execute.ts';
import { LineReader, LineTooLong } from './line-reader.ts';
import type { WorkQueue } from './work-queue.ts';
import { WriteBuffer } from './write-buffer.ts';

interface ConnectionLimits {
  maxLineBytes: number;
  /** The limit until the first command, or until the correct token if the server has one. */
  firstCommandTimeoutMs: number;
  /** The limit from the first to the last byte of a line. */
  lineTimeoutMs: number;
}

/**
 * Limits the bytes of all connections for incomplete lines, open sessions and unread replies. Thousands of connections at
 * their own limits would need too much memory.
 */
export class MemoryBudget {
  readonly #maxBytes: number;
  #usedBytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /**
   * Changes the used memory.
   * @param bytes may be negative
   * @returns false, without a change, if it would exceed the budget
   */
  reserve(bytes: number): boolean {
    if (bytes > 0 && this.#usedBytes + bytes > this.#maxBytes) return false;
    this.#usedBytes += bytes;
    return true;
  }

  release(bytes: number): void {
    this.#usedBytes -= bytes;
  }
}

/** Shared by all connections. */
export interface Host {
  services: Services;
  limits: ConnectionLimits;
  budget: MemoryBudget;
  /** A separate budget for clients before `auth`, because they must not use up the shared budget. */
  budgetBeforeAuth: MemoryBudget;
  work: WorkQueue;
  helpPhp: boolean;
  /** An idle connection has no session and no subscription, so it can be closed for a new connection. */
  setIdle(connection: Connection, isIdle: boolean): void;
  /** Logs an error that the client did not cause. */
  logError(error: unknown): void;
}

/** The limits before `auth`, when lines and replies are short. */
const maxLineBytesBeforeAuth = 1024;
const maxUnreadBytesBeforeAuth = 4096;
/** The limit of bytes that are read while a command runs. */
const maxReadAheadBytes = 65_536;
/** Lets the last reply arrive before the socket is destroyed. */
const lingerMs = 1000;
/** Each connection has these bytes in addition to the shared budget. */
const freeBytes = 16_384;

/** A client's connection. Its commands run one at a time. */
export class Connection {
  readonly #socket: Socket;
  readonly #host: Host;
  readonly #client: Client;
  readonly #writes: WriteBuffer;
  #reader = new LineReader();
  readonly #disconnected = new AbortController();
  readonly #closed = Promise.withResolvers<void>();
  #isRunning = false;
  /** Whether the client closed its side and waits for replies. */
  #isHalfClosed = false;
  /** No further command may run. */
  #isEnding = false;
  #deadline: NodeJS.Timeout | undefined;
  #awaitsFirstCommand = true;
  #reservedBytes = 0;
  /** The budget of the reserved bytes. */
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
    this.#client = new Client(host.services, host.helpPhp, this.#disconnected.signal, (event) =>
      this.#writes.push(event),
    );
    // Detects a client machine that disappeared without closing the connection.
    socket.setKeepAlive(true, 30_000).setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#onData(chunk));
    socket.on('end', () => {
      this.#isHalfClosed = true;
      void this.#run();
    });
    // `close` follows each error.
    socket.on('error', () => {});
    socket.on('close', () => this.#onClose());
    this.#setDeadline(host.limits.firstCommandTimeoutMs);
    host.setIdle(this, true);
  }

  /** Resolves when the connection is closed and its last command is complete. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Finishes the running command and closes the connection. A command that waits for a lock fails. */
  end(reply?: string): void {
    if (this.#isEnding) return;
    this.#isEnding = true;
    this.#disconnected.abort();
    this.#writes.stopWaiting();
    if (this.#isRunning) return;
    if (reply !== undefined) this.#writes.sendLast(reply);
    this.#finish();
  }

  /** Closes an idle connection at once, for a new connection. */
  drop(): void {
    this.#isEnding = true;
    this.#socket.destroy();
  }

  #onData(chunk: Buffer): void {
    if (this.#isEnding) return;
    this.#reader.push(chunk);
    if (this.#isRunning && this.#reader.pendingBytes > maxReadAheadBytes) this.#socket.pause();
    if (this.#reserveOrEnd()) void this.#run();
  }

  async #run(): Promise<void> {
    if (this.#isRunning || this.#isEnding) return;
    this.#isRunning = true;
    this.#host.setIdle(this, false);
    const commandCount = await this.#runLines().catch((error: unknown) => {
      if (error instanceof LineTooLong) this.#writes.sendLast('err Line too long.');
      else this.#host.logError(error);
      this.#isEnding = true;
      return 0;
    });
    this.#isRunning = false;
    if (this.#socket.destroyed) return this.#onClose();
    if (this.#isEnding || this.#isHalfClosed) return this.#finish();
    this.#reader.shrink();
    this.#reserveOrEnd();
    this.#awaitClient(commandCount > 0);
    this.#socket.resume();
  }

  /** Runs the received lines. @returns their number */
  async #runLines(): Promise<number> {
    let count = 0;
    while (await this.#runLine()) {
      count++;
      await this.#writes.waitForDrain();
      if (this.#isEnding) break;
    }
    return count;
  }

  /** Runs the next complete line. @returns false if no line is complete, or no further line may run */
  async #runLine(): Promise<boolean> {
    const { limits, logError } = this.#host;
    const maxBytes = this.#client.isAuthorized ? limits.maxLineBytes : maxLineBytesBeforeAuth;
    const line = this.#reader.next(maxBytes, this.#client.guardsLineFeeds);
    if (line === null) return false;
    if (this.#client.isAuthorized) this.#setDeadline(undefined);
    // From here the command counts as running, so a stopping server finishes it.
    await this.#waitToRun(line);
    const lastReply = this.#client.truncatedReply(line);
    if (lastReply !== null) {
      this.#writes.sendLast(lastReply);
      this.#isEnding = true;
      return false;
    }
    const reply = await execute(this.#client, line, logError);
    // Without memory for the reply, the client gets an error and the connection ends, because the command may have opened
    // a session.
    if (this.#socket.destroyed || !this.#writes.send(reply)) return false;
    this.#client.subscriptions.sendQueued();
    if (this.#client.mustClose) this.#isEnding = true;
    return !this.#isEnding;
  }

  async #waitToRun(line: Buffer): Promise<void> {
    const turn = this.#host.work.wait(line.length + (this.#client.session?.values.size ?? 0));
    if (turn === undefined) return;
    // New data could overwrite the line in the reader.
    this.#socket.pause();
    await turn;
    if (this.#reader.pendingBytes <= maxReadAheadBytes) this.#socket.resume();
  }

  /** Sets the deadline for the rest of a line, after the first command. */
  #awaitClient(hasRun: boolean): void {
    const { session, subscriptions, isAuthorized } = this.#client;
    this.#host.setIdle(this, session === null && !subscriptions.hasAny);
    if (hasRun && isAuthorized) this.#awaitsFirstCommand = false;
    if (this.#awaitsFirstCommand) return;
    if (this.#reader.pendingBytes === 0) this.#setDeadline(undefined);
    else if (this.#deadline === undefined) this.#setDeadline(this.#host.limits.lineTimeoutMs);
  }

  #setDeadline(ms: number | undefined): void {
    clearTimeout(this.#deadline);
    this.#deadline = ms === undefined ? undefined : setTimeout(() => this.end('err Timed out.'), ms).unref();
  }

  /**
   * Reserves the bytes of the connection and closes it if the budget is used up.
   * @param replyBytes the size of a reply to send
   */
  #reserveOrEnd(replyBytes = 0): boolean {
    if (this.#reserve(replyBytes)) return true;
    this.#writes.sendLast('err Out of memory.');
    this.end();
    return false;
  }

  #reserve(replyBytes: number): boolean {
    const { isAuthorized, session } = this.#client;
    const unreadBytes = this.#writes.pendingBytes + replyBytes;
    if (!isAuthorized && unreadBytes > maxUnreadBytesBeforeAuth) return false;
    const usedBytes = this.#reader.capacityBytes + unreadBytes + (session?.values.memoryBytes ?? 0);
    const sharedBytes = Math.max(0, usedBytes - freeBytes);
    const budget = isAuthorized ? this.#host.budget : this.#host.budgetBeforeAuth;
    const before = budget === this.#budget ? this.#reservedBytes : 0;
    if (!budget.reserve(sharedBytes - before)) return false;
    this.#budget.release(this.#reservedBytes - before);
    this.#budget = budget;
    this.#reservedBytes = sharedBytes;
    return true;
  }

  #finish(): void {
    this.#isEnding = true;
    this.#setDeadline(undefined);
    this.#client.subscriptions.clear();
    this.#client.endSession();
    this.#reader = new LineReader();
    this.#reserve(0);
    // A new connection can replace this connection until the client closes its side.
    this.#host.setIdle(this, true);
    this.#socket.end();
    // Discards incoming data, because closing a socket with unread data would reset it and lose the reply.
    this.#socket.resume();
    setTimeout(() => this.#socket.destroy(), lingerMs).unref();
  }

  #onClose(): void {
    this.#disconnected.abort();
    this.#writes.stopWaiting();
    // #run calls this again after the running command.
    if (this.#isRunning) return;
    this.#isEnding = true;
    this.#setDeadline(undefined);
    this.#client.subscriptions.clear();
    this.#client.endSession();
    this.#budget.release(this.#reservedBytes);
    this.#reservedBytes = 0;
    this.#closed.resolve();
  }
}
