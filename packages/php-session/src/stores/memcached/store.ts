import type { StoredFormat } from '../../formats/formats.ts';
import type { StoreKind, StoreUrl } from '../../source.ts';
import { mostKeys, probeId, type SessionStore, StoreError, type StoreListener } from '../../store.ts';
import { batched } from '../lookups.ts';
import type { MemcachedLogin } from './binary.ts';
import { keysEndingWith, type MemcachedConnection, openServer } from './connection.ts';
import { type Item, itemDecoders } from './item.ts';
import { subscribeMemcached } from './notifications.ts';
import {
  type Distribution,
  distributions,
  isMemcache,
  type MemcachedServer,
  type ServerOrder,
  serverOrder,
} from './servers.ts';

/**
 * memcached refuses longer keys (`KEY_MAX_LENGTH` in its source), so no such session can exist. Other characters would
 * end the key in the protocol.
 */
const possibleKey = /^[\x21-\x7e]{1,250}$/;
/** memcached takes a longer TTL for a date (`REALTIME_MAXDELTA`), and one in 1970 if it is given in seconds. */
const maxRelativeSeconds = 30 * 24 * 60 * 60;
/** To `mg KEY t`: the TTL in seconds, or -1 for none; no such item; 1.5 and older do not know the command. */
const ttlAnswer = /^(?:HD t(?<left>-1|\d+)(?: .*)?|EN|(?<unknown>ERROR))$/;
/** To `mg KEY c`: the count of the item, as in `CountedItem`. */
const versionAnswer = /^(?:HD c(?<count>\d+)|EN|(?<unknown>ERROR))$/;
/** After a failed meta command, a server that is a proxy gets no more of them for this time. */
const metaRetryDelayMs = 10_000;

/** By `handler=`. The first distribution is the default. */
const handlers: Record<
  'memcached' | 'memcache' | 'own',
  { distributions: readonly Distribution[]; prefix: string; format: StoredFormat }
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
  own: { distributions: Object.keys(distributions) as Distribution[], prefix: '', format: 'memcached' },
};

/**
 * `memcached://HOST:PORT[,HOST:PORT…]` names the servers as PHP does: the same names in the same order.
 * `memcached:///run/memcached.sock` is a server on a Unix socket, `memcached://USER:PASSWORD@HOST` one that wants a login
 * by SASL. Options:
 *
 * - `handler=memcached` for the sessions of ext-memcached's session handler, `handler=memcache` for those of
 *   ext-memcache's; without it, for those of a site's own handler on a `Memcached` or a `Memcache` object
 * - `distribution=` says which server has a session, see below
 * - `weight=` of the servers, separated by commas, or one for all (default 1)
 * - `redundancy=` is `memcache.session_redundancy`, for `handler=memcache` only (default 2, as there)
 * - `past_misses=1`, for `handler=memcache` only: ext-memcache 8.2 and later looks for a copy if a server does not
 *   have the session. Before 8.2 (default) the session has ended then, for the site and for the chat
 * - `prefix=` before the id: `memcached.sess_prefix` (default `memc.sess.key.`),
 *   `memcache.session_prefix_static_key` or the site's own (default none)
 * - `timeout=` of one server's answer (default 250ms)
 *
 * | `distribution=` | of ext-memcached's handler | of a `Memcached` object |
 * | --- | --- | --- |
 * | `modula` | `memcached.sess_consistent_hash=0` | default |
 * | `ketama` | default; knows no weights | `OPT_DISTRIBUTION` consistent |
 * | `ketama_weighted` | `memcached.sess_consistent_hash_type` | `OPT_LIBKETAMA_COMPATIBLE` |
 *
 * An object does not hash its `OPT_PREFIX_KEY`: for such a site `handler=memcached` with that prefix is right.
 *
 * | `distribution=` | of ext-memcache, by `memcache.hash_strategy` and `memcache.hash_function` |
 * | --- | --- |
 * | `memcache`, `memcache_fnv` | consistent (default), with crc32 (default) or fnv |
 * | `memcache_standard`, `memcache_standard_fnv` | standard |
 *
 * A `Memcache` object needs one of these with a single server too, since they decide what the flags of an item mean.
 * Packed items are unpacked (zlib, FastLZ, zstd). An array in an item is serialized, which the default format reads whatever
 * the serializer.
 *
 * A server that fails makes its own sessions unavailable, and no others. If ext-memcache would ask another server,
 * the store does too: for a copy, or for an item that a `Memcache` object has put there meanwhile.
 */
export const memcachedStore: StoreKind = ({ user, password, hosts, path, options }) => {
  if ((user === '') !== (password === ''))
    throw new TypeError(
      'memcached: takes a user with a password, memcached://USER:PASSWORD@HOST, or neither',
    );
  const login = user === '' ? undefined : { user, password };
  const isSocket = hosts.length === 0 && path.length > 1;
  if (hosts.length === 0 && !isSocket) throw new TypeError('the store URL names no host, and no socket');
  if (hosts.length > 0 && path !== '' && path !== '/')
    throw new TypeError('memcached: takes no path behind the hosts');
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
  const pastMisses = handler === 'memcache' ? (options.take('past_misses') ?? '0') : '0';
  if (!/^[01]$/.test(pastMisses)) throw new TypeError('past_misses= is 0 or 1');
  const prefix = options.prefix(defaults.prefix);
  const timeout = options.timeout();
  const places = isSocket ? [{ host: path, port: 0 }] : hosts;
  const servers = withWeights(places, options.take('weight') ?? '1');
  return {
    format: defaults.format,
    open() {
      const order = serverOrder({
        handler,
        distribution,
        servers,
        prefix,
        redundancy: Number(redundancy),
        pastMisses: pastMisses === '1',
      });
      const decode = itemDecoders[isMemcache(distribution) ? 'memcache' : 'memcached'];
      return openMemcached({ servers, order, decode, prefix, timeout, login });
    },
  };
};

