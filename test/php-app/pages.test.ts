import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { ownPort, startChild } from '../helpers/child.ts';
import { hanging } from '../helpers/hanging.ts';
import { type Memcached, reachable, startMemcached } from '../helpers/memcached.ts';
import { type PhpApp, startPhpApp } from '../helpers/php-app.ts';
import { raw } from './http.ts';
import { temporaryFolder } from './temporary-folder.ts';
import { openForm } from './visitor.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
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

/** Stores a session like another part of the site. @returns its cookie */
async function sessionOf(firstname: string): Promise<string> {
  const id = crypto.randomUUID();
  await memcached.set(`sessions/${id}`, JSON.stringify({ user_id: 7, firstname }), 600);
  return `PHPSESSID=${id}`;
}

/** The directives of a Content-Security-Policy by name. */
function directives(policy: unknown): Map<string, string> {
  return new Map(
    String(policy)
      .split('; ')
      .map((directive) => {
        const [name = '', ...sources] = directive.split(' ');
        return [name, sources.join(' ')];
      }),
  );
}

describe('chat page', () => {
  test("contains the chat's tag and script, and a policy that allows only them", async () => {
    const cookie = await app.login('alice');
    const { body, headers } = await raw(app.url, { path: '/messages', headers: { cookie } });
    expect(body).toMatch(
      /<php-chat server="http:\/\/127\.0\.0\.1:7070" login-url="\/messages" history="hash"[^>]*><p>The chat couldn’t be/,
    );
    expect(body).toContain('<script type="module" src="http://127.0.0.1:7070/php-chat.js"></script>');
    // Keeps the input field above the keyboard on phones.
    expect(body).toContain('initial-scale=1, interactive-widget=resizes-content">');
    const policy = directives(headers['content-security-policy']);
    expect(Object.fromEntries(policy)).toEqual({
      'default-src': "'none'",
      'style-src': "'self'",
      'img-src': "'self' http://127.0.0.1:7070",
      'base-uri': "'none'",
      'form-action': "'self'",
      'frame-ancestors': "'none'",
      'require-trusted-types-for': "'script'",
      'script-src': "'self' http://127.0.0.1:7070",
      'media-src': 'http://127.0.0.1:7070 blob:',
      'connect-src': 'http://127.0.0.1:7070 ws://127.0.0.1:7070',
    });
  });

  test.each([
    ['Shop.Example:8080', 'http://shop.example:7070'],
    ['[::1]:8080', 'http://[::1]:7070'],
    ['localhost', 'http://localhost:7070'],
  ])('uses for Host %s the chat at %s', async (host, chat) => {
    const cookie = await app.login('alice');
    const { body } = await raw(app.url, { headers: { cookie, host } });
    expect(body).toContain(`server="${chat}"`);
  });

  test.each(['a"b', 'a b', "a';script-src *", 'a/b', 'user@host', '<svg>', 'a:b:c', '-', 'a,b', '[x]', 'é'])(
    'returns 400 for Host "%s"',
    async (host) => {
      const cookie = await app.login('alice');
      const bytes = Buffer.from(host).toString('latin1');
      const answer = await raw(app.url, { headers: { cookie, host: bytes } });
      expect(answer.status).toBe(400);
      expect(answer.headers['content-security-policy']).not.toContain('script-src');
    },
  );

  test('adds the launcher to every page, and a chat button for other members', async () => {
    const cookie = await app.login('carol');
    const page = async (path: string) => (await raw(app.url, { path, headers: { cookie } })).body;
    for (const path of ['/', '/members', '/members/2']) {
      expect(await page(path)).toContain('<php-chat-launcher server="http://127.0.0.1:7070"');
    }
    expect(await page('/members/2')).toContain('data-chat-with="2"');
    expect(await page('/members/3')).not.toContain('data-chat-with');
    expect((await raw(app.url, { path: '/members/99', headers: { cookie } })).status).toBe(404);
  });

  test('links to the moderators’ page only for moderators', async () => {
    for (const [name, isModerator] of [
      ['alice', true],
      ['bob', true],
      ['carol', false],
    ] as const) {
      const { body } = await raw(app.url, { headers: { cookie: await app.login(name) } });
      expect(body.includes('<a href="http://127.0.0.1:7070/moderate">Moderation</a>'), name).toBe(
        isModerator,
      );
    }
  });

  test("escapes the user's name", async () => {
    const cookie = await sessionOf('<script>alert(1)</script>"\'&');
    const { body } = await raw(app.url, { headers: { cookie } });
    expect(body).toContain('<bdi>&lt;script&gt;alert(1)&lt;/script&gt;&quot;&apos;&amp;</bdi>');
    expect(body).not.toContain('<script>');
  });
});

