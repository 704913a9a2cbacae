import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';

/** PHP hashes the configured text of the host, so a name and its address are different hosts. */
export interface MemcachedServer {
  host: string;
  port: number;
  weight: number;
}

/** The servers that may have a session. */
export interface ServerOrder {
  /** Returns the indexes of the servers, in the order of PHP's queries. */
  of(id: string): Iterable<number>;
  /** Whether PHP queries the next server even after a miss, not only after a failure. */
  continuesAfterMiss: boolean;
  /** Whether each server has a copy. Then the miss of one server also counts for servers that fail. */
  hasCopies: boolean;
}

/** ext-memcache's limit of attempts to find another server. With weights, most attempts may find the same server. */
const maxAttempts = 200;

/**
 * Follows the PHP extensions:
 * - ext-memcached queries one server. Its session handler hashes the ID without the prefix, which is libmemcached's
 *   namespace. A site's own handler hashes the key that it passes to a `Memcached` object.
 * - ext-memcache's session handler hashes the key and `-0`. Its copies are on the next servers for `-1`, `-2` …
 *   (`PS_READ_FUNC` in memcache_session.c). Up to ext-memcache 8.0, PHP starts an empty session after a miss, and the
 *   page then overwrites the copies. Version 8.2 queries the copies.
 * - A `Memcache` object hashes the key. If that server fails, it continues with the servers of copies
 *   (`memcache.allow_failover`, on by default; `mmc_pool_failover_handler` in memcache_pool.c).
 */
export function createServerOrder(settings: {
  handler: 'memcached' | 'memcache' | undefined;
  distribution: Distribution;
  servers: readonly MemcachedServer[];
  prefix: string;
  /** The number of servers with a copy of each session. */
  redundancy: number;
  /** For ext-memcache's session handler. */
  continuesAfterMiss: boolean;
}): ServerOrder {
  const { handler, distribution, prefix, redundancy, continuesAfterMiss } = settings;
  // ext-memcached's handler adds the servers before it selects ketama, and libmemcached then drops their weights.
  const dropsWeights = handler === 'memcached' && distribution === 'ketama';
  const servers = settings.servers.map((server) => (dropsWeights ? { ...server, weight: 1 } : server));
  const choose = servers.length === 1 ? () => 0 : distributions[distribution](servers);
  if (handler === 'memcache') {
    const count = Math.min(redundancy, servers.length);
    return { of: (id) => chooseSeveral(choose, prefix + id, 0, count), continuesAfterMiss, hasCopies: true };
  }
  const single = { continuesAfterMiss: false, hasCopies: false };
  if (isMemcache(distribution))
    return { of: (id) => chooseSeveral(choose, prefix + id, -1, servers.length), ...single };
  return { of: (id) => [choose(handler === 'memcached' ? id : prefix + id)], ...single };
}

/** Whether the distribution belongs to ext-memcache, not to ext-memcached. */
export function isMemcache(distribution: Distribution): boolean {
  return distribution.startsWith('memcache');
}

/** Yields the servers of a key in the order of `mmc_pool_find_next`. A suffix below 0 means the key without a suffix. */
function* chooseSeveral(
  choose: ChooseServer,
  key: string,
  firstSuffix: number,
  count: number,
): Generator<number> {
  const chosen = new Set<number>();
  for (let suffix = firstSuffix; suffix < maxAttempts && chosen.size < count; suffix++) {
    const server = choose(suffix < 0 ? key : `${key}-${suffix}`);
    if (chosen.has(server)) continue;
    chosen.add(server);
    yield server;
  }
}

/** Returns the index of a server. */
type ChooseServer = (text: string) => number;

/**
 * PHP's distributions of keys over servers, by the values of `distribution=`. The first three follow libmemcached
 * (`dispatch_host` in hash.cc, `update_continuum` in hosts.cc), the others ext-memcache (memcache_consistent_hash.c,
 * memcache_standard_hash.c).
 */
