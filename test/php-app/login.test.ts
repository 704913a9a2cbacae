import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { csrfToken, type PhpApp, post, sessionCookie, startPhpApp } from '../helpers/php-app.ts';
import { raw } from './http.ts';
import { forgetLogins, idOf, loggedInAs, openForm, tryLogin } from './visitor.ts';

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
beforeEach(() => forgetLogins(app));

/** The nanoseconds of CPU that PHP and its workers have used, whatever else the machine does. */
function cpuOfPhp(): number {
  const workers = readFileSync(`/proc/${app.pid}/task/${app.pid}/children`, 'utf8').trim().split(' ');
  const used = [app.pid, ...workers].map(
    (pid) => readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[0],
  );
  return used.reduce((sum, ns) => sum + Number(ns), 0);
}

async function stored(cookie: string): Promise<string> {
  const [, ...lines] = (await memcached.ask(`get sessions/${idOf(cookie)}\r\n`)).split('\r\n');
  return lines[0] ?? '';
}

function addUser(name: string, password: string): void {
  const code = `require 'php-app/src/autoload.php';
    (new PhpSessionChat\\Users(PhpSessionChat\\Database::open($argv[1])))->add($argv[2], $argv[2], $argv[3]);`;
  execFileSync('php', ['-r', code, '--', app.data, name, password], { cwd: root });
}

describe('login', () => {
  const people = [
    ['alice', 1, 'Alice', 'admin'],
    ['bob', 2, 'Bob', 'moderator'],
    ['carol', 3, 'Carol', 'member'],
  ] as const;
  test.each(people)('%s logs in as user %i, name %s, role %s', async (username, id, firstname, role) => {
    const answer = await tryLogin(app, username, username);
    expect(answer.status).toBe(303);
    expect(answer.headers.get('location')).toBe('/');
    const cookie = sessionCookie(answer);
    expect(await loggedInAs(app, cookie)).toBe(firstname);
    expect(await stored(cookie)).toMatch(
      new RegExp(
        `^\\{"user_id":${id},"firstname":"${firstname}","role":"${role}","started":\\d+,"csrf":"[0-9a-f]{64}"\\}$`,
      ),
    );
  });

  test('sets a cookie that is HttpOnly, SameSite=Lax and limited to this host and browser session', async () => {
    const [cookie] = (await fetch(app.url)).headers.getSetCookie();
    expect(cookie).toMatch(/^PHPSESSID=[a-z0-9,-]{26,}; path=\/; HttpOnly; SameSite=Lax$/i);
  });

  test('replaces the session ID and deletes the old session', async () => {
    const before = await openForm(app);
    const answer = await post(`${app.url}/login`, before.cookie, {
      username: 'alice',
      password: 'alice',
      csrf: before.csrf,
    });
    expect(answer.headers.getSetCookie()).toHaveLength(1);
    const after = sessionCookie(answer);
    expect(after).not.toBe(before.cookie);
    expect(await loggedInAs(app, before.cookie)).toBeUndefined();
    expect(await stored(before.cookie)).toBe('');
    expect((await openForm(app, after)).csrf).not.toBe(before.csrf);
  });

  test('replaces a session ID planted before the login', async () => {
    const planted = `PHPSESSID=${'a'.repeat(26)}`;
    const page = await fetch(app.url, { headers: { cookie: planted } });
    const cookie = sessionCookie(page);
    expect(cookie).not.toBe(planted);
    expect(await stored(planted)).toBe('');
  });
});

