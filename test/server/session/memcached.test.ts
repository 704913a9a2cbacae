import type { Socket } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { parseCookieForm } from '../../../server/session/cookie.ts';
import { createSessionReader } from '../../../server/session/read-session.ts';
import { type SessionStore, StoreError } from '../../../server/session/store.ts';
import { parseStoreUrl } from '../../../server/session/store-url.ts';
import { type Memcached, startMemcached } from '../../helpers/memcached.ts';
import { startTcpProxy, type TcpProxy } from '../../helpers/tcp-proxy.ts';

let memcached: Memcached;
const closing: (() => unknown)[] = [];

beforeAll(async () => {
  memcached = await startMemcached(undefined, ['-I', '8m']);
});
afterAll(() => memcached.stop());
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

function store(port = memcached.port, timeout = 250): SessionStore {
  const made = parseStoreUrl(`memcached://127.0.0.1:${port}?prefix=sessions/&timeout=${timeout}ms`).open();
  closing.push(() => made.close());
  return made;
}

/** A store behind a proxy that spoils what memcached says. */
async function spoiled(
  reply: (piece: Buffer, client: Socket, nth: number) => void,
): Promise<[SessionStore, TcpProxy]> {
  const proxy = await startTcpProxy(memcached.port, reply);
  const made = store(proxy.port);
  closing.push(() => proxy.close());
  return [made, proxy];
}

describe('a memcached that is well', () => {
  test('the bytes as they are, and null for what is not there', async () => {
    const bytes = Buffer.from([0, 1, 0xff, 0x0a, 0x0d, 0x80]);
    await memcached.set('sessions/bytes', bytes);
    await memcached.set('sessions/empty', '');
    const sessions = store();
    expect(await sessions.get('bytes')).toEqual(bytes);
    expect(await sessions.get('empty')).toEqual(Buffer.alloc(0));
    expect(await sessions.get('nobody')).toBeNull();
  });

  test('a thousand questions at once, each with its own answer', async () => {
    const sessions = store();
    await Promise.all(Array.from({ length: 100 }, (_, n) => memcached.set(`sessions/n${n}`, `value ${n}`)));
    const answers = await Promise.all(Array.from({ length: 1000 }, (_, n) => sessions.get(`n${n % 100}`)));
    expect(answers.map(String)).toEqual(Array.from({ length: 1000 }, (_, n) => `value ${n % 100}`));
  });

  test('a value of 2 MB, in many pieces', async () => {
    const bytes = Buffer.alloc(2 * 1024 * 1024, 'x');
    await memcached.set('sessions/large', bytes);
    expect((await store(undefined, 5000).get('large'))?.equals(bytes)).toBe(true);
  });

  test('an id with which the key is too long is not asked for, and spoils nothing', async () => {
    const sessions = store();
    await memcached.set('sessions/after', 'here');
    const [long, empty, after] = await Promise.all([
      sessions.get('a'.repeat(242)),
      sessions.get(''),
      sessions.get('after'),
    ]);
    expect([long, empty, String(after)]).toEqual([null, null, 'here']);
  });
});

describe('a reader of sessions', () => {
  const reader = () => {
    const made = createSessionReader({
      source: parseStoreUrl(memcached.url),
      cookie: parseCookieForm('plain', 'PHPSESSID'),
      user: { id: ['user_id'], name: ['firstname'] },
    });
    closing.push(() => made.close());
    return made;
  };
  const reads = async () => Number(/STAT cmd_get (\d+)/.exec(await memcached.ask('stats\r\n'))?.[1]);

  test('many connections of one visitor at once cost the store one read', async () => {
    await memcached.set('sessions/many', '{"user_id":7}');
    const sessions = reader();
    const before = await reads();
    const found = await Promise.all(Array.from({ length: 100 }, () => sessions.fromCookie('PHPSESSID=many')));
    expect(found.every((one) => 'user' in one && one.user.id === '7')).toBe(true);
    expect((await reads()) - before).toBe(1);
  });

  test('a large session is remembered by its bytes, and only as long as they are the same', async () => {
    const sessions = reader();
    for (const user of [7, 8, 7]) {
      await memcached.set('sessions/large-one', `{"pad":"${'x'.repeat(100_000)}","user_id":${user}}`);
      for (let n = 0; n < 2; n++) {
        const found = await sessions.fromCookie('PHPSESSID=large-one');
        expect(found).toMatchObject({ user: { id: String(user) } });
        expect('bytes' in found && found.bytes.length).toBeGreaterThan(100_000);
      }
    }
  });

  test('whether the store answers is not for visitors to decide', async () => {
    // What a visitor’s cookie could name, packed in a way that cannot be unpacked; and what none can.
    for (const id of ['readiness-probe', 'readiness_probe']) {
      await memcached.set(`sessions/${id}`, 'not packed', 0, 0x50);
    }
    expect(await reader().answers()).toBe(true);
  });
});

