import { deferred } from '../deferred.ts';
import { StoreError } from '../store.ts';
import { refusal, unreachable } from './failures.ts';

type Library = typeof import('redis');
type Client = ReturnType<typeof createClient>;

/** Whoever asks sooner after a failure than so many milliseconds gets the same failure, not a connection more. */
const reconnectAfter = 50;

/** Where a Redis listens, and who asks it. An empty `user` is Redis's default user. */
export interface RedisServer {
  /** `ca`: certificates in PEM, in place of those of the publicly known authorities. */
  at: { host: string; port: number; tls?: { ca?: string } } | { path: string };
  user: string;
  password: string;
  database: number;
}

/**
 * One connection to Redis at a time, opened by the first question, and anew by the first one after a failure.
 *
 * The library's own reconnecting is off, since none of these can be left to it (each was reproduced with 6.3.1):
 * - bytes that are no reply are reported, but the connection goes on being used: questions hang for ever;
 * - its time-out concerns what has not been sent yet, so a silent server is waited for without end;
 * - a client that is destroyed while it connects becomes a connected one that nobody knows of;
 * - what Redis says of a refused command goes into the error, and may hold the password or the keys.
 */
export class RedisConnection {
  /** Loaded here and not above, since most sites have no Redis; and not in the time of the first question. */
  readonly #library = import('redis');
  readonly #server: RedisServer;
  readonly #timeout: number;
  #link: Link | undefined;
  #closed = false;

  /** @param timeout of one call with all that belongs to it, in milliseconds */
  constructor(server: RedisServer, timeout: number) {
    this.#server = server;
    this.#timeout = timeout;
  }

  /**
   * The values of these keys, in their order; null where there is none, or none that is a string.
   * @throws StoreError after `timeout` ms at the latest
   */
  async mget(keys: readonly string[]): Promise<(Buffer | null)[]> {
    const library = await this.#library;
    if (this.#closed) throw new StoreError('the store was closed');
    this.#link ??= this.#open(library);
    const link = this.#link;
    let waiting = true;
    const timer = setTimeout(() => {
      // When this process was held up, the timer fires before the reply is read that lies there already: first
      // everything is read.
      setImmediate(() =>
        setImmediate(() => {
          // Replies come in the order of the questions: if this one is late, so are all behind it.
          if (waiting) link.fail(new StoreError(`Redis did not answer within ${this.#timeout} ms`));
        }),
      );
    }, this.#timeout);
    try {
      return await link.mget(keys);
    } finally {
      waiting = false;
      clearTimeout(timer);
    }
  }

  #open(library: Library): Link {
    const forget = () => {
      this.#link = undefined;
    };
    const client = createClient(library, this.#server, this.#timeout);
    return new Link(library, client, () => setTimeout(forget, reconnectAfter).unref());
  }

  close(): void {
    this.#closed = true;
    this.#link?.fail(new StoreError('the store was closed'));
  }
}

/** A connection from its opening until anything at all goes wrong with it: then it fails whoever waits, for good. */
class Link {
  readonly #library: Library;
  readonly #client: Client;
  readonly #onEnd: () => void;
  readonly #ready: Promise<unknown>;
  readonly #ended = deferred<never>();
  #failure: StoreError | undefined;

  constructor(library: Library, client: Client, onEnd: () => void) {
    this.#library = library;
    this.#client = client;
    this.#onEnd = onEnd;
    client.on('error', (error) => this.#failWith(error));
    // The library forgets a socket that is still connecting when it is told to destroy the client.
    client.on('connect', () => {
      if (this.#failure !== undefined) client.destroy();
    });
    this.#ready = Promise.race([client.connect(), this.#ended.promise]);
    this.#ready.catch((error) => this.#failWith(error));
  }

  async mget(keys: readonly string[]): Promise<(Buffer | null)[]> {
    try {
      await this.#ready;
      const values: unknown = await this.#client.mGet([...keys]);
      if (!Array.isArray(values) || values.length !== keys.length || !values.every(isValue)) {
        throw new StoreError('Redis answered something that was not asked');
      }
      // Copies: a session that is remembered would keep all in memory that was read beside it.
      return values.map((value) => value && Buffer.from(value));
    } catch (error) {
      this.#failWith(error);
      throw this.#failure;
    }
  }

  /** Ends the connection and fails every question under way; later ones fail the same way. */
  fail(error: StoreError): void {
    if (this.#failure !== undefined) return;
    this.#failure = error;
    this.#ended.reject(error);
    this.#client.destroy();
    this.#onEnd();
  }

  #failWith(error: unknown): void {
    if (error instanceof StoreError) this.fail(error);
    else if (error instanceof this.#library.ErrorReply) this.fail(refusal(error.message));
    else this.fail(unreachable(error));
  }
}

function isValue(value: unknown): value is Buffer | null {
  return value === null || Buffer.isBuffer(value);
}

function createClient({ createClient, RESP_TYPES }: Library, server: RedisServer, timeout: number) {
  const { at, user, password, database } = server;
  const socket = {
    reconnectStrategy: false,
    // Only for a socket that has been given up by then: see Link.
    connectTimeout: 2 * timeout,
  } as const;
  return createClient({
    // The older protocol says all that is needed, and every Redis knows it.
    RESP: 2,
    socket:
      'path' in at
        ? { ...socket, path: at.path }
        : at.tls === undefined
          ? { ...socket, host: at.host, port: at.port }
          : // Said aloud, since NODE_TLS_REJECT_UNAUTHORIZED would switch it off.
            { ...socket, host: at.host, port: at.port, ...at.tls, tls: true, rejectUnauthorized: true },
    ...(user === '' ? {} : { username: user }),
    ...(password === '' ? {} : { password }),
    database,
    disableOfflineQueue: true,
    disableClientInfo: true,
    commandOptions: { timeout: 0, typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } },
  });
}
