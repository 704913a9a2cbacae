import type { StoredFormat } from '../../formats/formats.ts';
import type { StoreKind, StoreUrl } from '../../source.ts';
import { mostKeys, probeId, type SessionStore, StoreError } from '../../store.ts';
import { batched } from '../lookups.ts';
import type { ReadReply } from '../pipeline.ts';
import { itemOf, keysEndingWith, linesPipeline, valuesPipeline } from './connection.ts';
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
const versionAnswer = /^(?:HD c(\d+)|EN|(ERROR))$/;
/** After a failed question for versions, a server is not asked for them for so many milliseconds. */
const versionsAgainAfter = 10_000;
const touchAnswer = /^(?:TOUCHED|NOT_FOUND)$/;

/** Reads an answer that is a line of this form. */
const fits =
  (form: RegExp): ReadReply<string, RegExpExecArray> =>
  (line) =>
    form.exec(line) ?? undefined;

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
 * `memcached://HOST:PORT[,HOST:PORT…]` names the servers as PHP does: the same names in the same order. Options:
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
 * Packed items are unpacked (zlib, FastLZ). An array in an item is serialized, which the default format reads whatever
 * the serializer.
 *
 * A server that fails makes its own sessions unavailable, and no others. If ext-memcache would ask another server,
 * the store does too: for a copy, or for an item that a `Memcache` object has put there meanwhile.
 */
export const memcachedStore: StoreKind = ({ user, password, hosts, path, options }) => {
  if (user !== '' || password !== '') throw new TypeError('memcached: takes no user and no password');
  if (hosts.length === 0) throw new TypeError('the store URL names no host');
  if (path !== '' && path !== '/') throw new TypeError('memcached: takes no path behind the hosts');
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
  const servers = withWeights(hosts, options.take('weight') ?? '1');
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
      return openMemcached({ servers, order, decode, prefix, timeout });
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
}): SessionStore {
  const { servers, order, decode, prefix, timeout } = settings;
  // Each server has its own connection: a silent server delays its own sessions only.
  const connections = servers.map((server) => valuesPipeline(server, timeout));
  // Large sessions on the way hold up no versions and no TTLs.
  const texts = servers.map((server) => linesPipeline(server, timeout));
  /** Servers that do not know the meta commands. */
  const withoutMeta = new Set<number>();

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
    count === '0' ? null : `${texts[n]?.connections}/${count}`;

  /** By server. A server whose answer has failed is not asked for a while: it may be a proxy without this command. */
  const versions = texts.map((text, n) => {
    let again = 0;
    const ask = batched(async (keys) => {
      const questions = keys.map((key) => `mg ${key} c\r\n`).join('');
      const answers = await text
        .askAll(questions, keys.length, fits(versionAnswer))
        .catch((error: unknown) => {
          again = performance.now() + versionsAgainAfter;
          throw error;
        });
      const found = new Map<string, string>();
      for (const [k, [, count, unknown]] of answers.entries()) {
        if (unknown !== undefined) withoutMeta.add(n);
        const version = count === undefined ? null : versionOf(n, count);
        if (version !== null) found.set(keys[k] as string, version);
      }
      return found;
    });
    return (key: string) =>
      withoutMeta.has(n) || performance.now() < again ? Promise.resolve(null) : ask(key);
  });

  const ttls = texts.map((text, n) =>
    batched(async (keys) => {
      const questions = keys.map((key) => `mg ${key} t\r\n`).join('');
      const found = new Map<string, number>();
      const answers = await text.askAll(questions, keys.length, fits(ttlAnswer));
      for (const [k, { groups }] of answers.entries()) {
        if (groups?.unknown !== undefined) withoutMeta.add(n);
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
      await Promise.all(connections.map((connection) => itemOf(connection, probeId)));
    },
    async keys(end) {
      const found = await Promise.all(servers.map((server) => keysEndingWith(server, end, timeout)));
      return found.flat().slice(0, mostKeys);
    },
    async get(id) {
      const item = await ask(id, (n, key) => itemOf(connections[n] as (typeof connections)[0], key));
      return item && decode(item);
    },
    async getVersioned(id) {
      const [first] = order.of(id);
      let version: string | null = null;
      const item = await ask(id, async (n, key) => {
        // The count of another server, or of one that was restarted meanwhile, says nothing.
        const before = texts[n]?.connections;
        const found = await itemOf(connections[n] as (typeof connections)[0], key);
        version =
          found !== null && n === first && before === texts[n]?.connections
            ? versionOf(n, found.count)
            : null;
        return found;
      });
      return item && { bytes: decode(item), version };
    },
    ttl: (id) => ask(id, async (n, key) => (withoutMeta.has(n) ? null : (ttls[n]?.(key) ?? null))),
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
          await (texts[n] as (typeof texts)[0]).ask(`touch ${key} ${end}\r\n`, fits(touchAnswer));
          done = true;
          // Then an item on another server is no copy, but left from a time when this server gave no answer.
          if (!order.copies) break;
        } catch (error) {
          failure = error;
        }
      }
      if (!done) throw failure;
    },
    subscribe: (listener) => subscribeMemcached(servers, prefix, listener),
    close() {
      for (const connection of [...connections, ...texts]) connection.close();
    },
  };
}
