import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { csrfToken, type PhpApp, startPhpApp } from '../helpers/php-app.ts';
import { type Answer, raw } from './http.ts';
import { forgetLogins } from './visitor.ts';

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
beforeEach(() => forgetLogins(app));

async function login(
  username: string,
  password: string,
  from = '127.0.0.1',
  more: Record<string, string> = {},
): Promise<Answer> {
  const page = await raw(app.url, { from });
  const [cookie = ''] = page.headers['set-cookie']?.[0]?.split(';') ?? [];
  const body = new URLSearchParams({ username, password, csrf: csrfToken(page.body) }).toString();
  return raw(app.url, { method: 'POST', path: '/login', from, body, headers: { cookie, ...more } });
}

test('returns 429 for the sixth failed login from one address, even with different user names', async () => {
  for (let n = 1; n <= 5; n++) expect((await login(`nobody${n}`, 'x')).status).toBe(401);
  const sixth = await login('nobody6', 'x');
  expect(sixth.status).toBe(429);
  const seconds = Number(sixth.headers['retry-after']);
  expect(seconds).toBeGreaterThan(900 - 60);
  expect(seconds).toBeLessThanOrEqual(900);
  expect(sixth.body).toContain('Too many attempts. Try again in 15 min.');
  expect(sixth.body).toContain('role="alert"');
  expect((await login('alice', 'alice')).status).toBe(429);
  expect((await login('alice', 'alice', '127.0.0.2')).status).toBe(303);
});

test('returns 429 for the sixth failed login with one user name, even from different addresses', async () => {
  for (let n = 2; n <= 6; n++) expect((await login('alice', 'x', `127.0.0.${n}`)).status).toBe(401);
  expect((await login('alice', 'x', '127.0.0.7')).status).toBe(429);
  // The correct password must get the same response, or guessing could continue.
  expect((await login('alice', 'alice', '127.0.0.7')).status).toBe(429);
  expect((await login('bob', 'bob', '127.0.0.7')).status).toBe(303);
});

test('does not lock a user out at an address of an earlier login', async () => {
  expect((await login('alice', 'alice', '127.0.0.9')).status).toBe(303);
  for (let n = 2; n <= 6; n++) await login('alice', 'x', `127.0.0.${n}`);
  expect((await login('alice', 'alice', '127.0.0.7')).status).toBe(429);
  expect((await login('alice', 'alice', '127.0.0.9')).status).toBe(303);
});

test('resets the failed attempts after a successful login', async () => {
  for (let round = 0; round < 2; round++) {
    for (let n = 1; n <= 4; n++) expect((await login('alice', 'slip')).status).toBe(401);
    expect((await login('alice', 'alice')).status).toBe(303);
  }
});

test('counts each of several concurrent guesses', async () => {
  const guesses = 10;
  const answers = await Promise.all(Array.from({ length: guesses }, (_, n) => login('alice', `guess${n}`)));
  expect(answers.filter((answer) => answer.status === 401)).toHaveLength(5);
  expect(answers.filter((answer) => answer.status === 429)).toHaveLength(guesses - 5);
});

test('ignores a forged X-Forwarded-For', async () => {
  const forged = (n: number) => ({ 'x-forwarded-for': `10.0.0.${n}`, forwarded: `for=10.0.0.${n}` });
  for (let n = 1; n <= 5; n++) await login(`nobody${n}`, 'x', '127.0.0.1', forged(n));
  expect((await login('nobody6', 'x', '127.0.0.1', forged(6))).status).toBe(429);
});
