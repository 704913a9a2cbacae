import { deadline } from '../deadline.ts';
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
   * How many bytes the values of these keys have, in their order; 0 where there is none, or none that is a string.
   * Asked in one round trip.
   * @throws StoreError after `timeout` ms at the latest
   */
  lengths(keys: readonly string[]): Promise<number[]> {
    return this.#ask((link) => link.lengths(keys));
  }

  /**
   * The values of these keys, in their order; null where there is none, or none that is a string.
   * @throws StoreError after `timeout` ms at the latest
   */
  mget(keys: readonly string[]): Promise<(Buffer | null)[]> {
    return this.#ask((link) => link.mget(keys));
  }

  async #ask<T>(question: (link: Link) => Promise<T>): Promise<T> {
    const library = await this.#library;
    if (this.#closed) throw new StoreError('the store was closed');
    this.#link ??= this.#open(library);
    const link = this.#link;
    // Replies come in the order of the questions: if this one is late, so are all behind it.
    const answered = deadline(this.#timeout, () =>
      link.fail(new StoreError(`Redis did not answer within ${this.#timeout} ms`)),
    );
    try {
      return await question(link);
    } finally {
      answered();
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

  lengths(keys: readonly string[]): Promise<number[]> {
    return this.#ask(async (client) => {
      const lengths: unknown[] = await Promise.all(keys.map((key) => this.#lengthOf(client, key)));
      if (!lengths.every(isLength)) throw notAsked();
      return lengths;
    });
  }

  mget(keys: readonly string[]): Promise<(Buffer | null)[]> {
    return this.#ask(async (client) => {
      const values: unknown = await client.mGet([...keys]);
      if (!Array.isArray(values) || values.length !== keys.length || !values.every(isValue)) throw notAsked();
      // Copies: a session that is remembered would keep all in memory that was read beside it.
      return values.map((value) => value && Buffer.from(value));
    });
  }

  /** MGET has null for a key of another type, where STRLEN has an error. */
  async #lengthOf(client: Client, key: string): Promise<unknown> {
    try {
      return await client.strLen(key);
    } catch (error) {
      if (error instanceof this.#library.ErrorReply && error.message.startsWith('WRONGTYPE')) return 0;
      throw error;
    }
  }

  async #ask<T>(question: (client: Client) => Promise<T>): Promise<T> {
    try {
      await this.#ready;
      return await question(this.#client);
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

function notAsked(): StoreError {
  return new StoreError('Redis answered something that was not asked');
}

function isLength(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
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
