import type { StoreKind, StoreUrl } from '../../source.ts';
import { maxSessionBytes, type SessionStore, SessionTooLargeError } from '../../store.ts';
import { batched, LargeLookups, mostTogether } from '../lookups.ts';
import { RedisConnection, type RedisServer } from './connection.ts';
import { eventsSetting, logoutNotifications, subscribeRedis } from './notifications.ts';

/** That of phpredis, if its `session.save_path` has no `prefix=` (redis_session.c). */
const phpredisPrefix = 'PHPREDIS_SESSION:';
/** Values of up to so many bytes are read together. */
const maxSmallBytes = 16 * 1024;

/** Stands for a session that exists, but is not read with the others, or not at all. */
const unread = { large: Buffer.alloc(0), tooLarge: Buffer.alloc(0) };

/**
 * `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]` reads the sessions of phpredis's own handler and those of a site's
 * own. A path without a host is a unix socket, `redis:///run/redis/redis.sock`. `rediss://` uses TLS. Options:
 * - `prefix=` before the id (default that of phpredis);
 * - `database=`, which replaces the path;
 * - `field=` of a hash that has the session, in place of a string;
 * - `timeout=` of one answer (default 250ms; a look-up takes two answers);
 * - `ca=FILE` with the certificate of the site's own authority, for TLS.
 */
export const redisStore: StoreKind = (url) => {
  const server: RedisServer = {
    at: address(url),
    user: url.user,
    password: url.password,
    database: database(url),
  };
  const prefix = url.options.prefix(phpredisPrefix);
  const field = url.options.take('field');
  const timeout = url.options.timeout();
  return { format: 'php', open: () => openRedis(server, prefix, field, timeout) };
};

function address({ protocol, hosts, path, options }: StoreUrl): RedisServer['at'] {
  const [{ host, port = 6379 } = { host: '' }] = hosts;
  if (hosts.length > 1) throw new TypeError('this version reads one Redis, not several');
  if (protocol === 'rediss') {
    if (host === '') throw new TypeError('the store URL names no host');
    const ca = options.certificates('ca');
    return { host, port, tls: ca === undefined ? {} : { ca } };
  }
  if (host !== '') return { host, port };
  if (path === '') throw new TypeError('the store URL names no host, and no socket');
  return { path };
}

function database({ hosts, path, options }: StoreUrl): number {
  const inPath = hosts.length > 0 ? path.slice(1) : '';
  const number = options.take('database') ?? (inPath || '0');
  // PHP takes both too, if they agree.
  if (!/^\d{1,5}$/.test(number) || (inPath !== '' && inPath !== number))
    throw new TypeError('the database is a number, and only one, as in redis://HOST:PORT/3');
  return Number(number);
}

/**
 * Sessions in one Redis, under `prefix` + id. The size of a value is asked for before the value, and large values
 * come over a connection of their own.
 */
function openRedis(
  server: RedisServer,
  prefix: string,
  field: string | undefined,
  timeout: number,
): SessionStore {
  const small = new RedisConnection(server, timeout);
  const forLarge = new RedisConnection(server, timeout);
  const large = new LargeLookups(timeout, 'Redis');

  const keyOf = (id: string) => prefix + id;

  const ask = batched(async (ids) => {
    const lengths = await small.lengths(ids.map(keyOf), field);
    const lengthOf = (n: number) => lengths[n] as number;
    const found = new Map<string, Buffer>();
    const together = ids.filter((_, n) => lengthOf(n) <= maxSmallBytes);
    ids.forEach((id, n) => {
      if (lengthOf(n) > maxSmallBytes)
        found.set(id, lengthOf(n) > maxSessionBytes ? unread.tooLarge : unread.large);
    });
    if (together.length === 0) return found;
    const values = await small.values(together.map(keyOf), field);
    for (const [n, value] of values.entries()) if (value) found.set(together[n] as string, value);
    return found;
  });

  async function unchangedOf(sessions: readonly { id: string; bytes: Buffer }[]): Promise<boolean[]> {
    const keys = sessions.map(({ id }) => keyOf(id));
    const lengths = await small.lengths(keys, field);
    const isToRead = sessions.map(
      ({ bytes }, n) => bytes.length > 0 && bytes.length <= maxSmallBytes && bytes.length === lengths[n],
    );
    const read = keys.filter((_, n) => isToRead[n]);
    const values = read.length === 0 ? [] : await small.values(read, field);
    let next = 0;
    return sessions.map(({ bytes }, n) => isToRead[n] === true && values[next++]?.equals(bytes) === true);
  }

  async function getLarge(id: string): Promise<Buffer | null> {
    const [value] = await large.oneAtATime(() => forLarge.values([keyOf(id)], field));
    // Large sessions are kept as they are.
    return value ? Buffer.from(value) : null;
  }

  const setting = () => small.setting(eventsSetting);
  return {
    // Thousands in a second: one promise more, where `async` takes several.
    get: (id) =>
      ask(id).then((bytes) => {
        if (bytes === unread.tooLarge) throw new SessionTooLargeError();
        return bytes === unread.large ? getLarge(id) : bytes;
      }),
    async unchanged(sessions) {
      const same: boolean[] = [];
      for (let n = 0; n < sessions.length; n += mostTogether)
        same.push(...(await unchangedOf(sessions.slice(n, n + mostTogether))));
      return same;
    },
    ttl: batched(async (ids) => {
      const ttls = await small.ttls(ids.map(keyOf));
      const known = ids.flatMap((id, n): [string, number][] => {
        const ttl = ttls[n] as number;
        return ttl === -2 ? [] : [[id, ttl === -1 ? Number.POSITIVE_INFINITY : ttl]];
      });
      return new Map(known);
    }),
    touch: (id, seconds) => small.expire(keyOf(id), seconds),
    subscribe: (listener) => subscribeRedis(server, prefix, setting, listener),
    keys: (end) => small.keysEndingWith(end),
    checkNotifications: async () => logoutNotifications(await setting()),
    close() {
      small.close();
      forLarge.close();
    },
  };
}
