import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parseCookieForm } from '../../../server/session/cookie.ts';
import { createSessionReader } from '../../../server/session/read-session.ts';
import type { SessionStore } from '../../../server/session/store.ts';
import { parseStoreUrl } from '../../../server/session/store-url.ts';
import { connectChat, newClientId, refusalOf } from '../../helpers/chat-client.ts';
import { type ChatServer, startChatServer } from '../../helpers/chat-server.ts';
import { phpRequest } from '../../helpers/php-request.ts';
import { type Redis, startLockedRedis, startRedis } from '../../helpers/redis.ts';
import { startTcpProxy } from '../../helpers/tcp-proxy.ts';

const password = 'p@ss/w:rd+%';
const inUrl = encodeURIComponent(password);

let redis: Redis;
let locked: Redis;
const closing: (() => unknown)[] = [];

beforeAll(async () => {
  [redis, locked] = await Promise.all([startRedis(), startLockedRedis(password)]);
});
afterAll(() => Promise.all([redis.remove(), locked.remove()]));
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

function store(url = `redis://127.0.0.1:${redis.port}`): SessionStore {
  const opened = parseStoreUrl(url).open();
  closing.push(() => opened.close());
  return opened;
}

const put = (id: string, value: string | Buffer) => redis.ask('SET', `PHPREDIS_SESSION:${id}`, value);