function withWeights(hosts: StoreUrl['hosts'], text: string): MemcachedServer[] {
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
  servers: readonly MemcachedServer[];
  order: ServerOrder;
  decode: (item: Item) => Buffer;
  prefix: string;
  timeout: number;
  login: MemcachedLogin | undefined;
}): SessionStore {
  const { servers, order, decode, prefix, timeout, login } = settings;
  // Each server has its own connection: a silent server delays its own sessions only.
  const connections = servers.map((server) => openServer(server, timeout, login));
  const connectionTo = (n: number) => connections[n] as MemcachedConnection;
  function keyOf(id: string): string | null {
    const key = prefix + id;
    return id !== '' && possibleKey.test(key) ? key : null;
  }

  /** Asks the servers that may have the session until one has it. */
  async function ask<T>(id: string, question: (n: number, key: string) => Promise<T | null>) {
    const key = keyOf(id);
    if (key === null) return null;
    let missing = false;
    let failure: StoreError | undefined;
    for (const n of order.of(id)) {
      try {
        const answer = await question(n, key);
        if (answer !== null) return answer;
        // A server that a session went to meanwhile cannot speak for the one that it was on before.
        missing ||= order.copies || failure === undefined;
        if (!order.pastMisses) break;
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        failure ??= error;
      }
    }
    if (failure !== undefined && !missing) throw failure;
    return null;
  }

  /** memcached starts its counts again with each start. */
  const versionOf = (n: number, count: string): string | null =>
    count === '0' ? null : `${connectionTo(n).lines?.connections}/${count}`;

  /** By server. A `mg` asks for one flag of each key, and is null if the server does not know meta commands. */
  const metaOf = connections.map(({ lines, get }) => {
    /** The number of the connection on which the last `mg` failed; 0 if it did not fail. */
    let failedOn = 0;
    let retryAt = lines === undefined ? Number.POSITIVE_INFINITY : 0;
    return async (keys: readonly string[], flag: 'c' | 't', form: RegExp) => {
      if (lines === undefined || performance.now() < retryAt) return null;
      try {
        const request = keys.map((key) => `mg ${key} ${flag}\r\n`).join('');
        const answers = await lines.askAll(request, keys.length, (line) => form.exec(line) ?? undefined);
        failedOn = 0;
        if (answers.some(({ groups }) => groups?.unknown !== undefined)) retryAt = Number.POSITIVE_INFINITY;
        return answers;
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        // A proxy ends the connection for a command that it does not know, but answers this.
        await get(keys[0] as string);
        if (failedOn !== 0 && failedOn !== lines.connections) retryAt = performance.now() + metaRetryDelayMs;
        failedOn = lines.connections;
        return null;
      }
    };
  });

  const versions = metaOf.map((meta, n) =>
    batched(async (keys) => {
      const found = new Map<string, string>();
      for (const [k, { groups }] of ((await meta(keys, 'c', versionAnswer)) ?? []).entries()) {
        const version = groups?.count === undefined ? null : versionOf(n, groups.count);
        if (version !== null) found.set(keys[k] as string, version);
      }
      return found;
    }),
  );

  const ttls = metaOf.map((meta) =>
    batched(async (keys) => {
      const found = new Map<string, number>();
      for (const [k, { groups }] of ((await meta(keys, 't', ttlAnswer)) ?? []).entries()) {
        const left = groups?.left;
        if (left === undefined) continue;
        found.set(keys[k] as string, left === '-1' ? Number.POSITIVE_INFINITY : Number(left) * 1000);
      }
      return found;
    }),
  );

  return {
    version(id) {
      const key = keyOf(id);
      const [first] = order.of(id);
      return (key !== null && first !== undefined && versions[first]?.(key)) || Promise.resolve(null);
    },
    async check() {
      await Promise.all(connections.map((connection) => connection.get(probeId)));
    },
    ...(login === undefined && {
      async keys(end: string) {
        const found = await Promise.all(servers.map((server) => keysEndingWith(server, end, timeout)));
        return found.flat().slice(0, mostKeys);
      },
      subscribe: (listener: StoreListener) => subscribeMemcached(servers, prefix, listener),
    }),
    async get(id) {
      const item = await ask(id, (n, key) => connectionTo(n).get(key));
      return item && decode(item);
    },
    async getVersioned(id) {
      const [first] = order.of(id);
      let version: string | null = null;
      const item = await ask(id, async (n, key) => {
        const { lines, get } = connectionTo(n);
        // The count of another server, or of one that was restarted meanwhile, says nothing.
        const before = lines?.connections;
        const found = await get(key);
        const isSame = n === first && lines !== undefined && before === lines.connections;
        version = found !== null && isSame ? versionOf(n, found.count) : null;
        return found;
      });
      return item && { bytes: decode(item), version };
    },
    ttl: (id) => ask(id, async (n, key) => ttls[n]?.(key) ?? null),
    async touch(id, seconds) {
      const key = keyOf(id);
      if (key === null) return;
      // 0 would mean no expiry.
      const ttl = Math.max(1, Math.ceil(seconds));
      const end = ttl > maxRelativeSeconds ? Math.floor(Date.now() / 1000) + ttl : ttl;
      let failure: unknown;
      let done = false;
      for (const n of order.of(id)) {
        try {
          await connectionTo(n).touch(key, end);
          done = true;
          // Then an item on another server is no copy, but left from a time when this server gave no answer.
          if (!order.copies) break;
        } catch (error) {
          failure = error;
        }
      }
      if (!done) throw failure;
    },
    close() {
      for (const connection of connections) connection.close();
    },
  };
}
