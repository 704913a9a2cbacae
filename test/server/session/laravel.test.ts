import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseCookieForm } from '../../../server/session/cookie.ts';
import { phpSessions } from '../../../server/session/logins/php-sessions.ts';
import { parseStoreUrl } from '../../../server/session/store-url.ts';

const name = 'laravel_session';
const userId = 'login_web_59ba36addc2b2f9401580f014c7f58ea4e30989d';

/** Sites by their `cipher`, their key and their `session.encrypt`. */
const sites = [
  { title: 'AES-256-CBC', cipher: 'aes-256-cbc', key: 'newest', encrypt: false },
  { title: 'AES-256-GCM', cipher: 'aes-256-gcm', key: 'newest', encrypt: false },
  { title: 'AES-256-CBC, encrypted sessions', cipher: 'aes-256-cbc', key: 'newest', encrypt: true },
  { title: 'AES-128-GCM, encrypted sessions', cipher: 'aes-128-gcm', key: 'short', encrypt: true },
  { title: 'AES-256-CBC with an earlier key', cipher: 'aes-256-cbc', key: 'previous', encrypt: true },
] as const;

const appKeys = {
  newest: randomBytes(32).toString('base64'),
  previous: randomBytes(32).toString('base64'),
  short: randomBytes(16).toString('base64'),
};
let folder: string;
let keyFile: string;
/** The answers of each site to a login, with the cookies as the browser keeps them. */
let answers: { id: string; cookie: string; chosen: string }[];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'laravel-sessions-'));
  keyFile = join(folder, 'app-keys');
  writeFileSync(
    keyFile,
    Object.values(appKeys)
      .map((key) => `base64:${key}\n`)
      .join(''),
  );
  const script = new URL('../../fixtures/laravel.php', import.meta.url).pathname;
  const jobs = sites.map((site) => ({ ...site, key: appKeys[site.key] }));
  answers = JSON.parse(
    execFileSync('php', [script, folder, JSON.stringify(jobs)], { encoding: 'utf8' }),
  ) as typeof answers;
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const answerOf = (n: number) => answers[n] as (typeof answers)[number];

function storeUrl(encrypt: boolean, keys = keyFile): string {
  const layers = encrypt ? `&layers=laravel:${keys},unserialize` : '';
  return `file://${folder}?prefix=&lifetime=120m&format=php_serialize${layers}`;
}

const reader = (encrypt: boolean, keys = keyFile) =>
  phpSessions({
    source: parseStoreUrl(storeUrl(encrypt, keys)),
    cookie: parseCookieForm(`laravel:${keyFile}`, name),
    user: { id: [userId], name: ['name'] },
  });

describe.each(sites.map((site, n) => [site.title, site, n] as const))('a Laravel site, %s', (_, site, n) => {
  test('the user by the cookie, as the browser sends it', async () => {
    const { id, cookie } = answerOf(n);
    expect(await reader(site.encrypt).identify({ cookies: `XSRF-TOKEN=x; ${name}=${cookie}` })).toMatchObject(
      {
        state: { id },
        user: { id: '7', name: 'Zoë 张伟' },
      },
    );
    expect(await reader(site.encrypt).identify({ session: decodeURIComponent(cookie) })).toMatchObject({
      state: { id },
    });
  });

  test('unauthorized with the id itself, and with another cookie that contains it', async () => {
    const { id, chosen } = answerOf(n);
    for (const value of [id, chosen]) {
      expect(await reader(site.encrypt).identify({ cookies: `${name}=${value}` })).toMatchObject({
        code: 'unauthorized',
        reason: expect.stringMatching(
          /^the value of the cookie laravel_session is not a session ID that Laravel has encrypted/,
        ),
      });
    }
  });
});

test('a session encrypted with a key that is not in the file: session_invalid, with the reason', async () => {
  const only = join(folder, 'only');
  writeFileSync(only, appKeys.newest);
  const refused = await reader(true, only).identify({ cookies: `${name}=${answerOf(4).cookie}` });
  expect(refused).toMatchObject({
    code: 'session_invalid',
    reason: expect.stringMatching(/: layers=laravel: encrypted with none of the keys in the key file; /),
  });
});
