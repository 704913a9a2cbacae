import { execFileSync } from 'node:child_process';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parseStoreUrl } from '../../../server/session/store-url.ts';
import { distributions } from '../../../server/session/stores/memcached/servers.ts';
import {
  askedOf,
  type ManySessionsSite,
  newIds,
  openStore,
  writeSessions,
} from '../../helpers/many-sessions.ts';
import { type Memcached, startMemcached } from '../../helpers/memcached.ts';

let servers: Memcached[];
const closing: (() => unknown)[] = [];
beforeAll(async () => {
  servers = await Promise.all([startMemcached(), startMemcached(), startMemcached()]);
});
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});
afterAll(() => Promise.all(servers.map((server) => server.stop('SIGKILL'))));

/** Reads all and says how often each server was asked meanwhile. */
async function readAll(options: string, ids: readonly string[], on = servers) {
  const before = await Promise.all(on.map(askedOf));
  const sessions = openStore(`${options}&timeout=5000ms`, on);
  closing.push(() => sessions.close());
  const found = await Promise.all(ids.map((id) => sessions.get(id)));
  const after = await Promise.all(on.map(askedOf));
  return {
    right: found.filter((bytes, n) => String(bytes) === `n|i:${n};`).length,
    hits: after.map(({ hits }, n) => hits - (before[n]?.hits ?? 0)),
    misses: after.map(({ misses }, n) => misses - (before[n]?.misses ?? 0)),
  };
}

const sum = (numbers: number[]) => numbers.reduce((one, other) => one + other, 0);

describe('of three servers, the one that PHP has chosen is asked, and no other', () => {
  const weights = [3, 1, 2];
  const once = { 'memcache.session_redundancy': 1 };
  const fnv = { 'memcache.hash_function': 'fnv' };
  const standard = { 'memcache.hash_strategy': 'standard' };
  const consistent = { OPT_DISTRIBUTION: 'DISTRIBUTION_CONSISTENT' };

  test.each<[options: string, site: ManySessionsSite]>([
    ['handler=memcached', { writer: 'memcached' }],
    ['handler=memcached&weight=3,1,2', { writer: 'memcached', weights }],
    [
      'handler=memcached&distribution=modula&weight=3,1,2',
      { writer: 'memcached', weights, ini: { 'memcached.sess_consistent_hash': 0 } },
    ],
    [
      'handler=memcached&distribution=ketama_weighted&weight=3,1,2',
      { writer: 'memcached', weights, ini: { 'memcached.sess_consistent_hash_type': 'ketama_weighted' } },
    ],
    [
      'handler=memcached&distribution=ketama_weighted&prefix=app.',
      {
        writer: 'memcached',
        ini: { 'memcached.sess_consistent_hash_type': 'ketama_weighted', 'memcached.sess_prefix': 'app.' },
      },
    ],
    ['handler=memcache', { writer: 'memcache' }],
    ['handler=memcache&redundancy=1&weight=3,1,2', { writer: 'memcache', weights, ini: once }],
    [
      'handler=memcache&redundancy=3&distribution=memcache_fnv&weight=3,1,2',
      { writer: 'memcache', weights, ini: { ...fnv, 'memcache.session_redundancy': 3 } },
    ],
    [
      'handler=memcache&redundancy=1&distribution=memcache_standard&weight=3,1,2',
      { writer: 'memcache', weights, ini: { ...once, ...standard } },
    ],
    [
      'handler=memcache&redundancy=1&distribution=memcache_standard_fnv&weight=3,1,2',
      { writer: 'memcache', weights, ini: { ...once, ...standard, ...fnv } },
    ],
    [
      'handler=memcache&redundancy=1&prefix=app',
      { writer: 'memcache', ini: { ...once, 'memcache.session_prefix_static_key': 'app' } },
    ],
    ['prefix=sessions/', { writer: 'Memcached', prefix: 'sessions/' }],
    ['distribution=ketama', { writer: 'Memcached', options: consistent }],
    ['distribution=ketama&weight=3,1,2', { writer: 'Memcached', weights, options: consistent }],
    [
      'distribution=ketama_weighted&weight=3,1,2&prefix=s/',
      { writer: 'Memcached', weights, options: { OPT_LIBKETAMA_COMPATIBLE: true }, prefix: 's/' },
    ],
    [
      'handler=memcached&distribution=modula&prefix=app_',
      { writer: 'Memcached', options: { OPT_PREFIX_KEY: 'app_' } },
    ],
    [
      'distribution=memcache&weight=3,1,2&prefix=sessions/',
      { writer: 'Memcache', weights, prefix: 'sessions/' },
    ],
    ['distribution=memcache_fnv&weight=3,1,2', { writer: 'Memcache', weights, ini: fnv }],
    ['distribution=memcache_standard&weight=3,1,2', { writer: 'Memcache', weights, ini: standard }],
    [
      'distribution=memcache_standard_fnv&weight=2',
      { writer: 'Memcache', weights: [2, 2, 2], ini: { ...standard, ...fnv } },
    ],
  ])('%s', async (options, site) => {
    const ids = newIds(1000);
    expect(writeSessions(site, ids, servers)).toBe('done');
    const { right, hits, misses } = await readAll(options, ids);
    expect(right).toBe(1000);
    expect(sum(hits)).toBe(1000);
    expect(sum(misses)).toBe(0);
    expect(Math.min(...hits)).toBeGreaterThan(50);
  });

  test('a key of which the standard strategy uses nothing but zeros', async () => {
    let n = 0;
    while (((crc32(`key${n}`) >>> 16) & 0x7fff) !== 0) n++;
    const site: ManySessionsSite = { writer: 'Memcache', ini: standard };
    expect(writeSessions(site, [`key${n}`], servers)).toBe('done');
    expect(await readAll('distribution=memcache_standard', [`key${n}`])).toMatchObject({ right: 1 });
  });

  test('memcached’s own port is no part of the name that ketama gives a server', async () => {
    // An address of this run's own, since there is only one such port on each.
    const own = await startMemcached(11_211, [], `127.${process.pid & 0x7f}.${(process.pid >> 7) & 0xff}.5`);
    closing.push(() => own.stop());
    const on = [...servers.slice(0, 2), own];
    for (const type of ['ketama', 'ketama_weighted']) {
      const ids = newIds(1000);
      expect(
        writeSessions({ writer: 'memcached', ini: { 'memcached.sess_consistent_hash_type': type } }, ids, on),
      ).toBe('done');
      const { right, misses } = await readAll(`handler=memcached&distribution=${type}`, ids, on);
      expect([right, sum(misses)]).toEqual([1000, 0]);
    }
  });
});

