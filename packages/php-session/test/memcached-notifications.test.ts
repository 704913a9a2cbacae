import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { type Memcached, startMemcached } from '../../../test/helpers/memcached.ts';
import { phpRequest } from '../../../test/helpers/php-request.ts';
import { lost, subscribed } from '../../../test/helpers/subscribed.ts';
import { logoutMarker } from '../src/logout-marker.ts';
import { parseStoreUrl } from '../src/store-url.ts';

let memcached: Memcached;
beforeAll(async () => {
  // Several threads would notify in any order.
  memcached = await startMemcached(undefined, ['-t', '1']);
});
afterAll(() => memcached.stop());

const open = (options = 'prefix=sessions/', ...ports: number[]) => {
  const hosts = (ports.length === 0 ? [memcached.port] : ports).map((port) => `127.0.0.1:${port}`);
  return parseStoreUrl(`memcached://${hosts.join(',')}?${options}`).open();
};
async function mortal(port?: number): Promise<Memcached> {
  const server = await startMemcached(port);
  onTestFinished(async () => void (await server.stop('SIGKILL')));
  return server;
}
const lostMessage = (pattern: RegExp) => ({ reason: { message: expect.stringMatching(pattern) } });

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

const autoload = fileURLToPath(new URL('../../../php/autoload.php', import.meta.url));
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
  'reports our handler’s write by the ID and its logout by the marker, with the prefix %j',
  async (prefix) => {
    const store = subscribed(open(`prefix=${encodeURIComponent(prefix)}`));
    await store.active;
    const id = ours(prefix, '$_SESSION["user_id"] = 7');
    await store.until({ kind: 'changed', id }, 0);
    expect(store.received.slice(1)).toEqual([{ kind: 'changed', id }]);
    const ended = store.until({ kind: 'changed', marker: logoutMarker(id) });
    ours(prefix, 'session_destroy()', id);
    await ended;
  },
);

test.each(['memcached', 'memcache'] as const)(
  'distinguishes a page that opens the session from one that writes it with ext-%s’s handler',
  async (handler) => {
    const store = subscribed(open(`handler=${handler}`));
    await store.active;
    const id = native(handler, '$_SESSION["user_id"] = 7');
    // A page writes several times. After a page of another session, all its notifications have arrived.
    const next = native(handler, '$_SESSION["user_id"] = 8');
    await store.until({ kind: 'changed', id: next }, 0);
    expect(store.received).toContainEqual({ kind: 'changed', id });
    const since = store.received.length;
    const opened = store.until({ kind: 'opened', id });
    native(handler, 'session_abort()', id);
    await opened;
    expect(store.received.slice(since)).not.toContainEqual({ kind: 'changed', id });
  },
);

test('notifies only of sessions, with any characters in their IDs', async () => {
  const store = subscribed(open('handler=memcached'));
  await store.active;
  for (const name of ['lock.', 'é']) await memcached.set(`memc.sess.key.${name}`, 'x');
  for (const name of ['a,b', 'chat.ended', 'chat.ended.zz', 'sess.key.one', 'key=memc.sess.key.one'])
    await memcached.set(name, 'x');
  const ids = ['a,-B1', 'user_42', 'Zm9v+YmFy/w==', 'a%2Cb:c~[d]{e}*?'];
  for (const id of ids) {
    await memcached.set(`memc.sess.key.${id}`, 'x');
    await memcached.set(`memc.sess.key.lock.${id}`, 'x');
  }
  // The threads of memcached do not log in a common order.
  const wanted = ids.flatMap((id) => ['changed', 'opened'].map((kind) => ({ kind, id })));
  await expect.poll(() => store.received.length).toBeGreaterThan(wanted.length);
  expect(store.received).toHaveLength(1 + wanted.length);
  expect(store.received).toEqual(expect.arrayContaining(wanted));
});

describe('reports `lost`', () => {
  test('until all of several servers are back', async () => {
    const servers = [await mortal(), await mortal()];
    const [first, second] = servers as [Memcached, Memcached];
    const store = subscribed(open('prefix=sessions/', first.port, second.port));
    await store.active;
    for (const [n, server] of servers.entries()) {
      await server.set(`sessions/on${n}`, 'x');
      await store.until({ kind: 'changed', id: `on${n}` }, 0);
    }
    for (const server of servers) await server.stop('SIGKILL');
    await store.until({ kind: 'lost' }, 1);
    const back = await mortal(first.port);
    await expect
      .poll(async () => {
        await back.set('sessions/back', 'x');
        return store.received.at(-1);
      })
      .toEqual({ kind: 'changed', id: 'back' });
    expect(store.received.filter(({ kind }) => kind === 'lost')).toHaveLength(2);
    const all = store.until(lost(null));
    await mortal(second.port);
    await all;
  });

  test.each([
    ['an HTTP response', 'HTTP/1.1 400 Bad Request\r\n\r\n', /does not send notifications$/],
    ['a line that does not end', 'x'.repeat(5000), /sent something that is not a notification$/],
    ['an error for both commands', 'ERROR\r\n', /does not send notifications: ERROR$/],
  ])('for a server that sends %s', async (_, nonsense, reason) => {
    const server = createServer((client) => client.on('data', () => client.write(nonsense)));
    onTestFinished(() => void server.close());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const store = subscribed(open('prefix=sessions/', (server.address() as AddressInfo).port));
    await store.until({ kind: 'lost' }, 0);
    expect(store.received[0]).toMatchObject(lostMessage(reason));
  });

  test('while memcached accepts no more watchers', async () => {
    const server = await mortal();
    const others = Array.from({ length: 20 }, () => connect(server.port, '127.0.0.1').on('error', () => {}));
    const watching = others.map(
      (socket) =>
        new Promise((resolve) => {
          socket.once('data', resolve);
          socket.write('watch mutations\r\n');
        }),
    );
    await Promise.all(watching);
    const store = subscribed(open('prefix=sessions/', server.port));
    await store.until({ kind: 'lost' }, 0);
    expect(store.received[0]).toMatchObject(lostMessage(/does not send notifications: .*TOO_MANY/));
    for (const socket of others) socket.destroy();
    await store.active;
  });

  if (process.platform === 'linux') {
    test('after probes by the system, which start at most 20 s after the last data', async () => {
      const server = await mortal();
      const store = subscribed(open('prefix=sessions/', server.port));
      await store.active;
      const port = server.port.toString(16).toUpperCase().padStart(4, '0');
      const timers = () =>
        readFileSync('/proc/net/tcp', 'latin1')
          .split('\n')
          .map((line) => line.trim().split(/\s+/))
          .filter(([, , remote, state]) => remote === `0100007F:${port}` && state === '01')
          .map(([, , , , , timer = '']) => timer.split(':'));
      // 02 is the timer of the probes, in hundredths of a second.
      await expect.poll(() => timers().map(([kind]) => kind)).toEqual(['02']);
      expect(Number.parseInt(timers()[0]?.[1] ?? '', 16)).toBeLessThanOrEqual(2000);
    });
  }
});

test('leaves no watcher in memcached after the end of a subscription', async () => {
  const server = await mortal();
  const store = subscribed(open('prefix=sessions/', server.port));
  await store.active;
  store.end();
  await expect.poll(() => server.ask('stats\r\n')).toMatch(/STAT log_watchers 0\r\n/);
});
