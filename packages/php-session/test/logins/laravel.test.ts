import { execFileSync } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { askingOf, differing, now } from '../../../../test/helpers/application-site.ts';
import { hanging } from '../../../../test/helpers/hanging.ts';
import { keptSessions } from '../../../../test/helpers/kept-sessions.ts';
import { type Memcached, startMemcached } from '../../../../test/helpers/memcached.ts';
import { lockedMemcached } from '../../../../test/helpers/memcached-places.ts';
import { patient } from '../../../../test/helpers/patient-logins.ts';
import { phpAnswer } from '../../../../test/helpers/php-answer.ts';
import { type Redis, startRedis } from '../../../../test/helpers/redis.ts';
import { sessionServerForTest } from '../../../../test/helpers/session-server-here.ts';
import { startSiteDatabase } from '../../../../test/helpers/site-database.ts';
import { readConfiguration } from '../../src/configuration/configuration.ts';
import { openLogins } from '../../src/logins/applications.ts';
import { laravel } from '../../src/logins/laravel.ts';
import { siteFolder } from '../../src/logins/site-folder.ts';
import { readOptions } from '../../src/options.ts';
import { parseDatabaseUrl } from '../../src/store-url.ts';

const key = `base64:${randomBytes(32).toString('base64')}`;
const previous = `base64:${randomBytes(32).toString('base64')}`;
const user = { id: '7', name: 'Ann' };
const ofWeb = 'login_web_59ba36addc2b2f9401580f014c7f58ea4e30989d';
let memcached: Memcached;
let redis: Redis;

beforeAll(async () => {
  [memcached, redis] = await Promise.all([startMemcached(), startRedis(['--requirepass', 'ge:heim@'])]);
});
afterAll(() => Promise.all([memcached.stop(), redis.remove()]));

/**
 * For each version, the expressions for the cookie's name and the prefixes, and their values for
 * APP_NAME="My Site".
 */
const versions = {
  10: {
    cookie: "Str::slug(env('APP_NAME', 'laravel'), '_').'_session'",
    cache: "Str::slug(env('APP_NAME', 'laravel'), '_').'_cache_'",
    redis: "Str::slug(env('APP_NAME', 'laravel'), '_').'_database_'",
    store: "$this->prefix = ! empty($prefix) ? $prefix.':' : '';",
    name: 'my_site_session',
    keys: { cache: 'my_site_cache_:', redis: 'my_site_database_' },
  },
  13: {
    cookie: "Str::slug((string) env('APP_NAME', 'laravel')).'-session'",
    cache: "Str::slug((string) env('APP_NAME', 'laravel')).'-cache-'",
    redis: "Str::slug((string) env('APP_NAME', 'laravel')).'-database-'",
    store: '$this->prefix = $prefix;',
    name: 'my-site-session',
    keys: { cache: 'my-site-cache-', redis: 'my-site-database-' },
  },
} as const;

const usersTable =
  '(id INTEGER PRIMARY KEY, name VARCHAR(255), password VARCHAR(255), deleted_at TIMESTAMP NULL)';

