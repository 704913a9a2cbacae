import type { Socket } from 'node:net';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { StoreError } from '../../../server/session/store.ts';
import { newIds, openStore, writeSessions } from '../../helpers/many-sessions.ts';
import { type Memcached, startMemcached } from '../../helpers/memcached.ts';
import { phpRequest } from '../../helpers/php-request.ts';
import { startTcpProxy } from '../../helpers/tcp-proxy.ts';

let memcached: Memcached;
let servers: Memcached[];
beforeAll(async () => {
  servers = await Promise.all([startMemcached(), startMemcached(), startMemcached()]);
  memcached = servers[0] as Memcached;
});
afterAll(() => Promise.all(servers.map((server) => server.stop('SIGKILL'))));

function store(options = 'prefix=sessions/', on: readonly { port: number }[] = [memcached]) {
  const opened = openStore(
    options,
    on.map(({ port }) => ({ ...memcached, port })),
  );
  onTestFinished(() => opened.close());
  return opened;
}

/** A store behind a proxy that spoils what memcached says. */
async function spoiled(reply: (piece: Buffer, client: Socket, nth: number) => void) {
  const proxy = await startTcpProxy(memcached.port, reply);
  onTestFinished(() => proxy.close());
  return { proxy, sessions: store('prefix=sessions/&timeout=250ms', [proxy]) };
}

const seconds = (left: number | null) => left && left / 1000;
/** In seconds, as the server has it; a second may have begun since. */
const lives = async (key: string, on = memcached) =>
  Number(/^HD t(-?\d+)/.exec(await on.ask(`mg ${key} t\r\n`, /\r\n$/))?.[1]);
const about = (wanted: number) => [wanted - 1, wanted, wanted + 1];

test('how long a session has to live, as PHP has said', async () => {
  const id = phpRequest(
    { 'session.save_handler': 'memcached', 'session.save_path': `127.0.0.1:${memcached.port}` },
    '$_SESSION["user_id"] = 7',
  );
  const sessions = store('handler=memcached');
  expect(about(1440)).toContain(seconds(await sessions.ttl(id)));
  await sessions.touch(id, 600);
  expect(about(600)).toContain(seconds(await sessions.ttl(id)));
  await sessions.touch(id, 40 * 24 * 60 * 60);
  expect(about(40 * 24 * 60 * 60)).toContain(seconds(await sessions.ttl(id)));
  expect(String(await sessions.get(id))).toBe('user_id|i:7;');
});

test('without an end, and not there', async () => {
  await memcached.set('sessions/endless', 'x');
  const sessions = store();
  expect(await sessions.ttl('endless')).toBe(Number.POSITIVE_INFINITY);
  expect(await sessions.ttl('nobody')).toBeNull();
  await sessions.touch('nobody', 1440);
  expect(await sessions.get('nobody')).toBeNull();
});

test.each([0, -5, 0.2])('a life of %d seconds is none without an end', async (life) => {
  await memcached.set('sessions/short', 'x');
  await store().touch('short', life);
  await expect.poll(() => store().get('short')).toBeNull();
});

test('an id with which the key is too long, empty or more than a key is not asked for, and spoils nothing', async () => {
  await memcached.set('sessions/after', 'x', 100);
  const [sessions, bare] = [store(), store('prefix=')];
  for (const [one, id] of [
    [sessions, 'a'.repeat(242)],
    [bare, ''],
    [sessions, 'one t\r\nflush_all\r\nmg one'],
    [sessions, 'after 0 noreply'],
    [sessions, 'é'],
  ] as const) {
    expect([await one.get(id), await one.ttl(id)]).toEqual([null, null]);
    await one.touch(id, 1440);
  }
  expect(about(100)).toContain(seconds(await sessions.ttl('after')));
});

