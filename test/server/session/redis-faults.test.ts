import type { Socket } from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { SessionBusyError, type SessionStore } from '../../../server/session/store.ts';
import { parseStoreUrl } from '../../../server/session/store-url.ts';
import { failureOf, type Redis, startRedis } from '../../helpers/redis.ts';
import { startTcpProxy, type TcpProxy } from '../../helpers/tcp-proxy.ts';

let redis: Redis;
const closing: (() => unknown)[] = [];

beforeAll(async () => {
  redis = await startRedis();
});
afterAll(() => redis.remove());
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

function store(port = redis.port): SessionStore {
  const opened = parseStoreUrl(`redis://127.0.0.1:${port}`).open();
  closing.push(() => opened.close());
  return opened;
}

/** A store behind a proxy that spoils what Redis says. */
async function spoiled(
  reply: (piece: Buffer, client: Socket, nth: number) => void,
): Promise<[SessionStore, TcpProxy]> {
  const proxy = await startTcpProxy(redis.port, reply);
  const opened = store(proxy.port);
  closing.push(() => proxy.close());
  return [opened, proxy];
}

/** The answer to how large a session is, which is asked before the session itself. */
const isLength = (piece: Buffer) => piece[0] === 0x3a;

const put = (id: string, value: string | Buffer) => redis.ask('SET', `PHPREDIS_SESSION:${id}`, value);

test('stopped: a failure in time; and well again when it goes on, each question with its own answer', async () => {
  const [one, two] = ['user_id|i:1;', 'user_id|i:2;'];
  await Promise.all([put('one', one), put('two', two)]);
  const sessions = store();
  await sessions.get('one');
  redis.signal('SIGSTOP');
  try {
    const began = performance.now();
    expect(await failureOf(sessions.get('one'))).toMatch(/did not answer within 250 ms/);
    // Connections are still taken by the kernel.
    expect(await failureOf(store().get('one'))).toMatch(/did not answer within 250 ms/);
    expect(performance.now() - began).toBeLessThan(5000);
  } finally {
    redis.signal('SIGCONT');
  }
  await expect.poll(() => sessions.get('two').then(String, () => null)).toBe(two);
});

test('an answer that comes too late is nobody’s', async () => {
  await Promise.all([put('one', 'user_id|i:1;'), put('two', 'user_id|i:2;')]);
  const [sessions] = await spoiled((piece, client, nth) => {
    if (nth > 0 || isLength(piece)) client.write(piece);
    else setTimeout(() => client.write(piece), 270);
  });
  expect(await failureOf(sessions.get('one'))).toMatch(/250 ms/);
  const answers: string[] = [];
  while (answers.length === 0) {
    await sessions.get('two').then(
      (bytes) => answers.push(String(bytes)),
      () => pause(10),
    );
  }
  expect(answers).toEqual(['user_id|i:2;']);
});

test('silent under steady traffic: the time-out fires all the same', async () => {
  const [sessions] = await spoiled(() => {});
  const first = sessions.get('one');
  const traffic = setInterval(() => sessions.get('two').catch(() => {}), 20);
  closing.push(() => clearInterval(traffic));
  expect(await failureOf(first)).toMatch(/250 ms/);
});

test('cut again and again, or nobody listens: a failure, and not a connection for each question', async () => {
  const [sessions, proxy] = await spoiled((_, client) => client.destroy());
  const asking = Array.from({ length: 300 }, (_, n) => pause(n).then(() => failureOf(sessions.get('one'))));
  for (const failure of await Promise.all(asking))
    expect(failure).toMatch(/closed the connection|ECONNRESET/);
  expect(proxy.accepted).toBeLessThan(50);
  await proxy.close();
  await expect.poll(() => failureOf(sessions.get('one'))).toMatch(/cannot be reached \(ECONNREFUSED\)/);
});

test.each([
  ['something else altogether', 'HTTP/1.1 400 Bad Request\r\n\r\n', /no reply/],
  ['the answer to another question', '*2\r\n$1\r\na\r\n$1\r\nb\r\n', /not asked/],
  ['no list', '$1\r\na\r\n', /not asked/],
  ['a list of no strings', '*1\r\n:1\r\n', /not asked/],
  ['a list that is too long for any memory', '*99999999999999\r\n', /no reply/],
  ['a number below zero', ':-1\r\n', /not asked/],
  ['a number that is too large', ':9007199254740993\r\n', /not asked/],
  ['lists in lists', '*1\r\n'.repeat(100_000), /no reply/],
  ['half a value', '*1\r\n$100\r\nuser_id', /250 ms/],
  ['an error of a megabyte', `-${'A'.repeat(1_000_000)}\r\n`, /^Redis refuses \(an unknown error\)$/],
])('%s: a failure, and the next questions get their answers', async (_, nonsense, reason) => {
  await put('sane', 'here');
  for (const inPlaceOfLength of [true, false]) {
    const [sessions] = await spoiled((piece, client, nth) =>
      client.write(nth === 0 && isLength(piece) === inPlaceOfLength ? nonsense : piece),
    );
    expect(await failureOf(sessions.get('sane'))).toMatch(reason);
    await expect.poll(() => sessions.get('sane').then(String, () => null)).toBe('here');
  }
});