export const distributions = {
  modula: (servers) => (text) => oneAtATime(text) % servers.length,
  ketama(servers) {
    // With weights, libmemcached uses MD5 for the servers, but still not for the keys.
    const find = createRing(
      servers,
      servers.some(({ weight }) => weight > 1) ? weightedPoints(servers) : evenPoints,
    );
    return (text) => find(oneAtATime(text));
  },
  ketama_weighted(servers) {
    const find = createRing(servers, weightedPoints(servers));
    return (text) => find(hash('md5', text, 'buffer').readUInt32LE(0));
  },
  memcache: (servers) => createBuckets(servers, crc32),
  memcache_fnv: (servers) => createBuckets(servers, fnv1a),
  memcache_standard: (servers) => createSlots(servers, crc32),
  memcache_standard_fnv: (servers) => createSlots(servers, fnv1a),
} as const satisfies Record<string, (servers: readonly MemcachedServer[]) => ChooseServer>;

export type Distribution = keyof typeof distributions;

/** Returns the points of a server on the ring of 2^32. */
type Points = (server: MemcachedServer) => number[];

/** Returns `name-0`, `name-1` … */
function addSuffixes(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `${name}-${n}`);
}

/** Returns `host:port`, as in `session.save_path`. */
function longName({ host, port }: MemcachedServer): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** Returns the name in libmemcached, which omits the default port. */
function shortName(server: MemcachedServer): string {
  return longName(server).replace(/:11211$/, '');
}

const evenPoints: Points = (server) => addSuffixes(shortName(server), 100).map(oneAtATime);

/** Gives each server 160 points on average, four per digest. Computes in single precision, as libmemcached does. */
function weightedPoints(servers: readonly MemcachedServer[]): Points {
  const { fround } = Math;
  const total = servers.reduce((sum, { weight }) => sum + weight, 0);
  return (server) => {
    const share = fround(server.weight / total);
    const digests = Math.floor(
      fround(fround(fround(fround(share * 160) / 4) * servers.length) + fround(1e-10)),
    );
    return addSuffixes(shortName(server), digests).flatMap((name) => {
      const digest = hash('md5', name, 'buffer');
      return [0, 4, 8, 12].map((offset) => digest.readUInt32LE(offset));
    });
  };
}

/** Returns a function that finds the server of the first point at `position` or after it. */
function createRing(servers: readonly MemcachedServer[], pointsOf: Points): (position: number) => number {
  const points = servers.flatMap((server, n) => pointsOf(server).map((point) => ({ point, n })));
  points.sort((a, b) => a.point - b.point || a.n - b.n);
  return (position) => {
    let low = 0;
    let high = points.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((points[middle] as { point: number }).point < position) low = middle + 1;
      else high = middle;
    }
    return (points[low] ?? points[0])?.n ?? 0;
  };
}

/** Creates the 1024 buckets of `memcache.hash_strategy=consistent`. Each has the server of one position on the ring. */
function createBuckets(
  servers: readonly MemcachedServer[],
  hashText: (text: string) => number,
): ChooseServer {
  const find = createRing(servers, (server) =>
    addSuffixes(longName(server), 160 * server.weight).map((name) => hashText(name)),
  );
  const step = Math.floor(0xffffffff / 1024);
  const owners = Array.from({ length: 1024 }, (_, n) => find(n * step));
  return (text) => owners[hashText(text) % 1024] as number;
}

/** Creates the slots of `memcache.hash_strategy=standard`. The weight of a server is its number of slots. */
function createSlots(servers: readonly MemcachedServer[], hashText: (text: string) => number): ChooseServer {
  const owners = servers.flatMap(({ weight }, n) => Array<number>(weight).fill(n));
  return (text) => owners[((hashText(text) >>> 16) & 0x7fff || 1) % owners.length] as number;
}

/** Computes Jenkins's one-at-a-time hash of an ASCII text, libmemcached's default (`hashkit_one_at_a_time`). */
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

/** Computes the 32-bit FNV-1a hash of an ASCII text. */
function fnv1a(text: string): number {
  let hash = 0x811c9dc5;
  for (let n = 0; n < text.length; n++) hash = Math.imul(hash ^ text.charCodeAt(n), 0x01000193);
  return hash >>> 0;
}
