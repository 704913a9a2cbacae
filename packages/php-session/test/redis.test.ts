import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { ownPort } from '../../../test/helpers/child.ts';
import { startGate } from '../../../test/helpers/gate.ts';
import { phpRequest, phpSite } from '../../../test/helpers/php-request.ts';
import { sharedRedis, startRedis } from '../../../test/helpers/redis.ts';
import { readerAt, storeAt, text } from '../../../test/helpers/session-stores.ts';
import { failureOf } from '../../../test/helpers/whole-error.ts';
import { logoutNotifications } from '../src/stores/redis/notifications.ts';
import { sessionStoreContract } from './contracts/session-store.ts';

const password = 'p@ss/w:rd+%';
const inUrl = encodeURIComponent(password);

const { redis, locked } = await sharedRedis(password);

/** Long enough for a busy machine. */
const patiently = (url: string) => storeAt(`${url}${url.includes('?') ? '&' : '?'}timeout=9999ms`);
const store = (place = `127.0.0.1:${redis.port}`) => patiently(`redis://${place}`);
const put = (id: string, value: string | Buffer) => redis.ask('SET', `PHPREDIS_SESSION:${id}`, value);

sessionStoreContract(
  'phpredis’s own handler',
  { has: ['silence', 'keepForever'], proves: ['TTL', 'failures'] },
  async () => {
    const own = await startRedis();
    const gate = await startGate(own.port);
    const key = (id: string) => `PHPREDIS_SESSION:${id}`;
    const path = `tcp://127.0.0.1:${own.port}`;
    const site = phpSite({ 'session.save_handler': 'redis', 'session.save_path': path });
    return {
      ...gate,
      url: `redis://127.0.0.1:${gate.port}`,
      request: site.request,
      traces: (id) => own.traces(key(id), `${key(id)}_LOCK`),
      expireIn: (id, seconds) => own.ask('EXPIRE', key(id), String(seconds)),
      keepForever: (id) => own.ask('PERSIST', key(id)),
      async close() {
        site.end();
        await gate.close();
        await own.remove();
      },
    };
  },
);

/** How often each command was called since the statistics were reset. */
async function calls(): Promise<Record<string, string>> {
  const statistics = String(await redis.ask('INFO', 'commandstats'));
  // Redis from version 7.2 also knows the client's library.
  const found = [...statistics.matchAll(/cmdstat_(?!client\|setinfo)(\S+):calls=(\d+)/g)];
  return Object.fromEntries(found.map(([, name, count]) => [name, count]));
}

describe('reading', () => {
  test('returns the bytes of a session, or null if no string has the key', async () => {
    const bytes = Buffer.from([0, 1, 0xff, 0x0a, 0x0d, 0x80]);
    await put('bytes', bytes);
    await put('empty', '');
    await redis.ask('RPUSH', 'PHPREDIS_SESSION:list', 'user_id|i:7;');
    const sessions = store();
    expect(await Promise.all(['bytes', 'empty', 'list', 'nobody'].map(sessions.get))).toEqual([
      bytes,
      Buffer.alloc(0),
      null,
      null,
    ]);
  });

  test.each<[where: string, url: () => string, savePath: () => string]>([
    [
      'a database that is named twice, and a password',
      () => `:${inUrl}@127.0.0.1:${locked.port}/3?database=3`,
      () => `tcp://127.0.0.1:${locked.port}?auth=${inUrl}&database=3`,
    ],
    [
      'a unix socket, with a database and a prefix',
      () => `${redis.folder}/redis.sock?database=5&prefix=app:`,
      () => `unix://${redis.folder}/redis.sock?database=5&prefix=app:`,
    ],
    [
      'a user with no further permissions',
      () => `chat:${inUrl}@127.0.0.1:${locked.port}?prefix=siam_`,
      () => `tcp://127.0.0.1:${locked.port}?auth=${inUrl}&prefix=siam_`,
    ],
  ])('finds a session where phpredis stored it: %s', async (_, url, savePath) => {
    const settings = { 'session.save_handler': 'redis', 'session.save_path': savePath() };
    const id = phpRequest(settings, '$_SESSION["user_id"] = 7');
    expect(await text(store(url()).get(id))).toBe('user_id|i:7;');
  });

  test('does not change a session that PHP has locked, or its lock', async () => {
    const settings = {
      'session.save_handler': 'redis',
      'session.save_path': `tcp://127.0.0.1:${redis.port}`,
      'redis.session.locking_enabled': '1',
      'redis.session.lock_expire': '60',
    };
    const id = phpRequest(settings, '$_SESSION["user_id"] = 7');
    const holding = spawn('php', [
      ...Object.entries(settings).flatMap(([name, value]) => ['-d', `${name}="${value}"`]),
      ...['-d', 'session.use_cookies=0', '-r'],
      `session_id('${id}'); session_start(); echo 'locked'; fgets(STDIN);`,
    ]);
    await once(holding.stdout, 'data');
    const traces = () => redis.traces(`PHPREDIS_SESSION:${id}_LOCK`, `PHPREDIS_SESSION:${id}`);
    const before = await traces();
    expect(before.held).not.toContain('nothing');
    expect(await text(store().get(id))).toBe('user_id|i:7;');
    expect(await traces()).toEqual(before);
    holding.stdin.end('\n');
    await once(holding, 'close');
  });

  test('sends a thousand STRLEN and two MGET for a thousand simultaneous reads', async () => {
    for (const n of Array(10).keys()) await put(`n${n}`, `value ${n}`);
    const sessions = store();
    await redis.ask('CONFIG', 'RESETSTAT');
    const answers = await Promise.all(Array.from({ length: 1000 }, (_, n) => text(sessions.get(`n${n}`))));
    expect(answers).toEqual(Array.from({ length: 1000 }, (_, n) => (n < 10 ? `value ${n}` : null)));
    expect(await calls()).toEqual({ 'config|resetstat': '1', strlen: '1000', mget: '2' });
  });

  test('finds which of a thousand sessions are unchanged with a STRLEN for each and two MGET', async () => {
    const known = Array.from({ length: 1000 }, (_, n) => ({
      id: `same${n}`,
      bytes: Buffer.from(`value ${n}`),
    }));
    const fill = "for n = 0, 999 do redis.call('SET', 'PHPREDIS_SESSION:same' .. n, 'value ' .. n) end";
    await redis.ask('EVAL', fill, '0');
    await put('same7', 'valve 7');
    await put('same8', 'value 8 and more');
    await redis.ask('DEL', 'PHPREDIS_SESSION:same9');
    const large = { id: 'large', bytes: Buffer.alloc(20_000, 'x') };
    await put(large.id, large.bytes);
    known.push(large, { id: 'nobody', bytes: Buffer.alloc(0) });
    await redis.ask('CONFIG', 'RESETSTAT');
    const same = await store().unchanged?.(known);
    const different = known.filter((_, n) => !same?.[n]).map(({ id }) => id);
    expect(different).toEqual(['same7', 'same8', 'same9', 'large', 'nobody']);
    expect(await calls()).toEqual({ 'config|resetstat': '1', strlen: '1002', mget: '2' });
  });

  test('rejects a session of 2 MB without affecting another visitor', async () => {
    await put('large', Buffer.alloc(2 * 1024 * 1024, 'x'));
    await put('small', 'user_id|i:7;');
    const sessions = readerAt(`redis://127.0.0.1:${redis.port}`);
    const answers = ['large', 'small'].map((session) => sessions.identify({ session }));
    expect(await Promise.all(answers)).toMatchObject([
      { code: 'session_invalid', reason: expect.stringContaining('larger than 1048576 bytes') },
      { user: { id: '7' } },
    ]);
  });
});

