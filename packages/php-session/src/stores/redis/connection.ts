import { maxKeys, StoreError } from '../../store.ts';
import { Pipeline, type Protocol, type ReadReply, type ServerAddress } from '../pipeline.ts';
import { ErrorReply, encodeCommands, encodeForKeys, type Reply, ReplyParser } from './replies.ts';

/** An empty `user` means Redis's default user. */
export interface RedisServer {
  address: ServerAddress;
  user: string;
  password: string;
  database: number;
}

type Read<T> = ReadReply<Reply, T>;

/**
 * Returns the protocol of Redis. The package `redis` 6.3 is not used, because it takes 1.6 times the CPU per check, does
 * not limit replies, and stays connected after an invalid or unexpected reply.
 */
export function redisProtocol({ address, user, password, database }: RedisServer): Protocol<Reply> {
  const read: Read<true> = requirePermission('read', () => true);
  const greeting: { request: string; read: Read<true> }[] = [];
  const login = user === '' ? ['AUTH', password] : ['AUTH', user, password];
  if (password !== '') greeting.push({ request: encodeCommands([login]), read });
  if (database !== 0) greeting.push({ request: encodeCommands([['SELECT', String(database)]]), read });
  const createParser: Protocol<Reply>['createParser'] = (onReply) => {
    const parser = new ReplyParser(onReply);
    return (chunk) => parser.parse(chunk);
  };
  return { name: 'Redis', address, showAddress: true, createParser, greeting };
}

/** Queries one Redis server. All methods throw StoreError if the server does not reply in time. */
export class RedisConnection {
  readonly #redis: Pipeline<Reply>;

  /** @param timeoutMs the limit of one query */
  constructor(server: RedisServer, timeoutMs: number) {
    this.#redis = new Pipeline(redisProtocol(server), timeoutMs);
  }

  /**
   * Returns the sizes of these values in bytes, in one round trip. A missing key or a value of another type has size 0.
   * @param field the field of hashes, undefined for strings
   */
  readSizes(keys: readonly string[], field?: string): Promise<number[]> {
    const requests =
      field === undefined
        ? encodeForKeys('STRLEN', keys)
        : encodeCommands(keys.map((key) => ['HSTRLEN', key, field]));
    return this.#redis.queryAll(requests, keys.length, readSize);
  }

  /**
   * Returns the values of these keys. A missing key or a value of another type has the value null. Values are views of the
   * received data, so copy a value to keep it without the others.
   * @param field the field of hashes, undefined for strings
   */
  async readValues(keys: readonly string[], field?: string): Promise<(Buffer | null)[]> {
    if (field !== undefined) {
      const commands = keys.map((key) => ['HGET', key, field]);
      const read = requirePermission('read', (reply) => (isValue(reply) ? reply : undefined));
      return this.#query(commands, replaceWrongType(null, read));
    }
    const [values] = await this.#query(
      [['MGET', ...keys]],
      requirePermission('read', (reply) =>
        Array.isArray(reply) && reply.length === keys.length && reply.every(isValue) ? reply : undefined,
      ),
    );
    return values as (Buffer | null)[];
  }

  /** Returns the TTLs of these keys in milliseconds, in one round trip: -1 without a TTL, -2 for a missing key. */
  readTtls(keys: readonly string[]): Promise<number[]> {
    return this.#query(
      keys.map((key) => ['PTTL', key]),
      requirePermission('ttl', readInteger(-2)),
    );
  }

  /** Sets the TTL of a key, if it exists. */
  async expire(key: string, seconds: number): Promise<void> {
    await this.#query(
      [['EXPIRE', key, String(seconds)]],
      requirePermission('touch', () => true),
    );
  }

  /** Scans all keys. Returns at most `maxKeys` that end with `suffix`. */
  async findKeys(suffix: string): Promise<string[]> {
    const matches: string[] = [];
    // `?` matches any character, so the suffix is compared again.
    const pattern = `*${suffix.replace(/[^A-Za-z0-9,-]/g, '?')}`;
    let cursor = '0';
    do {
      const [scanned] = await this.#query(
        [['SCAN', cursor, 'MATCH', pattern, 'COUNT', '1000']],
        requirePermission('list', (reply) => (isScanReply(reply) ? reply : undefined)),
      );
      const [next, keys] = scanned as [Buffer, Buffer[]];
      cursor = String(next);
      matches.push(...keys.map(String).filter((key) => key.endsWith(suffix)));
    } while (cursor !== '0' && matches.length < maxKeys);
    return matches.slice(0, maxKeys);
  }

  /** Reads a setting of the server. Returns null without permission, or on a hosted Redis without CONFIG. */
  async readSetting(name: string): Promise<string | null> {
    const [setting] = await this.#query([['CONFIG', 'GET', name]], (reply) => {
      const value = Array.isArray(reply) ? reply[1] : null;
      return Buffer.isBuffer(value) ? String(value) : null;
    });
    return setting ?? null;
  }

  close(): void {
    this.#redis.close();
  }

  #query<T>(commands: readonly (readonly string[])[], read: Read<T>): Promise<T[]> {
    return this.#redis.queryAll(encodeCommands(commands), commands.length, read);
  }
}

