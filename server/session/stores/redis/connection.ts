import { connect, type Socket } from 'node:net';
import { connect as connectSecurely } from 'node:tls';
import { mostKeys, StoreError } from '../../store.ts';
import { deadline } from '../deadline.ts';
import type { RedisServer } from './client.ts';
import { ErrorReply, encoded, type Reply, ReplyReader } from './replies.ts';

/** A question that follows a failure sooner than this, in milliseconds, gets the same failure and no new connection. */
const reconnectAfter = 50;

/**
 * Holds a single connection to Redis at a time. The first question opens it, and so does the first question after a failure.
 * Each method throws StoreError after `timeout` milliseconds at the latest.
 *
 * It speaks the protocol itself: each session is asked for once a second, and each command of the library `redis` leaves
 * 4 KB of garbage.
 */
export class RedisConnection {
  readonly #server: RedisServer;
  readonly #timeout: number;
  #link: Link | undefined;
  #closed = false;

  /** @param timeout of one call in all, in milliseconds */
  constructor(server: RedisServer, timeout: number) {
    this.#server = server;
    this.#timeout = timeout;
  }

  /**
   * The sizes of these values in bytes, in one round trip; 0 for a key that does not exist or has no such value.
   * @param field of hashes; undefined for strings
   */
  lengths(keys: readonly string[], field?: string): Promise<number[]> {
    const command = (key: string) => (field === undefined ? ['STRLEN', key] : ['HSTRLEN', key, field]);
    return this.#ask(async (link) => {
      const replies = await link.ask(keys.map(command));
      return replies.map((reply) => {
        // Where STRLEN has an error, MGET has null.
        if (reply instanceof ErrorReply && reply.message.startsWith('WRONGTYPE')) return 0;
        return integer(reply, 0);
      });
    });
  }

  /**
   * The values of these keys; null for a key that does not exist or has no such value.
   * @param field of hashes; undefined for strings
   */
  values(keys: readonly string[], field?: string): Promise<(Buffer | null)[]> {
    return this.#ask(async (link) => {
      const values =
        field === undefined ? await one(link, ['MGET', ...keys]) : await fieldsOf(link, keys, field);
      if (values instanceof ErrorReply) throw values;
      if (!Array.isArray(values) || values.length !== keys.length || !values.every(isValue)) throw unasked();
      // Copies: a session that is remembered would keep everything in memory that was read beside it.
      return values.map((value) => value && Buffer.from(value));
    });
  }

  /** The TTLs of these keys in milliseconds, in one round trip; -1 for none, -2 for a key that does not exist. */
  ttls(keys: readonly string[]): Promise<number[]> {
    return this.#ask(async (link) => {
      const replies = await link.ask(keys.map((key) => ['PTTL', key]));
      return replies.map((reply) => integer(permitted('ttl', reply), -2));
    });
  }

  /** Gives a key a TTL in seconds, if it exists. */
  expire(key: string, seconds: number): Promise<void> {
    return this.#ask(async (link) => {
      permitted('touch', await one(link, ['EXPIRE', key, String(seconds)]));
    });
  }

  /** Some of the keys that end so, by going through all keys. @param end without what has a meaning in a pattern */
  keysEndingWith(end: string): Promise<string[]> {
    return this.#ask(async (link) => {
      const found: string[] = [];
      let cursor = '0';
      do {
        const command = ['SCAN', cursor, 'MATCH', `*${end}`, 'COUNT', '1000'];
        const reply = permitted('list', await one(link, command));
        if (!isScanReply(reply)) throw unasked();
        cursor = String(reply[0]);
        found.push(...reply[1].map(String));
      } while (cursor !== '0' && found.length < mostKeys);
      return found.slice(0, mostKeys);
    });
  }

  /** A setting of this Redis; null if the user is not permitted to read it. */
  setting(name: string): Promise<string | null> {
    return this.#ask(async (link) => {
      const reply = await one(link, ['CONFIG', 'GET', name]);
      // An error: not permitted, or switched off, as in a hosted Redis.
      const value = Array.isArray(reply) ? reply[1] : null;
      return Buffer.isBuffer(value) ? String(value) : null;
    });
  }

  close(): void {
    this.#closed = true;
    this.#link?.fail(new StoreError('the store was closed'));
  }

  async #ask<T>(question: (link: Link) => Promise<T>): Promise<T> {
    if (this.#closed) throw new StoreError('the store was closed');
    this.#link ??= this.#open();
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

  #open(): Link {
    const forget = () => {
      this.#link = undefined;
    };
    return new Link(this.#server, () => setTimeout(forget, reconnectAfter).unref());
  }
}

