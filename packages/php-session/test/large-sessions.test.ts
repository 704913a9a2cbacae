import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { inspect } from 'node:util';
import { Worker } from 'node:worker_threads';
import { deflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { type Memcached, startMemcached } from '../../../test/helpers/memcached.ts';
import { parseCookieForm } from '../src/cookie.ts';
import { LargeSessions } from '../src/large-sessions.ts';
import type { Layer } from '../src/layers/layers.ts';
import { phpSessions } from '../src/logins/php-sessions.ts';
import { parsePath } from '../src/path.ts';
import type { SessionSource } from '../src/source.ts';
import { SessionBusyError, StoreError } from '../src/store.ts';
import { parseStoreUrl } from '../src/store-url.ts';

const folder = mkdtempSync(join(tmpdir(), 'large-sessions-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Writes a session file with an old modification time, so that it is read once. */
function write(id: string, bytes: string | Buffer): void {
  const file = join(folder, `sess_${id}`);
  writeFileSync(file, bytes);
  const ago = Date.now() / 1000 - 10;
  utimesSync(file, ago, ago);
}

function open(options = 'format=json&timeout=9999ms') {
  return openSource(parseStoreUrl(`file://${folder}?${options}`));
}

function openSource(source: SessionSource) {
  const reader = phpSessions({
    source,
    cookie: parseCookieForm('plain', 'PHPSESSID'),
    user: {
      id: parsePath('app\\.user!.id'),
      name: parsePath('name*'),
      require: parsePath('in'),
      nobody: ['1'],
      groups: parsePath('rooms'),
      roles: parsePath('roles'),
      banned: parsePath('banned'),
    },
  });
  onTestFinished(() => reader.close());
  return reader;
}

const session = (id: number, over: object = {}) => ({
  'app.user': `a:1:{s:2:"id";i:${id};}`,
  name_of_user: 'Zoë 张伟',
  in: true,
  rooms: { a: 'Room A' },
  roles: ['admin'],
  ...over,
});
/** Above 16 KB. */
const padded = (value: object, bytes = 50_000) => JSON.stringify({ ...value, more: 'x'.repeat(bytes) });

test('finds the same user in a large session as in a small one', async () => {
  const reader = open();
  for (const [id, over] of [
    [7, {}],
    [7, { banned: 1 }],
    [7, { in: false }],
    [1, {}],
    [-7, {}],
    [7, { name: 'two names' }],
  ] as const) {
    const value = session(id, over);
    write('small', JSON.stringify(value));
    write('large', padded(value));
    const [small, large] = [
      await reader.identify({ session: 'small' }),
      await reader.identify({ session: 'large' }),
    ];
    if ('user' in small) expect(large).toMatchObject({ user: small.user });
    else expect(large).toEqual(small);
  }
  write('large', padded(session(7)).slice(0, -1));
  expect(await reader.identify({ session: 'large' })).toMatchObject({
    code: 'session_invalid',
    kind: 'the bytes look like json',
  });
});

test('decodes large sessions in another thread, compressed or not', async () => {
  const threads: unknown[] = [];
  const onThread = (thread: unknown) => threads.push(thread);
  process.on('worker', onThread);
  onTestFinished(() => void process.off('worker', onThread));
  const large = padded(session(7));
  for (const [options, bytes] of [
    ['format=json', Buffer.from(large)],
    ['format=json&layers=zlib', deflateSync(large)],
  ] as const) {
    const reader = open(options);
    threads.length = 0;
    write('small', options.endsWith('zlib') ? deflateSync('{}') : '{}');
    await reader.identify({ session: 'small' });
    expect(threads).toEqual([]);
    write('large', bytes);
    const decode = vi.spyOn(LargeSessions.prototype, 'findUser');
    const answer = await reader.identify({ session: 'large', client: '192.0.2.1' });
    expect(answer).toMatchObject({ user: { id: '7' } });
    expect(threads).toHaveLength(1);
    expect(decode).toHaveBeenCalledWith('192.0.2.1', expect.anything());
    decode.mockRestore();
  }
});

test('rejects too many large sessions of one visitor without delaying others', async () => {
  const large = new LargeSessions('json', { id: parsePath('id'), name: parsePath('name') });
  onTestFinished(() => large.close());
  const bytes = Buffer.from(padded({ id: 7 }, 1_000_000));
  const order: string[] = [];
  const ask = (user: string) =>
    large.findUser(user, bytes).then(
      () => order.push(user),
      (error) => {
        expect(error).toBeInstanceOf(SessionBusyError);
        order.push(`${user} refused`);
      },
    );
  await Promise.all([...Array.from({ length: 40 }, () => ask('a')), ask('b')]);
  const count = (wanted: string) => order.filter((one) => one === wanted).length;
  expect([count('a') > 30, count('a refused') > 5, count('b')]).toEqual([true, true, 1]);
  // One session was being decoded when `b` arrived.
  expect(order.filter((one) => !one.includes('refused')).indexOf('b')).toBeLessThan(3);
});

describe('a session that is large after unpacking', () => {
  let memcached: Memcached;
  beforeAll(async () => {
    memcached = await startMemcached();
  });
  afterAll(() => memcached.stop());

  const withLength = (text: string) => {
    const length = Buffer.alloc(4);
    length.writeUInt32LE(Buffer.byteLength(text));
    return Buffer.concat([length, deflateSync(text)]);
  };
  const stores: [string, () => string, (text: string) => Buffer, (bytes: Buffer) => unknown][] = [
    ['plain in files', () => `file://${folder}?format=json`, Buffer.from, (bytes) => write('one', bytes)],
    [
      'packed in memcached, by a Memcached object',
      () => `memcached://127.0.0.1:${memcached.port}?format=json`,
      withLength,
      (bytes) => memcached.set('one', bytes, 0, 0x34),
    ],
  ];
  test.each(stores)('is decoded once until it changes: %s', async (_, url, pack, store) => {
    const post = vi.spyOn(Worker.prototype, 'postMessage');
    onTestFinished(() => post.mockRestore());
    // Only sessions are counted: a thread of an earlier test may still get the message that ends it.
    const decoded = () => post.mock.calls.filter(([bytes]) => bytes instanceof Uint8Array).length;
    const source = parseStoreUrl(`${url()}&timeout=9999ms`);
    let unpacked = 0;
    for (const layer of source.layers) {
      const { unwrap } = layer;
      layer.unwrap = (bytes, id) => {
        unpacked++;
        return unwrap(bytes, id);
      };
    }
    const reader = openSource(source);
    const seen: string[] = [];
    for (const id of [7, 8]) {
      await store(pack(padded(session(id))));
      for (let n = 0; n < 3; n++) {
        const answer = await reader.identify({ session: 'one' });
        seen.push('user' in answer ? answer.user.id : answer.reason);
      }
    }
    expect(seen).toEqual(['7', '7', '7', '8', '8', '8']);
    expect(decoded()).toBe(2);
    expect(unpacked).toBe(2 * source.layers.length);
    const many = await Promise.all(Array.from({ length: 20 }, () => reader.identify({ session: 'one' })));
    for (const answer of many) expect(answer).toMatchObject({ user: { id: '8' } });
    expect(decoded()).toBe(2);
  });
});

test('unpacks an undecodable session only once until it changes', async () => {
  const source = parseStoreUrl(`file://${folder}?format=json&layers=zlib&timeout=9999ms`);
  const [layer] = source.layers as [Layer];
  const unwrap = vi.spyOn(layer, 'unwrap');
  const reader = openSource(source);
  write('damaged', deflateSync(padded(session(7))).subarray(0, -8));
  for (let n = 0; n < 3; n++)
    expect(await reader.identify({ session: 'damaged' })).toMatchObject({ code: 'session_invalid' });
  expect(unwrap).toHaveBeenCalledTimes(1);
  write('damaged', deflateSync(JSON.stringify(session(7))));
  expect(await reader.identify({ session: 'damaged' })).toMatchObject({ user: { id: '7' } });
});

test('answers requests in the next thread while a thread is ending', async () => {
  const large = new LargeSessions('json', { id: parsePath('id'), name: parsePath('name') });
  onTestFinished(() => large.close());
  // This is not a buffer, so the thread fails as on a bug.
  const deadly = { length: 1 } as Buffer;
  await expect(large.findUser('', deadly)).rejects.toBeInstanceOf(StoreError);
  expect(await large.findUser('', Buffer.from('{"id":7,"name":"Zoë"}'))).toMatchObject({ user: { id: '7' } });
});

test('reveals nothing of a session in the error after a crash of the thread', async () => {
  const large = new LargeSessions('json', { id: parsePath('id'), name: parsePath('name') });
  onTestFinished(() => large.close());
  // The message of Node contains the value.
  const deadly = { length: 1, buffer: 7351927 } as unknown as Buffer;
  const error = await large.findUser('', deadly).catch((error: unknown) => error);
  expect(error).toMatchObject({ message: expect.stringMatching(/ has ended: ERR_INVALID_ARG_TYPE$/) });
  expect(inspect(error)).not.toContain('7351927');
});