/** A folder with the configuration that Laravel's installer writes. */
function siteOf(version: keyof typeof versions, env: Record<string, string | number>, inVendor = false) {
  const folder = mkdtempSync(join(tmpdir(), 'laravel-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const { cookie, cache, redis: prefix, store } = versions[version];
  const write = (path: string, text: string) => {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), text);
  };
  const config = (name: string, text: string) =>
    write(
      `${inVendor ? 'vendor/laravel/framework/' : ''}config/${name}.php`,
      `<?php\n\nuse Illuminate\\Support\\Str;\n\nreturn [${text}];\n`,
    );
  write('artisan', '#!/usr/bin/env php');
  write('bootstrap/app.php', '<?php');
  write('public/index.php', '<?php');
  write(
    'vendor/laravel/framework/src/Illuminate/Cache/RedisStore.php',
    `<?php class RedisStore { ${store} }`,
  );
  mkdirSync(join(folder, 'storage/framework/sessions'), { recursive: true });
  const setEnv = (more: Record<string, string | number>) =>
    write(
      '.env',
      Object.entries({ APP_NAME: '"My Site"', APP_KEY: key, ...env, ...more })
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
    );
  setEnv({});
  const previousKeys =
    "'previous_keys' => [...array_filter(explode(',', (string) env('APP_PREVIOUS_KEYS', '')))]";
  config('app', `'key' => env('APP_KEY'), 'cipher' => 'AES-256-CBC', ${version < 11 ? '' : previousKeys}`);
  write(
    'vendor/laravel/framework/src/Illuminate/Session/Middleware/AuthenticateSession.php',
    `<?php if (! $request->hasSession() || ! $request->user()${version < 11 ? '' : ' || ! $request->user()->getAuthPassword()'}) {}`,
  );
  config(
    'auth',
    `'defaults' => ['guard' => env('AUTH_GUARD', 'web')], 'guards' => ['web' => ['driver' => 'session', 'provider' => 'users'],
    'staff' => ['driver' => 'session', 'provider' => 'staff'], 'api' => ['driver' => 'token', 'provider' => 'users']],
    'providers' => ['users' => ['driver' => 'eloquent', 'model' => App\\Models\\User::class],
    'staff' => ['driver' => 'database', 'table' => 'staff']]`,
  );
  write(
    'app/Models/User.php',
    `<?php namespace App\\Models; class User { use SoftDeletes; /* protected $table = 'none'; */ }`,
  );
  config(
    'session',
    `'driver' => env('SESSION_DRIVER', 'file'), 'lifetime' => (int) env('SESSION_LIFETIME', 120),
    'encrypt' => env('SESSION_ENCRYPT', false), 'files' => storage_path('framework/sessions'),
    'connection' => env('SESSION_CONNECTION'), 'table' => env('SESSION_TABLE', 'sessions'),
    'store' => env('SESSION_STORE'), 'prefix' => env('SESSION_PREFIX'), 'lottery' => [2, 100], 'serialization' => env('SESSION_SERIALIZATION', 'php'),
    'cookie' => env('SESSION_COOKIE', ${cookie})`,
  );
  config(
    'cache',
    `'stores' => ['redis' => ['driver' => 'redis', 'connection' => 'cache'], 'memcached' => ['driver' => 'memcached',
    'sasl' => [env('MEMCACHED_USERNAME'), env('MEMCACHED_PASSWORD')],
    'options' => [Memcached::OPT_CONNECT_TIMEOUT => 2000], 'servers' => [['host' => env('MEMCACHED_HOST', '127.0.0.1'),
    'port' => env('MEMCACHED_PORT', 11211), 'weight' => 100]]]], 'prefix' => env('CACHE_PREFIX', ${cache})`,
  );
  config(
    'database',
    `'default' => env('DB_CONNECTION', 'sqlite'), 'connections' => ['sqlite' => ['driver' => 'sqlite',
    'url' => env('DB_URL'), 'database' => env('DB_DATABASE', database_path('database.sqlite')), 'prefix' => env('DB_PREFIX', '')],
    ${['mariadb', 'pgsql'].map((driver) => `'${driver}' => ['driver' => '${driver}', 'url' => env('DB_URL'), 'host' => env('DB_HOST', '127.0.0.1'), 'port' => env('DB_PORT', '1'), 'database' => env('DB_DATABASE', 'laravel'), 'username' => env('DB_USERNAME', 'root'), 'password' => env('DB_PASSWORD', ''), 'unix_socket' => env('DB_SOCKET', ''), 'prefix' => '']`).join(', ')}],
    'redis' => ['client' => env('REDIS_CLIENT', 'phpredis'),
    'options' => ['cluster' => 'redis', 'prefix' => env('REDIS_PREFIX', ${prefix})],
    'default' => ['url' => env('REDIS_URL'), 'host' => env('REDIS_HOST', '127.0.0.1'),
    'username' => env('REDIS_USERNAME'), 'password' => env('REDIS_PASSWORD'), 'port' => env('REDIS_PORT', '6379'),
    'database' => env('REDIS_DB', '0')]]`,
  );
  mkdirSync(join(folder, 'database'));
  const db = new DatabaseSync(join(folder, 'database/database.sqlite'));
  onTestFinished(() => db.close());
  db.exec('PRAGMA synchronous = OFF; PRAGMA journal_mode = MEMORY');
  db.exec(`CREATE TABLE ${env.DB_PREFIX ?? ''}users ${usersTable}`);
  db.exec(`INSERT INTO ${env.DB_PREFIX ?? ''}users VALUES (7, 'Ann', 'hash', NULL)`);
  return {
    folder,
    version,
    write,
    setEnv,
    db,
    sessions: join(folder, 'storage/framework/sessions'),
    ...versions[version],
  };
}

/** A request by Laravel's own classes: the session's file, and the cookie of the response. */
async function logIn(
  sessions: string,
  job: { name: string; cipher?: string; encrypt?: boolean; key?: string },
) {
  const jobs = [{ cipher: 'aes-256-cbc', encrypt: false, ...job, key: (job.key ?? key).slice(7) }];
  const [answer]: { id: string; cookie: string }[] = await phpAnswer(
    'laravel-login.php',
    { folder: sessions, jobs },
    true,
  );
  if (answer === undefined) throw new Error('no answer');
  const bytes = readFileSync(join(sessions, answer.id));
  return { ...answer, bytes, cookies: `a=b; ${job.name}=${answer.cookie}` };
}

/** The logins by the folder alone. */
async function open(site: string, more: Record<string, string> = {}) {
  const settings = readOptions({ site, ...more });
  if ('problems' in settings) throw new Error(settings.problems.join());
  const logins = await openLogins(settings);
  onTestFinished(() => logins.close());
  return patient(logins);
}

