import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import type { PhpApp } from '../helpers/php-app.ts';
import { cutAt } from './cut-at.ts';
import { expectUnavailable, raw } from './http.ts';
import { another, memcachedUrl, native, site } from './native.ts';
import { idOf, loggedInAs } from './visitor.ts';

let memcached: Memcached;

beforeAll(async () => {
  memcached = await startMemcached();
});
afterAll(() => memcached?.stop());

test('ext-memcache: nothing is believed of a session as long as nobody can say that there is none', async () => {
  const cut = await site(memcachedUrl('memcache', await cutAt(/^get /, memcached.port)));
  expectUnavailable(await raw(cut.url, { headers: { cookie: `PHPSESSID=${'d'.repeat(26)}` } }));
});

describe('one of two memcacheds stops', () => {
  /** A user whose session is on that server. */
  async function somebodyOn(one: Memcached, app: PhpApp): Promise<string> {
    for (;;) {
      const cookie = await app.login('alice');
      const { held } = await one.traces(`memc.sess.key.${idOf(cookie)}`);
      if (held[0]?.startsWith('VA')) return cookie;
    }
  }

  test('ext-memcached: 503 for those whose sessions are there, until it is back or out of the list', async () => {
    const [first, second] = await Promise.all([another(), another()]);
    const app = await site(memcachedUrl('memcached', first.port, second.port));
    const there = await somebodyOn(first, app);
    await first.stop('SIGKILL');
    expectUnavailable(await raw(app.url, { headers: { cookie: there } }));

    // Some new IDs belong to the other server, and so do their locks, which are placed separately.
    const login = () => app.login('bob').catch(() => '');
    let here = '';
    await expect.poll(async () => (here = await login()), { interval: 1 }).not.toBe('');
    expect(await loggedInAs(app, here)).toBe('Bob');
    await second.delete(`memc.sess.key.${idOf(here)}`);
    const over = () => raw(app.url, { headers: { cookie: here } });
    await expect
      .poll(async () => (await over()).headers['set-cookie']?.[0], { interval: 1 })
      .toMatch(/^PHPSESSID=/);

    const empty = await startMemcached(first.port);
    onTestFinished(async () => {
      await empty.stop();
    });
    const after = await raw(app.url, { headers: { cookie: there } });
    expect(after.status).toBe(200);
    expect(after.headers['set-cookie']?.[0]).toMatch(/^PHPSESSID=/);
  });
});

test.each([
  'handler=memcached&distribution=ketama_weighted&weight=2,5',
  'handler=memcache&redundancy=1&distribution=memcache_standard_fnv&weight=2,5',
])('while one server is gone, none of sixty sessions is taken for a new one: %s', async (options) => {
  const gone = await another();
  const url = `memcached://127.0.0.1:${gone.port},127.0.0.1:${memcached.port}?${options}&timeout=200ms`;
  const code = `
    ob_start();
    for ($n = 0; $n < 60; $n++) {
        unset($_COOKIE['PHPSESSID']);
        session_id('');
        $session->start();
        $_SESSION = ['user_id' => 7];
        $ids[] = session_id();
        $session->close();
    }
    posix_kill((int) $argv[2], SIGKILL);
    while (@stream_socket_client($argv[3])) {
        usleep(1000);
    }
    foreach ($ids as $id) {
        $_COOKIE['PHPSESSID'] = $id;
        session_id($id);
        try {
            $session->start();
            $found[] = session_id() === $id && $_SESSION === ['user_id' => 7] ? 'found' : 'new';
            $session->close();
        } catch (PhpSessionChat\\Session\\SessionUnavailable) {
            $found[] = 'unavailable';
        }
    }
    ob_end_clean();
    echo json_encode(array_count_values($found));`;
  const counts = native(url, code, {}, String(gone.pid), `tcp://127.0.0.1:${gone.port}`);
  const { found, unavailable } = JSON.parse(counts) as Record<string, number>;
  expect(counts).not.toContain('new');
  expect(found).toBeGreaterThan(0);
  expect((found ?? 0) + (unavailable ?? 0)).toBe(60);
  expect(unavailable).toBeGreaterThan(0);
});
