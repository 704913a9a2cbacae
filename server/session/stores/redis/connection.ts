import { mostKeys, StoreError } from '../../store.ts';
import { deadline } from '../deadline.ts';

/** A question that follows a failure sooner than this, in milliseconds, gets the same failure and no new connection. */
const reconnectAfter = 50;

export type Library = typeof import('redis');
export type Client = ReturnType<typeof createClient>;

/** Where a Redis listens, and the user to log in as. An empty `user` is Redis's default user. */
export interface RedisServer {
  /** `ca`: certificates in PEM that replace those of the well-known authorities. */
  at: { host: string; port: number; tls?: { ca?: string } } | { path: string };
  user: string;
  password: string;
  database: number;
}

/**
 * Holds a single connection to Redis at a time. The first question opens it, and so does the first question after a failure.
 * Each method throws StoreError after `timeout` milliseconds at the latest.
 *
 * The library's own reconnecting is off, since it cannot be relied on (each fault was reproduced with 6.3.1):
 * - bytes that are no reply are reported, but the connection stays in use and its questions hang forever;
 * - the library's timeout covers only what has not been sent yet, so a silent server is waited for without end;
 * - a client that is destroyed while it connects becomes connected, and nobody can end it;
 * - the error of a refused command contains Redis's text, which may hold the password or the keys.
 */
export class RedisConnection {
  /** Loaded here, since most sites have no Redis, and before the first question, whose time it would take. */
  readonly #library = import('redis');
  readonly #server: RedisServer;
  readonly #timeout: number;
  #link: Link | undefined;
  #closed = false;

  /** @param timeout of one call in all, in milliseconds */
  constructor(server: RedisServer, timeout: number) {
    this.#server = server;
    this.#timeout = timeout;
    // Each question that awaits it fails by itself.
    this.#library.catch(() => {});
  }

  /** The sizes of these values in bytes, in one round trip; 0 for a key that does not exist or is no string. */
  lengths(keys: readonly string[]): Promise<number[]> {
    return this.#ask(async ({ client, ErrorReply }) => {
      const length = (key: string) =>
        client.strLen(key).catch((error: unknown) => {
          // Where STRLEN has an error, MGET has null.
          if (error instanceof ErrorReply && error.message.startsWith('WRONGTYPE')) return 0;
          throw error;
        });
      const lengths: unknown[] = await Promise.all(keys.map(length));
      if (!lengths.every((one) => isInteger(one, 0))) throw unasked();
      return lengths;
    });
  }

  /** The values of these keys; null for a key that does not exist or is no string. */
  mget(keys: readonly string[]): Promise<(Buffer | null)[]> {
    return this.#ask(async ({ client }) => {
      const values: unknown = await client.mGet([...keys]);
      if (!Array.isArray(values) || values.length !== keys.length || !values.every(isValue)) throw unasked();
      // Copies: a session that is remembered would keep everything in memory that was read beside it.
      return values.map((value) => value && Buffer.from(value));
    });
  }

  /** The TTLs of these keys in milliseconds, in one round trip; -1 for none, -2 for a key that does not exist. */
  ttls(keys: readonly string[]): Promise<number[]> {
    return this.#ask(async (link) => {
      const ttls: unknown[] = await Promise.all(
        keys.map((key) => permitted('ttl', link.client.pTTL(key), link)),
      );
      if (!ttls.every((one) => isInteger(one, -2))) throw unasked();
      return ttls;
    });
  }

  /** Gives a key a TTL in seconds, if it exists. */
  expire(key: string, seconds: number): Promise<void> {
    return this.#ask(async (link) => {
      await permitted('touch', link.client.expire(key, seconds), link);
    });
  }

  /** Some of the keys that end so, by going through all keys. @param end without what has a meaning in a pattern */
  keysEndingWith(end: string): Promise<string[]> {
    return this.#ask(async (link) => {
      const found: string[] = [];
      let cursor = '0';
      do {
        const command = ['SCAN', cursor, 'MATCH', `*${end}`, 'COUNT', '1000'];
        const reply: unknown = await permitted('list', link.client.sendCommand(command), link);
        if (!isScanReply(reply)) throw unasked();
        cursor = String(reply[0]);
        found.push(...reply[1].map(String));
      } while (cursor !== '0' && found.length < mostKeys);
      return found.slice(0, mostKeys);
    });
  }

  /** A setting of this Redis; null if the user is not permitted to read it. */
  setting(name: string): Promise<string | null> {
    return this.#ask(async ({ client, ErrorReply }) => {
      try {
        const [, value]: unknown[] = await client.sendCommand(['CONFIG', 'GET', name]);
        return Buffer.isBuffer(value) ? String(value) : null;
      } catch (error) {
        // Not permitted, or switched off, as in a hosted Redis.
        if (error instanceof ErrorReply) return null;
        throw error;
      }
    });
  }

  close(): void {
    this.#closed = true;
    this.#link?.fail(new StoreError('the store was closed'));
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
      await link.ready;
      return await question(link);
    } catch (error) {
      if (error instanceof NotPermitted) throw error;
      throw link.fail(error);
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
}

/** A connection, until the first failure of any kind. Then it fails all questions, those under way and later ones. */
class Link {
  readonly client: Client;
  readonly ErrorReply: Library['ErrorReply'];
  readonly ready: Promise<unknown>;
  readonly #onEnd: () => void;
  #failReady: (failure: StoreError) => void = () => {};
  #failure: StoreError | undefined;

