import type { FormatName } from '../formats/formats.ts';
import { MemcachedConnection } from '../memcached/connection.ts';
import { type Item, itemDecoders } from '../memcached/item.ts';
import { type Distribution, distributions, type Server } from '../memcached/server-choice.ts';
import { isMemcache, type ServerOrder, serverOrder } from '../memcached/server-order.ts';
import { type SessionStore, StoreError } from '../store.ts';
import type { StoreKind, StoreUrl } from '../store-url.ts';

/** A longer key is refused by memcached (`KEY_MAX_LENGTH` in its source), so no such session can exist. */
const maxKeyBytes = 250;

/** By `handler=`. The first distribution is the default. */
const handlers: Record<
  'memcached' | 'memcache' | 'own',
  { distributions: readonly Distribution[]; prefix: string; format: FormatName }
> = {
  memcached: {
    distributions: ['ketama', 'modula', 'ketama_weighted'],
    prefix: 'memc.sess.key.',
    format: 'php',
  },
  memcache: {
    distributions: ['memcache', 'memcache_fnv', 'memcache_standard', 'memcache_standard_fnv'],
    prefix: '',
    format: 'php',
  },
  own: { distributions: Object.keys(distributions) as Distribution[], prefix: '', format: 'php_serialize' },
};

/**
 * `memcached://HOST:PORT[,HOST:PORT…]`: the servers as PHP has them, the same names in the same order.
 *
 * - `handler=memcached` for what ext-memcached's session handler writes, `handler=memcache` for ext-memcache's;
 *   without it, a handler of one's own writes, through a `Memcached` or a `Memcache` object
 * - `distribution=` says which server has a session, see below
 * - `weight=` of the servers, separated by commas, or one for all (default 1)
 * - `redundancy=` is `memcache.session_redundancy`, with `handler=memcache` only (default 2, as there)
 * - `prefix=` before the id: `memcached.sess_prefix` (default `memc.sess.key.`),
 *   `memcache.session_prefix_static_key` or one's own (default none)
 * - `timeout=` of one server's answer (default 250ms)
 *
 * | `distribution=` | of ext-memcached's handler | of a `Memcached` object |
 * | --- | --- | --- |
 * | `modula` | `memcached.sess_consistent_hash=0` | default |
 * | `ketama` | default; knows no weights | `OPT_DISTRIBUTION` consistent |
 * | `ketama_weighted` | `memcached.sess_consistent_hash_type` | `OPT_LIBKETAMA_COMPATIBLE` |
 *
 * What an object has as `OPT_PREFIX_KEY` is not hashed: there `handler=memcached` with that prefix is right.
 *
 * | `distribution=` | of ext-memcache, by `memcache.hash_strategy` and `memcache.hash_function` |
 * | --- | --- |
 * | `memcache`, `memcache_fnv` | consistent (default), with crc32 (default) or fnv |
 * | `memcache_standard`, `memcache_standard_fnv` | standard |
 *
 * A `Memcache` object needs one of these with a single server too: it tells what the flags of an item mean.
 * What is packed is unpacked (zlib, FastLZ). Of an array or an object that was given to either, the bytes are those
 * of its serializer, which `format=` names (default `php_serialize`).
 *
 * A server that fails makes its own sessions unavailable, and no others. Where ext-memcache would ask another one, so
 * does this: for a copy, or for what a `Memcache` object has put elsewhere meanwhile.
 */
export const memcachedStore: StoreKind = ({ user, password, hosts, options }) => {
  if (user !== '' || password !== '') throw new TypeError('memcached: takes no user and no password');
  if (hosts.length === 0) throw new TypeError('the store URL names no host');
  const handler = options.take('handler');
  if (handler !== undefined && handler !== 'memcached' && handler !== 'memcache')
    throw new TypeError('handler= is memcached or memcache, or absent when you have one of your own');
  const defaults = handlers[handler ?? 'own'];
  const named = options.take('distribution') ?? defaults.distributions[0];
  const distribution = defaults.distributions.find((known) => known === named);
  if (distribution === undefined)
    throw new TypeError(`distribution= is here one of ${defaults.distributions.join(', ')}`);
  const redundancy = handler === 'memcache' ? (options.take('redundancy') ?? '2') : '1';
  if (!/^[1-9]$/.test(redundancy)) throw new TypeError('redundancy= is 1 to 9');
  const prefix = options.prefix(defaults.prefix);
  const timeout = options.timeout();
  const servers = withWeights(hosts, options.take('weight') ?? '1');
  return {
    format: defaults.format,
    open() {
      const order = serverOrder({ handler, distribution, servers, prefix, redundancy: Number(redundancy) });
      const decode = itemDecoders[isMemcache(distribution) ? 'memcache' : 'memcached'];
      return openMemcached({ servers, order, decode, prefix, timeout });
    },
  };
};

function withWeights(hosts: StoreUrl['hosts'], text: string): Server[] {
  const weights = text.split(',');
  if (!weights.every((weight) => /^[1-9]\d{0,3}$/.test(weight)))
    throw new TypeError('weight= is numbers from 1 to 9999, separated by commas');
  if (weights.length !== 1 && weights.length !== hosts.length)
    throw new TypeError('weight= is one number for all servers, or one for each');
  return hosts.map(({ host, port = 11_211 }, n) => ({
    host,
    port,
    weight: Number(weights[n] ?? weights[0]),
  }));
}

function openMemcached(settings: {
  servers: readonly Server[];
  order: ServerOrder;
  decode: (item: Item) => Buffer;
  prefix: string;
  timeout: number;
}): SessionStore {
  const { servers, order, decode, prefix, timeout } = settings;
  // One connection each: a server that is silent holds up nobody's sessions but its own.
  const connections = servers.map(({ host, port }) => new MemcachedConnection(host, port, timeout));
  return {
    async get(id) {
      const key = prefix + id;
      // An empty key never gets an answer, and one that is too long spoils the connection for the next call.
      if (id === '' || Buffer.byteLength(key) > maxKeyBytes) return null;
      // The first server decides whether there is a session; the others, as PHP asks them, may only have it.
      let first: 'missing' | StoreError | undefined;
      for (const n of order.of(id)) {
        try {
          const item = await (connections[n] as MemcachedConnection).get(key);
          if (item !== null) return decode(item);
          first ??= 'missing';
          if (!order.pastMisses) break;
        } catch (error) {
          if (!(error instanceof StoreError)) throw error;
          first ??= error;
        }
      }
      if (first instanceof StoreError) throw first;
      return null;
    },
    close() {
      for (const connection of connections) connection.close();
    },
  };
}
