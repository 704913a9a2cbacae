import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** One of several servers. Its host is hashed as PHP has it: a name is not the same as its address. */
export interface MemcachedServer {
  host: string;
  port: number;
  weight: number;
}

/** Which servers may have a session, in the order in which PHP asks them. */
export interface ServerOrder {
  of(id: string): Iterable<number>;
  /** Whether PHP goes on if a server does not have the session, and not only if it gives no answer. */
  pastMisses: boolean;
  /** Whether all of them should have it. A server that does not have it then speaks for those that give no answer. */
  copies: boolean;
}

/** ext-memcache looks this often for one more server: with weights, most tries may find the same one. */
const mostTries = 200;

/**
 * - ext-memcached asks one server. Its session handler hashes the id without the prefix, which is libmemcached's
 *   namespace. A site's own handler hashes the key that it gives to a `Memcached` object.
 * - ext-memcache's session handler hashes the key and `-0`. Its copies are on the next servers that `-1`, `-2` …
 *   lead to (`PS_READ_FUNC` in memcache_session.c). Up to 8.0 a server that does not have the session ends the
 *   search: PHP takes that for an empty session, and the page then overwrites the copies. 8.2 asks for a copy.
 * - A `Memcache` object hashes the key. If that server fails, it goes on as if for copies
 *   (`memcache.allow_failover`, on by default; `mmc_pool_failover_handler` in memcache_pool.c).
 */
export function serverOrder(settings: {
  handler: 'memcached' | 'memcache' | undefined;
  distribution: Distribution;
  servers: readonly MemcachedServer[];
  prefix: string;
  /** The number of copies of a session, the first included. */
  redundancy: number;
  /** For ext-memcache's session handler. */
  pastMisses: boolean;
}): ServerOrder {
  const { handler, distribution, prefix, redundancy, pastMisses } = settings;
  // ext-memcached's handler asks for ketama when libmemcached has the servers already, which drops their weights.
  const plain = handler === 'memcached' && distribution === 'ketama';
  const servers = settings.servers.map((server) => (plain ? { ...server, weight: 1 } : server));
  const choose = servers.length === 1 ? () => 0 : distributions[distribution](servers);
  if (handler === 'memcache') {
    const count = Math.min(redundancy, servers.length);
    return { of: (id) => inTurn(choose, prefix + id, 0, count), pastMisses, copies: true };
  }
  const alone = { pastMisses: false, copies: false };
  if (isMemcache(distribution))
    return { of: (id) => inTurn(choose, prefix + id, -1, servers.length), ...alone };
  return { of: (id) => [choose(handler === 'memcached' ? id : prefix + id)], ...alone };
}

/** Whether a distribution is one of ext-memcache, and not of ext-memcached. */
export function isMemcache(distribution: Distribution): boolean {
  return distribution.startsWith('memcache');
}

/** `mmc_pool_find_next`, from a number on; a number below 0 is the key alone. */
function* inTurn(choose: ServerChoice, key: string, from: number, count: number): Generator<number> {
  const met = new Set<number>();
  for (let n = from; n < mostTries && met.size < count; n++) {
    const server = choose(n < 0 ? key : `${key}-${n}`);
    if (met.has(server)) continue;
    met.add(server);
    yield server;
  }
}

/** The position of the server for a text. */
type ServerChoice = (text: string) => number;

/**
 * How PHP spreads keys over servers, by the names of `distribution=`. The first three are libmemcached's
 * (`dispatch_host` in hash.cc, `update_continuum` in hosts.cc), the others ext-memcache's
 * (memcache_consistent_hash.c, memcache_standard_hash.c).
 */
