import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { deflateSync, zstdCompressSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Memcached, startMemcached } from '../../../test/helpers/memcached.ts';
import { checked, readerAt, storeAt } from '../../../test/helpers/session-stores.ts';

const script = fileURLToPath(new URL('../../../test/fixtures/memcached-items.php', import.meta.url));
const secret = 'nobody-reads-this';
let memcached: Memcached;

beforeAll(async () => {
  memcached = await startMemcached(undefined, ['-I', '8m']);
});
afterAll(() => memcached.stop('SIGKILL'));

const url = (options: string) => `memcached://127.0.0.1:${memcached.port}?${options}`;
const reader = (options: string) => readerAt(url(options));

/** Runs PHP code with a `Memcached` and a `Memcache` object. */
function php(code: string): void {
  const objects = `$memcached = new Memcached(); $memcached->addServer('127.0.0.1', ${memcached.port});
    $memcache = new Memcache(); $memcache->addServer('127.0.0.1', ${memcached.port});`;
  execFileSync('php', ['-r', objects + code]);
}

/** The flags of an item, and its bytes as they are stored. */
async function raw(key: string): Promise<{ flags: number; bytes: Buffer }> {
  const answer = await memcached.ask(`mg ${key} f v\r\nmn\r\n`, /MN\r\n$/);
  const [line = '', length, flags] = /^VA (\d+) f(\d+)\r\n/.exec(answer) ?? [];
  const bytes = Buffer.from(answer, 'latin1').subarray(line.length, line.length + Number(length));
  return { flags: Number(flags), bytes };
}

test('reads items that a Memcached object compresses, in both FastLZ levels and zlib', async () => {
  const written = execFileSync('php', [script, String(memcached.port)], { encoding: 'utf8' });
  const sessions = storeAt(url('timeout=5000ms'));
  const kinds: Record<string, number> = {};
  for (const line of written.trim().split('\n')) {
    const { key, sha1 } = JSON.parse(line) as { key: string; sha1: string };
    const unpacked = (await sessions.get(key)) as Buffer;
    expect(createHash('sha1').update(unpacked).digest('hex'), key).toBe(sha1);
    const { flags, bytes } = await raw(key);
    const kind = { 48: 'zlib', 80: `FastLZ ${(bytes.readUInt8(4) >> 5) + 1}` }[flags] ?? 'plain';
    kinds[kind] = (kinds[kind] ?? 0) + 1;
  }
  expect(kinds).toMatchObject({ zlib: expect.any(Number), 'FastLZ 1': 22, 'FastLZ 2': 82 });
});

const user = '["user_id" => 7, "firstname" => "Zoë", "pad" => str_repeat("packed ", $n)]';
test.each([
  ['SERIALIZER_PHP', 'COMPRESSION_FASTLZ', 'php_serialize', 0x04, 0x54],
  ['SERIALIZER_JSON', 'COMPRESSION_ZLIB', 'json', 0x06, 0x36],
  ['SERIALIZER_IGBINARY', 'COMPRESSION_FASTLZ', 'igbinary', 0x05, 0x55],
  ['SERIALIZER_MSGPACK', 'COMPRESSION_FASTLZ', 'msgpack', 0x07, 0x57],
])(
  'reads an array that a Memcached object stores: %s, %s',
  async (serializer, packing, format, small, large) => {
    const id = `${serializer}${packing}`.replaceAll('_', '-');
    php(`$memcached->setOptions([Memcached::OPT_SERIALIZER => Memcached::${serializer},
      Memcached::OPT_COMPRESSION_TYPE => Memcached::${packing}, Memcached::OPT_USER_FLAGS => 5]);
    foreach ([1, 5000] as $n) $memcached->set("s/${id}$n", ${user});`);
    const sessions = reader(`prefix=s/&format=${format}`);
    for (const [n, flags] of [
      [1, small],
      [5000, large],
    ]) {
      expect((await raw(`s/${id}${n}`)).flags).toBe(5 * 0x10000 + Number(flags));
      expect(await sessions.identify({ session: `${id}${n}` })).toMatchObject({
        user: { id: '7', name: 'Zoë' },
      });
    }
  },
);

test('reads an array that a Memcache object stores', async () => {
  php(`foreach ([1, 5000] as $n) $memcache->set("array$n", ${user});`);
  const sessions = reader('distribution=memcache');
  for (const [id, flags] of [
    ['array1', 1],
    ['array5000', 3],
  ] as const) {
    expect((await raw(id)).flags).toBe(flags);
    expect(await sessions.identify({ session: id })).toMatchObject({ user: { id: '7', name: 'Zoë' } });
  }
});

test('rejects a number or a boolean as a session', async () => {
  php(`foreach (['Int' => 7, 'Double' => 7.5, 'Yes' => true, 'No' => false] as $name => $value) {
    $memcached->set("memcached$name", $value); $memcache->set("memcache$name", $value); }`);
  for (const [object, options] of [
    ['memcached', ''],
    ['memcache', 'distribution=memcache'],
  ]) {
    for (const name of ['Int', 'Double', 'Yes', 'No']) {
      const answer = await reader(`${options}&format=json`).identify({ session: object + name });
      expect(answer).toMatchObject({
        code: 'session_invalid',
        reason: expect.stringMatching(/the flags say that/),
      });
    }
  }
});

