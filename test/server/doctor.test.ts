import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startChild } from '../helpers/child.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { phpRequest } from '../helpers/php-request.ts';
import { startLockedRedis } from '../helpers/redis.ts';

const root = new URL('../..', import.meta.url).pathname;
let folder: string;
let id: string;
let memcached: Memcached;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'php-sessions-'));
  id = phpRequest(
    { 'session.save_path': folder },
    '$_SESSION["app"] = ["user" => ["id" => 7, "name" => "Zoë"], "n" => 1]; $_SESSION["csrf"] = "s3cret"',
  );
  memcached = await startMemcached();
  await memcached.set(`memc.sess.key.${id}`, 'user_id|i:7;');
});
afterAll(async () => {
  rmSync(folder, { recursive: true, force: true });
  await memcached.stop();
});

/** `npm run doctor` with these settings: its exit code, and what it says without what is the same each time. */
async function doctor(env: Record<string, string>, ...args: string[]): Promise<[number, string]> {
  const child = startChild(process.execPath, ['server/doctor.ts', ...args], {
    cwd: root,
    env: { PATH: process.env.PATH, ...env },
  });
  const code = await new Promise<number>((resolve) => child.process.on('close', resolve));
  return [code, child.output()];
}

test('all is well: from the cookie to the user, and no value of the session', async () => {
  const [code, said] = await doctor(
    {
      CHAT_SESSION_STORE: `file://${folder}`,
      CHAT_USER_ID: 'app.user.id',
      CHAT_USER_NAME: 'app.user.name',
    },
    '--cookie',
    `PHPSESSID=${id}`,
  );
  expect(said).toMatch(/answers[\s\S]*Its keys: app\.user, app\.n, csrf\.[\s\S]*the user 7, called Zoë/);
  expect(said).not.toMatch(/✗|s3cret/);
  expect(code).toBe(0);
});

test.each<[string, RegExp, Record<string, string>]>([
  ['a path that leads nowhere', /user_id is not in the session[\s\S]*→ CHAT_USER_ID is the path/, {}],
  ['another format', /look like php\.\n {2}→ the store URL has to say format=php /, { format: 'igbinary' }],
  ['another prefix', /needs these options behind its \?: prefix=sess_$/m, { prefix: 'ci_session' }],
  ['other folders', /needs these options behind its \?: format=php$/m, { depth: '1', format: 'php' }],
  ['another folder', /no such folder/, { folder: '/nowhere' }],
])('%s: what is wrong, and what to change', async (_, expected, { folder: at = folder, ...options }) => {
  const [code, said] = await doctor(
    { CHAT_SESSION_STORE: `file://${at}?${new URLSearchParams(options)}` },
    '--cookie',
    id,
  );
  expect(said).toMatch(expected);
  expect(said).not.toContain('s3cret');
  expect(code).toBe(1);
});

test('a session of ext-memcached’s own handler, looked for where one’s own would be', async () => {
  const [code, said] = await doctor({ CHAT_SESSION_STORE: memcached.url }, '--cookie', id);
  expect(said).toContain('→ CHAT_SESSION_STORE needs these options behind its ?: handler=memcached\n');
  expect(code).toBe(1);
  // As ext-memcache packs it.
  await memcached.set(id, Buffer.from('not packed'), 0, 2);
  const packed = await doctor({ CHAT_SESSION_STORE: memcached.url }, '--cookie', id);
  await memcached.delete(id);
  expect(packed).toEqual([1, expect.stringContaining('behind its ?: handler=memcached')]);
  await memcached.delete(`memc.sess.key.${id}`);
  await memcached.set(id, Buffer.from('not packed'), 0, 2);
  const other = await doctor({ CHAT_SESSION_STORE: memcached.url }, '--cookie', id);
  expect(other).toEqual([1, expect.stringContaining('behind its ?: handler=memcache\n')]);
});

test('a signed cookie, without the setting for it and with another key', async () => {
  const keyFile = join(folder, 'cookie-keys');
  writeFileSync(keyFile, `${randomBytes(32).toString('base64')}\n`);
  const signed = `0123456789abcdef0123456789abcdef.${'0a'.repeat(32)}`;
  for (const form of ['plain', `signed:${keyFile}`]) {
    const env = { CHAT_SESSION_STORE: `file://${folder}`, CHAT_SESSION_COOKIE: form };
    const [code, said] = await doctor(env, '--cookie', signed);
    expect(said).toMatch(/no value of the cookie[\s\S]*→ .*TableSession: CHAT_SESSION_COOKIE=signed:KEYFILE/);
    expect(said).not.toContain(signed.slice(0, 32));
    expect(code).toBe(1);
  }
});

test('what is in the folder under that id is no file of PHP’s', async () => {
  const other = 'f'.repeat(26);
  mkdirSync(join(folder, `sess_${other}`));
  const [code, said] = await doctor({ CHAT_SESSION_STORE: `file://${folder}` }, '--cookie', other);
  expect(said).toMatch(/no regular file[\s\S]*→ Who owns the file/);
  expect(said).not.toMatch(/handler=|distribution=/);
  expect(code).toBe(1);
});