describe('a Redis that is well', () => {
  test('the bytes as they are, and null for what is not there or is no string', async () => {
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

  test.each([
    [
      'a prefix',
      () => [`127.0.0.1:${redis.port}?prefix=siam_`, `tcp://127.0.0.1:${redis.port}?prefix=siam_`],
    ],
    ['a database', () => [`127.0.0.1:${redis.port}/3`, `tcp://127.0.0.1:${redis.port}?database=3`]],
    [
      'a database that is named twice',
      () => [`127.0.0.1:${redis.port}/3?database=3`, `tcp://127.0.0.1:${redis.port}?database=3`],
    ],
    [
      'a unix socket, with a database and a prefix',
      () => [
        `${redis.folder}/redis.sock?database=5&prefix=app:`,
        `unix://${redis.folder}/redis.sock?database=5&prefix=app:`,
      ],
    ],
    [
      'a password',
      () => [`:${inUrl}@127.0.0.1:${locked.port}`, `tcp://127.0.0.1:${locked.port}?auth=${inUrl}`],
    ],
    [
      'a password over a unix socket',
      () => [
        `:${inUrl}@${locked.folder}/redis.sock?database=2`,
        `unix://${locked.folder}/redis.sock?auth=${inUrl}&database=2`,
      ],
    ],
    [
      'a user who may do nothing but this',
      () => [
        `chat:${inUrl}@127.0.0.1:${locked.port}?prefix=siam_`,
        `tcp://127.0.0.1:${locked.port}?auth=${inUrl}&prefix=siam_`,
      ],
    ],
  ])('where phpredis has put it: %s', async (_, places) => {
    const [url, path = ''] = places();
    const id = phpRequest(
      { 'session.save_handler': 'redis', 'session.save_path': path },
      '$_SESSION["user_id"] = 7',
    );
    expect(String(await store(`redis://${url}`).get(id))).toBe('user_id|i:7;');
  });

  test('while PHP holds its lock, which stays as it is', async () => {
    const site = {
      'session.save_handler': 'redis',
      'session.save_path': `tcp://127.0.0.1:${redis.port}`,
      'redis.session.locking_enabled': '1',
      'redis.session.lock_expire': '60',
    };
    const id = phpRequest(site, '$_SESSION["user_id"] = 7');
    const holding = spawn('php', [
      ...Object.entries(site).flatMap(([name, value]) => ['-d', `${name}="${value}"`]),
      ...['-d', 'session.use_cookies=0', '-r'],
      `session_id('${id}'); session_start(); echo 'locked'; fgets(STDIN);`,
    ]);
    await once(holding.stdout, 'data');
    const traces = () => redis.traces(`PHPREDIS_SESSION:${id}_LOCK`, `PHPREDIS_SESSION:${id}`);
    const before = await traces();
    expect(before.held).not.toContain('nothing');
    const sessions = store();
    for (let n = 0; n < 100; n++) expect(String(await sessions.get(id))).toBe('user_id|i:7;');
    expect(await traces()).toEqual(before);
    holding.stdin.end('\n');
    await once(holding, 'close');
  });

  test('a thousand questions in a few round trips, and nothing asked but these', async () => {
    await Promise.all(Array.from({ length: 10 }, (_, n) => put(`n${n}`, `value ${n}`)));
    let pieces = 0;
    const proxy = await startTcpProxy(redis.port, (piece, client) => {
      pieces++;
      client.write(piece);
    });
    closing.push(() => proxy.close());
    const sessions = store(`redis://127.0.0.1:${proxy.port}`);
    await redis.ask('CONFIG', 'RESETSTAT');
    const answers = await Promise.all(Array.from({ length: 1000 }, (_, n) => sessions.get(`n${n}`)));
    expect(answers.map(String)).toEqual(
      Array.from({ length: 1000 }, (_, n) => (n < 10 ? `value ${n}` : 'null')),
    );
    const statistics = String(await redis.ask('INFO', 'commandstats'));
    const calls = [...statistics.matchAll(/cmdstat_(\S+):calls=(\d+)/g)].map(([, name, count]) => [
      name,
      count,
    ]);
    expect(Object.fromEntries(calls)).toEqual({ 'config|resetstat': '1', strlen: '1000', mget: '2' });
    // Two round trips for each five hundred: one for all sizes, one for all values. Some arrive in pieces.
    expect(pieces).toBeLessThan(50);
  });

  test('a session of 2 MB is refused, and whoever asks beside it is let in', async () => {
    await put('large', Buffer.alloc(2 * 1024 * 1024, 'x'));
    await put('small', 'user_id|i:7;');
    const sessions = createSessionReader({
      source: parseStoreUrl(`redis://127.0.0.1:${redis.port}`),
      cookie: parseCookieForm('plain', 'PHPSESSID'),
      user: { id: ['user_id'], name: [] },
    });
    closing.push(() => sessions.close());
    const [large, small] = await Promise.all(['large', 'small'].map(sessions.fromValue));
    expect(large).toMatchObject({ code: 'session_invalid', reason: 'larger than 1048576 bytes' });
    expect(small).toMatchObject({ user: { id: '7' } });
  });

  test('the library is loaded for a site that has Redis, and for no other', () => {
    const script = `
      import { Module } from 'node:module';
      import { parseStoreUrl } from './server/session/store-url.ts';
      const loaded = () => Object.keys(Module._cache).some((path) => path.includes('/redis/'));
      const source = parseStoreUrl('redis://127.0.0.1:${redis.port}');
      const before = loaded();
      const sessions = source.open();
      await sessions.get('nobody');
      console.log(JSON.stringify([before, loaded()]));
      sessions.close();`;
    const output = execFileSync(process.execPath, ['--input-type=module', '--eval', script], {
      cwd: new URL('../../..', import.meta.url),
      encoding: 'utf8',
    });
    expect(JSON.parse(output)).toEqual([false, true]);
  });
});

test.each([
  ['redis://', /no host, and no socket/],
  ['rediss:///run/redis.sock', /no host/],
  ['redis://one:6379,two:6379', /one Redis/],
  ['redis://host/three', /the database is a number/],
  ['redis://host/3?database=4', /the database is a number, and only one/],
  ['redis://host/3?database=03', /the database is a number, and only one/],
  ['redis://host/3?database=', /the database is a number/],
  ['redis://host?database=-1', /the database is a number/],
  ['redis://host?ca=/etc/hosts', /ca= is not an option of redis:/],
  ['rediss://host?ca=/etc/hosts', /ca=\/etc\/hosts is no file with a certificate/],
  ['rediss://host?ca=/gone', /ca=\/gone is no file with a certificate/],
  ['rediss://host?verify=no', /verify= is not an option/],
])('a store URL that is refused: %s', (url, reason) => {
  expect(() => parseStoreUrl(url)).toThrow(reason);
});

test('the chat knows who is logged in to a site with phpredis, under which name, and until when', async () => {
  const place = `127.0.0.1:${locked.port}`;
  const request = (code: string, id?: string) =>
    phpRequest(
      {
        'session.save_handler': 'redis',
        'session.save_path': `tcp://${place}?auth=${inUrl}&prefix=siam_`,
      },
      code,
      id,
    );
  let chat: ChatServer | undefined;
  try {
    chat = await startChatServer({
      CHAT_SESSION_STORE: `redis://chat:${inUrl}@${place}?prefix=siam_`,
      CHAT_SESSION_CHECK: '100ms',
    });
    const id = request('$_SESSION["user_id"] = 7; $_SESSION["firstname"] = "Zoë"');
    const client = await connectChat(chat.url, `PHPSESSID=${id}`);
    expect(client.ready.user).toEqual({ id: '7', name: 'Zoë' });
    await client.request('room:join', { room: 'lobby' });
    request('$_SESSION["firstname"] = "Chloé"', id);
    const say = () => client.request('message:send', { room: 'lobby', text: 'x', clientId: newClientId() });
    await expect.poll(async () => (await say()).message.user).toEqual({ id: '7', name: 'Chloé' });
    request('session_destroy()', id);
    expect((await client.ended).reason).toBe('logout');
    // Cuts this user's connections, too.
    await locked.ask('ACL', 'DELUSER', 'chat');
    const { url, output } = chat;
    // Who asked when it was cut is told that; the next are told why.
    const said = async () => {
      const refused = await refusalOf(connectChat(url, `PHPSESSID=${id}`));
      expect(refused.message).toBe('session_store_unavailable');
      return output();
    };
    await expect.poll(said).toMatch(/Redis refuses \(WRONGPASS\)/);
    for (const secret of [id, password, inUrl]) expect(chat.output()).not.toContain(secret);
  } finally {
    await chat?.stop();
  }
});
