import { type Distribution, distributions, type Server, type ServerChoice } from './server-choice.ts';

/** So often ext-memcache looks for one more server: with weights, most tries may find the same one. */
const mostTries = 200;

/** Which servers may have a session, in the order in which PHP asks them. */
export interface ServerOrder {
  of(id: string): Iterable<number>;
  /** Whether PHP goes on where a server has nothing, too, and not only where it gives no answer. */
  pastMisses: boolean;
  /** Whether all of them should have it: then each can say that there is none, for those that give no answer, too. */
  copies: boolean;
}

/**
 * - ext-memcached asks one server. Its session handler hashes the id without the prefix (it is libmemcached's
 *   namespace), a handler of one's own the key that it gives to a `Memcached` object.
 * - ext-memcache's session handler hashes the key and `-0`; its copies lie at the next servers that `-1`, `-2` …
 *   lead to (`PS_READ_FUNC` in memcache_session.c). Up to 8.0 a server that has nothing ends the search: its answer
 *   was taken for an empty session, and the page then overwrites the copies with one. 8.2 asks for a copy.
 * - A `Memcache` object hashes the key; when that server fails, it goes on as if for copies
 *   (`memcache.allow_failover`, on by default; `mmc_pool_failover_handler` in memcache_pool.c).
 */
export function serverOrder(settings: {
  handler: 'memcached' | 'memcache' | undefined;
  distribution: Distribution;
  servers: readonly Server[];
  prefix: string;
  /** Copies of a session, the first included. */
  redundancy: number;
  /** Of ext-memcache's session handler. */
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

/** Whether it is one of ext-memcache, and not of ext-memcached. */
export function isMemcache(distribution: Distribution): boolean {
  return distribution.startsWith('memcache');
}

/** `mmc_pool_find_next`, from a number on; the one below 0 is the key alone. */
function* inTurn(choose: ServerChoice, key: string, from: number, count: number): Generator<number> {
  const met = new Set<number>();
  for (let n = from; n < mostTries && met.size < count; n++) {
    const server = choose(n < 0 ? key : `${key}-${n}`);
    if (met.has(server)) continue;
    met.add(server);
    yield server;
  }
}