/** Throws on an error reply. The error rejects only this query, because the user may have other permissions. */
export const requirePermission =
  <T>(action: keyof typeof permissions, read: Read<T>): Read<T> =>
  (reply) => {
    if (reply instanceof ErrorReply) throw refusal(reply.message, action);
    return read(reply);
  };

/** Returns `result` for a key with a value of another type. */
const replaceWrongType =
  <T>(result: T, read: Read<T>): Read<T> =>
  (reply) =>
    reply instanceof ErrorReply && reply.message.startsWith('WRONGTYPE') ? result : read(reply);

const readInteger =
  (min: number): Read<number> =>
  (reply) =>
    Number.isSafeInteger(reply) && (reply as number) >= min ? (reply as number) : undefined;

const isValue = (reply: Reply): reply is Buffer | null => reply === null || Buffer.isBuffer(reply);

const readSize: Read<number> = replaceWrongType(0, requirePermission('read', readInteger(0)));

function isScanReply(reply: Reply): reply is [Buffer, Buffer[]] {
  return Array.isArray(reply) && Buffer.isBuffer(reply[0]) && Array.isArray(reply[1]);
}

/** Explains the error replies of `server.c`, `acl.c` and `cluster.c` in Redis's source. */
const explanations: readonly [RegExp, string][] = [
  [
    /^NOAUTH/,
    'it requires a password: the store URL must be redis://:PASSWORD@HOST or redis://USER:PASSWORD@HOST',
  ],
  [/^(WRONGPASS|ERR invalid password)/, 'the password in the store URL is refused, or its user is unknown'],
  [/^ERR (AUTH <password> called|Client sent AUTH)/, 'the store URL has a password, but Redis has none'],
  [/^ERR (DB index|invalid DB)/, 'it has no database of that number'],
  [
    /^(MOVED|CROSSSLOT|CLUSTERDOWN|ERR SELECT is not allowed in cluster)/,
    'this is a node of a cluster, and clusters are not supported',
  ],
  [/^LOADING/, 'it has just started and is still loading its data'],
  [/^READONLY/, 'this is a replica, which cannot renew sessions: the store URL must name the primary'],
  [/^MASTERDOWN/, 'this is a replica that lost the connection to its primary'],
  [/^ERR max number of clients/, 'it has as many clients as maxclients allows'],
  [/^DENIED/, 'it is in protected mode: clients on other machines need a password'],
];

/** The denied action, and the commands that the Redis user needs for it. */
const permissions = {
  read: 'read the sessions: let it use mget and strlen (with field= hget and hstrlen) on these keys, and select for a database',
  ttl: 'read the TTL of sessions: let it use pttl on these keys (+pttl)',
  touch: 'renew the TTL of sessions: let it use expire on these keys (+expire)',
  list: 'list the keys: let it use scan (+scan)',
  subscribe:
    'subscribe to notifications: let it use subscribe on the channels of the keyspace events (+subscribe &__keyevent@*)',
} as const;

/** Converts an error reply to an error. Omits Redis's text, which may contain the command with a password or a key. */
function refusal(reply: string, action: keyof typeof permissions): StoreError {
  const code = /^[A-Z]{1,20}\b/.exec(reply)?.[0] ?? 'an unknown error';
  const explanation =
    code === 'NOPERM'
      ? `its user may not ${permissions[action]}`
      : explanations.find(([pattern]) => pattern.test(reply))?.[1];
  return new StoreError(`Redis refuses (${code})${explanation === undefined ? '' : `: ${explanation}`}`);
}
