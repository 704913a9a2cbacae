import type { Socket } from 'node:net';
import type { Budget } from './budget.ts';
import { Client, type Daemon } from './client.ts';
import { execute } from './execute.ts';
import { LineReader, LineTooLong } from './line-reader.ts';
import { Outlet } from './outlet.ts';
import type { Turns } from './turns.ts';

export interface ConnectionLimits {
  /** Bytes of one line. */
  line: number;
  /** Milliseconds until the first command (with auth: until the token) is there. */
  firstCommand: number;
  /** Milliseconds that a line may take from its first byte to its last. */
  lineTime: number;
}

/** What a connection needs of its server. */
export interface Host {
  daemon: Daemon;
  limits: ConnectionLimits;
  budget: Budget;
  turns: Turns;
  helpPhp: boolean;
  /** It has nothing open and asks for nothing: if room is needed, it can go. */
  idle(connection: Connection, idle: boolean): void;
  failed(error: unknown): void;
}

/** Before the token nobody needs long lines. */
const lineBeforeAuth = 1024;
/** What may lie ready while a command is at work; then reading stops. */
const readAhead = 65_536;
/** Long enough for a reply to arrive before the connection is cut, which may overtake it. */
const linger = 1000;
/** What each connection has for itself, whatever the others use. */
const freeBytes = 16_384;

/** One client: its lines are done one after the other, and answered in that order. */
export class Connection {
  readonly #socket: Socket;
  readonly #host: Host;
  readonly #client: Client;
  readonly #outlet: Outlet;
  #reader = new LineReader();
  readonly #gone = new AbortController();
  readonly #closed = Promise.withResolvers<void>();
  #running = false;
  /** The client has said its last word, and waits for what is still to be answered. */
  #halfClosed = false;
  /** Nothing more is taken. */
  #ending = false;
  #deadline: NodeJS.Timeout | undefined;
  #waitsForFirst = true;
  #accounted = 0;

