import { mostKeys, StoreError } from '../../store.ts';
import { Pipeline, type Protocol, type ReadReply, type ServerAddress } from '../pipeline.ts';
import { ErrorReply, encoded, encodedEach, type Reply, ReplyReader } from './replies.ts';

/** Where a Redis listens, and the user to log in as. An empty `user` is Redis's default user. */
export interface RedisServer {
  at: ServerAddress;
  user: string;
  password: string;
  database: number;
}

type Read<T> = ReadReply<Reply, T>;

/**
 * Speaks RESP itself: each session is asked for once a second, and each command of the library `redis` leaves 4 KB of
 * garbage.
 */
export function redisProtocol({ at, user, password, database }: RedisServer): Protocol<Reply> {
  const read: Read<true> = permitted('read', () => true);
  const greeting: { request: string; read: Read<true> }[] = [];
  const login = user === '' ? ['AUTH', password] : ['AUTH', user, password];
  if (password !== '') greeting.push({ request: encoded([login]), read });
  if (database !== 0) greeting.push({ request: encoded([['SELECT', String(database)]]), read });
  const reader: Protocol<Reply>['reader'] = (take) => {
    const replies = new ReplyReader(take);
    return (piece) => replies.read(piece);
  };
  return { name: 'Redis', at, namesAddress: true, reader, greeting };
}

/** The questions to one Redis. Each throws StoreError after the timeout at the latest. */
export class RedisConnection {
  readonly #redis: Pipeline<Reply>;

  /** @param timeout of one answer, in milliseconds */
  constructor(server: RedisServer, timeout: number) {
    this.#redis = new Pipeline(redisProtocol(server), timeout);
  }

  /**
   * The sizes of these values in bytes, in one round trip; 0 for a key that does not exist or has no such value.
   * @param field of hashes; undefined for strings
   */
  lengths(keys: readonly string[], field?: string): Promise<number[]> {
    const requests =
      field === undefined ? encodedEach('STRLEN', keys) : encoded(keys.map((key) => ['HSTRLEN', key, field]));
    // Where STRLEN has an error, MGET has null.
    return this.#redis.askAll(requests, keys.length, lengthOf);
  }

  /**
   * The values of these keys; null for a key that does not exist or has no such value. Each is a part of all that was read
   * with it, which stays in memory as long as one of them does.
   * @param field of hashes; undefined for strings
   */
  async values(keys: readonly string[], field?: string): Promise<(Buffer | null)[]> {
    if (field !== undefined) {
      const commands = keys.map((key) => ['HGET', key, field]);
      return this.#askAll(
        commands,
        otherType(
          null,
          permitted('read', (reply) => (isValue(reply) ? reply : undefined)),
        ),
      );
    }
    const [values] = await this.#askAll(
      [['MGET', ...keys]],
      permitted('read', (reply) =>
        Array.isArray(reply) && reply.length === keys.length && reply.every(isValue) ? reply : undefined,
      ),
    );
    return values as (Buffer | null)[];
  }

  /** The TTLs of these keys in milliseconds, in one round trip; -1 for none, -2 for a key that does not exist. */
  ttls(keys: readonly string[]): Promise<number[]> {
    return this.#askAll(
      keys.map((key) => ['PTTL', key]),
      permitted('ttl', integer(-2)),
    );
  }

  /** Gives a key a TTL in seconds, if it exists. */
  async expire(key: string, seconds: number): Promise<void> {
    await this.#askAll(
      [['EXPIRE', key, String(seconds)]],
      permitted('touch', () => true),
    );
  }

  /** Scans all keys, and returns some of those that end with `end`. */
  async keysEndingWith(end: string): Promise<string[]> {
    const found: string[] = [];
    // `?` matches any character, so the keys are compared here again.
    const pattern = `*${end.replace(/[^A-Za-z0-9,-]/g, '?')}`;
    let cursor = '0';
    do {
      const [scanned] = await this.#askAll(
        [['SCAN', cursor, 'MATCH', pattern, 'COUNT', '1000']],
        permitted('list', (reply) => (isScanReply(reply) ? reply : undefined)),
      );
      const [next, keys] = scanned as [Buffer, Buffer[]];
      cursor = String(next);
      found.push(...keys.map(String).filter((key) => key.endsWith(end)));
    } while (cursor !== '0' && found.length < mostKeys);
    return found.slice(0, mostKeys);
  }

  /** A setting of this Redis; null if the user is not permitted to read it. */
  async setting(name: string): Promise<string | null> {
    const [setting] = await this.#askAll([['CONFIG', 'GET', name]], (reply) => {
      // An error: not permitted, or switched off, as in a hosted Redis.
      const value = Array.isArray(reply) ? reply[1] : null;
      return Buffer.isBuffer(value) ? String(value) : null;
    });
    return setting ?? null;
  }

  close(): void {
    this.#redis.close();
  }

  #askAll<T>(commands: readonly (readonly string[])[], read: Read<T>): Promise<T[]> {
    return this.#redis.askAll(encoded(commands), commands.length, read);
  }
}

/** Reads a reply that is no error. An error concerns this question only: the user may still do other things. */
export const permitted =
  <T>(wanted: keyof typeof permissions, read: Read<T>): Read<T> =>
  (reply) => {
    if (reply instanceof ErrorReply) throw refusal(reply.message, wanted);
    return read(reply);
  };

/** Reads a reply about a key. For one with a value of another type there is another answer. */
const otherType =
  <T>(answer: T, read: Read<T>): Read<T> =>
  (reply) =>
    reply instanceof ErrorReply && reply.message.startsWith('WRONGTYPE') ? answer : read(reply);

const integer =
  (least: number): Read<number> =>
  (reply) =>
    Number.isSafeInteger(reply) && (reply as number) >= least ? (reply as number) : undefined;

const isValue = (reply: Reply): reply is Buffer | null => reply === null || Buffer.isBuffer(reply);

const lengthOf: Read<number> = otherType(0, permitted('read', integer(0)));

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
function refusal(reply: string, wanted: keyof typeof permissions): StoreError {
  const code = /^[A-Z]{1,20}\b/.exec(reply)?.[0] ?? 'an unknown error';
  const meaning =
    code === 'NOPERM'
      ? `its user may not ${permissions[wanted]}`
      : refusals.find(([pattern]) => pattern.test(reply))?.[1];
  return new StoreError(`Redis refuses (${code})${meaning === undefined ? '' : `: ${meaning}`}`);
}
