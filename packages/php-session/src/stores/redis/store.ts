import type { StoreKind, StoreUrl } from '../../source.ts';
import { maxSessionBytes, type SessionStore, SessionTooLargeError } from '../../store.ts';
import { batchLookups, LargeSessionQueue, maxBatchSize } from '../lookups.ts';
import { RedisConnection, type RedisServer } from './connection.ts';
import { eventsSetting, logoutNotifications, subscribeRedis } from './notifications.ts';

/** The default of phpredis (redis_session.c). */
const phpredisPrefix = 'PHPREDIS_SESSION:';
/** Larger values are read separately. */
const maxSmallBytes = 16 * 1024;

/** Placeholders for values that a batch does not read. */
const unread = { large: Buffer.alloc(0), tooLarge: Buffer.alloc(0) };

/**
 * `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]` reads the sessions of phpredis's handler or of a site's own handler.
 * Without a host the path is a Unix socket, `redis:///run/redis/redis.sock`. `rediss://` uses TLS. Options:
 * - `prefix=` before the ID (default `PHPREDIS_SESSION:`, as in phpredis);
 * - `database=`, instead of the path;
 * - `field=` of a hash that contains the session, instead of a string;
 * - `timeout=` of one query (default 250ms; a lookup takes two queries);
 * - `ca=FILE` with the certificate of the site's own authority, for TLS.
 */
export const redisStore: StoreKind = (url) => {
  const server: RedisServer = {
    address: readAddress(url),
    user: url.user,
    password: url.password,
    database: readDatabase(url),
  };
  const prefix = url.options.prefix(phpredisPrefix);
  const field = url.options.take('field');
  const timeoutMs = url.options.timeout();
  return { format: 'php', open: () => openRedis(server, prefix, field, timeoutMs) };
};

function readAddress({ protocol, hosts, path, options }: StoreUrl): RedisServer['address'] {
  const [{ host, port = 6379 } = { host: '' }] = hosts;
  if (hosts.length > 1) throw new TypeError('the store URL must name one Redis server, not several');
  if (protocol === 'rediss') {
    if (host === '') throw new TypeError('the store URL must name a host: rediss://HOST:PORT');
    const ca = options.certificates('ca');
    return { host, port, tls: ca === undefined ? {} : { ca } };
  }
  if (host !== '') return { host, port };
  if (path === '')
    throw new TypeError(
      'the store URL names neither a host nor a socket: give redis://HOST:PORT or redis:///PATH',
    );
  return { path };
}

function readDatabase({ hosts, path, options }: StoreUrl): number {
  const pathNumber = hosts.length > 0 ? path.slice(1) : '';
  const number = options.take('database') ?? (pathNumber || '0');
  // The PHP handlers also accept both, if they are equal.
  if (!/^\d{1,5}$/.test(number) || (pathNumber !== '' && pathNumber !== number))
    throw new TypeError(
      'the Redis database must be a number, as in redis://HOST:PORT/3, and equal in the path and database=',
    );
  return Number(number);
}

/**
 * Reads sessions under `prefix` + ID. Sizes are read before values, and large values are read over a separate
 * connection.
 */
function openRedis(
  server: RedisServer,
  prefix: string,
  field: string | undefined,
  timeoutMs: number,
): SessionStore {
  const small = new RedisConnection(server, timeoutMs);
  const large = new RedisConnection(server, timeoutMs);
  const largeSessions = new LargeSessionQueue(timeoutMs, 'Redis');

  const toKey = (id: string) => prefix + id;

  const lookUp = batchLookups(async (ids) => {
    const sizes = await small.readSizes(ids.map(toKey), field);
    const values = new Map<string, Buffer>();
    const smallIds: string[] = [];
    for (const [n, id] of ids.entries()) {
      const size = sizes[n] as number;
      if (size <= maxSmallBytes) smallIds.push(id);
      else values.set(id, size > maxSessionBytes ? unread.tooLarge : unread.large);
    }
    if (smallIds.length === 0) return values;
    const smallValues = await small.readValues(smallIds.map(toKey), field);
    for (const [n, value] of smallValues.entries()) if (value) values.set(smallIds[n] as string, value);
    return values;
  });

  async function compare(sessions: readonly { id: string; bytes: Buffer }[]): Promise<boolean[]> {
    const keys = sessions.map(({ id }) => toKey(id));
    const sizes = await small.readSizes(keys, field);
    const isCandidate = sessions.map(
      ({ bytes }, n) => bytes.length > 0 && bytes.length <= maxSmallBytes && bytes.length === sizes[n],
    );
    const candidates = keys.filter((_, n) => isCandidate[n]);
    const values = candidates.length === 0 ? [] : await small.readValues(candidates, field);
    let next = 0;
    return sessions.map(({ bytes }, n) => isCandidate[n] === true && values[next++]?.equals(bytes) === true);
  }

  async function readLarge(id: string): Promise<Buffer | null> {
    const [value] = await largeSessions.run(() => large.readValues([toKey(id)], field));
    // A copy, because a view would keep all received data in memory.
    return value ? Buffer.from(value) : null;
  }

  const readSetting = () => small.readSetting(eventsSetting);
  return {
    // Not `async`, because there are thousands of calls a second, and `async` creates more promises.
    get: (id) =>
      lookUp(id).then((bytes) => {
        if (bytes === unread.tooLarge) throw new SessionTooLargeError();
        return bytes === unread.large ? readLarge(id) : bytes;
      }),
    async unchanged(sessions) {
      const results: boolean[] = [];
      for (let n = 0; n < sessions.length; n += maxBatchSize)
        results.push(...(await compare(sessions.slice(n, n + maxBatchSize))));
      return results;
    },
    ttl: batchLookups(async (ids) => {
      const ttls = await small.readTtls(ids.map(toKey));
      const entries = ids.flatMap((id, n): [string, number][] => {
        const ttl = ttls[n] as number;
        return ttl === -2 ? [] : [[id, ttl === -1 ? Number.POSITIVE_INFINITY : ttl]];
      });
      return new Map(entries);
    }),
    touch: (id, seconds) => small.expire(toKey(id), seconds),
    subscribe: (listener) => subscribeRedis(server, prefix, readSetting, listener),
    keys: (suffix) => small.findKeys(suffix),
    checkNotifications: async () => logoutNotifications(await readSetting()),
    close() {
      small.close();
      large.close();
    },
  };
}