test('a thousand questions at once, each with its own answer', async () => {
  const { proxy, sessions } = await spoiled((piece, client) => {
    for (let at = 0; at < piece.length; at += 7) client.write(piece.subarray(at, at + 7));
  });
  await Promise.all(
    Array.from({ length: 20 }, (_, n) => memcached.set(`sessions/n${n}`, 'x', 1000 + 10 * n)),
  );
  const asked = Array.from({ length: 1000 }, (_, n) => sessions.ttl(n % 21 === 20 ? 'nobody' : `n${n % 21}`));
  for (const [n, left] of (await Promise.all(asked)).entries()) {
    if (n % 21 === 20) expect(left).toBeNull();
    else expect(about(1000 + 10 * (n % 21))).toContain(seconds(left));
  }
  expect(proxy.accepted).toBe(1);
});

test('every copy is renewed, as a page does; of a session without copies the one that is read', async () => {
  const [id = ''] = newIds(1);
  expect(
    writeSessions({ writer: 'memcache', ini: { 'memcache.session_redundancy': 3 } }, [id], servers),
  ).toBe('done');
  await store('handler=memcache&redundancy=3', servers).touch(id, 500);
  for (const server of servers) expect(about(500)).toContain(await lives(id, server));

  for (const server of servers) await server.set(`sessions/${id}`, 'x', 100);
  const one = store('prefix=sessions/&distribution=memcache', servers);
  await one.touch(id, 700);
  const renewed = await Promise.all(servers.map((server) => lives(`sessions/${id}`, server)));
  expect(renewed.filter((left) => left > 600)).toHaveLength(1);
  expect(about(700)).toContain(seconds(await one.ttl(id)));
});

test('one of several copies is gone: the others tell and are renewed; all of them: a failure', async () => {
  const down = await startMemcached();
  const on = [down, ...servers.slice(1)];
  const ids = newIds(20);
  expect(writeSessions({ writer: 'memcache', ini: { 'memcache.session_redundancy': 3 } }, ids, on)).toBe(
    'done',
  );
  await down.stop('SIGKILL');
  const sessions = store('handler=memcache&redundancy=3', on);
  for (const id of ids) {
    await sessions.touch(id, 500);
    expect(about(500)).toContain(seconds(await sessions.ttl(id)));
  }
  const alone = store('prefix=sessions/', [down]);
  await expect(alone.ttl('one')).rejects.toThrow(StoreError);
  await expect(alone.touch('one', 500)).rejects.toThrow(StoreError);
});

test('a memcached that does not know the question is not asked again', async () => {
  let asked = 0;
  const { sessions } = await spoiled((_, client) => {
    asked++;
    client.write('ERROR\r\n');
  });
  for (let n = 0; n < 3; n++) expect(await sessions.ttl('one')).toBeNull();
  expect(asked).toBe(1);
});

test.each([
  ['something else altogether', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
  ['an answer to another question', 'VALUE sessions/sane 0 1\r\n'],
  ['a life that is none', 'HD t12x\r\n'],
  ['a line that does not end', 'x'.repeat(3000)],
  ['two answers', 'EN\r\nEN\r\n'],
])('%s: a failure without the id or no answer, and the next question gets its own', async (_, nonsense) => {
  const { sessions } = await spoiled((piece, client, nth) => client.write(nth === 0 ? nonsense : piece));
  await memcached.set('sessions/sane', 'x', 1000);
  const answer = await sessions.ttl('sane').catch((error: unknown) => error);
  if (answer !== null) {
    expect(answer).toBeInstanceOf(StoreError);
    expect(String(answer)).not.toContain('sane');
  }
  expect(about(1000)).toContain(seconds(await sessions.ttl('sane')));
});

test('silent, and closed: all that was asked fails in time', async () => {
  const { sessions } = await spoiled(() => {});
  const began = performance.now();
  const asked = [sessions.ttl('one'), sessions.touch('one', 100), sessions.ttl('two')];
  for (const { status } of await Promise.allSettled(asked)) expect(status).toBe('rejected');
  expect(performance.now() - began).toBeLessThan(5000);
  const last = sessions.ttl('one');
  sessions.close();
  await expect(last).rejects.toThrow(/was closed/);
  await expect(sessions.touch('one', 100)).rejects.toThrow(/was closed/);
});
