import { connect, type Socket } from 'node:net';
import { connect as connectSecurely } from 'node:tls';
import { StoreError } from '../store.ts';
import { deadline } from './deadline.ts';

/** Where a server listens. `ca`: certificates in PEM that replace those of the well-known authorities. */
export type ServerAddress =
  | { host: string; port: number; tls?: { ca?: string } | undefined }
  | { path: string };

/** A kind of server that answers the questions on a connection in their order. */
export interface Protocol<Reply> {
  /** Of the server, for errors. */
  name: string;
  at: ServerAddress;
  /** Whether an error of the connection adds the address. */
  namesAddress?: boolean;
  /**
   * Reads the replies on one connection out of pieces that end anywhere.
   * @throws Error if a piece belongs to no reply
   */
  reader(take: (reply: Reply) => void): (piece: Buffer) => void;
  /** Of the requests; UTF-8 by default. */
  encoding?: 'latin1';
  /** The first questions on each connection. A refusal of one ends it. */
  greeting?: readonly { request: string; read: ReadReply<Reply, unknown> }[];
  /** Takes what the server sends without a question; false for all else. */
  pushed?(reply: Reply): boolean;
  /** A connection has ended. */
  failed?(error: StoreError): void;
}

/**
 * Reads a reply; undefined if it does not fit the question.
 * @throws an error that concerns this question only
 */
export type ReadReply<Reply, T> = (reply: Reply) => T | undefined;

interface Question<Reply> {
  /** When it was asked. */
  at: number;
  count: number;
  read: ReadReply<Reply, unknown>;
  /** The answers that have come. */
  answers: unknown[];
  resolve(answers: unknown[]): void;
  fail(error: unknown): void;
}

/** A question that follows a failure sooner than this, in milliseconds, gets the same failure and no new connection. */
const reconnectAfter = 50;

/**
 * Holds a single connection to a server at a time. The first question opens it, and so does the first question after a
 * failure. A reply that is late or does not fit the oldest question ends the connection, and fails all questions that
 * wait.
 */
export class Pipeline<Reply> {
  readonly #protocol: Protocol<Reply>;
  readonly #timeout: number;
  /** The oldest first, which the next reply answers. */
  #asked: Question<Reply>[] = [];
  /** Ends the deadline of the oldest question. If its answer is late, so are all behind it: one at a time is enough. */
  #answered: (() => void) | undefined;
  /** The requests of one turn of the event loop are sent together: a write for each would cost the most of all. */
  #outgoing = '';
  #socket: Socket | undefined;
  #failure: StoreError | undefined;
  #closed = false;
  #connections = 0;

  /** @param timeout of one answer, connecting included, in milliseconds */
  constructor(protocol: Protocol<Reply>, timeout: number) {
    this.#protocol = protocol;
    this.#timeout = timeout;
  }

  /** The number of connections so far: over a new one there may be another server. */
  get connections(): number {
    return this.#connections;
  }

  /** The number of questions under way. */
  get underWay(): number {
    return this.#asked.length;
  }

  /** For how many milliseconds the server has owed an answer. */
  get silentFor(): number {
    const [oldest] = this.#asked;
    return oldest === undefined ? 0 : performance.now() - oldest.at;
  }

  /** @throws StoreError after the timeout at the latest, and any error of `read` */
  async ask<T>(request: string, read: ReadReply<Reply, T>): Promise<T> {
    const [answer] = await this.askAll(request, 1, read);
    return answer as T;
  }

