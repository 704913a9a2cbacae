import { chmodSync, chownSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import type { PhpApp } from '../helpers/php-app.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';
import { cutAt } from './cut-at.ts';
import { expectEveryPageUnavailable, expectUnavailable, raw } from './http.ts';
import { memcachedUrl, native, site, startOwnMemcached } from './native.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { idOf, loggedInAs, openForm } from './visitor.ts';

const password = 'p@ss)w(rd:/?#%';
let memcached: Memcached;
let redis: Redis;

beforeAll(async () => {
  [memcached, redis] = await Promise.all([startMemcached(), startRedis(['--requirepass', password])]);
});
afterAll(() => Promise.all([memcached?.stop(), redis?.remove()]));

const redisUrl = (port: number) =>
  `redis://:${encodeURIComponent(password)}@127.0.0.1:${port}?timeout=1000ms`;
describe('while the store is down', () => {
  async function expectNothingLost(app: PhpApp, begin: () => unknown, end?: () => unknown): Promise<void> {
    const cookie = await app.login('alice');
    const { csrf } = await openForm(app, cookie);
    await begin();
    await expectEveryPageUnavailable(app.url, cookie, csrf);
    expect(app.output()).toMatch(
      /Session store unavailable: (memcached|memcache|redis|files): session_\w+: /,
    );
    for (const secret of ['sess_', idOf(cookie), 'p@ss', encodeURIComponent('p@ss')])
      expect(app.output()).not.toContain(secret);
    if (end === undefined) return;
    await end();
    expect(await loggedInAs(app, cookie)).toBe('Alice');
  }

  test('ext-memcached: returns 503 for every page and keeps the cookie', async () => {
    const ownMemcached = await startOwnMemcached();
    await expectNothingLost(await site(memcachedUrl('memcached', ownMemcached.port)), () =>
      ownMemcached.stop('SIGKILL'),
    );
  });
});

/** Matches a command of memcached’s binary protocol for a session, but not for its lock. */
const binary = (opcode: number) => new RegExp(`^\\x80${String.fromCharCode(opcode)}.*key\\.(?!lock)`, 's');
const deleting = binary(4);

type Failure = [handler: string, what: string, command: RegExp, path: string];
test.each<Failure>([
  ['memcached', 'the logout', deleting, '/logout'],
  ['memcache', 'the logout', /^delete /, '/logout'],
  ['redis', 'one check of the ID', /EXISTS/, '/'],
])('%s: returns 503 without a cookie if %s fails', async (handler, _, command, path) => {
  const [target, url] =
    handler === 'redis'
      ? [redis.port, redisUrl]
      : [memcached.port, (port: number) => memcachedUrl(handler, port)];
  const app = await site(url(target));
  const cookie = await app.login('alice');
  const { csrf } = await openForm(app, cookie);
  // ext-memcache sends a command twice.
  const cut = await site(url(await cutAt(command, target, handler === 'memcache' ? 2 : 1)));
  const body = `username=bob&password=bob&csrf=${csrf}`;
  expectUnavailable(
    await raw(cut.url, { path, headers: { cookie }, ...(path === '/' ? {} : { method: 'POST', body }) }),
  );
  if (path === '/') expect(await loggedInAs(cut, cookie)).toBe('Alice');
});

describe('is unavailable if another request locks the session too long', () => {
  test('with ext-memcached’s handler', async () => {
    const app = await site(memcachedUrl('memcached', memcached.port));
    const cookie = await app.login('alice');
    await memcached.set(`memc.sess.key.lock.${idOf(cookie)}`, '1');
    expectUnavailable(await raw(app.url, { headers: { cookie } }));
    await memcached.delete(`memc.sess.key.lock.${idOf(cookie)}`);
    expect(await loggedInAs(app, cookie)).toBe('Alice');
  });

  test('with phpredis’s handler', async () => {
    const code = `
      $session->start();
      $_SESSION['user_id'] = 7;
      $session->close();
      $redis = new Redis();
      $redis->connect('127.0.0.1', ${redis.port});
      $redis->auth('${password}');
      $redis->set('PHPREDIS_SESSION:' . session_id() . '_LOCK', 'somebody');
      try {
          $session->start();
      } catch (PhpSessionChat\\Session\\SessionUnavailable $error) {
          echo $error->getMessage(), ' ', session_status() === PHP_SESSION_NONE ? 'closed' : 'open';
      }`;
    const settings = { 'redis.session.locking_enabled': '1', 'redis.session.lock_wait_time': '2000' };
    expect(native(redisUrl(redis.port), code, settings)).toMatch(
      /^redis: session_start: (?:Acquire of session lock was not successful|Failed to acquire session lock) closed$/,
    );
  });
});

test('phpredis: fails if Redis responds with errors, instead of starting a new session', async () => {
  const own = await startRedis(['--rename-command', 'EXISTS', '']);
  onTestFinished(() => own.remove());
  const id = 'abcdefghijklmnopqrstuvwxyz';
  await own.ask('LPUSH', `PHPREDIS_SESSION:${id}`, 'not a string');
  const code = `
    $_COOKIE['PHPSESSID'] = '${id}';
    try {
        $session->start();
        echo 'a new session';
    } catch (PhpSessionChat\\Session\\SessionUnavailable $error) {
        echo $error->getMessage();
    }`;
  const noSuchDatabase = 99;
  for (const database of [0, noSuchDatabase])
    expect(native(`redis://127.0.0.1:${own.port}/${database}`, code)).toMatch(
      /^redis: (?:get: Redis reports an error|session_start: (?:Error communicating with Redis server|Redis connection not available))$/,
    );
});

test('does not collect garbage in an unlistable session folder', () => {
  const folder = temporaryFolder();
  if (process.getuid?.() === 0) chownSync(folder, 65_534, 65_534);
  chmodSync(folder, 0o300);
  onTestFinished(() => chmodSync(folder, 0o700));
  const code = `
    if (posix_getuid() === 0) {
        posix_setuid(65534);
    }
    echo @opendir('${folder}') === false ? 'hidden ' : '';
    ob_start();
    $session->start(['gc_probability' => 1, 'gc_divisor' => 1]);
    $session->close();
    ob_end_flush();
    echo 'written';`;
  expect(native(`file://${folder}`, `ob_start(); ${code}`)).toBe('hidden written');
});

test('rejects invalid URLs with a reason, and selects the handler for valid ones', () => {
  const urls = {
    'memcached://?handler=memcached': 'memcached: needs servers as',
    'memcached://user:secret@h?handler=memcache': 'memcached: must not have a user here',
    'memcached://h/secret?handler=memcached': 'memcached: needs servers as',
    'memcached://h?handler=secret': 'handler= must be one of memcached, memcache',
    'memcached://h:70000?handler=memcached': 'hosts must be HOST:PORT',
    'memcached://h?handler=memcached&weight=1,2': 'weight= must be one number for all servers',
    'memcached://h?handler=memcached&distribution=memcache': 'distribution= must be one of modula, ketama',
    'memcached://h?handler=memcached&retry_interval=15': 'retry_interval= is not an option',
    'memcached://h?handler=memcached&timeout=secret': 'timeout= must be 10ms to 9999ms, or seconds',
    'memcached://h?handler=memcache&retry_interval=0': 'retry_interval= must be 1 to 9999',
    'memcached://h?handler=memcache&prefix=secret': 'session_prefix_static_key',
    'memcached://h?handler=memcache&format=secret': 'format= must be one of php, php_binary',
    'redis://': 'needs a host',
    'rediss:///run/redis.sock': 'needs a host',
    'redis://a,b': 'one Redis',
    'redis://:secret@h/secret': 'must be a number',
    'file://host/folder': 'three slashes',
    'file:///folder;/etc': 'without ;',
    'file:///folder?lifetime=0': 'lifetime= must be a number of seconds',
    'sessions in memcached': 'not a URL',
    'memcached://h?prefix=sessions/': 'ours',
    'memcached://h?handler=memcached&format=json': 'ours',
    'redis://h?lock=10': 'ours',
    'redis://[::1]': 'ours',
    'rediss://h?ca=/etc/ca.pem': 'ours',
    'file:///folder?layers=decrypt:/etc/keys': 'ours',
    'file:///folder?prefix=app_': 'ours',
    'mysql://u@h/d?table=t&id=i&data=d&expires=e': 'ours',
    'redis://h?prefix=siam_': 'native',
    'rediss://h': 'native',
    'file:///folder?owner=33&timeout=250ms&prefix=sess_': 'native',
  };
  const code = `
    foreach (json_decode($argv[2]) as $url) {
        try {
            $handler = PhpSessionChat\\Session\\NativeHandler::fromUrl($url);
            $results[] = $handler === null ? 'ours' : 'native';
        } catch (PhpSessionChat\\Session\\InvalidSettings $error) {
            $results[] = $error->getMessage();
        }
    }
    echo json_encode($results);`;
  const results = JSON.parse(
    native('file:///folder', code, {}, JSON.stringify(Object.keys(urls))),
  ) as string[];
  expect(results).toEqual(Object.values(urls).map((reason) => expect.stringContaining(reason)));
  expect(results.join()).not.toContain('secret');
});