const ask = async (site: string, more?: Record<string, string>) => askingOf(await open(site, more));

describe.each([10, 13] as const)('Laravel %s by its folder alone', (version) => {
  test('is read from encrypted files until the logout', async () => {
    const site = siteOf(version, { SESSION_ENCRYPT: 'true', APP_PREVIOUS_KEYS: previous });
    const { login, isUser, check } = await ask(site.folder);
    const by = (of: string) => logIn(site.sessions, { name: site.name, encrypt: true, key: of });
    const { cookies, id } = await by(key);
    const known = await login({ cookies });
    expect(known.user).toEqual(user);
    rmSync(join(site.sessions, id));
    expect(await check(known)).toMatchObject({ state: 'nobody' });
    expect(await isUser({ cookies: `${site.name}=${(await by(key)).id}` })).toBe(false);
    // Observed with Laravel 10.50.
    expect(await isUser(await by(previous))).toBe(version > 10);
  });

  test.each(version === 13 ? ['', 'own:'] : [''])(
    'is read from Redis under the prefixes of the connection and of the cache or session: %j',
    async (prefix) => {
      const site = siteOf(version, {
        ...{ SESSION_DRIVER: 'redis', SESSION_PREFIX: prefix },
        REDIS_PORT: redis.port,
        REDIS_PASSWORD: '"ge:heim@"',
        REDIS_DB: 3,
      });
      const { id, bytes, cookies } = await logIn(site.sessions, { name: site.name });
      const { keys } = site;
      const cached = Buffer.concat([Buffer.from(`s:${bytes.length}:"`), bytes, Buffer.from('";')]);
      await redis.ask(
        'EVAL',
        "redis.call('SELECT', 3) redis.call('SET', KEYS[1], ARGV[1])",
        '1',
        `${keys.redis}${prefix || keys.cache}${id}`,
        cached,
      );
      expect(await (await open(site.folder)).identify({ cookies })).toMatchObject({ user });
    },
  );

  test('is read from memcached', async () => {
    const site = siteOf(version, { SESSION_DRIVER: 'memcached', MEMCACHED_PORT: memcached.port });
    const { id, bytes, cookies } = await logIn(site.sessions, { name: site.name });
    await memcached.set(`${site.keys.cache}${id}`, bytes);
    expect(await (await open(site.folder)).identify({ cookies })).toMatchObject({ user });
  });
});

test.each([
  ['aes-256-gcm', 32],
  ['aes-128-gcm', 16],
])('accepts only the ID that %s encrypts for the cookie of this name', async (cipher, bytes) => {
  const own = `base64:${randomBytes(bytes).toString('base64')}`;
  const site = siteOf(13, { SESSION_ENCRYPT: 'true', APP_KEY: own });
  const by = (name: string) => logIn(site.sessions, { name, cipher, encrypt: true, key: own });
  const { who } = await ask(site.folder);
  const { id, cookies } = await by(site.name);
  expect(await who({ cookies })).toEqual(user);
  const other = (await by('other')).cookies.replace('other=', `${site.name}=`);
  for (const wrong of [`${site.name}=${id}`, other])
    expect(await who({ cookies: wrong })).toMatch(/is not a session ID that Laravel has encrypted/);
});

test('reads sessions from memcached with a login', async () => {
  const locked = await lockedMemcached('chat', 'p@ss/w:rd+%');
  onTestFinished(() => locked.remove());
  const site = siteOf(13, {
    SESSION_DRIVER: 'memcached',
    MEMCACHED_PORT: locked.port,
    MEMCACHED_USERNAME: 'chat',
    MEMCACHED_PASSWORD: 'p@ss/w:rd+%',
  });
  const { id, bytes, cookies } = await logIn(site.sessions, { name: site.name });
  locked.put(`${site.keys.cache}${id}`, bytes);
  expect(await (await open(site.folder)).identify({ cookies })).toMatchObject({ user });
});

test('reads sessions from a table until SESSION_LIFETIME has passed', async () => {
  const site = siteOf(13, {
    ...{ SESSION_DRIVER: 'database', SESSION_LIFETIME: 5, SESSION_SERIALIZATION: 'json' },
    DB_PREFIX: 'my_',
  });
  const { id, cookies } = await logIn(site.sessions, { name: site.name });
  site.db.exec('CREATE TABLE my_sessions (id TEXT PRIMARY KEY, payload TEXT, last_activity INTEGER)');
  const payload = Buffer.from(JSON.stringify({ [ofWeb]: 7 })).toString('base64');
  const { isUser } = await ask(join(site.folder, 'public'));
  for (const [seconds, may] of [
    [240, true],
    [360, false],
  ] as const) {
    const put = site.db.prepare('INSERT OR REPLACE INTO my_sessions VALUES (?, ?, ?)');
    put.run(id, payload, now() - seconds);
    expect(await isUser({ cookies })).toBe(may);
  }
});

