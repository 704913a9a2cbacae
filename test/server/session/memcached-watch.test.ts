import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { logoutMarker } from '../../../server/session/logout-marker.ts';
import { parseStoreUrl } from '../../../server/session/store-url.ts';
import { startChild } from '../../helpers/child.ts';
import { type Memcached, startMemcached } from '../../helpers/memcached.ts';
import { phpRequest } from '../../helpers/php-request.ts';
import { startTcpProxy } from '../../helpers/tcp-proxy.ts';
import { watched } from '../../helpers/watched.ts';

let memcached: Memcached;
beforeAll(async () => {
  memcached = await startMemcached();
});
afterAll(() => memcached.stop());

const open = (options: string, port = memcached.port) => {
  return parseStoreUrl(`memcached://127.0.0.1:${port}?${options}`).open();
};

/** A request of a site with its sessions in memcached, by ext-memcached's handler or ext-memcache's. */
const native = (handler: 'memcached' | 'memcache', code: string, id?: string) =>
  phpRequest(
    {
      'session.save_handler': handler,
      'session.save_path': `${handler === 'memcache' ? 'tcp://' : ''}127.0.0.1:${memcached.port}`,
    },
    code,
    id,
  );

const autoload = new URL('../../../php/autoload.php', import.meta.url).pathname;
/** A request of a site with MemcachedHandler.php. */
const ours = (prefix: string, code: string, id?: string) =>
  phpRequest(
    { 'session.use_strict_mode': '1' },
    code,
    id,
    `require '${autoload}';
     $handler = PhpSessionChat\\Session\\HandlerFactory::fromUrl('memcached://127.0.0.1:${memcached.port}?prefix=${encodeURIComponent(prefix)}');
     session_set_save_handler($handler, false);`,
  );

test.each(['sessions/', '', 'a%b {"x": [1]}!~'.replaceAll(' ', '+')])(
  'our handler, with the prefix %j: what is written is told by its id, a logout by its mark',
  async (prefix) => {
    const store = watched(open(`prefix=${encodeURIComponent(prefix)}`));
    await store.works;
    const id = ours(prefix, '$_SESSION["user_id"] = 7');
    await store.until({ kind: 'changed', id }, 0);
    expect(store.told.slice(1)).toEqual([{ kind: 'changed', id }]);
    const ended = store.until({ kind: 'changed', marker: logoutMarker(id) });
    ours(prefix, 'session_destroy()', id);
    await ended;
  },
);

test.each(['memcached', 'memcache'] as const)(
  'ext-%s’s handler: a page that begins with the session is told, and one that writes it',
  async (handler) => {
    const store = watched(open(`handler=${handler}`));
    await store.works;
    const id = native(handler, '$_SESSION["user_id"] = 7');
    await store.until({ kind: 'changed', id }, 0);
    const opened = store.until({ kind: 'opened', id });
    const since = store.told.length;
    native(handler, 'session_destroy()', id);
    await opened;
    expect(store.told.slice(since)).toEqual([{ kind: 'opened', id }]);
  },
);

test('an id with a comma, and what is nobody’s session', async () => {
  const store = watched(open('handler=memcached'));
  await store.works;
  const names = ['a.b', 'a%2Cb', 'a/b', 'lock.', 'lock.a.b', '"', 'é'];
  for (const name of names) await memcached.set(`memc.sess.key.${name}`, 'x');
  for (const name of ['a,b', 'chat.ended', 'chat.ended.zz', 'sess.key.one', 'key=memc.sess.key.one'])
    await memcached.set(name, 'x');
  await memcached.set('memc.sess.key.a,-B1', 'x');
  await memcached.set('memc.sess.key.lock.a,-B1', 'x');
  // Each thread of memcached tells what it does by itself, in no order among them.
  await expect.poll(() => store.told.length).toBeGreaterThanOrEqual(3);
  expect(store.told).toHaveLength(3);
  expect(store.told).toEqual(
    expect.arrayContaining([
      { kind: 'changed', id: 'a,-B1' },
      { kind: 'opened', id: 'a,-B1' },
    ]),
  );
});

test('100,000 items of somebody else in the same memcached: nothing is told of them, and nothing is kept', async () => {
  const module = new URL('../../../server/session/store-url.ts', import.meta.url).pathname;
  const program = `import { parseStoreUrl } from '${module}';
    parseStoreUrl('memcached://127.0.0.1:${memcached.port}?prefix=sessions/').open().subscribe({
      changed({ id }) {
        for (let n = 0; n < 2; n++) gc();
        const { heapUsed, external } = process.memoryUsage();
        console.log('changed', id, heapUsed + external);
      },
      opened() { console.log('opened'); },
      lost(reason) { console.log(reason === null ? 'works' : 'lost'); },
    });`;
  const watching = startChild(process.execPath, ['--expose-gc', '--input-type=module', '-e', program]);
  onTestFinished(async () => void (await watching.stop()));
  await watching.until(/works/);
  const items = Array.from(
    { length: 1000 },
    (_, n) => `set other${n}.${'k'.repeat(200)} 0 30 1 noreply\r\nx\r\n`,
  );
  const heldAfter = async (thousands: number, id: string) => {
    for (let n = 0; n < thousands; n++) await memcached.ask(`${items.join('')}mn\r\n`, /MN\r\n$/);
    // In such a flood memcached drops some of what it would tell.
    await expect
      .poll(async () => {
        await memcached.set(`sessions/${id}`, 'x');
        return watching.output();
      })
      .toContain(`changed ${id} `);
    return Number((await watching.until(new RegExp(`changed ${id} (\\d+)\n`)))[1]);
  };
  const before = await heldAfter(10, 'before');
  expect((await heldAfter(100, 'after')) - before).toBeLessThan(1024 * 1024);
  expect(watching.output()).toMatch(/^works\n(changed (before|after) \d+\n)+$/);
});

test('lines in pieces, and in single bytes', async () => {
  const proxy = await startTcpProxy(memcached.port, (piece, client) => {
    for (const byte of piece) client.write(Buffer.of(byte));
  });
  onTestFinished(() => proxy.close());
  const store = watched(open('prefix=sessions/', proxy.port));
  await store.works;
  for (const id of ['one', 'two']) await memcached.set(`sessions/${id}`, 'x');
  await memcached.set(`chat.ended.${'0'.repeat(32)}`, '');
  await expect.poll(() => store.told.length).toBeGreaterThanOrEqual(4);
  expect(store.told).toHaveLength(4);
  expect(store.told).toEqual(
    expect.arrayContaining([
      { kind: 'changed', id: 'one' },
      { kind: 'changed', id: 'two' },
      { kind: 'changed', marker: '0'.repeat(32) },
    ]),
  );
});
