import type { FormatName } from '../../formats/formats.ts';
import type { StoreKind, StoreUrl } from '../../source.ts';
import { type SessionStore, StoreError } from '../../store.ts';
import { batched } from '../batch.ts';
import { MemcachedConnection } from './connection.ts';
import { type Item, itemDecoders } from './item.ts';
import { watchMemcached } from './notifications.ts';
import { type Distribution, distributions, type Server } from './server-choice.ts';
import { isMemcache, type ServerOrder, serverOrder } from './server-order.ts';
import { TextConnection } from './text-connection.ts';

/**
 * A longer key is refused by memcached (`KEY_MAX_LENGTH` in its source), so no such session can exist. Other characters
 * would be more than a key in its text protocol.
 */
const possibleKey = /^[\x21-\x7e]{1,250}$/;
/** A longer life is told as a date (`REALTIME_MAXDELTA`); one in seconds would be a date in 1970. */
const maxRelativeSeconds = 30 * 24 * 60 * 60;
/** To `mg KEY t`: how many seconds are left, -1 for no end; there is none; 1.5 and older do not know the question. */
const metaAnswer = /^(?:HD t(?<left>-1|\d+)(?: .*)?|EN|(?<unknown>ERROR))$/;
/** To `mg KEY c`: a number that each write changes, 0 where memcached was told not to keep it (`-C`). */
const versionAnswer = /^(?:HD c(\d+)|EN|(ERROR))$/;
/** Where asking for it has failed, that is not tried again for so many milliseconds. */
const versionsAgainAfter = 10_000;
const touchAnswer = /^(?:TOUCHED|NOT_FOUND)$/;

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
 * - `past_misses=1` with `handler=memcache` only: ext-memcache 8.2 and later looks for a copy where a server has
 *   nothing; before (default) that is the end of the session. Without it nobody is let in whom the site would not know
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
  const texts = servers.map(({ host, port }) => new TextConnection(host, port, timeout));
  /** Those that do not tell how long an item is going to live. */
  const untold = new Set<number>();

  /** An empty key never gets an answer, and one that is too long spoils the connection for the next call. */
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
        // Another server that a session went to meanwhile knows nothing of what the first one had.
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

  /** By server. Not asked for a while where that has failed: it may be a proxy that does not know the question. */
  const versions = texts.map((text, n) => {
    let again = 0;
    const ask = batched(async (keys) => {
      const questions = keys.map((key) => `mg ${key} c`);
      const answers = await text.askAll(questions, versionAnswer).catch((error: unknown) => {
        again = performance.now() + versionsAgainAfter;
        throw error;
      });
      const found = new Map<string, string>();
      for (const [k, [, count, unknown]] of answers.entries()) {
        if (unknown !== undefined) untold.add(n);
        // memcached counts anew when it is started again.
        if (count !== undefined && count !== '0')
          found.set(keys[k] as string, `${text.connections}/${count}`);
      }
      return found;
    });
    return (key: string) => (untold.has(n) || performance.now() < again ? Promise.resolve(null) : ask(key));
  });

  return {
    version(id) {
      const key = keyOf(id);
      const [first] = order.of(id);
      return (key !== null && first !== undefined && versions[first]?.(key)) || Promise.resolve(null);
    },
    async get(id) {
      const item = await ask(id, (n, key) => (connections[n] as MemcachedConnection).get(key));
      return item && decode(item);
    },
    remaining: (id) =>
      ask(id, async (n, key) => {
        if (untold.has(n)) return null;
        const { groups } = await (texts[n] as TextConnection).ask(`mg ${key} t`, metaAnswer);
        if (groups?.unknown !== undefined) untold.add(n);
        if (groups?.left === undefined) return null;
        return groups.left === '-1' ? Number.POSITIVE_INFINITY : Number(groups.left) * 1000;
      }),
    async touch(id, seconds) {
      const key = keyOf(id);
      if (key === null) return;
      // 0 would be a life without an end.
      const lasting = Math.max(1, Math.ceil(seconds));
      const end = lasting > maxRelativeSeconds ? Math.floor(Date.now() / 1000) + lasting : lasting;
      let failure: unknown;
      let done = false;
      for (const n of order.of(id)) {
        try {
          await (texts[n] as TextConnection).ask(`touch ${key} ${end}`, touchAnswer);
          done = true;
          // What lies elsewhere is no copy then, but what was left there when this server gave no answer.
          if (!order.copies) break;
        } catch (error) {
          failure = error;
        }
      }
      if (!done) throw failure;
    },
    watch: (watcher) => watchMemcached(servers, prefix, watcher),
    close() {
      for (const connection of [...connections, ...texts]) connection.close();
    },
  };
}
