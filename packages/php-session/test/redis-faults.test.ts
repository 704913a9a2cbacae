import { describe, expect, test } from 'vitest';
import { redisForTest, sharedRedis } from '../../../test/helpers/redis.ts';
import { orNull, spoilingProxy, storeAt, text } from '../../../test/helpers/session-stores.ts';
import { failureOf } from '../../../test/helpers/whole-error.ts';
import { SessionBusyError, type SessionStore } from '../src/store.ts';
import { storeConnectionContract } from './contracts/store-connection.ts';

const password = 'p@ss/w:rd+%';
const inUrl = encodeURIComponent(password);

const { redis, locked } = await sharedRedis(password);

const store = (place = `127.0.0.1:${redis.port}`) => storeAt(`redis://${place}`);
const put = (id: string, value: string | Buffer) => redis.ask('SET', `PHPREDIS_SESSION:${id}`, value);

/** A store behind a proxy that changes the replies of Redis. */
async function spoiled(reply: Parameters<typeof spoilingProxy>[1]): Promise<SessionStore> {
  return store(`127.0.0.1:${(await spoilingProxy(redis.port, reply)).port}`);
}

/** Whether the piece is the size of a session, which is requested before the session. */
const isLength = (piece: Buffer) => piece[0] === 0x3a;

const nonsense: [name: string, bytes: string, reason: RegExp][] = [
  ['an HTTP response', 'HTTP/1.1 400 Bad Request\r\n\r\n', /not a reply/],
  ['a reply to another request', '*2\r\n$1\r\na\r\n$1\r\nb\r\n', /unexpected reply/],
  ['a string instead of a list', '$1\r\na\r\n', /unexpected reply/],
  ['a list of numbers', '*1\r\n:1\r\n', /unexpected reply/],
  ['a list that is too long for any memory', '*99999999999999\r\n', /not a reply/],
  ['a number below zero', ':-1\r\n', /unexpected reply/],
  ['a number that is too large', ':9007199254740993\r\n', /unexpected reply/],
  ['nested lists', '*1\r\n'.repeat(100_000), /not a reply/],
  ['half a value', '*1\r\n$100\r\nuser_id', /250 ms/],
  ['an error of a megabyte', `-${'A'.repeat(1_000_000)}\r\n`, /^Redis refuses \(an unknown error\)$/],
];

storeConnectionContract({ nonsense, waitsToReconnect: true }, () => ({
  port: redis.port,
  url: (port, timeout) => `redis://127.0.0.1:${port}?timeout=${timeout}ms`,
  put,
  answerIn: (piece) => (isLength(piece) ? -1 : 0),
  unasked: Buffer.from('*1\r\n$12\r\nuser_id|i:1;\r\n'),
}));

test.each(nonsense.slice(0, 4))('rejects %s as the size of a session', async (_, bytes, reason) => {
  await put('sane', 'here');
  const sessions = await spoiled((piece, client) => client.write(isLength(piece) ? bytes : piece));
  expect(await failureOf(sessions.get('sane'))).toMatch(reason);
});

describe('large sessions', () => {
  test('fail after 250 ms without affecting small ones if they never arrive', async () => {
    await put('large', Buffer.alloc(100_000, 'x'));
    await put('small', 'here');
    const sessions = await spoiled((piece, client, nth) => nth === 0 && client.write(piece));
    let waiting = true;
    const failures = Array.from({ length: 20 }, () => failureOf(sessions.get('large')));
    const large = Promise.all(failures).finally(() => {
      waiting = false;
    });
    while (waiting) expect(await text(sessions.get('small'))).toBe('here');
    for (const failure of await large) expect(failure).toMatch(/250 ms/);
  });

  test('beyond the first are reported as busy, not as a failure of Redis', async () => {
    await put('large', Buffer.alloc(100_000, 'x'));
    const sessions = await spoiled((piece, client) => isLength(piece) && client.write(piece));
    const [first, ...others] = await Promise.all(
      Array.from({ length: 20 }, () => sessions.get('large').catch((error: unknown) => error)),
    );
    expect(first).not.toBeInstanceOf(SessionBusyError);
    for (const error of others) expect(error).toBeInstanceOf(SessionBusyError);
    expect(String(others[0])).toMatch(/Redis cannot send all requested large sessions/);
  });
});

