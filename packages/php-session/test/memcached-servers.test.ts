import { execFileSync } from 'node:child_process';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import {
  askedOf,
  type ManySessionsSite,
  newIds,
  openStore,
  writeSessions,
} from '../../../test/helpers/many-sessions.ts';
import { type Memcached, startMemcached } from '../../../test/helpers/memcached.ts';
import { type SessionStore, StoreError } from '../src/store.ts';
import { distributions } from '../src/stores/memcached/servers.ts';

let servers: Memcached[];
beforeAll(async () => {
  servers = await Promise.all([startMemcached(), startMemcached(), startMemcached()]);
});
afterAll(() => Promise.all(servers.map((server) => server.stop('SIGKILL'))));

/** Reads all sessions, and counts the requests to each server. */
async function readAll(options: string, ids: readonly string[], on = servers) {
  const before = await Promise.all(on.map(askedOf));
  const sessions = openStore(`${options}&timeout=5000ms`, on);
  onTestFinished(() => sessions.close());
  const found = await Promise.all(ids.map((id) => sessions.get(id)));
  const after = await Promise.all(on.map(askedOf));
  return {
    right: found.filter((bytes, n) => String(bytes) === `n|i:${n};`).length,
    hits: after.map(({ hits }, n) => hits - (before[n]?.hits ?? 0)),
    misses: after.map(({ misses }, n) => misses - (before[n]?.misses ?? 0)),
  };
}

const sum = (numbers: number[]) => numbers.reduce((one, other) => one + other, 0);

/** The number of sessions for each distribution. */
const count = 100;

describe('queries only the server of three that PHP chose', () => {
  const weights = [3, 1, 2];
  const fnv = { 'memcache.hash_function': 'fnv' };
  const standard = { 'memcache.hash_strategy': 'standard' };

  type Case = [options: string, site: ManySessionsSite];
  test.each<Case>([
    ['handler=memcached&weight=3,1,2', { writer: 'memcached', weights }],
    [
      'handler=memcache&redundancy=3&distribution=memcache_fnv&weight=3,1,2',
      { writer: 'memcache', weights, ini: { ...fnv, 'memcache.session_redundancy': 3 } },
    ],
    ['prefix=sessions/', { writer: 'Memcached', prefix: 'sessions/' }],
    [
      'distribution=memcache&weight=3,1,2&prefix=sessions/',
      { writer: 'Memcache', weights, prefix: 'sessions/' },
    ],
    [
      'distribution=memcache_standard_fnv&weight=2',
      { writer: 'Memcache', weights: [2, 2, 2], ini: { ...standard, ...fnv } },
    ],
  ])('with %s', async (options, site) => {
    const ids = newIds(count);
    expect(writeSessions(site, ids, servers)).toBe('done');
    const { right, hits, misses } = await readAll(options, ids);
    expect(right).toBe(count);
    expect(sum(hits)).toBe(count);
    expect(sum(misses)).toBe(0);
    // One server has a sixth of the keys on average, and the ports decide where the keys are.
    expect(Math.min(...hits)).toBeGreaterThan(count / 100);
  });

  test('for a key whose hash is zero in the standard strategy', async () => {
    let n = 0;
    while (((crc32(`key${n}`) >>> 16) & 0x7fff) !== 0) n++;
    const site: ManySessionsSite = { writer: 'Memcache', ini: standard };
    expect(writeSessions(site, [`key${n}`], servers)).toBe('done');
    expect(await readAll('distribution=memcache_standard', [`key${n}`])).toMatchObject({ right: 1 });
  });
});

