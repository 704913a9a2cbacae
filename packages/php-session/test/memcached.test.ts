import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { newIds, openStore, writeSessions } from '../../../test/helpers/many-sessions.ts';
import { type Memcached, startMemcached } from '../../../test/helpers/memcached.ts';
import { phpRequest } from '../../../test/helpers/php-request.ts';
import {
  checked,
  orNull,
  readerAt,
  spoilingProxy,
  storeAt,
  text,
} from '../../../test/helpers/session-stores.ts';
import { failureOf } from '../../../test/helpers/whole-error.ts';
import type { Login } from '../src/login.ts';
import type { PhpSession } from '../src/logins/php-sessions.ts';
import { probeId, StoreError } from '../src/store.ts';
import { storeConnectionContract } from './contracts/store-connection.ts';

let memcached: Memcached;
let servers: Memcached[];
beforeAll(async () => {
  servers = await Promise.all([
    startMemcached(undefined, ['-I', '8m']),
    ...Array.from({ length: 2 }, () => startMemcached()),
  ]);
  memcached = servers[0] as Memcached;
});
afterAll(() => Promise.all(servers.map((server) => server.stop('SIGKILL'))));

/** The default timeout is long, because most of these tests are not about it. */
const urlOf = (port: number, timeout = 5000) =>
  `memcached://127.0.0.1:${port}?prefix=sessions/&timeout=${timeout}ms`;
const store = () => storeAt(urlOf(memcached.port));

/** A store of several servers with these options. */
function storeOf(options: string, on: readonly Memcached[] = [memcached]) {
  const opened = openStore(`${options}&timeout=5000ms`, on);
  onTestFinished(() => opened.close());
  return opened;
}

describe('reading', () => {
  test('returns the bytes of a session, or null if the key is missing', async () => {
    const bytes = Buffer.from([0, 1, 0xff, 0x0a, 0x0d, 0x80]);
    await memcached.set('sessions/bytes', bytes);
    await memcached.set('sessions/empty', '');
    const sessions = store();
    expect(await sessions.get('bytes')).toEqual(bytes);
    expect(await sessions.get('empty')).toEqual(Buffer.alloc(0));
    expect(await sessions.get('nobody')).toBeNull();
  });

  test('returns null for an ID whose key is empty, too long or not a valid key', async () => {
    await memcached.set('sessions/after', 'x', 100);
    const sessions = store();
    for (const id of ['a'.repeat(242), 'one t\r\nflush_all\r\nmg one', 'after 0 noreply', 'é']) {
      expect([await sessions.get(id), await sessions.ttl(id)]).toEqual([null, null]);
      await sessions.touch(id, 1440);
    }
    expect(await storeAt(`memcached://127.0.0.1:${memcached.port}?prefix=`).get('')).toBeNull();
    expect(await text(sessions.get('after'))).toBe('x');
    expect(await sessions.ttl('after')).toBeLessThanOrEqual(100_000);
  });
});