  /** Asks so many questions together, at least one. @returns their answers, in the same order */
  askAll<T>(request: string, count: number, read: ReadReply<Reply, T>): Promise<T[]> {
    return new Promise((resolve, fail) => {
      if (this.#closed) return fail(new StoreError('the store was closed'));
      if (this.#failure !== undefined) return fail(this.#failure);
      this.#socket ??= this.#open();
      this.#write(request, { count, read, resolve: (answers) => resolve(answers as T[]), fail });
    });
  }

  close(): void {
    this.#closed = true;
    this.#fail(new StoreError('the store was closed'));
  }

  #write(request: string, question: Omit<Question<Reply>, 'at' | 'answers'>): void {
    this.#asked.push({ ...question, at: performance.now(), answers: [] });
    if (this.#answered === undefined) this.#expectAnswer();
    if (this.#outgoing === '') setImmediate(() => this.#send());
    this.#outgoing += request;
  }

  #send(): void {
    const requests = this.#outgoing;
    this.#outgoing = '';
    // Empty if the questions have failed in the same turn.
    if (requests !== '') this.#socket?.write(requests, this.#protocol.encoding);
  }

  #expectAnswer(): void {
    const [oldest] = this.#asked;
    this.#answered = undefined;
    if (oldest === undefined) return;
    this.#answered = deadline(Math.max(0, this.#timeout - this.silentFor), () => {
      if (this.#asked[0] !== oldest) this.#expectAnswer();
      else this.#fail(new StoreError(`${this.#protocol.name} did not answer within ${this.#timeout} ms`));
    });
  }

  #open(): Socket {
    const { name, at, reader, greeting = [] } = this.#protocol;
    const socket = openSocket(at);
    this.#connections++;
    const failed = (error: StoreError) => {
      if (this.#socket === socket) this.#fail(error);
    };
    const read = reader((reply) => {
      if (this.#socket === socket) this.#take(reply);
    });
    socket.on('data', (piece: Buffer) => {
      try {
        read(piece);
      } catch (cause) {
        failed(new StoreError(`${name} sent something that is not a reply`, { cause }));
      }
    });
    const place = this.#protocol.namesAddress
      ? `${name} at ${'path' in at ? at.path : `${at.host}:${at.port}`}`
      : name;
    socket.on('error', (error) => failed(StoreError.unreachable(place, error)));
    for (const event of ['end', 'close'])
      socket.on(event, () => failed(new StoreError(`${name} closed the connection`)));
    const fail = (error: unknown) => failed(error as StoreError);
    for (const { request, read } of greeting) this.#write(request, { count: 1, read, resolve() {}, fail });
    return socket;
  }

  #take(reply: Reply): void {
    if (this.#protocol.pushed?.(reply)) return;
    const oldest = this.#asked[0];
    if (oldest === undefined) return this.#unasked();
    let answer: unknown;
    try {
      answer = oldest.read(reply);
      if (answer === undefined) return this.#unasked();
    } catch (error) {
      oldest.fail(error);
    }
    if (oldest.answers.push(answer) < oldest.count) return;
    // Not if that has ended the connection.
    if (this.#asked[0] === oldest) this.#asked.shift();
    oldest.resolve(oldest.answers);
  }

  /** The reply may hold anything, so no error repeats it. */
  #unasked(): void {
    this.#fail(new StoreError(`${this.#protocol.name} answered something that was not asked`));
  }

  #fail(error: StoreError): void {
    this.#socket?.destroy();
    this.#socket = undefined;
    this.#outgoing = '';
    this.#answered?.();
    this.#answered = undefined;
    if (!this.#closed) {
      this.#failure = error;
      setTimeout(() => {
        this.#failure = undefined;
      }, reconnectAfter).unref();
    }
    for (const { fail } of this.#asked.splice(0)) fail(error);
    this.#protocol.failed?.(error);
  }
}

/** Text that is written to the socket at once is sent when it is connected. */
function openSocket(at: ServerAddress): Socket {
  if ('path' in at) return connect(at.path);
  const { host, port, tls } = at;
  if (tls === undefined) return connect({ host, port, noDelay: true });
  // Without `rejectUnauthorized`, NODE_TLS_REJECT_UNAUTHORIZED could switch it off.
  return connectSecurely({ host, port, ...tls, rejectUnauthorized: true }).setNoDelay(true);
}