test('reads sessions from a table of PostgreSQL, configured by separate variables or by DB_URL', async () => {
  const db = await startSiteDatabase('postgres');
  onTestFinished(() => db.remove());
  await db.run('CREATE TABLE sessions (id VARCHAR(255) PRIMARY KEY, payload TEXT, last_activity INTEGER)');
  await db.run(`CREATE TABLE users ${usersTable}`);
  await db.run("INSERT INTO users VALUES (7, 'Ann', 'hash', NULL)");
  const parts = {
    ...{ DB_HOST: '127.0.0.1', DB_PORT: db.port, DB_DATABASE: db.name },
    ...{ DB_USERNAME: db.user, DB_PASSWORD: `'${db.password}'` },
  };
  const account = [db.user, db.password].map(encodeURIComponent).join(':');
  const url = { DB_URL: `postgres://${account}@127.0.0.1:${db.port}/${db.name}`, DB_HOST: 'nowhere' };
  for (const env of [parts, url]) {
    const site = siteOf(13, { SESSION_DRIVER: 'database', DB_CONNECTION: 'pgsql', ...env });
    const { id, bytes, cookies } = await logIn(site.sessions, { name: site.name });
    await db.run('INSERT INTO sessions VALUES (?, ?, ?)', [id, bytes.toString('base64'), now()]);
    expect(await (await open(site.folder)).identify({ cookies })).toMatchObject({ user });
  }
});

/** The logins of a site with sessions in files, and how to store its one session. */
async function inFiles(version: keyof typeof versions = 13) {
  const site = siteOf(version, { SESSION_SERIALIZATION: 'json' });
  const { id, cookies } = await logIn(site.sessions, { name: site.name });
  const put = (session: object) =>
    writeFileSync(join(site.sessions, id), JSON.stringify({ [ofWeb]: 7, ...session }));
  put({});
  return { ...site, id, cookies, device: { cookies }, put };
}

test('notices a new name, a deletion or another ID of the user while the session stays', async () => {
  const { folder, db, device } = await inFiles();
  const { login, check, changed, isUser } = await ask(folder);
  const first = await login(device);
  expect(first.user).toEqual(user);
  expect(await check(first)).toBeNull();
  db.exec("UPDATE users SET name = 'Zoë' WHERE id = 7");
  const renamed = await changed(first);
  if (renamed.state !== 'user') throw new Error('no user');
  expect(renamed.login).toMatchObject({ handle: first.handle, user: { id: '7', name: 'Zoë' } });
  expect(await check(renamed.login)).toBeNull();
  for (const [change, back] of [
    ["UPDATE users SET deleted_at = '2026-01-01 00:00:00'", 'UPDATE users SET deleted_at = NULL'],
    ['UPDATE users SET id = 8', 'UPDATE users SET id = 7'],
  ] as const) {
    db.exec(change);
    expect(await changed(renamed.login)).toMatchObject({ state: 'nobody' });
    expect(await isUser(device)).toBe(false);
    db.exec(back);
    expect(await isUser(device)).toBe(true);
  }
});

test.each([10, 13] as const)(
  'ends the login after a new password if the session has the hash of the old one: Laravel %s',
  async (version) => {
    const { folder, db, device, put } = await inFiles(version);
    const { login, changed, isUser } = await ask(folder);
    // The middleware AuthenticateSession, before and since 12.45.
    for (const hash of ['hash', createHmac('sha256', key).update('hash').digest('hex')]) {
      put({ password_hash_web: hash });
      const known = await login(device);
      db.exec("UPDATE users SET password = 'another'");
      expect(await changed(known)).toMatchObject({ state: 'nobody' });
      expect(await isUser(device)).toBe(false);
      // Since version 11 the middleware stops if `getAuthPassword()` is falsy in PHP.
      for (const none of ["''", "'0'", 'NULL']) {
        db.exec(`UPDATE users SET password = ${none}`);
        expect(await isUser(device), none).toBe(version > 10);
      }
      db.exec("UPDATE users SET password = 'hash'");
    }
    // Jetstream compares with the hash under the name of Sanctum's guard.
    for (const [web, sanctum, may] of [
      [undefined, 'hash', true],
      [undefined, 'before', false],
      ['hash', 'before', false],
      ['before', 'hash', false],
    ] as const) {
      put({ ...(web && { password_hash_web: web }), password_hash_sanctum: sanctum });
      expect(await isUser(device), `${web} ${sanctum}`).toBe(may);
    }
  },
);