describe('a reader of sessions', () => {
  const reads = async () => Number(/STAT cmd_get (\d+)/.exec(await memcached.ask('stats\r\n'))?.[1]);

  async function letIn(sessions: ReturnType<typeof readerAt>, id: string): Promise<Login<PhpSession>> {
    const found = await sessions.identify({ cookies: `PHPSESSID=${id}` });
    if ('code' in found) throw new Error(found.reason);
    return found;
  }

  test('reads a session once for a hundred simultaneous connections of one visitor', async () => {
    await memcached.set('sessions/many', '{"user_id":7}');
    const sessions = readerAt(memcached.url);
    const before = await reads();
    const logins = Array.from({ length: 100 }, () => letIn(sessions, 'many'));
    for (const { user } of await Promise.all(logins)) expect(user.id).toBe('7');
    expect((await reads()) - before).toBe(1);
  });

  test('reads a session again in the first check only if it was written since the login', async () => {
    const sessions = readerAt(memcached.url);
    await memcached.set('sessions/first', '{"user_id":7}');
    // Requests for versions have a separate connection, which is open by now.
    await sessions.ttl(await letIn(sessions, 'first'));
    for (const user of [7, 8]) {
      await memcached.set('sessions/checked', `{"user_id":${user}}`);
      const login = await letIn(sessions, 'checked');
      const before = await reads();
      expect(await checked(sessions, login)).toBeNull();
      // The request for the version also counts.
      expect((await reads()) - before).toBe(1);
      await memcached.set('sessions/checked', '{"user_id":9}');
      expect(await checked(sessions, login)).toMatchObject({ login: { user: { id: '9' } } });
    }
  });

  test('notices a restarted memcached whose versions start again', async () => {
    const first = await startMemcached();
    const sessions = readerAt(first.url);
    await first.set('sessions/counted', '{"user_id":7}');
    await sessions.ttl(await letIn(sessions, 'counted'));
    const login = await letIn(sessions, 'counted');
    expect(await checked(sessions, login)).toBeNull();
    const countOf = (on: Memcached) => on.ask('mg sessions/counted c\r\n', /\r\n$/);
    const count = await countOf(first);
    await first.stop('SIGKILL');
    const second = await startMemcached(first.port);
    onTestFinished(async () => void (await second.stop('SIGKILL')));
    await second.set('sessions/counted', '{"user_id":8}');
    expect(await countOf(second)).toBe(count);
    await expect.poll(() => orNull(checked(sessions, login))).toMatchObject({ login: { user: { id: '8' } } });
  });

  test('stays available if a visitor names an item that cannot be unpacked', async () => {
    // Neither the item that a visitor's cookie names nor the item of the probe can be unpacked.
    for (const id of [probeId.replace('_', '-'), probeId]) {
      await memcached.set(`sessions/${id}`, 'not packed', 0, 0x50);
    }
    expect(await readerAt(memcached.url).answers()).toBe(true);
  });
});

describe('TTL', () => {
  const seconds = (ttl: number | null) => ttl && ttl / 1000;
  /** The TTL on the server, in whole seconds. */
  const ttlOn = async (key: string, on = memcached) =>
    Number(/^HD t(-?\d+)/.exec(await on.ask(`mg ${key} t\r\n`, /\r\n$/))?.[1]);
  /** To within 1 s. The clock of memcached may be late on a busy machine. */
  const about = (wanted: number) => [-1, 0, 1, 2, 3].map((more) => wanted + more);

  test('comes from PHP, and can be renewed up to forty days', async () => {
    const id = phpRequest(
      { 'session.save_handler': 'memcached', 'session.save_path': `127.0.0.1:${memcached.port}` },
      '$_SESSION["user_id"] = 7',
    );
    const sessions = storeOf('handler=memcached');
    expect(about(1440)).toContain(seconds(await sessions.ttl(id)));
    await sessions.touch(id, 600);
    expect(about(600)).toContain(seconds(await sessions.ttl(id)));
    await sessions.touch(id, 40 * 24 * 60 * 60);
    expect(about(40 * 24 * 60 * 60)).toContain(seconds(await sessions.ttl(id)));
    expect(await text(sessions.get(id))).toBe('user_id|i:7;');
  });

  test.each([0, -5, 0.2])('expires a session that is touched for %s seconds', async (ttl) => {
    await memcached.set('sessions/short', 'x');
    await store().touch('short', ttl);
    await expect.poll(() => store().get('short')).toBeNull();
  });

  test('is renewed in every copy', async () => {
    const [id = ''] = newIds(1);
    expect(
      writeSessions({ writer: 'memcache', ini: { 'memcache.session_redundancy': 3 } }, [id], servers),
    ).toBe('done');
    await storeOf('handler=memcache&redundancy=3', servers).touch(id, 500);
    for (const server of servers) expect(about(500)).toContain(await ttlOn(id, server));
  });

  test('is renewed only on the server that is read if there are no copies', async () => {
    const [id = ''] = newIds(1);
    for (const server of servers) await server.set(`sessions/${id}`, 'x', 100);
    const one = storeOf('prefix=sessions/&distribution=memcache', servers);
    await one.touch(id, 700);
    const renewed = await Promise.all(servers.map((server) => ttlOn(`sessions/${id}`, server)));
    expect(renewed.filter((ttl) => ttl > 600)).toHaveLength(1);
    expect(about(700)).toContain(seconds(await one.ttl(id)));
  });

  test('is read and renewed while a server is down if another has a copy, and fails otherwise', async () => {
    const down = await startMemcached();
    const on = [down, ...servers.slice(1)];
    const ids = newIds(20);
    expect(writeSessions({ writer: 'memcache', ini: { 'memcache.session_redundancy': 3 } }, ids, on)).toBe(
      'done',
    );
    await down.stop('SIGKILL');
    const sessions = storeOf('handler=memcache&redundancy=3', on);
    for (const id of ids) {
      await sessions.touch(id, 500);
      expect(about(500)).toContain(seconds(await sessions.ttl(id)));
    }
    const alone = storeOf('prefix=sessions/', [down]);
    await expect(alone.ttl('one')).rejects.toThrow(StoreError);
    await expect(alone.touch('one', 500)).rejects.toThrow(StoreError);
  });

  test('is not requested again from a memcached that does not know the command', async () => {
    let requests = 0;
    const proxy = await spoilingProxy(memcached.port, (_, client) => {
      requests++;
      client.write('ERROR\r\n');
    });
    const sessions = storeAt(urlOf(proxy.port));
    for (let n = 0; n < 3; n++) expect(await sessions.ttl('one')).toBeNull();
    expect(requests).toBe(1);
  });

  test.each([
    ['an HTTP response', 'HTTP/1.1 400 Bad Request\r\n\r\n'],
    ['a reply to another request', 'VALUE sessions/sane 0 1\r\n'],
    ['an invalid TTL', 'HD t12x\r\n'],
    ['a line that does not end', 'x'.repeat(3000)],
    ['two replies', 'EN\r\nEN\r\n'],
  ])('does not take %s for the reply to the next request', async (_, nonsense) => {
    const proxy = await spoilingProxy(memcached.port, (piece, client, nth) =>
      client.write(nth === 0 ? nonsense : piece),
    );
    const sessions = storeAt(urlOf(proxy.port));
    await memcached.set('sessions/sane', 'x', 1000);
    const answer = await sessions.ttl('sane').catch((error: unknown) => error);
    if (answer !== null) {
      expect(answer).toBeInstanceOf(StoreError);
      expect(String(answer)).not.toContain('sane');
    }
    await expect
      .poll(async () => seconds(await orNull(sessions.ttl('sane'))))
      .toSatisfy((ttl) => about(1000).includes(ttl as number));
  });
});

