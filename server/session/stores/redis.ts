import { batched } from '../batch.ts';
import { RedisConnection, type RedisServer } from '../redis/connection.ts';
import type { SessionStore } from '../store.ts';
import type { StoreKind, StoreUrl } from '../store-url.ts';

/** phpredis's own, without `prefix=` in its `session.save_path` (redis_session.c). */
const phpredisPrefix = 'PHPREDIS_SESSION:';

/**
 * `redis://[USER:PASSWORD@]HOST[:PORT][/DATABASE]` for phpredis's own handler and those of one's own; with a path and
 * no host over a unix socket: `redis:///run/redis/redis.sock`; `rediss://` with TLS. Options: `prefix=` before the id
 * (default that of phpredis), `database=` in place of the path, `timeout=` (default 250ms), for TLS `ca=FILE` with the
 * certificate of an authority of one's own.
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
  const option = options.take('database');
  const inPath = hosts.length > 0 && path.length > 1 ? path.slice(1) : undefined;
  if (option !== undefined && inPath !== undefined)
    throw new TypeError('database= is in the path of the store URL already');
  const number = option ?? inPath ?? '0';
  if (!/^\d{1,5}$/.test(number)) throw new TypeError('the database is a number, as in redis://HOST:PORT/3');
  return Number(number);
}

/** Sessions in one Redis, under `prefix` + id. */
function openRedis(server: RedisServer, prefix: string, timeout: number): SessionStore {
  const connection = new RedisConnection(server, timeout);
  return {
    get: batched(async (ids) => {
      const values = await connection.mget(ids.map((id) => prefix + id));
      return new Map(ids.flatMap((id, n) => (values[n] ? [[id, values[n]]] : [])));
    }),
    close: () => connection.close(),
  };
}