const filament = 'stephenjude/filament-two-factor-authentication/src/TwoFactorAuthenticatable.php';
test.each([
  [
    'google2fa.auth_passed',
    'pragmarx/google2fa-laravel/composer.json',
    '{}',
    { google2fa: { auth_passed: true } },
  ],
  [
    'login_2fa_challenge_passed_*',
    filament,
    "<?php $sessionKey = 'login_2fa_challenge_passed_' . $this->id;",
    { login_2fa_challenge_passed_7: 'abc' },
  ],
  [
    'login:challenge:secret:*',
    filament,
    '<?php session()->put("login:challenge:secret:$this->id", $this->two_factor_secret);',
    { 'login:challenge:secret:7': 'abc' },
  ],
  [
    'breezy_session_id',
    'jeffgreco13/filament-breezy/src/Middleware/MustTwoFactor.php',
    '<?php',
    { breezy_session_id: '8f14e45fceea167a5a36dedd4bea2543' },
  ],
])(
  'requires the second factor that a package asks for after the login: %s',
  async (path, file, text, factor) => {
    const { folder, write, device, put } = await inFiles();
    write(`vendor/${file}`, text);
    await expect(open(folder)).rejects.toThrow(`set userRequire=${path},`);
    const { isUser } = await ask(folder, { userRequire: path });
    expect(await isUser(device)).toBe(false);
    put(factor);
    expect(await isUser(device)).toBe(true);
  },
);

test('needs no setting for a package version that asks for the second factor before the login', async () => {
  const { folder, write, cookies } = await inFiles();
  for (const file of [
    'jeffgreco13/filament-breezy/src/Http/Livewire/Auth/Login.php',
    'stephenjude/filament-two-factor-authentication/src/TwoFactorAuthenticatable.php',
  ])
    write(`vendor/${file}`, '<?php');
  expect(await (await open(folder)).identify({ cookies })).toMatchObject({ user });
});

test('keeps the device that changes the password, although its session is written after the row of the user', async () => {
  const site = await inFiles();
  const { cookies } = site;
  const put = (hash: string) => site.put({ password_hash_web: hash });
  put('hash');
  const settings = readOptions({ site: site.folder });
  if (!('site' in settings)) throw new Error('no site');
  let afterRead: (() => void) | undefined;
  const source = parseDatabaseUrl(`sqlite://${site.folder}/database/database.sqlite`);
  const open = () => {
    const database = source.open();
    return Object.assign(Object.create(database) as typeof database, {
      async rows(select: string, ids: readonly string[]) {
        const rows = await database.rows(select, ids);
        if (afterRead) setTimeout(afterRead, 50);
        afterRead = undefined;
        return rows;
      },
      close: () => database.close(),
    });
  };
  const logins = await openLogins({ site: { ...settings.site, database: { ...source, open } } });
  onTestFinished(() => logins.close());
  const login = await logins.identify({ cookies });
  if ('code' in login) throw new Error(login.reason);
  site.db.exec("UPDATE users SET password = 'new'");
  afterRead = () => put('new');
  const here = await logins.check([login])[0];
  expect(here).toMatchObject({ state: 'user', login: { handle: login.handle, user } });
  site.db.exec("UPDATE users SET password = 'newer'");
  expect(await differing(logins, (here as { login: typeof login }).login)).toMatchObject({ state: 'nobody' });
});

test('checks the row of the user although a session server notifies of session changes', async () => {
  const server = await sessionServerForTest({});
  const kept = await keptSessions(server.port);
  onTestFinished(() => kept.close());
  const site = siteOf(13, {});
  const logins = await open(site.folder, { store: `session-server://127.0.0.1:${server.port}` });
  const { login, changed } = askingOf(logins);
  const { id, cookies } = await logIn(site.sessions, { name: site.name });
  await kept.put(id, `${ofWeb}|i:7;`);
  const tab = await login({ cookies });
  let notifications = 0;
  const watch = logins.watch(() => {});
  const followed = watch.add(tab, { notified: () => void notifications++, opened: () => {} });
  onTestFinished(() => watch.end());
  const change = async () => {
    await kept.put(id, `${ofWeb}|i:7;n|i:${Date.now()};`);
    return notifications;
  };
  await expect.poll(change, { timeout: hanging }).toBeGreaterThan(0);
  // Checks cannot be skipped.
  expect(followed.since).toBeUndefined();
  site.db.exec('DELETE FROM users');
  expect(await changed(tab)).toMatchObject({ state: 'nobody' });
});

test('follows the default guard, and reads a cookie that the application does not encrypt', async () => {
  const site = siteOf(13, { AUTH_GUARD: 'staff', SESSION_SERIALIZATION: 'json' });
  site.db.exec("CREATE TABLE staff (id INTEGER PRIMARY KEY, email TEXT); INSERT INTO staff VALUES (9, 'x')");
  const { id, cookies } = await logIn(site.sessions, { name: site.name });
  const session = { [ofWeb.replace('web', 'staff')]: 9, [ofWeb]: 7 };
  writeFileSync(join(site.sessions, id), JSON.stringify(session));
  expect(await (await ask(site.folder)).who({ cookies })).toEqual({ id: '9', name: '9' });
  const byWeb = await ask(site.folder, { userId: ofWeb });
  expect(await byWeb.who({ cookies })).toEqual(user);
  const plain = { cookies: `${site.name}=${id}` };
  expect(await byWeb.isUser(plain)).toBe(false);
  site.write(
    'bootstrap/app.php',
    `<?php // ->encryptCookies(except: [])
    $middleware->encryptCookies(except: ['theme', '${site.name}']);`,
  );
  expect(await (await ask(site.folder)).who(plain)).toMatchObject({ id: '9' });
  await expect(open(siteOf(13, { AUTH_GUARD: 'api' }).folder)).rejects.toThrow(
    /the guard api does not keep users in sessions .*userId=login_GUARD/,
  );
});