storeConnectionContract(
  {
    nonsense: [
      ['an HTTP response', 'HTTP/1.1 400 Bad Request\r\n\r\n', /unexpected reply/],
      ['another item', 'VALUE sessions/two 0 12\r\nuser_id|i:2;\r\nEND\r\n', /unexpected reply/],
      ['a reply to another command', 'TOUCHED\r\n', /unexpected reply/],
      ['an item of 4 GB', `VALUE sessions/one 0 4294967295 1\r\n${'x'.repeat(1000)}`, /not a reply/],
      ['an item longer than it says', 'VALUE sessions/one 0 3 1\r\nuser_id|i:1;\r\nEND\r\n', /not a reply/],
      [
        'two items',
        'VALUE sessions/one 0 1 1\r\nx\r\nVALUE sessions/two 0 1 1\r\nx\r\nEND\r\n',
        /not a reply/,
      ],
      ['a line that does not end', 'V'.repeat(5000), /not a reply/],
      ['half a reply', 'VALUE sessions/one 0 12 1\r\nuser', /250 ms/],
    ],
    waitsToReconnect: true,
  },
  () => ({
    port: memcached.port,
    url: urlOf,
    put: (id, value) => memcached.set(`sessions/${id}`, value),
    answerIn: () => 0,
    unasked: Buffer.from('VALUE sessions/one 0 12 1\r\nuser_id|i:1;\r\nEND\r\n'),
  }),
);

test.each([
  ['SERVER_ERROR out of memory', /rejected the request \(SERVER_ERROR out of memory\)/],
  ['SERVER_ERROR no sessions/one at 10.0.0.1:11211', /rejected the request \(SERVER_ERROR\)/],
  ['CLIENT_ERROR unauthenticated', /rejected the request \(CLIENT_ERROR unauthenticated\)/],
  ['ERROR', /rejected the request \(ERROR\)/],
])('reports %s as a failure without a key or an address', async (line, reason) => {
  const proxy = await spoilingProxy(memcached.port, (_, client) => client.write(`${line}\r\n`));
  expect(await failureOf(storeAt(urlOf(proxy.port)).get('one'))).toMatch(reason);
});
