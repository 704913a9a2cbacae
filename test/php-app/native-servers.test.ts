import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import type { PhpApp } from '../helpers/php-app.ts';
import { cutAt } from './cut-at.ts';
import { expectUnavailable, raw } from './http.ts';
import { memcachedUrl, native, site, startOwnMemcached } from './native.ts';
import { idOf, loggedInAs } from './visitor.ts';

let memcached: Memcached;

beforeAll(async () => {
  memcached = await startMemcached();
});
afterAll(() => memcached?.stop());

test('ext-memcache: returns 503 if memcached does not respond to a read', async () => {
  const cut = await site(memcachedUrl('memcache', await cutAt(/^get /, memcached.port)));
  expectUnavailable(await raw(cut.url, { headers: { cookie: `PHPSESSID=${'d'.repeat(26)}` } }));
});

describe('one of two memcached servers stops', () => {
  /** Logs Alice in until her session is stored on `server`. */
  async function loginOn(server: Memcached, app: PhpApp): Promise<string> {
    for (;;) {
      const cookie = await app.login('alice');
      const { held } = await server.traces(`memc.sess.key.${idOf(cookie)}`);
      if (held[0]?.startsWith('VA')) return cookie;
    }
  }

  test('ext-memcached: returns 503 for sessions on the stopped server until it is back', async () => {
    const [first, second] = await Promise.all([startOwnMemcached(), startOwnMemcached()]);
    const app = await site(memcachedUrl('memcached', first.port, second.port));
    const lostCookie = await loginOn(first, app);
    await first.stop('SIGKILL');
    expectUnavailable(await raw(app.url, { headers: { cookie: lostCookie } }));

    // A new ID may belong to the other server. Its lock is placed separately, so some logins fail.
    const login = () => app.login('bob').catch(() => '');
    let keptCookie = '';
    await expect.poll(async () => (keptCookie = await login()), { interval: 1 }).not.toBe('');
    expect(await loggedInAs(app, keptCookie)).toBe('Bob');
    await second.delete(`memc.sess.key.${idOf(keptCookie)}`);
    const openHome = () => raw(app.url, { headers: { cookie: keptCookie } });
    await expect
      .poll(async () => (await openHome()).headers['set-cookie']?.[0], { interval: 1 })
      .toMatch(/^PHPSESSID=/);

    const empty = await startMemcached(first.port);
    onTestFinished(async () => {
      await empty.stop();
    });
    const after = await raw(app.url, { headers: { cookie: lostCookie } });
    expect(after.status).toBe(200);
    expect(after.headers['set-cookie']?.[0]).toMatch(/^PHPSESSID=/);
  });
});

test.each([
  'handler=memcached&distribution=ketama_weighted&weight=2,5',
  'handler=memcache&redundancy=1&distribution=memcache_standard_fnv&weight=2,5',
])('replaces none of sixty sessions with a new one while one server is down: %s', async (options) => {
  const gone = await startOwnMemcached();
  const url = `memcached://127.0.0.1:${gone.port},127.0.0.1:${memcached.port}?${options}&timeout=5000ms`;
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
