import { statSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { type PhpApp, post, startPhpApp } from '../helpers/php-app.ts';
import { cutAt } from './cut-at.ts';
import { expectEveryPageUnavailable, expectUnavailable, raw } from './http.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { idOf, loggedInAs, openForm } from './visitor.ts';

let memcached: Memcached;
let app: PhpApp;

beforeAll(async () => {
  memcached = await startMemcached();
  app = await startPhpApp({ memcachedPort: memcached.port });
});
afterAll(async () => {
  await app?.stop();
  await memcached?.stop();
});

/** Starts a site that ends with the test. */
async function siteWith(env: NodeJS.ProcessEnv, memcachedPort = memcached.port): Promise<PhpApp> {
  const site = await startPhpApp({ memcachedPort, env });
  onTestFinished(async () => void (await site.stop()));
  return site;
}

describe.each([
  ['does not respond', 'SIGSTOP'],
  ['is down', 'SIGKILL'],
] as const)('while memcached %s', (_, signal) => {
  test('returns 503 without a cookie for every page that needs the session', async () => {
    const memcached = await startMemcached();
    onTestFinished(async () => void (await memcached.stop('SIGKILL')));
    const app = await siteWith({}, memcached.port);
    const cookie = await app.login('alice');
    const { csrf } = await openForm(app, cookie);
    if (signal === 'SIGKILL') await memcached.stop(signal);
    else memcached.signal(signal);
    await expectEveryPageUnavailable(app.url, cookie, csrf);
    expect(app.output()).toContain('Session store unavailable: memcached: ');
    expect(app.output()).not.toContain(idOf(cookie));
    if (signal === 'SIGSTOP') {
      memcached.signal('SIGCONT');
      expect(await loggedInAs(app, cookie)).toBe('Alice');
    }
  });
});

test.each([
  ['at the write of a login', /^set /, '/login'],
  ['at the deletion on a logout', /^delete /, '/logout'],
])('returns 503 without a cookie if the store fails %s', async (_, command, path) => {
  const { cookie, csrf } = await openForm(app);
  const cut = await siteWith({}, await cutAt(command, memcached.port));
  const body = `username=alice&password=alice&csrf=${csrf}`;
  expectUnavailable(await raw(cut.url, { path, method: 'POST', headers: { cookie }, body }));
});

test('returns 500 for a record that is not JSON, and does not change it', async () => {
  const cookie = `PHPSESSID=${'c'.repeat(26)}`;
  await memcached.set(`sessions/${idOf(cookie)}`, 'user_id|i:1;');
  const answer = await raw(app.url, { headers: { cookie } });
  expect(answer.status).toBe(500);
  expect(answer.headers).not.toHaveProperty('set-cookie');
  expect(await memcached.ask(`get sessions/${idOf(cookie)}\r\n`)).toContain('user_id|i:1;');
});

describe('with invalid settings', () => {
  test.each([
    [
      { SESSION_STORE: 'redis://user:secret@127.0.0.1:6379/three' },
      /SESSION_STORE: the Redis database must be a number/,
    ],
    [{ CHAT_URL: "https://a;script-src 'unsafe-inline'" }, /CHAT_URL must be a URL/],
    [{ CHAT_URL: 'x', SESSION_COOKIE_DOMAIN: ';' }, /SESSION_COOKIE_DOMAIN must be.*; CHAT_URL must be/],
  ])('shows the visitor a general error and logs the cause: %o', async (env, message) => {
    const wrong = await siteWith(env);
    const answer = await raw(wrong.url);
    expect(answer.status).toBe(500);
    expect(answer.body).toContain('This site is misconfigured. Please tell its owner.');
    expect(answer.body).not.toMatch(/SESSION_|CHAT_URL|secret/);
    expect(answer.headers).not.toHaveProperty('set-cookie');
    expect(wrong.output()).toMatch(message);
    expect(wrong.output()).not.toContain('secret');
  });
});

test('creates one database, readable only by its owner, on concurrent first requests', async () => {
  const folder = temporaryFolder();
  const data = join(folder, 'data');
  const fresh = await siteWith({ APP_DATA: data });
  const answers = await Promise.all(Array.from({ length: 6 }, () => raw(fresh.url)));
  expect(answers.map((answer) => answer.status)).toEqual(answers.map(() => 200));
  expect(statSync(data).mode & 0o777).toBe(0o700);
  expect(statSync(join(data, 'site.db')).mode & 0o777).toBe(0o600);
  const { cookie, csrf } = await openForm(fresh);
  const answer = await post(`${fresh.url}/login`, cookie, { username: 'carol', password: 'carol', csrf });
  expect(answer.status).toBe(303);
});