test('reads an item only if it unpacks to at most 1 MiB', async () => {
  php(`foreach ([0, 1] as $more) {
    $text = str_repeat('x', 1048576 + $more);
    foreach (['FASTLZ', 'ZLIB'] as $type) {
      $memcached->setOption(Memcached::OPT_COMPRESSION_TYPE, constant("Memcached::COMPRESSION_$type"));
      $memcached->set("$type$more", $text);
    }
    $memcache->set("MEMCACHE$more", $text); }`);
  for (const [name, options] of [
    ['FASTLZ', ''],
    ['ZLIB', ''],
    ['MEMCACHE', 'distribution=memcache'],
  ] as const) {
    const sessions = storeAt(url(options));
    expect((await sessions.get(`${name}0`))?.length).toBe(1024 * 1024);
    await expect(sessions.get(`${name}1`)).rejects.toThrow(/larger than 1048576 bytes/);
  }
});

describe('a damaged item', () => {
  const text = Buffer.from(`{"user_id":7,"pad":"${secret.repeat(500)}"}`);
  /** A login whose session had the bytes `text`. */
  const known = (id: string) => ({
    handle: id,
    user: { id: '7', name: 'Zoë' },
    state: { id, bytes: text, version: null, proof: [] },
  });
  const behindLength = (stream: Buffer, length = text.length) => {
    const head = Buffer.alloc(4);
    head.writeUInt32LE(length);
    return Buffer.concat([head, stream]);
  };
  const zlib = deflateSync(text);
  /** As ext-memcached 3.3 and later pack. Earlier versions, such as Debian 12's, have no zstd. */
  const zstd = zstdCompressSync(text);
  const huge = 5;
  const tooMuch = () => Buffer.alloc(huge * 1e6);
  let fastlz: Buffer;
  beforeAll(async () => {
    php(`$memcached->set('whole', '${text}');`);
    fastlz = (await raw('whole')).bytes.subarray(4);
  });

  test.each<[name: string, flags: number, item: () => Buffer, options?: string]>([
    ['zlib cut off', 0x30, () => behindLength(zlib.subarray(0, -8))],
    ['zlib with a false sum', 0x30, () => behindLength(Buffer.concat([zlib.subarray(0, -1), Buffer.of(0)]))],
    ['zlib that says it is larger', 0x30, () => behindLength(zlib, text.length + 1)],
    [`zlib that says it is small and is ${huge} MB`, 0x30, () => behindLength(deflateSync(tooMuch()))],
    ['nothing at all', 0x30, () => Buffer.alloc(0)],
    ['FastLZ cut off', 0x50, () => behindLength(fastlz.subarray(0, -1))],
    ['FastLZ of another length', 0x50, () => behindLength(fastlz, text.length - 1)],
    ['FastLZ that says it is larger', 0x50, () => behindLength(fastlz, text.length + 1)],
    ['FastLZ of a third level', 0x50, () => behindLength(Buffer.of(0x40, 1), 1)],
    ['FastLZ that reaches back too far', 0x50, () => behindLength(Buffer.of(0, 1, 0x20, 1), 4)],
    ['zstd cut off', 0x90, () => behindLength(zstd.subarray(0, -8))],
    [`zstd that says it is small and is ${huge} MB`, 0x90, () => behindLength(zstdCompressSync(tooMuch()))],
    ['packed in a way that is not known', 0x110, () => behindLength(zlib)],
    ['of a type that is not known', 0x08, () => text],
    ['of ext-memcache, cut off', 2, () => zlib.subarray(0, -8), 'handler=memcache&'],
    [`of ext-memcache, ${huge} MB`, 2, () => deflateSync(tooMuch()), 'handler=memcache&'],
    ['of ext-memcache, not packed', 2, () => text, 'handler=memcache&'],
    ['of ext-memcache, a number', 0x300, () => text, 'handler=memcache&'],
  ])('is an invalid session, not a failure of the store: %s', async (name, flags, item, options = '') => {
    await memcached.set('damaged', item(), 0, flags);
    await memcached.set('next', '{"user_id":8}');
    const sessions = reader(`${options}format=json`);
    const answer = await sessions.identify({ session: 'damaged' });
    const kind = expect.stringMatching(/\d [GM]B/.test(name) ? /larger than 1048576/ : /damaged/);
    expect(answer).toMatchObject({ code: 'session_invalid', kind });
    expect(JSON.stringify(answer)).not.toContain(secret.slice(0, 6));
    expect(await checked(sessions, known('damaged'))).toMatchObject({ state: 'invalid' });
    expect(await sessions.identify({ session: 'next' })).toMatchObject({ user: { id: '8' } });
  });

  test('is read without the damage', async () => {
    await memcached.set('zlib', behindLength(zlib), 0, 0x30);
    await memcached.set('zstd', behindLength(zstd), 0, 0x90);
    const sessions = reader('format=json');
    for (const session of ['zlib', 'zstd', 'whole'])
      expect(await sessions.identify({ session })).toMatchObject({ user: { id: '7' } });
    expect(await checked(sessions, known('whole'))).toBeNull();
  });
});
