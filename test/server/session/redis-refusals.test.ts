import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { SessionStore } from '../../../server/session/store.ts';
import { parseStoreUrl } from '../../../server/session/store-url.ts';
import { failureOf, type Redis, startLockedRedis, startRedis } from '../../helpers/redis.ts';

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

function store(place: string): SessionStore {
  const opened = parseStoreUrl(`redis://${place}`).open();
  closing.push(() => opened.close());
  return opened;
}

/** A Redis that ends with the test. */
async function another(args: readonly string[], again?: Redis): Promise<Redis> {
  const started = await startRedis(args, again);
  closing.push(() => started.remove());
  return started;
}

test.each([
  ['no password', () => `127.0.0.1:${locked.port}`, /NOAUTH.*wants a password/],
  ['no password, and a database', () => `127.0.0.1:${locked.port}/2`, /NOAUTH.*wants a password/],
  ['a wrong password', () => `:wrong${inUrl}@127.0.0.1:${locked.port}`, /WRONGPASS.*password.*refused/],
  ['an unknown user', () => `nobody:${inUrl}@127.0.0.1:${locked.port}`, /WRONGPASS.*user is unknown/],
  ['a password where there is none', () => `:${inUrl}@127.0.0.1:${redis.port}`, /Redis has none/],
  [
    'keys that are not this user’s',
    () => `chat:${inUrl}@127.0.0.1:${locked.port}`,
    /NOPERM.*mget and strlen/,
  ],
  ['a database that is not there', () => `127.0.0.1:${redis.port}/99`, /no database of that number/],
])('%s: said, and neither the password nor the session', async (_, place, reason) => {
  const failure = await failureOf(store(place()).get('an-id'));
  expect(failure).toMatch(reason);
  for (const secret of [password, inUrl, 'an-id']) expect(failure).not.toContain(secret);
});

test('a user who may only read: told so when he asks for more, and what is read beside it goes on', async () => {
  await locked.ask('SET', 'siam_one', 'user_id|i:7;', 'EX', '100');
  const sessions = store(`chat:${inUrl}@127.0.0.1:${locked.port}?prefix=siam_`);
  for (let n = 0; n < 3; n++) {
    const [bytes, remaining, touch] = await Promise.all([
      sessions.get('one'),
      failureOf(sessions.ttl('one')),
      failureOf(sessions.touch('one', 1000)),
    ]);
    expect(String(bytes)).toBe('user_id|i:7;');
    expect(remaining).toMatch(/^Redis refuses \(NOPERM\): .*\+pttl/);
    expect(touch).toMatch(/^Redis refuses \(NOPERM\): .*\+expire/);
    expect(remaining + touch).not.toContain('siam_');
  }
});

test('a replica: it tells how long a session lives, and says why it renews none', async () => {
  await redis.ask('CONFIG', 'SET', 'repl-diskless-sync-delay', '0');
  const replica = await another(['--replicaof', '127.0.0.1', String(redis.port)]);
  await redis.ask('SET', 'PHPREDIS_SESSION:one', 'user_id|i:7;', 'EX', '100');
  const sessions = store(`127.0.0.1:${replica.port}`);
  await expect.poll(() => sessions.ttl('one').catch(() => null)).toBeGreaterThan(90_000);
  expect(await failureOf(sessions.touch('one', 1000))).toMatch(/READONLY.*has to name the primary/);
});

test('a command that is unknown there, which Redis repeats with all that belongs to it', async () => {
  const renamed = await another(['--rename-command', 'AUTH', '', '--rename-command', 'MGET', '']);
  const repeated = String(await renamed.ask('AUTH', password).catch((error: unknown) => error));
  expect(repeated).toContain(password);
  const place = `127.0.0.1:${renamed.port}`;
  expect(await failureOf(store(`:${inUrl}@${place}`).get('one'))).toBe('Redis refuses (ERR)');
  expect(await failureOf(store(place).get('one'))).toBe('Redis refuses (ERR)');
});

test('a node of a cluster', async () => {
  const node = await another(['--cluster-enabled', 'yes']);
  const sessions = store(`127.0.0.1:${node.port}`);
  expect(await failureOf(sessions.get('one'))).toMatch(/CLUSTERDOWN.*node of a cluster/);
  await node.ask('CLUSTER', 'ADDSLOTSRANGE', '0', '16383');
  await expect
    .poll(() => failureOf(Promise.all([sessions.get('one'), sessions.get('two')])))
    .toMatch(/CROSSSLOT.*node of a cluster/);
});

test('a replica that has lost its master', async () => {
  await redis.ask('CONFIG', 'SET', 'repl-diskless-sync-delay', '0');
  const replica = await another(['--replicaof', '127.0.0.1 1', '--replica-serve-stale-data', 'no']);
  expect(await failureOf(store(`127.0.0.1:${replica.port}`).get('one'))).toMatch(/MASTERDOWN.*replica/);
});

test('as many clients as it takes', async () => {
  const full = await another(['--maxclients', '1']);
  await store(`127.0.0.1:${full.port}`).get('one');
  expect(await failureOf(store(`127.0.0.1:${full.port}`).get('one'))).toMatch(/maxclients/);
});

test('still loading its data, and well when it has', async () => {
  const first = await startRedis();
  for (const n of Array(8).keys()) await first.ask('SET', `PHPREDIS_SESSION:${n}`, randomBytes(2000));
  await first.ask('SAVE');
  await first.stop();
  const sessions = store(`127.0.0.1:${first.port}`);
  const slowly = ['--key-load-delay', '100000', '--loading-process-events-interval-bytes', '1024'];
  const starting = another(slowly, first);
  await expect.poll(() => failureOf(sessions.get('1'))).toMatch(/LOADING.*loading its data/);
  await starting;
  await expect.poll(() => sessions.get('1').catch(() => null)).toHaveLength(2000);
});