  constructor(socket: Socket, host: Host) {
    this.#socket = socket;
    this.#host = host;
    this.#outlet = new Outlet(
      socket,
      (bytes) => this.#account(bytes),
      () => this.#take(0),
    );
    this.#client = new Client(host.daemon, host.helpPhp, this.#gone.signal, (event) =>
      this.#outlet.push(event),
    );
    // A host that vanishes does not say so.
    socket.setKeepAlive(true, 30_000).setNoDelay(true);
    socket.on('data', (chunk: Buffer) => this.#arrived(chunk));
    socket.on('end', () => {
      this.#halfClosed = true;
      this.#run();
    });
    // `close` follows.
    socket.on('error', () => {});
    socket.on('close', () => this.#over());
    this.#arm(host.limits.firstCommand);
    host.idle(this, true);
  }

  /** Resolves when it is over, and nothing of it is under way any more. */
  get closed(): Promise<void> {
    return this.#closed.promise;
  }

  /** Takes nothing more, finishes the command that is under way, and closes. A waiter is told no. */
  end(reply?: string): void {
    if (this.#ending) return;
    this.#ending = true;
    this.#gone.abort();
    // Nor is a reader waited for.
    this.#outlet.stop();
    if (this.#running) return;
    if (reply !== undefined) this.#outlet.sendLast(reply);
    this.#finish();
  }

  /** Makes room for another, at once. To be called when it is idle: there is nothing to be lost. */
  drop(): void {
    this.#ending = true;
    this.#socket.destroy();
  }

  #arrived(chunk: Buffer): void {
    if (this.#ending) return;
    this.#reader.push(chunk);
    if (this.#running && this.#reader.pending > readAhead) this.#socket.pause();
    if (this.#account()) this.#run();
  }

  async #run(): Promise<void> {
    if (this.#running || this.#ending) return;
    this.#running = true;
    this.#host.idle(this, false);
    const done = await this.#lines().catch((error: unknown) => {
      if (error instanceof LineTooLong) this.#outlet.sendLast('err Line too long.');
      else this.#host.failed(error);
      this.#ending = true;
      return 0;
    });
    this.#running = false;
    if (this.#socket.destroyed) return this.#over();
    if (this.#ending || this.#halfClosed) return this.#finish();
    this.#reader.rest();
    this.#account();
    this.#wait(done > 0);
    this.#socket.resume();
  }

  /** Does the lines that are there. @returns how many */
  async #lines(): Promise<number> {
    let done = 0;
    while (await this.#line()) {
      done++;
      // Nothing of that line is held any more, neither here nor by what waits for the next.
      await this.#outlet.drained();
      if (this.#ending) break;
    }
    return done;
  }

  /** Does the next line. @returns false when there is none, or none may follow */
  async #line(): Promise<boolean> {
    const { limits, failed } = this.#host;
    const most = this.#client.authorized ? limits.line : lineBeforeAuth;
    const line = this.#reader.next(most, this.#client.guarded);
    if (line === null) return false;
    // From here on it is not the client that is waited for.
    if (this.#client.authorized) this.#arm(undefined);
    // It is under way: what is to be saved is saved, though the daemon is about to end.
    await this.#turn(line);
    const lastReply = this.#client.cutOff(line);
    if (lastReply !== null) {
      this.#outlet.sendLast(lastReply);
      this.#ending = true;
      return false;
    }
    const reply = await execute(this.#client, line, failed);
    // A session that there is no memory for is not said to be open.
    if (this.#socket.destroyed || !this.#outlet.send(reply)) return false;
    this.#client.watching.replied();
    if (this.#client.quit) this.#ending = true;
    return !this.#ending;
  }

  /** Waits until the line may be done. */
  async #turn(line: Buffer): Promise<void> {
    const turn = this.#host.turns.take(line.length + (this.#client.session?.values.size ?? 0));
    if (turn === undefined) return;
    // What arrives could take the place of the line.
    this.#socket.pause();
    await turn;
    if (this.#reader.pending <= readAhead) this.#socket.resume();
  }

  /** Sets how long the client may now be silent: as long as it likes when it owes nothing. */
  #wait(someDone: boolean): void {
    const { session, watching, authorized } = this.#client;
    this.#host.idle(this, session === null && !watching.any);
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
   * Counts what it makes the daemon hold.
   * @param more bytes that are about to be added to that
   * @returns false when that is too much, and it is closed
   */
  #account(more = 0): boolean {
    if (this.#take(more)) return true;
    this.#outlet.sendLast('err Out of memory.');
    this.end();
    return false;
  }

  #take(more: number): boolean {
    const session = this.#client.session?.values.memory ?? 0;
    const bytes = this.#reader.capacity + this.#outlet.pending + session + more;
    const counted = Math.max(0, bytes - freeBytes);
    if (!this.#host.budget.take(counted - this.#accounted)) return false;
    this.#accounted = counted;
    return true;
  }

  #finish(): void {
    this.#ending = true;
    this.#arm(undefined);
    this.#client.watching.end();
    this.#client.endSession();
    this.#reader = new LineReader();
    // Others need not wait for it until this one has closed.
    this.#take(0);
    // Until the other side has closed too, which may take its time.
    this.#host.idle(this, true);
    this.#socket.end();
    // What still comes is thrown away: to close with something unread would cut off the reply.
    this.#socket.resume();
    setTimeout(() => this.#socket.destroy(), linger).unref();
  }

  #over(): void {
    this.#gone.abort();
    this.#outlet.stop();
    // The command that is under way ends first, and comes back here.
    if (this.#running) return;
    this.#ending = true;
    this.#arm(undefined);
    this.#client.watching.end();
    this.#client.endSession();
    this.#host.budget.give(this.#accounted);
    this.#accounted = 0;
    this.#closed.resolve();
  }
}