describe('with other settings', () => {
  test('uses CHAT_URL and SESSION_COOKIE_DOMAIN', async () => {
    const other = await startPhpApp({
      memcachedPort: memcached.port,
      chatUrl: 'https://chat.example.org/live/',
      env: { SESSION_COOKIE_DOMAIN: 'example.org' },
    });
    onTestFinished(async () => {
      await other.stop();
    });
    const first = await raw(other.url);
    expect(first.headers['set-cookie']?.[0]).toContain('; domain=example.org;');
    const cookie = await sessionOf('Alice');
    const { body, headers } = await raw(other.url, { headers: { cookie, host: 'a"b' } });
    expect(body).toContain('src="https://chat.example.org/live/php-chat.js"');
    const policy = directives(headers['content-security-policy']);
    expect(policy.get('script-src')).toBe("'self' https://chat.example.org");
    expect(policy.get('connect-src')).toBe('https://chat.example.org wss://chat.example.org');
  });

  test('sets a Secure cookie and HSTS over https', async () => {
    // PHP's built-in server does not support TLS, so the test sets the variable like a web server.
    const folder = temporaryFolder();
    const index = join(root, 'php-app/public/index.php');
    writeFileSync(join(folder, 'https.php'), `<?php $_SERVER['HTTPS'] = 'on'; return require '${index}';`);
    const port = await ownPort();
    const secure = startChild('php', ['-S', `127.0.0.1:${port}`, join(folder, 'https.php')], {
      env: {
        ...process.env,
        APP_DATA: folder,
        SESSION_STORE: memcached.url,
      },
    });
    onTestFinished(async () => {
      await secure.stop();
    });
    await reachable(port, secure);
    const url = `http://127.0.0.1:${port}`;
    const first = await raw(url);
    expect(first.headers['set-cookie']?.[0]).toMatch(/; secure;/i);
    expect(first.headers['strict-transport-security']).toBe('max-age=31536000');
    const { body } = await raw(url, { headers: { cookie: await sessionOf('Alice') } });
    expect(body).toContain('server="https://127.0.0.1:7070"');
  });
});

describe('every page', () => {
  test.each([
    ['GET', '/', 200],
    ['GET', '/session', 200],
    ['GET', '/members/1', 200],
    ['GET', '/members/01', 404],
    ['GET', '/orders', 404],
    ['GET', '/nothing', 404],
    ['GET', '/..%2f', 404],
    ['GET', '/../src/App.php', 404],
    ['GET', '//evil.example/', 404],
    ['GET', '/login', 405],
    ['POST', '/', 405],
    ['DELETE', '/session', 405],
  ])('%s %s returns %i with the security headers', async (method, path, status) => {
    const answer = await raw(app.url, { method, path });
    expect(answer.status).toBe(status);
    expect(answer.headers).toMatchObject({
      'content-type': 'text/html; charset=utf-8',
      'x-content-type-options': 'nosniff',
      'referrer-policy': 'same-origin',
      'cross-origin-opener-policy': 'same-origin',
      'cache-control': 'no-store',
    });
    expect(answer.headers['content-security-policy']).toMatch(/^default-src 'none'; style-src 'self'; /);
    expect(answer.headers).not.toHaveProperty('x-powered-by');
    expect(answer.headers).not.toHaveProperty('strict-transport-security');
  });

  test('names the allowed methods in a 405 response', async () => {
    expect((await raw(app.url, { path: '/logout' })).headers.allow).toBe('POST');
    expect((await raw(app.url, { path: '/', method: 'POST' })).headers.allow).toBe('GET, HEAD');
  });

  test.each([
    [undefined, 'en', 'Log in to the club'],
    ['fr-CH, fr;q=0.9, en;q=0.8', 'fr', 'Connexion au club'],
    ['fr;q=0, de', 'en', 'Log in to the club'],
    ['"><script>', 'en', 'Log in to the club'],
  ])('Accept-Language %s selects %s', async (languages, language, heading) => {
    const { body } = await raw(app.url, {
      headers: languages === undefined ? {} : { 'accept-language': languages },
    });
    expect(body).toContain(`<html lang="${language}">`);
    expect(body).toContain(`<h1>${heading}</h1>`);
  });
});

test('shows only four characters of the session ID', async () => {
  const { cookie } = await openForm(app);
  const id = cookie.slice('PHPSESSID='.length);
  const { body } = await raw(app.url, { path: '/session', headers: { cookie } });
  expect(body).toContain(`<code>${id.slice(0, 4)}…</code>`);
  expect(body).not.toContain(id.slice(0, 5));
  const times = [...body.matchAll(/datetime="([^"]+)"/g)].map((match) => Date.parse(match[1] ?? ''));
  expect(times).toHaveLength(2);
  for (const time of times) expect(Math.abs(Date.now() - time)).toBeLessThan(hanging);
  expect(body).toMatch(/id="session-server"><code>[^<]+:\d+</);
});
