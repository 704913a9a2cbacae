import { FormatError } from '../../formats/value.ts';
import type { StoreKind, StoreUrl } from '../../source.ts';
import { maxSessionBytes, type SessionStore } from '../../store.ts';
import { batched } from '../batch.ts';
import { LargeSessions } from '../large-sessions.ts';
import { RedisConnection } from './connection.ts';
import type { RedisServer } from './link.ts';
import { eventsSetting, keyspaceEvents, watchKeys } from './notifications.ts';

/** phpredis's own, without `prefix=` in its `session.save_path` (redis_session.c). */
const phpredisPrefix = 'PHPREDIS_SESSION:';
/** Values of up to so many bytes are read together. */
const maxSmallBytes = 16 * 1024;

/** For a session that is there, but is not read together with others, or not at all. */
const unread = { large: Buffer.alloc(0), tooLarge: Buffer.alloc(0) };

/**
 * `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]` for phpredis's own handler and those of one's own; with a path and
 * no host over a unix socket: `redis:///run/redis/redis.sock`; `rediss://` with TLS. Options: `prefix=` before the id
 * (default that of phpredis), `database=` in place of the path, `timeout=` of one answer (default 250ms; a
 * look-up takes two), for TLS `ca=FILE` with the certificate of an authority of one's own.
 */
export const redisStore: StoreKind = (url) => {
  const server: RedisServer = {
    at: address(url),
    user: url.user,
    password: url.password,
    database: database(url),
  };
  const prefix = url.options.prefix(phpredisPrefix);
  const timeout = url.options.timeout();
  return { format: 'php', open: () => openRedis(server, prefix, timeout) };
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
  // PHP takes both, too, if they agree.
  if (!/^\d{1,5}$/.test(number) || (inPath !== '' && inPath !== number))
    throw new TypeError('the database is a number, and only one, as in redis://HOST:PORT/3');
  return Number(number);
}

/**
 * Sessions in one Redis, under `prefix` + id. Nothing is fetched before its size is known, and what is large goes over
 * a connection of its own.
 */
function openRedis(server: RedisServer, prefix: string, timeout: number): SessionStore {
  const small = new RedisConnection(server, timeout);
  const forLarge = new RedisConnection(server, timeout);
  const large = new LargeSessions(timeout, 'Redis');

  const ask = batched(async (ids) => {
    const lengths = await small.lengths(ids.map((id) => prefix + id));
    const found = new Map<string, Buffer>();
    const together: string[] = [];
    for (const [n, id] of ids.entries()) {
      const length = lengths[n] as number;
      if (length > maxSessionBytes) found.set(id, unread.tooLarge);
      else if (length > maxSmallBytes) found.set(id, unread.large);
      else together.push(id);
    }
    if (together.length === 0) return found;
    const values = await small.mget(together.map((id) => prefix + id));
    for (const [n, id] of together.entries()) {
      const value = values[n];
      if (value) found.set(id, value);
    }
    return found;
  });

  const setting = () => small.setting(eventsSetting);
  return {
    async get(id) {
      const bytes = await ask(id);
      if (bytes === unread.tooLarge) throw new FormatError(`larger than ${maxSessionBytes} bytes`);
      if (bytes !== unread.large) return bytes;
      const [value = null] = await large.inTurn(() => forLarge.mget([prefix + id]));
      return value;
    },
    remaining: batched(async (ids) => {
      const lives = await small.lives(ids.map((id) => prefix + id));
      const known = ids.flatMap((id, n): [string, number][] => {
        const life = lives[n] as number;
        return life === -2 ? [] : [[id, life === -1 ? Number.POSITIVE_INFINITY : life]];
      });
      return new Map(known);
    }),
    touch: (id, seconds) => small.expire(prefix + id, seconds),
    watch: (watcher) => watchKeys(server, prefix, setting, watcher),
    tells: async () => keyspaceEvents(await setting()),
    close() {
      small.close();
      forLarge.close();
    },
  };
}
