import { deferred } from '../../deferred.ts';
import { StoreError } from '../../store.ts';
import { refusal, unreachable } from './failures.ts';

export type Library = typeof import('redis');
export type Client = ReturnType<typeof createClient>;

/** Where a Redis listens, and who asks it. An empty `user` is Redis's default user. */
export interface RedisServer {
  /** `ca`: certificates in PEM, in place of those of the publicly known authorities. */
  at: { host: string; port: number; tls?: { ca?: string } } | { path: string };
  user: string;
  password: string;
  database: number;
}

/** A connection from its opening until anything at all goes wrong with it: then it fails whoever waits, for good. */
export class Link {
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

  lives(keys: readonly string[]): Promise<number[]> {
    return this.#ask(async (client) => {
      const asked = keys.map((key) => this.#permitted('remaining', client.pTTL(key)));
      const lives: unknown[] = await Promise.all(asked);
      if (!lives.every(isLife)) throw notAsked();
      return lives;
    });
  }

  expire(key: string, seconds: number): Promise<void> {
    return this.#ask(async (client) => {
      await this.#permitted('touch', client.expire(key, seconds));
    });
  }

  setting(name: string): Promise<string | null> {
    return this.#ask(async (client) => {
      try {
        const [, value]: unknown[] = await client.sendCommand(['CONFIG', 'GET', name]);
        return Buffer.isBuffer(value) ? String(value) : null;
      } catch (error) {
        // Not permitted, or switched off, as those do who rent one out.
        if (error instanceof this.#library.ErrorReply) return null;
        throw error;
      }
    });
  }

  /** Whoever may read and no more goes on reading: this refusal is no failure of the connection. */
  async #permitted<T>(wanted: 'remaining' | 'touch', answer: Promise<T>): Promise<T> {
    try {
      return await answer;
    } catch (error) {
      if (error instanceof this.#library.ErrorReply) throw new Refused(refusal(error.message, wanted));
      throw error;
    }
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
      if (error instanceof Refused) throw error.reason;
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
    else if (error instanceof this.#library.ErrorReply) this.fail(refusal(error.message, 'read'));
    else this.fail(unreachable(error));
  }
}

/** Of one command, by a connection that goes on. */
class Refused {
  readonly reason: StoreError;

  constructor(reason: StoreError) {
    this.reason = reason;
  }
}

function notAsked(): StoreError {
  return new StoreError('Redis answered something that was not asked');
}

function isLength(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function isLife(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= -2;
}

function isValue(value: unknown): value is Buffer | null {
  return value === null || Buffer.isBuffer(value);
}

/** @param timeout of one question, in milliseconds */
export function createClient({ createClient, RESP_TYPES }: Library, server: RedisServer, timeout: number) {
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