describe('a memcached that is not', () => {
  test('nobody listens: a failure, not a missing session', async () => {
    const proxy = await startTcpProxy(memcached.port, () => {});
    await proxy.close();
    await expect(store(proxy.port).get('any')).rejects.toThrow(StoreError);
  });

  test('silent: a failure after the time-out, for all that was asked, and well again afterwards', async () => {
    const sessions = store();
    await memcached.set('sessions/patient', 'here');
    memcached.signal('SIGSTOP');
    try {
      const began = performance.now();
      const answers = await Promise.allSettled([sessions.get('patient'), sessions.get('patient')]);
      expect(answers.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
      expect(performance.now() - began).toBeLessThan(5000);
    } finally {
      memcached.signal('SIGCONT');
    }
    expect(String(await sessions.get('patient'))).toBe('here');
  });

  test('silent under steady traffic: the time-out fires all the same', async () => {
    const [sessions] = await spoiled((piece, client, nth) => {
      if (nth > 0) client.write(piece);
    });
    await memcached.set('sessions/steady', 'here');
    const first = sessions.get('steady');
    const traffic = setInterval(() => sessions.get('steady').catch(() => {}), 20);
    closing.push(() => clearInterval(traffic));
    await expect(first).rejects.toThrow(/250 ms/);
  });

  test('cut in the middle of a reply: the rest never reaches the next question', async () => {
    const [sessions, proxy] = await spoiled((piece, client, nth) => {
      if (nth > 0) return client.write(piece);
      client.write(piece.subarray(0, piece.length - 5));
      client.end();
    });
    await memcached.set('sessions/one', '{"user_id":1}');
    await memcached.set('sessions/two', '{"user_id":2}');
    await expect(sessions.get('one')).rejects.toThrow(StoreError);
    expect(String(await sessions.get('two'))).toBe('{"user_id":2}');
    expect(proxy.accepted).toBe(2);
  });

  test('closed with questions under way: all of them fail', async () => {
    const [sessions] = await spoiled((_, client) => client.destroy());
    const answers = await Promise.allSettled(Array.from({ length: 20 }, () => sessions.get('one')));
    expect(answers.every(({ status }) => status === 'rejected')).toBe(true);
  });

  test.each([
    ['something else altogether', Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')],
    ['an answer to another question', Buffer.from(`8100${'00'.repeat(10)}ffffffff${'00'.repeat(8)}`, 'hex')],
    [
      'the answer to the question after it',
      Buffer.from(`8100${'00'.repeat(10)}00000002${'00'.repeat(8)}`, 'hex'),
    ],
    ['an answer of 4 GB', Buffer.from(`8100${'00'.repeat(6)}ffffffff${'00'.repeat(12)}`, 'hex')],
    [
      'an answer whose lengths do not add up',
      Buffer.from(`8100ffff04${'00'.repeat(3)}00000004${'00'.repeat(16)}`, 'hex'),
    ],
  ])('%s: a failure, and the next question gets its answer', async (_, nonsense) => {
    const [sessions] = await spoiled((piece, client, nth) => client.write(nth === 0 ? nonsense : piece));
    await memcached.set('sessions/sane', 'here');
    await expect(sessions.get('sane')).rejects.toThrow(StoreError);
    expect(String(await sessions.get('sane'))).toBe('here');
  });

  test('replies in single bytes', async () => {
    const [sessions] = await spoiled((piece, client) => {
      for (const byte of piece) client.write(Buffer.of(byte));
    });
    await memcached.set('sessions/slow', 'here');
    expect(String(await sessions.get('slow'))).toBe('here');
  });

  test('restarted: the next question finds the new one', async () => {
    const mortal = await startMemcached();
    const sessions = store(mortal.port);
    await mortal.set('sessions/again', 'one');
    expect(String(await sessions.get('again'))).toBe('one');
    await mortal.stop('SIGKILL');
    await expect(sessions.get('again')).rejects.toThrow(StoreError);
    const second = await startMemcached(mortal.port);
    closing.push(() => second.stop());
    await second.set('sessions/again', 'two');
    expect(String(await sessions.get('again'))).toBe('two');
  });
});
