import type { StoredFormat } from '../../formats/formats.ts';
import type { StoreKind, StoreUrl } from '../../source.ts';
import { maxKeys, probeId, type SessionStore, StoreError, type StoreListener } from '../../store.ts';
import { batchLookups } from '../lookups.ts';
import type { MemcachedLogin } from './binary.ts';
import { findKeys, type MemcachedConnection, openServer } from './connection.ts';
import { type Item, itemDecoders } from './item.ts';
import { subscribeMemcached } from './notifications.ts';
import {
  createServerOrder,
  type Distribution,
  distributions,
  isMemcache,
  type MemcachedServer,
  type ServerOrder,
} from './servers.ts';

/** memcached rejects longer keys (`KEY_MAX_LENGTH`). Blanks and line ends would end the key in the protocol. */
const possibleKey = /^[\x21-\x7e]{1,250}$/;
/** memcached interprets a longer expiry as a Unix time (`REALTIME_MAXDELTA`). */
const maxRelativeSeconds = 30 * 24 * 60 * 60;
/** Replies to `mg KEY t`: the TTL in seconds or -1 without a TTL; a miss; ERROR of versions without meta commands. */
const ttlReply = /^(?:HD t(?<ttl>-1|\d+)(?: .*)?|EN|(?<unknown>ERROR))$/;
/** Replies to `mg KEY c`: the CAS number of the item; a miss; ERROR. */
const casReply = /^(?:HD c(?<cas>\d+)|EN|(?<unknown>ERROR))$/;
/** If meta commands failed on two connections, the server may be a proxy. For this time, no meta commands are sent to it. */
const metaRetryDelayMs = 10_000;

/** Defaults by `handler=`. The first distribution is the default. */
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
 * `memcached://HOST:PORT[,HOST:PORT…]` names the servers as PHP does, with the same names in the same order.
 * `memcached:///run/memcached.sock` is a Unix socket. `memcached://USER:PASSWORD@HOST` logs in by SASL. Options:
 *
 * - `handler=memcached` for ext-memcached's session handler, `handler=memcache` for ext-memcache's. Leave it out for a
 *   site's own handler with a `Memcached` or `Memcache` object
 * - `distribution=` selects the server of a session, see below
 * - `weight=` of the servers, separated by commas, or the same weight for all servers (default 1)
 * - `redundancy=` is `memcache.session_redundancy`, for `handler=memcache` only (default 2, as in PHP)
 * - `past_misses=1` for ext-memcache 8.2 and later, which queries the copies after a miss. For `handler=memcache` only.
 *   Before 8.2 (default) a miss ends the session
 * - `prefix=` before the ID: `memcached.sess_prefix` (default `memc.sess.key.`), `memcache.session_prefix_static_key`
 *   (default none) or the prefix of the site's handler (default none)
 * - `timeout=` of one reply (default 250ms)
 *
 * | `distribution=` | ext-memcached's handler | a `Memcached` object |
 * | --- | --- | --- |
 * | `modula` | `memcached.sess_consistent_hash=0` | default |
 * | `ketama` | default; ignores weights | `OPT_DISTRIBUTION` consistent |
 * | `ketama_weighted` | `memcached.sess_consistent_hash_type` | `OPT_LIBKETAMA_COMPATIBLE` |
 *
 * A `Memcached` object does not hash its `OPT_PREFIX_KEY`. Use `handler=memcached` with that prefix for such a site.
 *
 * | `distribution=` | `memcache.hash_strategy` and `memcache.hash_function` of ext-memcache |
 * | --- | --- |
 * | `memcache`, `memcache_fnv` | consistent (default), with crc32 (default) or fnv |
 * | `memcache_standard`, `memcache_standard_fnv` | standard |
 *
 * A `Memcache` object needs one of these even with a single server, because they select the meaning of an item's flags.
 * Compressed items are decompressed (zlib, FastLZ, zstd). Without `handler=`, the default format reads arrays of any
 * serializer.
 *
 * A server that fails affects only its own sessions. Like ext-memcache, the store queries other servers for copies, and
 * for items that a `Memcache` object stored there after a failure.
 */