test('names, IPv6 addresses, memcached’s own port and uneven weights, as libmemcached places them', () => {
  const server = fc.record({
    host: fc.constantFrom('cache', 'cache-2.example', '10.0.0.1', '10.0.0.2', '::1', '2001:db8::7'),
    port: fc.constantFrom(11_211, 11_212, 21_211),
    weight: fc.integer({ min: 1, max: 130 }),
  });
  const lists = fc.sample(fc.array(server, { minLength: 2, maxLength: 6 }), { numRuns: 60, seed: 7 });
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

test.each([
  ['h?handler=redis', /handler= is memcached or memcache/],
  ['h?handler=memcached&distribution=memcache', /one of ketama, modula, ketama_weighted/],
  ['h?handler=memcache&distribution=ketama', /one of memcache, memcache_fnv/],
  ['h?distribution=random', /distribution= is here one of modula, ketama/],
  ['a,b,c?weight=1,2', /weight= is one number for all servers, or one for each/],
  ['a,b?weight=0,1', /weight= is numbers from 1/],
  ['a,b?weight=', /weight= is numbers from 1/],
  ['a,b?redundancy=2', /redundancy= is not an option/],
  ['a,b?handler=memcache&redundancy=0', /redundancy= is 1 to 9/],
  ['a,b?handler=memcache&past_misses=yes', /past_misses= is 0 or 1/],
  ['a,b?handler=memcached&past_misses=1', /past_misses= is not an option/],
])('a store URL that is refused: memcached://%s', (url, reason) => {
  expect(() => parseStoreUrl(`memcached://${url}`)).toThrow(reason);
});
