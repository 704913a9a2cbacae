import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { startGate } from '../../../test/helpers/gate.ts';
import { startMemcached } from '../../../test/helpers/memcached.ts';
import { type PhpSettings, phpRequest, phpSite } from '../../../test/helpers/php-request.ts';
import { storeAt, text } from '../../../test/helpers/session-stores.ts';
import { type StoreSite, sessionStoreContract } from './contracts/session-store.ts';

const has = ['silence', 'keepForever'] as const;
const ownHandler = fileURLToPath(new URL('../../../test/fixtures/own-handler.php', import.meta.url));
/** More than either extension leaves uncompressed. */
const large = '$_SESSION["pad"] = str_repeat("some words, and some more; ", 1000);';

/** A site whose store is behind a gate. PHP connects to memcached directly. */
async function siteOf(
  options: string,
  how: (port: number) => [settings: PhpSettings, before?: string],
  keys: (id: string) => string[],
  before = '',
): Promise<StoreSite> {
  const memcached = await startMemcached();
  const gate = await startGate(memcached.port);
  const site = phpSite(...how(memcached.port));
  return {
    ...gate,
    url: `memcached://127.0.0.1:${gate.port}?${options}`,
    request: (code, id) => site.request(before + code, id),
    traces: (id) => memcached.traces(...keys(id)),
    // With the same command, a TTL of 0 seconds means no expiry.
    expireIn: (id, seconds) => memcached.ask(`touch ${keys(id)[0]} ${seconds}\r\n`, /TOUCHED\r\n$/),
    keepForever: (id) => memcached.ask(`touch ${keys(id)[0]} 0\r\n`, /TOUCHED\r\n$/),
    async close() {
      site.end();
      await gate.close();
      await memcached.stop('SIGKILL');
    },
  };
}

const savedBy =
  (handler: string, scheme: string) =>
  (port: number): [PhpSettings] => [
    { 'session.save_handler': handler, 'session.save_path': `${scheme}127.0.0.1:${port}` },
  ];

// A key has at most 250 characters, and the lock's key is longer than the session's.
sessionStoreContract('ext-memcached’s own handler', { ids: /^.{1,231}$/, has, proves: ['TTL'] }, () =>
  siteOf('handler=memcached', savedBy('memcached', ''), (id) => [
    `memc.sess.key.${id}`,
    `memc.sess.key.lock.${id}`,
  ]),
);

sessionStoreContract(
  'ext-memcache’s own handler with compressed sessions',
  { ids: /^.{1,245}$/, has, proves: [] },
  () => siteOf('handler=memcache', savedBy('memcache', 'tcp://'), (id) => [id, `${id}.lock`], large),
);

sessionStoreContract(
  'a site’s own handler with a compressing Memcached object',
  { ids: /^.{1,241}$/, has, proves: [] },
  () =>
    siteOf(
      'prefix=sessions/&format=php',
      (port) => [
        { 'memcached.compression_type': 'fastlz' },
        `require '${ownHandler}'; $cache = new Memcached(); $cache->addServer('127.0.0.1', ${port});
       session_set_save_handler(new OwnHandler($cache, 'sessions/'));`,
      ],
      (id) => [`sessions/${id}`],
      large,
    ),
);

test.each([
  ['memcached', '', (id: string) => [`memc.sess.key.${id}`, `memc.sess.key.lock.${id}`]],
  ['memcache', 'tcp://', (id: string) => [id, `${id}.lock`]],
])(
  'reads a session that PHP’s %s handler has locked, without changing the session or the lock',
  async (handler, scheme, keysOf) => {
    const memcached = await startMemcached();
    const settings = {
      'session.save_handler': handler,
      'session.save_path': `${scheme}127.0.0.1:${memcached.port}`,
      'session.use_cookies': '0',
    };
    const id = phpRequest(settings, '$_SESSION["user_id"] = 7');
    const options = Object.entries(settings).flatMap(([name, value]) => ['-d', `${name}=${value}`]);
    const holding = spawn('php', [
      ...options,
      '-r',
      `session_id('${id}'); session_start() || exit(1); echo 'locked'; fgets(STDIN);`,
    ]);
    const sessions = storeAt(`memcached://127.0.0.1:${memcached.port}?handler=${handler}`);
    try {
      await once(holding.stdout, 'data');
      const traces = () => Promise.all(keysOf(id).map((key) => memcached.traces(key)));
      const before = await traces();
      expect(before[1]?.held).toEqual([expect.stringMatching(/^VA 1 .*\r\n1\r\n/)]);
      const reads = Array.from({ length: 100 }, () => text(sessions.get(id)));
      expect(new Set(await Promise.all(reads))).toEqual(new Set(['user_id|i:7;']));
      const after = await traces();
      expect(after.map(({ held }) => held)).toEqual(before.map(({ held }) => held));
      // The expiry is computed on this side, and both clocks count whole seconds.
      for (const [n, { expires }] of after.entries())
        expect(Math.abs(expires - (before[n]?.expires ?? 0))).toBeLessThan(60);
    } finally {
      holding.stdin.end('\n');
      await once(holding, 'close');
      await memcached.stop('SIGKILL');
    }
  },
);