test.each(['impersonated_by', 'nova_impersonated_by'])(
  'rejects the session while an admin acts as a user, marked by %s',
  async (mark) => {
    const { folder, device, put } = await inFiles();
    const { login, who, changed } = await ask(folder);
    const before = await login(device);
    put({ [mark]: 1 });
    expect(await who(device)).toContain('is acting as this user');
    expect(await changed(before)).toMatchObject({ state: 'nobody' });
  },
);

describe('guards of another class', () => {
  const own = (of: string) => ofWeb.replace(/[0-9a-f]{40}$/, of);
  const ofImpersonate = own('3dc7a913ef5fd4b890ecabe3487085573e16cf82');

  test('from lab404/laravel-impersonate reject a session while an admin acts as its user', async () => {
    const { folder, write, device, put } = await inFiles();
    write('vendor/lab404/laravel-impersonate/composer.json', '{}');
    const as = (more: object) => put({ [ofWeb]: undefined, [ofImpersonate]: 7, ...more });
    as({});
    const { login, who, isUser, changed } = await ask(folder);
    const before = await login(device);
    expect(before.user).toEqual(user);
    // The admin may have the same ID as the user, in another table.
    for (const admin of [1, 7, 0, 'abc']) {
      as({ impersonated_by: admin });
      expect(await who(device)).toContain('is acting as this user');
      expect(await changed(before)).toMatchObject({ state: 'nobody' });
    }
    as({ impersonated_by: null, impersonator_guard: 'web' });
    expect(await isUser(device)).toBe(true);
    write('config/laravel-impersonate.php', "<?php return ['session_key' => 'acts.as'];");
    as({ impersonated_by: 1 });
    const byOwnKey = await ask(folder);
    expect(await byOwnKey.isUser(device)).toBe(true);
    as({ acts: { as: 1 } });
    expect(await byOwnKey.isUser(device)).toBe(false);
  });

  test('of the application are checked by the rows of their users', async () => {
    const { folder, db, device, put } = await inFiles();
    const userId = own('0123456789abcdef0123456789abcdef01234567').replace('web', 'web-staff');
    put({ [ofWeb]: undefined, [userId]: 7 });
    const { isUser } = await ask(folder, { userId });
    expect(await isUser(device)).toBe(true);
    db.exec('DELETE FROM users');
    expect(await isUser(device)).toBe(false);
  });
});

test('ends open logins made with the old APP_KEY, unless APP_PREVIOUS_KEYS lists it', async () => {
  const site = siteOf(13, {});
  const { cookies } = await logIn(site.sessions, { name: site.name });
  const logins = await open(site.folder);
  const { login, check } = askingOf(logins);
  const [, session] = cookies.split(`${site.name}=`);
  const known = [await login({ cookies }), await login({ session })];
  site.setEnv({ APP_KEY: previous, APP_PREVIOUS_KEYS: key });
  await logins.reload?.();
  for (const each of known) expect(await check(each)).toMatchObject({ login: { handle: each.handle, user } });
  site.setEnv({ APP_KEY: previous });
  await logins.reload?.();
  const ended = { state: 'nobody', reason: expect.stringMatching(/another key/) };
  for (const each of known) expect(await check(each)).toMatchObject(ended);
});

test('reads a DB_URL with a stray % like PHP', async () => {
  const site = siteOf(13, { SESSION_DRIVER: 'database', DB_CONNECTION: 'pgsql' });
  site.setEnv({ DB_URL: 'pgsql://o%27neil:100%@127.0.0.1:1/si%C3%A9%zz' });
  const found = await laravel.find?.(await siteFolder({ folder: site.folder }), {});
  expect(found?.accounts?.database.place).toMatchObject({
    user: "o'neil",
    password: '100%',
    path: '/sié%zz',
  });
});

