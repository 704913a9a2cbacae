import { connect, type Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { StoreError } from '../store.ts';
import { startDeadline } from './deadline.ts';

/** `ca`: PEM certificates that replace the default authorities. */
export type ServerAddress =
  | { host: string; port: number; tls?: { ca?: string } | undefined }
  | { path: string };

/** The protocol of a server that replies to requests in order. */
export interface Protocol<Reply> {
  /** The name of the server in errors. */
  name: string;
  address: ServerAddress;
  /** Whether errors of the connection contain the address. */
  showAddress?: boolean;
  /**
   * Creates the parser of one connection. Chunks may end anywhere.
   * @throws Error on an invalid reply
   */
  createParser(onReply: (reply: Reply) => void): (chunk: Buffer) => void;
  /** The encoding of requests. Default UTF-8. */
  encoding?: 'latin1';
  /** Requests at the start of each connection. If one fails, the connection is closed. */
  greeting?: readonly { request: string; read: ReadReply<Reply, unknown> }[];
  /** Handles a message that is not a reply. Returns false for replies. */
  onPush?(reply: Reply): boolean;
  onDisconnect?(error: StoreError): void;
}

/**
 * Converts a reply. Returns undefined if the reply does not fit the request.
 * @throws an error that rejects only this request
 */
export type ReadReply<Reply, T> = (reply: Reply) => T | undefined;

interface Query<Reply> {
  sentAt: number;
  replyCount: number;
  read: ReadReply<Reply, unknown>;
  results: unknown[];
  resolve(results: unknown[]): void;
  reject(error: unknown): void;
}

/** Within this time after a failure, queries fail with the same error, without a new connection. */
const reconnectDelayMs = 50;

/**
 * Sends queries over one connection, which the first query opens. A late or unexpected reply closes the connection and
 * rejects all pending queries, so a reply cannot reach the wrong query. The next query connects again.
 */
export class Pipeline<Reply> {
  readonly #protocol: Protocol<Reply>;
  readonly #timeoutMs: number;
  /** Pending queries, the oldest first. */
  #queries: Query<Reply>[] = [];
  /** The deadline of the oldest query. Later queries need none yet, because their replies come after its reply. */
  #cancelDeadline: (() => void) | undefined;
  /** The requests of one turn of the event loop. They are sent together, because writes are the most expensive part. */
  #outgoing = '';
  #socket: Socket | undefined;
  #failure: StoreError | undefined;
  #closed = false;
  #connectionCount = 0;

  /** @param timeoutMs the limit of one query with all its replies, including the connection setup */
  constructor(protocol: Protocol<Reply>, timeoutMs: number) {
    this.#protocol = protocol;
    this.#timeoutMs = timeoutMs;
  }

  /** The number of connections so far. A new connection may lead to another server. */
  get connectionCount(): number {
    return this.#connectionCount;
  }

  get inFlight(): number {
    return this.#queries.length;
  }

  /** The waiting time of the oldest query. 0 without queries. */
  get silentMs(): number {
    const [first] = this.#queries;
    return first === undefined ? 0 : performance.now() - first.sentAt;
  }

  /**
   * Sends a request with one reply, and returns its result.
   * @throws StoreError if the server does not reply in time; errors of `read`
   */
  async query<T>(request: string, read: ReadReply<Reply, T>): Promise<T> {
    const [result] = await this.queryAll(request, 1, read);
    return result as T;
  }

  /** Sends requests with `replyCount` replies, at least one, and returns the results in the same order. */
  queryAll<T>(request: string, replyCount: number, read: ReadReply<Reply, T>): Promise<T[]> {
    return new Promise((resolve, reject) => {
      if (this.#closed) return reject(new StoreError('the store was closed'));
      if (this.#failure !== undefined) return reject(this.#failure);
      this.#socket ??= this.#open();
      this.#send(request, { replyCount, read, resolve: (results) => resolve(results as T[]), reject });
    });
  }

  close(): void {
    this.#closed = true;
    this.#fail(new StoreError('the store was closed'));
  }

  #send(request: string, query: Omit<Query<Reply>, 'sentAt' | 'results'>): void {
    this.#queries.push({ ...query, sentAt: performance.now(), results: [] });
    if (this.#cancelDeadline === undefined) this.#startDeadline();
    if (this.#outgoing === '') setImmediate(() => this.#flush());
    this.#outgoing += request;
  }

  #flush(): void {
    const requests = this.#outgoing;
    this.#outgoing = '';
    // After a failure there are no requests.
    if (requests !== '') this.#socket?.write(requests, this.#protocol.encoding);
  }

  #startDeadline(): void {
    const [first] = this.#queries;
    this.#cancelDeadline = undefined;
    if (first === undefined) return;
    this.#cancelDeadline = startDeadline(Math.max(0, this.#timeoutMs - this.silentMs), () => {
      if (this.#queries[0] !== first) this.#startDeadline();
      else this.#fail(new StoreError(`${this.#protocol.name} did not answer within ${this.#timeoutMs} ms`));
    });
  }

  #open(): Socket {
    const { name, address, showAddress, createParser, greeting = [] } = this.#protocol;
    const socket = openSocket(address);
    this.#connectionCount++;
    const fail = (error: StoreError) => {
      if (this.#socket === socket) this.#fail(error);
    };
    const parse = createParser((reply) => {
      if (this.#socket === socket) this.#receive(reply);
    });
    socket.on('data', (chunk: Buffer) => {
      try {
        parse(chunk);
      } catch (cause) {
        fail(new StoreError(`${name} sent something that is not a reply`, { cause }));
      }
    });
    const place = 'path' in address ? address.path : `${address.host}:${address.port}`;
    socket.on('error', (error) =>
      fail(StoreError.unreachable(showAddress ? `${name} at ${place}` : name, error)),
    );
    for (const event of ['end', 'close'])
      socket.on(event, () => fail(new StoreError(`${name} closed the connection`)));
    const reject = (error: unknown) => fail(error as StoreError);
    for (const { request, read } of greeting)
      this.#send(request, { replyCount: 1, read, resolve() {}, reject });
    return socket;
  }

  #receive(reply: Reply): void {
    if (this.#protocol.onPush?.(reply)) return;
    const first = this.#queries[0];
    if (first === undefined) return this.#failUnexpected();
    let result: unknown;
    try {
      result = first.read(reply);
      if (result === undefined) return this.#failUnexpected();
    } catch (error) {
      first.reject(error);
    }
    if (first.results.push(result) < first.replyCount) return;
    // If `reject` closed the connection, the list is already empty.
    if (this.#queries[0] === first) this.#queries.shift();
    first.resolve(first.results);
  }

  /** The error omits the reply, which may contain session data. */
  #failUnexpected(): void {
    this.#fail(new StoreError(`${this.#protocol.name} sent an unexpected reply`));
  }

  #fail(error: StoreError): void {
    this.#socket?.destroy();
    this.#socket = undefined;
    this.#outgoing = '';
    this.#cancelDeadline?.();
    this.#cancelDeadline = undefined;
    if (!this.#closed) {
      this.#failure = error;
      setTimeout(() => {
        this.#failure = undefined;
      }, reconnectDelayMs).unref();
    }
    for (const { reject } of this.#queries.splice(0)) reject(error);
    this.#protocol.onDisconnect?.(error);
  }
}

/** The socket may be used at once, because it buffers data until it is connected. */
function openSocket(address: ServerAddress): Socket {
  if ('path' in address) return connect(address.path);
  const { host, port, tls } = address;
  if (tls === undefined) return connect({ host, port, noDelay: true });
  // `rejectUnauthorized` overrides the environment variable NODE_TLS_REJECT_UNAUTHORIZED.
  return connectTls({ host, port, ...tls, rejectUnauthorized: true }).setNoDelay(true);
}