describe('TLS', () => {
  let port: number;
  const file = (name: string) => join(redis.folder, name);
  const use = (certificate: string) => {
    const settings = {
      'tls-cert-file': file(`${certificate}.pem`),
      'tls-key-file': file(`${certificate}.key`),
      'tls-ca-cert-file': file('ca.pem'),
      'tls-auth-clients': 'no',
      'tls-port': String(port),
    };
    return redis.ask('CONFIG', 'SET', ...Object.entries(settings).flat());
  };
  const open = (options = '') => patiently(`rediss://127.0.0.1:${port}${options}`);

  beforeAll(async () => {
    port = await ownPort();
    const certify = (name: string, options: string) => {
      const key = `-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ${name}.key`;
      const command = `req -x509 ${key} -out ${name}.pem -subj /CN=${name} ${options}`;
      execFileSync('openssl', command.trim().split(' '), { cwd: redis.folder, stdio: 'ignore' });
    };
    certify('ca', '-days 2');
    certify('here', '-CA ca.pem -CAkey ca.key -addext subjectAltName=IP:127.0.0.1');
    certify('elsewhere', '-CA ca.pem -CAkey ca.key -addext subjectAltName=DNS:elsewhere.example');
    await put('tls', 'user_id|i:7;');
  });
  afterEach(() => void vi.unstubAllEnvs());

  test('trusts a certificate only of the given authority and for this host, whatever the environment', async () => {
    vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
    await use('here');
    expect(await text(open(`?ca=${file('ca.pem')}`).get('tls'))).toBe('user_id|i:7;');
    expect(await failureOf(open().get('tls'))).toMatch(/certificate is not trusted; ca= names/);
    await use('elsewhere');
    const sessions = open(`?ca=${file('ca.pem')}`);
    expect(await failureOf(sessions.get('tls'))).toMatch(/certificate is for another host/);
  });

  test('leaves no connection if it is closed at any millisecond before the first answer', async () => {
    await use('here');
    let answered = false;
    for (let after = 0; !answered; after++) {
      const sessions = open(`?ca=${file('ca.pem')}`);
      const answer = sessions.get('tls').then(Boolean, () => false);
      const until = performance.now() + after;
      while (performance.now() < until) await new Promise(setImmediate);
      sessions.close();
      answered = await answer;
    }
    const connections = async () => String(await redis.ask('CLIENT', 'LIST')).match(/^id=/gm)?.length;
    // Only the connection of this request remains.
    await expect.poll(connections).toBe(1);
  });
});

test.each([
  ['', false],
  ['Eg', false],
  ['Ex$', false],
  ['KA', false],
  ['gx', false],
  ['Kx$', false],
  ['Egx', true],
  ['KEA', true],
  ['AE$', true],
])('reports for notify-keyspace-events %j whether logout notifications are active: %s', (flags, active) => {
  const { text, advice } = logoutNotifications(flags);
  expect(text).toMatch(active ? /are active/ : /are not active/);
  expect(advice === undefined).toBe(active);
});