test.each([
  ["'host' => '10.0.0.2', 'write' => ['host' => '10.0.0.1', 'port' => 5433]", '10.0.0.1', 5433],
  ["'write' => ['host' => ['10.0.0.1']], 'read' => ['host' => ['10.0.0.2']]", '10.0.0.1', 5432],
  ["'host' => '10.0.0.2', 'write' => [['host' => '10.0.0.1'], ['host' => '10.0.0.3']]", '10.0.0.1', 5432],
  ["'url' => 'pgsql://10.0.0.2:1/site', 'write' => ['host' => ['10.0.0.1'], 'port' => 2]", '10.0.0.1', 2],
  ["'host' => ['10.0.0.1', '10.0.0.3'], 'read' => ['host' => '10.0.0.2']", '10.0.0.1', 5432],
])('reads sessions where Laravel writes them: %s', async (hosts, host, port) => {
  const site = siteOf(13, { SESSION_DRIVER: 'database', DB_CONNECTION: 'pgsql' });
  const connection = `'driver' => 'pgsql', 'port' => 5432, 'database' => 'site', 'username' => 'ann', 'password' => 'x', ${hosts}`;
  site.write(
    'config/database.php',
    `<?php return ['default' => 'pgsql', 'connections' => ['pgsql' => [${connection}]]];`,
  );
  const found = await laravel.find?.(await siteFolder({ folder: site.folder }), {});
  for (const database of [found?.table?.database, found?.accounts?.database])
    expect(database?.place).toMatchObject({ hosts: [{ host, port }] });
});

test('finds no mail address that is unconfirmed if the model requires confirmation', async () => {
  const site = siteOf(13, {});
  const mails = async (head = 'class User extends Authenticatable implements Other, MustVerifyEmail') => {
    site.write('app/Models/User.php', `<?php namespace App\\Models;\nuse MustVerifyEmail;\n${head}\n{ }`);
    const logins = await open(site.folder);
    return [await logins.findMail?.('7'), await logins.findMail?.('8')];
  };
  const mail = 'a@example.org';
  site.db.exec(`ALTER TABLE users ADD COLUMN email TEXT DEFAULT '${mail}'`);
  site.db.exec("INSERT INTO users (id, name, password) VALUES (8, 'Bo', 'hash')");
  // Without the column, only the application knows whether an address is confirmed.
  expect(await mails()).toEqual([mail, mail]);
  site.db.exec('ALTER TABLE users ADD COLUMN email_verified_at TEXT');
  site.db.exec("UPDATE users SET email_verified_at = '2026-01-01 00:00:00' WHERE id = 7");
  expect(await mails()).toEqual([mail, null]);
  const { cookies } = await logIn(site.sessions, { name: site.name });
  site.db.exec('UPDATE users SET email_verified_at = NULL');
  expect(await (await ask(site.folder)).isUser({ cookies })).toBe(true);
  expect(await mails()).toEqual([null, null]);
  // Applications that also use the trait import the contract under this name.
  const head = 'class User extends Authenticatable';
  expect(await mails(`${head} implements MustVerifyEmailContract`)).toEqual([null, null]);
  expect(await mails(`${head} // implements MustVerifyEmail`)).toEqual([mail, mail]);
  site.db.exec("UPDATE users SET deleted_at = '2026-01-01 00:00:00' WHERE id = 7");
  expect(await mails(head)).toEqual([null, mail]);
});

test('takes the table, the key and the column of the passwords from the model', async () => {
  const site = siteOf(13, {});
  const of = async (head: string, body = '') => {
    site.write('app/Models/User.php', `<?php namespace App\\Models; ${head} { ${body} }`);
    const found = await laravel.find?.(await siteFolder({ folder: site.folder }), {});
    return found?.accounts?.basis;
  };
  for (const [head, body] of [
    [
      `#[\\Illuminate\\Database\\Eloquent\\Attributes\\Table(name: 'members', key: 'uid', keyType: 'string')]\nclass User`,
    ],
    [`#[Fillable(['name']), Table('members', 'uid', 'string', false)]\nfinal class User`],
    [`#[Table('members', key: 'uid')]\nclass User`],
    ['class User', `protected $table = "members"; protected $primaryKey = 'uid';`],
  ] as const)
    expect(await of(head, body), head).toMatchObject({ table: 'members', key: 'uid' });
  for (const [body, password] of [
    ['protected $authPasswordName = "passwd";', 'passwd'],
    ["protected $authPasswordName = 'contraseña';", 'contraseña'],
    ['public function getAuthPassword(): string { return $this->passwd; }', 'passwd'],
    ['public function getAuthPassword() { return (string) $this->attributes["passwd"]; }', 'passwd'],
    ["function getAuthPasswordName() { return 'passwd'; } function x() { return $this->y; }", 'passwd'],
    ['function getAuthPassword() { return $this->{$this->getAuthPasswordName()}; }', 'password'],
    ['', 'password'],
  ] as const)
    expect(await of('class User', body), body).toMatchObject({ password });
});

test('compares passwords in a renamed column, and requires them if sessions have a hash', async () => {
  const { folder, write, db, device, put } = await inFiles();
  db.exec('ALTER TABLE users RENAME COLUMN password TO passwd');
  put({ password_hash_web: 'hash' });
  const without = await open(folder);
  expect(await without.identify(device)).toMatchObject({
    code: 'unauthorized',
    reason: expect.stringContaining('no column password'),
    hint: expect.stringContaining('$authPasswordName'),
  });
  // Without the middleware `AuthenticateSession`, Laravel does not compare hashes.
  put({});
  expect(await without.identify(device)).toMatchObject({ user });
  put({ password_hash_web: 'hash' });
  write('app/Models/User.php', `<?php class User { protected $authPasswordName = 'passwd'; }`);
  const { login, changed } = await ask(folder);
  const before = await login(device);
  db.exec("UPDATE users SET passwd = 'another'");
  expect(await changed(before)).toMatchObject({ state: 'nobody' });
});