export const memcachedStore: StoreKind = ({ user, password, hosts, path, options }) => {
  if ((user === '') !== (password === ''))
    throw new TypeError(
      'a memcached: URL must have both a user and a password, as in memcached://USER:PASSWORD@HOST, or neither',
    );
  const login = user === '' ? undefined : { user, password };
  const isSocket = hosts.length === 0 && path.length > 1;
  if (hosts.length === 0 && !isSocket)
    throw new TypeError(
      'the store URL names neither a host nor a socket: give memcached://HOST:PORT or memcached:///PATH',
    );
  if (hosts.length > 0 && path !== '' && path !== '/')
    throw new TypeError('a memcached: URL must not have a path after the hosts: leave the path out');
  const handler = options.take('handler');
  if (handler !== undefined && handler !== 'memcached' && handler !== 'memcache')
    throw new TypeError('handler= must be memcached or memcache; leave it out for a handler of your own');
  const defaults = handlers[handler ?? 'own'];
  const distributionName = options.take('distribution') ?? defaults.distributions[0];
  const distribution = defaults.distributions.find((name) => name === distributionName);
  if (distribution === undefined)
    throw new TypeError(`distribution= must be one of ${defaults.distributions.join(', ')}`);
  const redundancy = handler === 'memcache' ? (options.take('redundancy') ?? '2') : '1';
  if (!/^[1-9]$/.test(redundancy)) throw new TypeError('redundancy= must be 1 to 9');
  const pastMisses = handler === 'memcache' ? (options.take('past_misses') ?? '0') : '0';
  if (!/^[01]$/.test(pastMisses)) throw new TypeError('past_misses= must be 0 or 1');
  const prefix = options.prefix(defaults.prefix);
  const timeoutMs = options.timeout();
  const servers = addWeights(isSocket ? [{ host: path, port: 0 }] : hosts, options.take('weight') ?? '1');
  return {
    format: defaults.format,
    open() {
      const order = createServerOrder({
        handler,
        distribution,
        servers,
        prefix,
        redundancy: Number(redundancy),
        continuesAfterMiss: pastMisses === '1',
      });
      const decode = itemDecoders[isMemcache(distribution) ? 'memcache' : 'memcached'];
      return openMemcached({ servers, order, decode, prefix, timeoutMs, login });
    },
  };
};