export const distributions = {
  modula: (servers) => (text) => oneAtATime(text) % servers.length,
  ketama(servers) {
    // With a weight libmemcached places the servers by MD5, but not the keys.
    const find = ring(servers, servers.some(({ weight }) => weight > 1) ? weighted(servers) : evenly);
    return (text) => find(oneAtATime(text));
  },
  ketama_weighted(servers) {
    const find = ring(servers, weighted(servers));
    return (text) => find(hash('md5', text, 'buffer').readUInt32LE(0));
  },
  memcache: (servers) => buckets(servers, crc32),
  memcache_fnv: (servers) => buckets(servers, fnv1a),
  memcache_standard: (servers) => slots(servers, crc32),
  memcache_standard_fnv: (servers) => slots(servers, fnv1a),
} as const satisfies Record<string, (servers: readonly MemcachedServer[]) => ServerChoice>;

export type Distribution = keyof typeof distributions;

/** A server's places on the ring of 2^32. */
type Places = (server: MemcachedServer) => number[];

/** `name-0`, `name-1` … */
function numbered(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `${name}-${n}`);
}

/** `host:port`, as in `session.save_path`. */
function longName({ host, port }: MemcachedServer): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** libmemcached leaves out memcached's default port. */
function shortName(server: MemcachedServer): string {
  return longName(server).replace(/:11211$/, '');
}

const evenly: Places = (server) => numbered(shortName(server), 100).map(oneAtATime);

/** 160 places a server on average, four from each digest; computed in single precision, as in the source. */
function weighted(servers: readonly MemcachedServer[]): Places {
  const { fround } = Math;
  const total = servers.reduce((sum, { weight }) => sum + weight, 0);
  return (server) => {
    const share = fround(server.weight / total);
    const digests = Math.floor(
      fround(fround(fround(fround(share * 160) / 4) * servers.length) + fround(1e-10)),
    );
    return numbered(shortName(server), digests).flatMap((name) => {
      const digest = hash('md5', name, 'buffer');
      return [0, 4, 8, 12].map((offset) => digest.readUInt32LE(offset));
    });
  };
}

/** Finds the server with the first place at a number or after it. */
function ring(servers: readonly MemcachedServer[], places: Places): (number: number) => number {
  const points = servers.flatMap((server, n) => places(server).map((place) => ({ place, n })));
  points.sort((a, b) => a.place - b.place || a.n - b.n);
  return (number) => {
    let low = 0;
    let high = points.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((points[middle] as { place: number }).place < number) low = middle + 1;
      else high = middle;
    }
    return (points[low] ?? points[0])?.n ?? 0;
  };
}

/** `memcache.hash_strategy=consistent`: 1024 buckets, each with the server of one number of the ring. */
function buckets(servers: readonly MemcachedServer[], hashed: (text: string) => number): ServerChoice {
  const find = ring(servers, (server) =>
    numbered(longName(server), 160 * server.weight).map((name) => hashed(name)),
  );
  const step = Math.floor(0xffffffff / 1024);
  const owners = Array.from({ length: 1024 }, (_, n) => find(n * step));
  return (text) => owners[hashed(text) % 1024] as number;
}

/** `memcache.hash_strategy=standard`: a server has as many slots as weight. */
function slots(servers: readonly MemcachedServer[], hashed: (text: string) => number): ServerChoice {
  const owners = servers.flatMap(({ weight }, n) => Array<number>(weight).fill(n));
  return (text) => owners[((hashed(text) >>> 16) & 0x7fff || 1) % owners.length] as number;
}

/** Jenkins's one-at-a-time, the default hash of libmemcached (`hashkit_one_at_a_time`), of an ASCII text. */
function oneAtATime(text: string): number {
  let hash = 0;
  for (let n = 0; n < text.length; n++) {
    hash = (hash + text.charCodeAt(n)) | 0;
    hash = (hash + (hash << 10)) | 0;
    hash ^= hash >>> 6;
  }
  hash = (hash + (hash << 3)) | 0;
  hash ^= hash >>> 11;
  return (hash + (hash << 15)) >>> 0;
}

/** FNV-1a with 32 bits, of an ASCII text. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let n = 0; n < text.length; n++) hash = Math.imul(hash ^ text.charCodeAt(n), 0x01000193);
  return hash >>> 0;
}