test('chooses the same server as libmemcached for names, IPv6 addresses, default ports and uneven weights', () => {
  const server = fc.record({
    host: fc.constantFrom('cache', 'cache-2.example', '10.0.0.1', '10.0.0.2', '::1', '2001:db8::7'),
    port: fc.constantFrom(11_211, 11_212, 21_211),
    weight: fc.integer({ min: 1, max: 130 }),
  });
  const lists = fc.sample(fc.array(server, { minLength: 2, maxLength: 6 }), {
    numRuns: 20,
    seed: 7,
  });
  const keys = newIds(100);
  const code = `['lists' => $lists, 'keys' => $keys] = json_decode($argv[1], true);
    foreach ($lists as $list) {
      foreach ([[], ['DISTRIBUTION' => Memcached::DISTRIBUTION_CONSISTENT], ['LIBKETAMA_COMPATIBLE' => 1]] as $options) {
        $memcached = new Memcached();
        foreach ($options as $name => $value) $memcached->setOption(constant("Memcached::OPT_$name"), $value);
        $memcached->addServers(array_map('array_values', $list));
        $all[] = array_map(function ($key) use ($memcached) {
          $server = $memcached->getServerByKey($key);
          return "$server[host] $server[port]"; }, $keys);
      } }
    echo json_encode($all);`;
  const asPhpHasIt = lists.map((list) =>
    list.map(({ host, ...rest }) => ({ host: host.includes(':') ? `[${host}]` : host, ...rest })),
  );
  const argument = JSON.stringify({ lists: asPhpHasIt, keys });
  const chosen = JSON.parse(execFileSync('php', ['-r', code, argument], { encoding: 'utf8' })) as string[][];
  const named = ['modula', 'ketama', 'ketama_weighted'] as const;
  for (const [n, list] of lists.entries()) {
    for (const [m, distribution] of named.entries()) {
      const choose = distributions[distribution](list);
      const ours = keys.map((key) => asPhpHasIt[n]?.[choose(key)]).map((one) => `${one?.host} ${one?.port}`);
      expect(ours, `${distribution} ${JSON.stringify(list)}`).toEqual(chosen[3 * n + m]);
    }
  }
});

describe('if one of three servers', () => {
  let mortal: Memcached;
  let on: Memcached[];
  beforeEach(async () => {
    mortal = await startMemcached();
    onTestFinished(async () => void (await mortal.stop('SIGKILL')));
    on = [mortal, ...servers.slice(1)];
  });

  function store(options: string, timeout = 5000): SessionStore {
    const opened = openStore(`${options}&timeout=${timeout}ms`, on);
    onTestFinished(() => opened.close());
    return opened;
  }

  /** The outcome of each read, in the order in which they settle. */
  async function outcomes(sessions: SessionStore, ids: readonly string[]): Promise<string[]> {
    const settled: string[] = [];
    const settle = (id: string) =>
      sessions.get(id).then(
        (bytes) => settled.push(bytes === null ? 'missing' : 'found'),
        (error) => settled.push(error instanceof StoreError ? 'unavailable' : String(error)),
      );
    await Promise.all(ids.map(settle));
    return settled;
  }

  /** The IDs on the mortal server, and the others. */
  async function parted(ids: readonly string[], prefix: string) {
    const answer = await mortal.ask(`get ${ids.map((id) => prefix + id).join(' ')}\r\n`, /END\r\n$/);
    const keys = new Set([...answer.matchAll(/^VALUE (\S+)/gm)].map(([, key]) => key));
    const there = ids.filter((id) => keys.has(prefix + id));
    expect(there.length).toBeGreaterThan(5);
    return { there, elsewhere: ids.filter((id) => !keys.has(prefix + id)) };
  }

  test('is down, only its sessions are unavailable, as in PHP', async () => {
    const ids = newIds(120);
    expect(writeSessions({ writer: 'memcached' }, ids, on)).toBe('done');
    const { there, elsewhere } = await parted(ids, 'memc.sess.key.');
    const sessions = store('handler=memcached');
    await Promise.all(ids.map((id) => sessions.get(id)));
    await mortal.stop('SIGKILL');
    expect(writeSessions({ writer: 'memcached' }, there.slice(0, 1), on)).toMatch(/cannot be started/);
    const fresh = store('handler=memcached');
    for (const reading of [sessions, fresh]) {
      expect(new Set(await outcomes(reading, there))).toEqual(new Set(['unavailable']));
      expect(new Set(await outcomes(reading, elsewhere))).toEqual(new Set(['found']));
    }
    // Not `sessions`, which may still report its closed connection for a moment.
    await expect(fresh.get(there[0] as string)).rejects.toThrow(
      `memcached at 127.0.0.1:${mortal.port} cannot be reached (ECONNREFUSED)`,
    );
  });

  test('does not respond, the sessions on the others are read before its own fail', async () => {
    const ids = newIds(120);
    expect(writeSessions({ writer: 'memcached' }, ids, on)).toBe('done');
    const { there, elsewhere } = await parted(ids, 'memc.sess.key.');
    const sessions = store('handler=memcached', 1000);
    mortal.signal('SIGSTOP');
    expect(await outcomes(sessions, ids)).toEqual([
      ...elsewhere.map(() => 'found'),
      ...there.map(() => 'unavailable'),
    ]);
    mortal.signal('SIGCONT');
    await expect.poll(() => outcomes(sessions, there.slice(0, 1))).toEqual(['found']);
  });
});