test('a session that is expired by the options of the store URL', async () => {
  const path = join(folder, `sess_${id}`);
  const ago = Date.now() / 1000 - 1800;
  utimesSync(path, ago, ago);
  const env = { CHAT_SESSION_STORE: `file://${folder}` };
  expect(await doctor(env, '--cookie', id)).toEqual([
    1,
    expect.stringMatching(/an expired one[\s\S]*lifetime=/),
  ]);
  const now = new Date();
  utimesSync(path, now, now);
});

test('a store that fails in the middle: what it says, and no stack', async () => {
  const db = join(folder, 'site.db');
  execFileSync('php', [
    '-r',
    `$db = new PDO('sqlite:${db}'); $db->exec('CREATE TABLE s (id, data, ends)'); $db->exec("INSERT INTO s VALUES ('${id}', 'user_id|i:7;', 'soon')");`,
  ]);
  const [code, said] = await doctor(
    { CHAT_SESSION_STORE: `sqlite:${db}?table=s&id=id&data=data&expires=ends` },
    '--cookie',
    id,
  );
  expect(said).toMatch(/✗ The session store: the column that expires=/);
  expect(said).not.toMatch(/^ +at /m);
  expect(code).toBe(1);
});

test('a user whom the settings keep out', async () => {
  const [code, said] = await doctor(
    { CHAT_SESSION_STORE: `file://${folder}`, CHAT_USER_ID: 'app.user.id', CHAT_USER_REQUIRE: 'auth_secret' },
    '--cookie',
    id,
  );
  expect(said).toMatch(/auth_secret is not in the session[\s\S]*CHAT_USER_REQUIRE or CHAT_USER_NOBODY/);
  expect(code).toBe(1);
});

test('logout notifications of Redis that are not active, that are, and that nobody may ask about: no failure', async () => {
  const redis = await startLockedRedis('secret');
  try {
    const said = async (user = '') => {
      const url = `redis://${user}:secret@127.0.0.1:${redis.port}?prefix=`;
      const [code, text] = await doctor({ CHAT_SESSION_STORE: url });
      expect(text).toMatch(/✓ The session store answers\.\n✓ /);
      expect(code).toBe(0);
      return text;
    };
    const set = (flags: string) => redis.ask('CONFIG', 'SET', 'notify-keyspace-events', flags);
    expect(await said()).toMatch(
      /are not active.*\n {2}→ .*CONFIG SET notify-keyspace-events 'Egx', and in redis\.conf the line notify-keyspace-events Egx$/m,
    );
    await set('Kx$');
    // What others want of it stays.
    expect(await said()).toMatch(/CONFIG SET notify-keyspace-events '\$xKEg',/);
    for (const flags of ['Egx', 'KEA', 'AE$']) {
      await set(flags);
      expect(await said()).toMatch(/✓ The logout notifications of Redis are active\.\n[^ ]/);
    }
    await redis.ask('ACL', 'SETUSER', 'chat', '~*');
    expect(await said('chat')).toMatch(/It is unknown whether.*\n {2}→ .*notify-keyspace-events Egx/);
  } finally {
    await redis.remove();
  }
});

test('without a cookie: whether the store answers, and how to go on', async () => {
  const [code, said] = await doctor({ CHAT_SESSION_STORE: memcached.url });
  expect(said).toMatch(/✓ The session store answers\.\n[\s\S]*npm run doctor -- \[--cookie VALUE\]/);
  expect(code).toBe(0);
});

test('nobody’s cookie, a wrong option, settings that cannot be used', async () => {
  const nobody = await doctor({ CHAT_SESSION_STORE: memcached.url }, '--cookie', 'n'.repeat(26));
  expect(nobody).toEqual([1, expect.stringContaining('Is the visitor still logged in?')]);
  const noId = await doctor({ CHAT_SESSION_STORE: memcached.url }, '--cookie', '../../etc/passwd');
  expect(noId).toEqual([
    1,
    expect.stringMatching(/no value of the cookie PHPSESSID[\s\S]*→ Log in to the site/),
  ]);
  const packed = 'p'.repeat(26);
  await memcached.set(packed, Buffer.from('not packed'), 0, 2);
  const { hostname, port } = new URL(memcached.url);
  const store = `memcached://${hostname}:${port}?handler=memcache&prefix=`;
  const [, said] = await doctor({ CHAT_SESSION_STORE: store }, '--cookie', packed);
  await memcached.delete(packed);
  expect(said).toContain('→ Is handler= right, and distribution=?');
  expect(await doctor({}, '--cake')).toEqual([64, expect.stringContaining("Unknown option '--cake'")]);
  const settings = await doctor({ CHAT_SESSION_STORE: 'redis://user:geheim@host:x' });
  expect(settings).toEqual([78, expect.stringContaining('CHAT_SESSION_STORE')]);
  expect(settings[1]).not.toContain('geheim');
});