test('lets a key of the application replace the framework’s key, except lists that Laravel merges', async () => {
  const site = siteOf(13, { SESSION_DRIVER: 'redis', DB_URL: 'sqlite:////elsewhere.sqlite' }, true);
  const own = (name: string, text: string) => site.write(`config/${name}.php`, `<?php return [${text}];`);
  const expectFound = async (prefix: string, path: string) =>
    expect(await laravel.find?.(await siteFolder({ folder: site.folder }), {})).toMatchObject({
      options: { store: expect.stringContaining(`?database=0&prefix=${prefix}&`) },
      accounts: { database: { place: { path } }, basis: { guard: 'web', table: 'users' } },
    });
  await expectFound('my-site-database-my-site-cache-', '/elsewhere.sqlite');
  // Observed in `config()` of Laravel 11.56 and 13.26.
  own('cache', `'prefix' => null`);
  own('database', `'redis' => ['default' => ['host' => '127.0.0.1']]`);
  own('auth', `'providers' => ['users' => ['driver' => 'database']], 'defaults' => []`);
  await expectFound('', '/elsewhere.sqlite');
  own('database', `'connections' => ['sqlite' => ['driver' => 'sqlite', 'database' => '/own.sqlite']]`);
  await expectFound('my-site-database-', '/own.sqlite');
});

test('turns names into cookie names like Laravel', async () => {
  const names = ['My Site', 'laravel', 'my_site-2', 'A@b.C!', ' x  Y ', 'HTTPServer', 'é', "O'Neil & Co"];
  const file = join(siteOf(13, {}).folder, 'names.php');
  const calls = (name: string) =>
    ['slug', 'slug', 'snake'].map((of, n) => `Str::${of}(${JSON.stringify(name)}${n === 1 ? ", '_'" : ''})`);
  const list = `[${names.flatMap(calls).join(', ')}]`;
  writeFileSync(file, `<?php return ${list};`);
  const code = `require 'Illuminate/Support/autoload.php'; use Illuminate\\Support\\Str; echo json_encode(${list});`;
  const real = JSON.parse(execFileSync('php', ['-r', code], { encoding: 'utf8' })) as string[];
  const read = await readConfiguration(file);
  for (const [n, wanted] of real.entries()) {
    const one = () => read.returned([String(n)], 'nothing');
    // Only the accent needs Laravel's table of transliterations.
    if (names[Math.floor(n / 3)] === 'é') expect(one).toThrow('which only PHP knows');
    else expect(one()).toBe(wanted);
  }
});

test('gives a cached configuration precedence, like Laravel', async () => {
  const site = siteOf(13, { APP_KEY: previous, SESSION_DRIVER: 'cookie' });
  site.write(
    'bootstrap/cache/config.php',
    `<?php return array ('app' => array ('key' => '${key}', 'previous_keys' => array (0 => '${previous}')),
    'auth' => array ('defaults' => array ('guard' => 'web')), 'session' => array ('driver' => 'file', 'lifetime' => '120',
    'encrypt' => false, 'files' => '${site.sessions}', 'cookie' => 'cached_session'), 'database' => array ('default' => 'sqlite',
    'connections' => array ('sqlite' => array ('driver' => 'sqlite', 'database' => 'database/database.sqlite'))));`,
  );
  const logins = await open(site.folder);
  for (const by of [key, previous]) {
    const { cookies } = await logIn(site.sessions, { name: 'cached_session', key: by });
    expect(await logins.identify({ cookies })).toMatchObject({ user });
  }
});

test.each<[Record<string, string>, RegExp]>([
  [{ SESSION_DRIVER: 'cookie' }, /SESSION_DRIVER=cookie keeps the whole session in the browser/],
  [{ SESSION_DRIVER: 'array' }, /SESSION_DRIVER=array cannot be read: set another driver/],
  [{ APP_KEY: '' }, /APP_KEY/],
  [{ APP_NAME: 'Café' }, /config\/session\.php line \d+: .*: set cookieName$/],
  [
    { SESSION_DRIVER: 'database', DB_CONNECTION: 'other' },
    /"other" cannot be read, .*: set site to "laravel:" .*store/,
  ],
])('explains why %o cannot be read', async (env, words) => {
  await expect(open(siteOf(13, env).folder)).rejects.toThrow(words);
});

test('rejects an option of tables', async () => {
  await expect(open(siteOf(13, {}).folder, { siteBlog: '2' })).rejects.toThrow(
    /^siteBlog: Laravel keeps its logins in PHP sessions, which do not use this option; leave it out$/,
  );
});