interface Question {
  /** How many replies it gets. */
  count: number;
  replies: Reply[];
  resolve(replies: Reply[]): void;
  reject(failure: StoreError): void;
}

/** A connection, until the first failure of any kind. Then it fails all questions, those under way and later ones. */
class Link {
  /** Settles when Redis has accepted the user and the database. */
  readonly ready: Promise<unknown>;
  readonly #socket: Socket;
  readonly #onEnd: () => void;
  readonly #asked: Question[] = [];
  #failure: StoreError | undefined;

  constructor(server: RedisServer, onEnd: () => void) {
    this.#onEnd = onEnd;
    this.#socket = open(server);
    const reader = new ReplyReader((reply) => this.#take(reply));
    this.#socket.on('data', (piece: Buffer) => {
      try {
        reader.read(piece);
      } catch (error) {
        this.fail(error);
      }
    });
    this.#socket.on('error', (error) => this.fail(error));
    this.#socket.on('close', () => this.fail(new Error('closed')));
    this.ready = this.#logIn(server);
    this.ready.catch((error) => this.fail(error));
  }

  /** Asks at least one command, all in one round trip. @returns their replies, in the same order */
  ask(commands: readonly (readonly string[])[]): Promise<Reply[]> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#asked.push({ count: commands.length, replies: [], resolve, reject });
      this.#socket.write(encoded(commands));
    });
  }

  /** Ends the connection. @returns its failure, which is the first one */
  fail(error: unknown): StoreError {
    if (this.#failure !== undefined) return this.#failure;
    this.#failure =
      error instanceof StoreError
        ? error
        : error instanceof ErrorReply
          ? refusal(error.message, 'read')
          : unreachable(error);
    this.#socket.destroy();
    this.#onEnd();
    for (const { reject } of this.#asked.splice(0)) reject(this.#failure);
    return this.#failure;
  }

  async #logIn({ user, password, database }: RedisServer): Promise<void> {
    const commands: string[][] = [];
    if (password !== '') commands.push(user === '' ? ['AUTH', password] : ['AUTH', user, password]);
    if (database !== 0) commands.push(['SELECT', String(database)]);
    if (commands.length === 0) return;
    for (const reply of await this.ask(commands)) if (reply instanceof ErrorReply) throw reply;
  }

  #take(reply: Reply): void {
    if (this.#failure !== undefined) return;
    const [question] = this.#asked;
    // Redis may refuse a client before it asks.
    if (question === undefined) return void this.fail(reply instanceof ErrorReply ? reply : unasked());
    if (question.replies.push(reply) === question.count) this.#asked.shift()?.resolve(question.replies);
  }
}

function open({ at }: RedisServer): Socket {
  if ('path' in at) return connect(at.path);
  const { host, port, tls } = at;
  const options = { host, port, noDelay: true };
  return tls === undefined
    ? connect(options)
    : // Without `rejectUnauthorized`, NODE_TLS_REJECT_UNAUTHORIZED could switch it off.
      connectSecurely({ ...options, ...tls, rejectUnauthorized: true });
}

/** The values of a field in hashes, where a key of another type has none, as for MGET. */
async function fieldsOf(link: Link, keys: readonly string[], field: string): Promise<Reply[]> {
  const replies = await link.ask(keys.map((key) => ['HGET', key, field]));
  return replies.map((reply) => {
    if (!(reply instanceof ErrorReply)) return reply;
    if (reply.message.startsWith('WRONGTYPE')) return null;
    throw reply;
  });
}

/** Asks a single command. */
async function one(link: Link, command: readonly string[]): Promise<Reply> {
  const [reply] = await link.ask([command]);
  return reply as Reply;
}

/** Redis refuses this command, which does not end the connection: the user may still read. */
class NotPermitted extends StoreError {}

function permitted(wanted: 'ttl' | 'touch' | 'list', reply: Reply): Reply {
  if (reply instanceof ErrorReply) throw new NotPermitted(refusal(reply.message, wanted).message);
  return reply;
}

function unasked(): StoreError {
  return new StoreError('Redis answered something that was not asked');
}

function integer(reply: Reply, least: number): number {
  if (reply instanceof ErrorReply) throw reply;
  if (!Number.isSafeInteger(reply) || (reply as number) < least) throw unasked();
  return reply as number;
}

function isValue(value: Reply): value is Buffer | null {
  return value === null || Buffer.isBuffer(value);
}

function isScanReply(value: Reply): value is [Buffer, Buffer[]] {
  return Array.isArray(value) && Buffer.isBuffer(value[0]) && Array.isArray(value[1]);
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
  read: 'read the sessions: let it use mget and strlen (with field= hget and hstrlen) on these keys, and select for a database',
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