describe('a refusal of Redis', () => {
  test.each([
    ['no password', () => `127.0.0.1:${locked.port}`, /NOAUTH.*requires a password/],
    ['a wrong password', () => `:wrong${inUrl}@127.0.0.1:${locked.port}`, /WRONGPASS.*password.*refused/],
    ['an unknown user', () => `nobody:${inUrl}@127.0.0.1:${locked.port}`, /WRONGPASS.*user is unknown/],
    ['a password for a Redis without one', () => `:${inUrl}@127.0.0.1:${redis.port}`, /Redis has none/],
    [
      'keys that this user may not read',
      () => `chat:${inUrl}@127.0.0.1:${locked.port}`,
      /NOPERM.*mget and strlen/,
    ],
    ['a database that does not exist', () => `127.0.0.1:${redis.port}/99`, /no database of that number/],
  ])('is explained without the password and the ID: %s', async (_, place, reason) => {
    const failure = await failureOf(store(place()).get('an-id'));
    expect(failure).toMatch(reason);
    for (const secret of [password, inUrl, 'an-id']) expect(failure).not.toContain(secret);
  });

  test('still allows reading for a user who may not read or renew the TTL', async () => {
    await locked.ask('SET', 'siam_one', 'user_id|i:7;', 'EX', '100');
    const sessions = store(`chat:${inUrl}@127.0.0.1:${locked.port}?prefix=siam_`);
    for (let n = 0; n < 3; n++) {
      const [bytes, ttl, touch] = await Promise.all([
        text(sessions.get('one')),
        failureOf(sessions.ttl('one')),
        failureOf(sessions.touch('one', 1000)),
      ]);
      expect(bytes).toBe('user_id|i:7;');
      expect(ttl).toMatch(/^Redis refuses \(NOPERM\): .*\+pttl/);
      expect(touch).toMatch(/^Redis refuses \(NOPERM\): .*\+expire/);
      expect(ttl + touch).not.toContain('siam_');
    }
  });

  test('explains that a replica cannot renew the TTL', async () => {
    await redis.ask('CONFIG', 'SET', 'repl-diskless-sync-delay', '0');
    const replica = await redisForTest(['--replicaof', '127.0.0.1', String(redis.port)]);
    await redis.ask('SET', 'PHPREDIS_SESSION:one', 'user_id|i:7;', 'EX', '100');
    const sessions = store(`127.0.0.1:${replica.port}`);
    await expect.poll(() => orNull(sessions.ttl('one'))).toBeGreaterThan(90_000);
    expect(await failureOf(sessions.touch('one', 1000))).toMatch(/READONLY.*must name the primary/);
  });

  test('omits the arguments of an unknown command, which Redis repeats', async () => {
    const renamed = await redisForTest(['--rename-command', 'AUTH', '', '--rename-command', 'MGET', '']);
    const repeated = String(await renamed.ask('AUTH', password).catch((error: unknown) => error));
    expect(repeated).toContain(password);
    const place = `127.0.0.1:${renamed.port}`;
    expect(await failureOf(store(`:${inUrl}@${place}`).get('one'))).toBe('Redis refuses (ERR)');
    expect(await failureOf(store(place).get('one'))).toBe('Redis refuses (ERR)');
  });

  test('reports a node of a cluster', async () => {
    const node = await redisForTest(['--cluster-enabled', 'yes']);
    const sessions = store(`127.0.0.1:${node.port}`);
    expect(await failureOf(sessions.get('one'))).toMatch(/CLUSTERDOWN.*node of a cluster/);
  });
});