describe('the login form', () => {
  test('shows the same page for a wrong password and an unknown user', async () => {
    const answers = [await tryLogin(app, 'alice', 'wrong'), await tryLogin(app, 'nobody', 'wrong')];
    const pages = await Promise.all(answers.map((answer) => answer.text()));
    expect(answers.map((answer) => answer.status)).toEqual([401, 401]);
    const [one, two] = pages.map((page) =>
      page.replace(csrfToken(page), '').replace(/value="(alice|nobody)"/, ''),
    );
    expect(one).toBe(two);
    expect(one).toContain('role="alert" id="err"');
    expect(one).toContain('aria-invalid="true" aria-describedby="err"');
    expect(one).toContain('Wrong user name or password.');
  });

  test('takes as long for an unknown user as for a known one', async () => {
    const time = async (name: string) => {
      const { cookie, csrf } = await openForm(app);
      const before = cpuOfPhp();
      const answer = await post(`${app.url}/login`, cookie, { username: name, password: 'wrong', csrf });
      expect(answer.status).toBe(401);
      return cpuOfPhp() - before;
    };
    await app.login('bob');
    const [known, unknown] = [await time('alice'), await time('nobody')];
    // Without bcrypt a response takes a few milliseconds, with it about fifty.
    expect(unknown).toBeGreaterThan(known / 4);
    expect(unknown).toBeLessThan(known * 4);
  });

  const noTokens: [string, string | undefined][] = [
    ['a wrong value', '0'.repeat(64)],
    ['no value', undefined],
    ['an empty value', ''],
  ];
  test.each(noTokens)('returns 403 and a working form for %s as CSRF token', async (_, csrf) => {
    const { cookie } = await openForm(app);
    const fields = { username: 'alice', password: 'alice', ...(csrf === undefined ? {} : { csrf }) };
    const answer = await post(`${app.url}/login`, cookie, fields);
    const page = await answer.text();
    expect(answer.status).toBe(403);
    expect(page).toContain('This page was open too long. Please try again.');
    const again = await post(`${app.url}/login`, cookie, { ...fields, csrf: csrfToken(page) });
    expect(again.status).toBe(303);
  });

  test("returns 403 for another visitor's CSRF token", async () => {
    const [mine, theirs] = [await openForm(app), await openForm(app)];
    const fields = { username: 'alice', password: 'alice', csrf: theirs.csrf };
    expect((await post(`${app.url}/login`, mine.cookie, fields)).status).toBe(403);
  });

  const lists = ['username[]=alice&password=alice', 'username=alice&password[]=alice', 'username[a][b]=1'];
  test.each(lists)('returns 400 for %s', async (fields) => {
    const { cookie, csrf } = await openForm(app);
    const body = `${fields}&csrf=${csrf}`;
    const answer = await raw(app.url, { method: 'POST', path: '/login', headers: { cookie }, body });
    expect(answer.status).toBe(400);
    expect(answer.headers).not.toHaveProperty('set-cookie');
  });

  test('treats invalid UTF-8, NUL and very long names as unknown users', async () => {
    for (const username of ['alice%00', '%FF%FE', 'a'.repeat(100_000)]) {
      const { cookie, csrf } = await openForm(app);
      const body = `username=${username}&password=alice&csrf=${csrf}`;
      const answer = await raw(app.url, { method: 'POST', path: '/login', headers: { cookie }, body });
      expect(answer.status).toBe(401);
    }
  });

  test('compares passwords beyond 72 bytes', async () => {
    await openForm(app);
    const start = 'x'.repeat(72);
    addUser('dora', `${start}a`);
    expect((await tryLogin(app, 'dora', `${start}b`)).status).toBe(401);
    expect((await tryLogin(app, 'dora', start)).status).toBe(401);
    expect((await tryLogin(app, 'dora', `${start}a`)).status).toBe(303);
  });

  test('redirects to the requested page after a login', async () => {
    const form = await fetch(`${app.url}/members/3`);
    const cookie = sessionCookie(form);
    const page = await form.text();
    // Without an action the browser sends the form to the current page and keeps the URL fragment.
    expect(page).toContain('<form method="post">');
    const fields = { form: 'login', username: 'bob', csrf: csrfToken(page) };
    expect((await post(`${app.url}/members/3`, cookie, { ...fields, password: 'x' })).status).toBe(401);
    const answer = await post(`${app.url}/members/3`, cookie, { ...fields, password: 'bob' });
    expect(answer.status).toBe(303);
    expect(answer.headers.get('location')).toBe('/members/3');
    expect(await loggedInAs(app, sessionCookie(answer))).toBe('Bob');
  });

  test.each(['/members/0', '/nowhere', '/chat-events'])('%s does not accept a login', async (path) => {
    const { cookie, csrf } = await openForm(app);
    const fields = { form: 'login', username: 'bob', password: 'bob', csrf };
    expect((await post(`${app.url}${path}`, cookie, fields)).status).toBe(404);
  });

  test('ignores redirect targets in the request', async () => {
    const { cookie, csrf } = await openForm(app);
    const target = 'https://evil.example/';
    const answer = await raw(app.url, {
      method: 'POST',
      path: `/login?next=${target}&redirect=${target}`,
      headers: { cookie, referer: target, host: 'evil.example' },
      body: `username=alice&password=alice&csrf=${csrf}&next=${target}&return=${target}`,
    });
    expect(answer.status).toBe(303);
    expect(answer.headers.location).toBe('/');
  });
});

describe('logout', () => {
  test('destroys the session and expires the cookie', async () => {
    const cookie = await app.login('alice');
    const { csrf } = await openForm(app, cookie);
    const answer = await post(`${app.url}/logout`, cookie, { csrf });
    expect(answer.status).toBe(303);
    expect(answer.headers.get('location')).toBe('/');
    expect(answer.headers.getSetCookie()).toEqual([
      expect.stringMatching(/^PHPSESSID=deleted; expires=Thu, 01.Jan.1970.*; HttpOnly; SameSite=Lax$/),
    ]);
    expect(await stored(cookie)).toBe('');
    expect(await loggedInAs(app, cookie)).toBeUndefined();
  });

  test('requires POST and the CSRF token', async () => {
    const cookie = await app.login('alice');
    expect((await fetch(`${app.url}/logout`, { headers: { cookie } })).status).toBe(405);
    const answer = await post(`${app.url}/logout`, cookie, { csrf: '0'.repeat(64) });
    const page = await answer.text();
    expect(answer.status).toBe(403);
    expect(await loggedInAs(app, cookie)).toBe('Alice');
    expect((await post(`${app.url}/logout`, cookie, { csrf: csrfToken(page) })).status).toBe(303);
  });
});

test('does not log session IDs or passwords', async () => {
  const cookie = await app.login('alice');
  await tryLogin(app, 'alice', 'a-wrong-password');
  expect(app.output()).not.toContain(idOf(cookie));
  expect(app.output()).not.toContain('a-wrong-password');
});