test('more than was asked for: nothing of it answers a later question', async () => {
  await put('two', 'user_id|i:2;');
  const [sessions] = await spoiled((piece, client, nth) => {
    client.write(
      nth === 0 && !isLength(piece)
        ? Buffer.concat([piece, Buffer.from('*1\r\n$12\r\nuser_id|i:1;\r\n')])
        : piece,
    );
  });
  await sessions.get('two');
  for (let n = 0; n < 20; n++) {
    expect(await sessions.get('two').then(String, () => 'failed')).toMatch(/failed|user_id\|i:2;/);
    await pause(5);
  }
});

test('cut in the middle of a reply: the rest never reaches the next question', async () => {
  await Promise.all([put('one', 'user_id|i:1;'), put('two', 'user_id|i:2;')]);
  const [sessions, proxy] = await spoiled((piece, client, nth) => {
    if (nth > 0 || isLength(piece)) return client.write(piece);
    client.write(piece.subarray(0, piece.length - 5));
    client.end();
  });
  await failureOf(sessions.get('one'));
  await expect.poll(() => sessions.get('two').then(String, () => null)).toBe('user_id|i:2;');
  expect(proxy.accepted).toBe(2);
});

test.each([
  ['30 of 8 MB', 30, 8_000_000],
  ['200 of 0.9 MB', 200, 900_000],
])('large sessions asked for again and again delay nobody: %s', async (_, count, bytes) => {
  const large = Array.from({ length: count }, (_, n) => `large${n}-${bytes}`);
  for (const id of large) await redis.ask('SETRANGE', `PHPREDIS_SESSION:${id}`, String(bytes - 1), 'x');
  await put('honest', 'user_id|i:7;');
  const sessions = store();
  let attacking = true;
  const attack = async () => {
    while (attacking) await Promise.allSettled(large.map(sessions.get));
  };
  const attacked = attack();
  try {
    for (let n = 0; n < 50; n++) expect(String(await sessions.get('honest'))).toBe('user_id|i:7;');
  } finally {
    attacking = false;
    await attacked;
    await redis.ask('FLUSHALL');
  }
});

test('large ones that never come: they fail in time, all of them, and nobody else', async () => {
  await put('large', Buffer.alloc(100_000, 'x'));
  await put('small', 'here');
  const [sessions] = await spoiled((piece, client, nth) => nth === 0 && client.write(piece));
  const began = performance.now();
  let waiting = true;
  const large = Promise.all(Array.from({ length: 20 }, () => failureOf(sessions.get('large')))).finally(
    () => {
      waiting = false;
    },
  );
  while (waiting) expect(String(await sessions.get('small'))).toBe('here');
  for (const failure of await large) expect(failure).toMatch(/250 ms/);
  expect(performance.now() - began).toBeLessThan(5000);
});

test('more large ones than can be sent in time: that is about them, and says nothing of Redis', async () => {
  await put('large', Buffer.alloc(100_000, 'x'));
  const [sessions] = await spoiled((piece, client) => isLength(piece) && client.write(piece));
  const [first, ...others] = await Promise.allSettled(
    Array.from({ length: 20 }, () => sessions.get('large').catch((error: unknown) => error)),
  ).then((all) => all.map((one) => (one as PromiseFulfilledResult<unknown>).value));
  expect(first).not.toBeInstanceOf(SessionBusyError);
  for (const error of others) expect(error).toBeInstanceOf(SessionBusyError);
  expect(String(others[0])).toMatch(/Redis has more large sessions/);
});

test('replies in single bytes', async () => {
  await put('slow', 'here');
  const [sessions] = await spoiled((piece, client) => {
    for (const byte of piece) client.write(Buffer.of(byte));
  });
  expect(String(await sessions.get('slow'))).toBe('here');
});

test('restarted: the new one is found', async () => {
  const first = await startRedis();
  const sessions = store(first.port);
  expect(await sessions.get('one')).toBeNull();
  await first.stop('SIGKILL');
  await failureOf(sessions.get('one'));
  const second = await startRedis([], first);
  closing.push(() => second.remove());
  await second.ask('SET', 'PHPREDIS_SESSION:one', 'again');
  await expect.poll(() => sessions.get('one').then(String, () => null)).toBe('again');
});