  constructor({ ErrorReply }: Library, client: Client, onEnd: () => void) {
    this.client = client;
    this.ErrorReply = ErrorReply;
    this.#onEnd = onEnd;
    client.on('error', (error) => this.fail(error));
    endIfUnwanted(client, () => this.#failure !== undefined);
    this.ready = new Promise((resolve, reject) => {
      this.#failReady = reject;
      client.connect().then(resolve, reject);
    });
    this.ready.catch((error) => this.fail(error));
  }

  /** Ends the connection. @returns its failure, which is the first one */
  fail(error: unknown): StoreError {
    if (this.#failure !== undefined) return this.#failure;
    this.#failure =
      error instanceof StoreError
        ? error
        : error instanceof this.ErrorReply
          ? refusal(error.message, 'read')
          : unreachable(error);
    this.#failReady(this.#failure);
    this.client.destroy();
    this.#onEnd();
    return this.#failure;
  }
}

/** The library connects a client that was destroyed while it was connecting: such a one is destroyed again. */
export function endIfUnwanted(client: Client, unwanted: () => boolean): void {
  client.on('connect', () => {
    if (unwanted()) client.destroy();
  });
}

/** Redis refuses this command, which does not end the connection: the user may still read. */
class NotPermitted extends StoreError {}

async function permitted<T>(
  wanted: 'ttl' | 'touch' | 'list',
  answer: Promise<T>,
  { ErrorReply }: Link,
): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof ErrorReply) throw new NotPermitted(refusal(error.message, wanted).message);
    throw error;
  }
}

function unasked(): StoreError {
  return new StoreError('Redis answered something that was not asked');
}

function isInteger(value: unknown, least: number): value is number {
  return Number.isSafeInteger(value) && (value as number) >= least;
}

function isValue(value: unknown): value is Buffer | null {
  return value === null || Buffer.isBuffer(value);
}

function isScanReply(value: unknown): value is [Buffer, Buffer[]] {
  return Array.isArray(value) && Buffer.isBuffer(value[0]) && Array.isArray(value[1]);
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
    // The older protocol is enough, and every Redis knows it.
    RESP: 2,
    socket:
      'path' in at
        ? { ...socket, path: at.path }
        : at.tls === undefined
          ? { ...socket, host: at.host, port: at.port }
          : // Without `rejectUnauthorized`, NODE_TLS_REJECT_UNAUTHORIZED could switch it off.
            { ...socket, host: at.host, port: at.port, ...at.tls, tls: true, rejectUnauthorized: true },
    ...(user === '' ? {} : { username: user }),
    ...(password === '' ? {} : { password }),
    database,
    disableOfflineQueue: true,
    disableClientInfo: true,
    commandOptions: { timeout: 0, typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } },
  });
}

/** The error replies of `server.c`, `acl.c` and `cluster.c` in Redis's source, and what they mean to the operator. */
const refusals: readonly [RegExp, string][] = [
  [/^NOAUTH/, 'it wants a password: the store URL is redis://:PASSWORD@HOST or redis://USER:PASSWORD@HOST'],
  [/^(WRONGPASS|ERR invalid password)/, 'the password in the store URL is refused, or its user is unknown'],
  [/^ERR (AUTH <password> called|Client sent AUTH)/, 'the store URL has a password, but Redis has none'],
  [/^ERR (DB index|invalid DB)/, 'it has no database of that number'],
  [
    /^(MOVED|CROSSSLOT|CLUSTERDOWN|ERR SELECT is not allowed in cluster)/,
    'this is a node of a cluster, which this version does not read',
  ],
  [/^LOADING/, 'it has just started and is still loading its data'],
  [/^READONLY/, 'this is a replica, which cannot renew sessions: the store URL has to name the primary'],
  [/^MASTERDOWN/, 'this is a replica that has lost its master'],
  [/^ERR max number of clients/, 'it has as many clients as maxclients allows'],
  [/^DENIED/, 'it is in protected mode: clients on other machines need a password'],
];

/** Actions that Redis does not permit to its user, and what would permit them. */
const permissions = {
  read: 'read the sessions: let it use mget and strlen on these keys, and select for a database',
  ttl: 'read the TTL of sessions: let it use pttl on these keys (+pttl)',
  touch: 'renew the TTL of sessions: let it use expire on these keys (+expire)',
  list: 'list the keys: let it use scan (+scan)',
  subscribe:
    'subscribe to notifications: let it use subscribe on the channels of the keyspace events (+subscribe &__keyevent@*)',
} as const;

/**
 * The failure for an error reply. It leaves out Redis's text, which may hold the command, and so the password or a key.
 * @param wanted what was asked for
 */
export function refusal(reply: string, wanted: keyof typeof permissions): StoreError {
  const code = /^[A-Z]{1,20}\b/.exec(reply)?.[0] ?? 'an unknown error';
  const meaning =
    code === 'NOPERM'
      ? `its user may not ${permissions[wanted]}`
      : refusals.find(([pattern]) => pattern.test(reply))?.[1];
  return new StoreError(`Redis refuses (${code})${meaning === undefined ? '' : `: ${meaning}`}`);
}

/** The failure for any other error of a connection. */
export function unreachable(error: unknown): StoreError {
  if ((error as NodeJS.ErrnoException).code !== undefined)
    return StoreError.unreachable('Redis', error as NodeJS.ErrnoException);
  return new StoreError('Redis closed the connection, or sent something that is not a reply', {
    cause: error,
  });
}
