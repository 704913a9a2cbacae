import { hash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import { fnv1a, oneAtATime } from './hashes.ts';

/** One of several servers. What is hashed is its host as PHP has it: a name and its address are not the same. */
export interface Server {
  host: string;
  port: number;
  weight: number;
}

/** The position of the server that has what is hashed as `text`. */
export type ServerChoice = (text: string) => number;

/**
 * How PHP spreads keys over servers, by the names of `distribution=`. The first three are libmemcached's
 * (`dispatch_host` in hash.cc, `update_continuum` in hosts.cc), the others ext-memcache's
 * (memcache_consistent_hash.c, memcache_standard_hash.c).
 */
export const distributions = {
  modula: (servers) => (text) => oneAtATime(text) % servers.length,
  ketama(servers) {
    // A weight makes libmemcached place the servers by MD5, but not the keys.
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
} as const satisfies Record<string, (servers: readonly Server[]) => ServerChoice>;

export type Distribution = keyof typeof distributions;

/** A server's places on the ring of 2^32. */
type Places = (server: Server) => number[];

/** `name-0`, `name-1` … */
function numbered(name: string, count: number): string[] {
  return Array.from({ length: count }, (_, n) => `${name}-${n}`);
}

/** `host:port`, as in `session.save_path`. */
function longName({ host, port }: Server): string {
  return `${host.includes(':') ? `[${host}]` : host}:${port}`;
}

/** libmemcached leaves out the port that is memcached's own. */
function shortName(server: Server): string {
  return longName(server).replace(/:11211$/, '');
}

const evenly: Places = (server) => numbered(shortName(server), 100).map(oneAtATime);

/** 160 places a server on average, four from each digest; counted with single precision, as in the source. */
function weighted(servers: readonly Server[]): Places {
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

/** The server with the first place at a number or after it. */
function ring(servers: readonly Server[], places: Places): (number: number) => number {
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
function buckets(servers: readonly Server[], hashed: (text: string) => number): ServerChoice {
  const find = ring(servers, (server) =>
    numbered(longName(server), 160 * server.weight).map((name) => hashed(name)),
  );
  const step = Math.floor(0xffffffff / 1024);
  const owners = Array.from({ length: 1024 }, (_, n) => find(n * step));
  return (text) => owners[hashed(text) % 1024] as number;
}

/** `memcache.hash_strategy=standard`: as many slots as a server has weight. */
function slots(servers: readonly Server[], hashed: (text: string) => number): ServerChoice {
  const owners = servers.flatMap(({ weight }, n) => Array<number>(weight).fill(n));
  return (text) => owners[((hashed(text) >>> 16) & 0x7fff || 1) % owners.length] as number;
}
