import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { expect, test } from 'vitest';
import type { FormatName } from '../../../server/session/formats/formats.ts';
import { parseStoreUrl } from '../../../server/session/store-url.ts';
import { type StoreSite, sessionStoreContract } from '../../contracts/session-store.ts';
import { startGate } from '../../helpers/gate.ts';
import { startMemcached } from '../../helpers/memcached.ts';
import { phpRequest } from '../../helpers/php-request.ts';

const native: FormatName[] = ['php', 'php_binary', 'php_serialize', 'igbinary', 'msgpack'];
const ownHandler = new URL('../../fixtures/own-handler.php', import.meta.url).pathname;
/** More than either extension leaves as it is. */
const large = '$_SESSION["pad"] = str_repeat("some words, and some more; ", 1000);';

/** A site behind a gate. `request` is handed memcached's own port, since the gate is for who reads. */
async function site(
  options: string,
  request: (port: number, ...how: Parameters<StoreSite['request']>) => string,
  keys: (id: string) => string[],
): Promise<StoreSite> {
  const memcached = await startMemcached();
  const gate = await startGate(memcached.port);
  return {
    ...gate,
    url: (format) => `memcached://127.0.0.1:${gate.port}?${options}&format=${format}`,
    request: (...how) => request(memcached.port, ...how),
    traces: (id) => memcached.traces(...keys(id)),
    // By the same command a life of 0 seconds is one without an end.
    live: (id, seconds) => memcached.ask(`touch ${keys(id)[0]} ${seconds}\r\n`, /TOUCHED\r\n$/),
    liveForEver: (id) => memcached.ask(`touch ${keys(id)[0]} 0\r\n`, /TOUCHED\r\n$/),
    async close() {
      await gate.close();
      await memcached.stop('SIGKILL');
    },
  };
}

sessionStoreContract('ext-memcached’s own handler', native, () =>
  site(
    'handler=memcached',
    (port, format, code, id) =>
      phpRequest(
        {
          'session.save_handler': 'memcached',
          'session.save_path': `127.0.0.1:${port}`,
          'session.serialize_handler': format,
        },
        code,
        id,
      ),
    (id) => [`memc.sess.key.${id}`, `memc.sess.key.lock.${id}`],
  ),
);

sessionStoreContract('ext-memcache’s own handler, with sessions that it packs', native, () =>
  site(
    'handler=memcache',
    (port, format, code, id) =>
      phpRequest(
        {
          'session.save_handler': 'memcache',
          'session.save_path': `tcp://127.0.0.1:${port}`,
          'session.serialize_handler': format,
        },
        `${large} ${code}`,
        id,
      ),
    (id) => [id, `${id}.lock`],
  ),
);

sessionStoreContract('a Memcached object that packs', [...native, 'json'], () =>
  site(
    'prefix=sessions/',
    (port, format, code, id) =>
      phpRequest(
        {
          'session.serialize_handler': format === 'json' ? 'php_serialize' : format,
          'memcached.compression_type': format.startsWith('php') ? 'fastlz' : 'zlib',
        },
        `${large} ${code}`,
        id,
        `require '${ownHandler}'; $cache = new Memcached(); $cache->addServer('127.0.0.1', ${port});
         session_set_save_handler(new OwnHandler($cache, 'sessions/', ${format === 'json'}));`,
      ),
    (id) => [`sessions/${id}`],
  ),
);

test.each([
  ['memcached', '', (id: string) => [`memc.sess.key.${id}`, `memc.sess.key.lock.${id}`]],
  ['memcache', 'tcp://', (id: string) => [id, `${id}.lock`]],
])(
  'while PHP holds the lock of a session with its %s handler, it is read at once, a thousand times, and nothing is changed',
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
    const sessions = parseStoreUrl(`memcached://127.0.0.1:${memcached.port}?handler=${handler}`).open();
    try {
      await once(holding.stdout, 'data');
      const traces = () => Promise.all(keysOf(id).map((key) => memcached.traces(key)));
      const before = await traces();
      expect(before[1]?.held).toEqual([expect.stringMatching(/^VA 1 .*\r\n1\r\n/)]);
      expect(String(await sessions.get(id))).toBe('user_id|i:7;');
      await Promise.all(Array.from({ length: 999 }, () => sessions.get(id)));
      const after = await traces();
      expect(after.map(({ held }) => held)).toEqual(before.map(({ held }) => held));
      // Clocks of whole seconds.
      for (const [n, { expires }] of after.entries())
        expect(Math.abs(expires - (before[n]?.expires ?? 0))).toBeLessThanOrEqual(1.1);
    } finally {
      holding.stdin.end('\n');
      await once(holding, 'close');
      sessions.close();
      await memcached.stop('SIGKILL');
    }
  },
);