function addWeights(hosts: StoreUrl['hosts'], text: string): MemcachedServer[] {
  const weights = text.split(',');
  if (!weights.every((weight) => /^[1-9]\d{0,3}$/.test(weight)))
    throw new TypeError('weight= must be numbers from 1 to 9999, separated by commas');
  if (weights.length !== 1 && weights.length !== hosts.length)
    throw new TypeError('weight= must be one number for all servers, or a number for each server');
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
  timeoutMs: number;
  login: MemcachedLogin | undefined;
}): SessionStore {
  const { servers, order, decode, prefix, timeoutMs, login } = settings;
  // Each server has its own connection, so that an unresponsive server delays only its own sessions.
  const connections = servers.map((server) => openServer(server, timeoutMs, login));
  const connectionTo = (n: number) => connections[n] as MemcachedConnection;
  function toKey(id: string): string | null {
    const key = prefix + id;
    return id !== '' && possibleKey.test(key) ? key : null;
  }

  /** Queries the servers that may have a session, until one of them has it. */
  async function query<T>(id: string, read: (n: number, key: string) => Promise<T | null>) {
    const key = toKey(id);
    if (key === null) return null;
    let isMissing = false;
    let failure: StoreError | undefined;
    for (const n of order.of(id)) {
      try {
        const result = await read(n, key);
        if (result !== null) return result;
        // Without copies, a miss after a failure is not final, because the failed server may have the session.
        isMissing ||= order.hasCopies || failure === undefined;
        if (!order.continuesAfterMiss) break;
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        failure ??= error;
      }
    }
    if (failure !== undefined && !isMissing) throw failure;
    return null;
  }

  /** Includes the connection, because CAS numbers start again when memcached restarts. */
  const toVersion = (n: number, cas: string): string | null =>
    cas === '0' ? null : `${connectionTo(n).lines?.connectionCount}/${cas}`;

  /** A function per server that reads one flag of each key. It returns null if meta commands fail. */
  const metaQueries = connections.map(({ lines, get }) => {
    /** The connection of the last failure; 0 after a success. */
    let failedConnection = 0;
    let retryAt = lines === undefined ? Number.POSITIVE_INFINITY : 0;
    return async (keys: readonly string[], flag: 'c' | 't', form: RegExp) => {
      if (lines === undefined || performance.now() < retryAt) return null;
      try {
        const request = keys.map((key) => `mg ${key} ${flag}\r\n`).join('');
        const replies = await lines.queryAll(request, keys.length, (line) => form.exec(line) ?? undefined);
        failedConnection = 0;
        if (replies.some(({ groups }) => groups?.unknown !== undefined)) retryAt = Number.POSITIVE_INFINITY;
        return replies;
      } catch (error) {
        if (!(error instanceof StoreError)) throw error;
        // A proxy disconnects on an unknown command, but replies to `get`.
        await get(keys[0] as string);
        if (failedConnection !== 0 && failedConnection !== lines.connectionCount)
          retryAt = performance.now() + metaRetryDelayMs;
        failedConnection = lines.connectionCount;
        return null;
      }
    };
  });

  const versionLookups = metaQueries.map((queryMeta, n) =>
    batchLookups(async (keys) => {
      const versions = new Map<string, string>();
      for (const [k, { groups }] of ((await queryMeta(keys, 'c', casReply)) ?? []).entries()) {
        const version = groups?.cas === undefined ? null : toVersion(n, groups.cas);
        if (version !== null) versions.set(keys[k] as string, version);
      }
      return versions;
    }),
  );

  const ttlLookups = metaQueries.map((queryMeta) =>
    batchLookups(async (keys) => {
      const ttls = new Map<string, number>();
      for (const [k, { groups }] of ((await queryMeta(keys, 't', ttlReply)) ?? []).entries()) {
        const ttl = groups?.ttl;
        if (ttl === undefined) continue;
        ttls.set(keys[k] as string, ttl === '-1' ? Number.POSITIVE_INFINITY : Number(ttl) * 1000);
      }
      return ttls;
    }),
  );

  return {
    version(id) {
      const key = toKey(id);
      const [first] = order.of(id);
      return (key !== null && first !== undefined && versionLookups[first]?.(key)) || Promise.resolve(null);
    },
    async check() {
      await Promise.all(connections.map((connection) => connection.get(probeId)));
    },
    ...(login === undefined && {
      async keys(suffix: string) {
        const keys = await Promise.all(servers.map((server) => findKeys(server, suffix, timeoutMs)));
        return keys.flat().slice(0, maxKeys);
      },
      subscribe: (listener: StoreListener) => subscribeMemcached(servers, prefix, listener),
    }),
    async get(id) {
      const item = await query(id, (n, key) => connectionTo(n).get(key));
      return item && decode(item);
    },
    async getVersioned(id) {
      const [first] = order.of(id);
      let version: string | null = null;
      const item = await query(id, async (n, key) => {
        const { lines, get } = connectionTo(n);
        const connection = lines?.connectionCount;
        const item = await get(key);
        // `version` queries only the first server, and CAS numbers are not comparable after a restart.
        const isComparable = n === first && lines !== undefined && connection === lines.connectionCount;
        version = item !== null && isComparable ? toVersion(n, item.cas) : null;
        return item;
      });
      return item && { bytes: decode(item), version };
    },
    ttl: (id) => query(id, async (n, key) => ttlLookups[n]?.(key) ?? null),
    async touch(id, seconds) {
      const key = toKey(id);
      if (key === null) return;
      // 0 would mean no expiry.
      const ttl = Math.max(1, Math.ceil(seconds));
      const expiry = ttl > maxRelativeSeconds ? Math.floor(Date.now() / 1000) + ttl : ttl;
      let failure: unknown;
      let isDone = false;
      for (const n of order.of(id)) {
        try {
          await connectionTo(n).touch(key, expiry);
          isDone = true;
          // Without copies, an item on a later server dates from a failure of this server and is outdated.
          if (!order.hasCopies) break;
        } catch (error) {
          failure = error;
        }
      }
      if (!isDone) throw failure;
    },
    close() {
      for (const connection of connections) connection.close();
    },
  };
}
