import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { expect, onTestFinished, test } from 'vitest';
import { StoreError } from '../../../server/session/store.ts';
import { parseStoreUrl } from '../../../server/session/store-url.ts';
import { type Memcached, startMemcached } from '../../helpers/memcached.ts';
import { startTcpProxy } from '../../helpers/tcp-proxy.ts';
import { watched, watchingProgram } from '../../helpers/watched.ts';

const open = (options: string, ...ports: number[]) => {
  const hosts = ports.map((port) => `127.0.0.1:${port}`).join(',');
  return parseStoreUrl(`memcached://${hosts}?${options}`).open();
};
const lost = (reason: StoreError | null) => ({ kind: 'lost', reason });
async function mortal(port?: number): Promise<Memcached> {
  const server = await startMemcached(port);
  onTestFinished(async () => void (await server.stop('SIGKILL')));
  return server;
}

test('restarted: told once, watched again', async () => {
  const server = await mortal();
  const store = watched(open('prefix=sessions/', server.port));
  await store.works;
  await server.stop('SIGKILL');
  await store.until({ kind: 'lost' }, 1);
  const again = store.until(lost(null));
  const second = await mortal(server.port);
  await again;
  await second.set('sessions/one', 'x');
  await store.until({ kind: 'changed', id: 'one' }, 0);
  expect(store.told.filter(({ kind }) => kind === 'lost')).toEqual([
    lost(null),
    { kind: 'lost', reason: expect.any(StoreError) },
    lost(null),
  ]);
});

test('held up for a moment: what happened meanwhile is told, and nothing was lost', async () => {
  const server = await mortal();
  const store = watched(open('prefix=sessions/', server.port));
  await store.works;
  server.signal('SIGSTOP');
  const set = server.set('sessions/one', 'x');
  server.signal('SIGCONT');
  await set;
  await store.until({ kind: 'changed', id: 'one' }, 0);
  expect(store.told).toHaveLength(2);
});

test('of several servers each is watched; one that is gone is told, and all must be back', async () => {
  const servers = [await mortal(), await mortal()];
  const [first, second] = servers as [Memcached, Memcached];
  const store = watched(open('prefix=sessions/', first.port, second.port));
  await store.works;
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
      return store.told.at(-1);
    })
    .toEqual({ kind: 'changed', id: 'back' });
  expect(store.told.filter(({ kind }) => kind === 'lost')).toHaveLength(2);
  const all = store.until(lost(null));
  await mortal(second.port);
  await all;
});

test('one of several that was never there: told at once, and not that all is well', async () => {
  const [well, server] = [await mortal(), await mortal()];
  await server.stop('SIGKILL');
  const store = watched(open('prefix=sessions/', well.port, server.port));
  await store.until({ kind: 'lost' }, 0);
  expect(store.told).toEqual([{ kind: 'lost', reason: expect.any(StoreError) }]);
});

test.each([
  ['something else altogether', 'HTTP/1.1 400 Bad Request\r\n\r\n', /sends no notifications$/],
  ['no line that ends', 'x'.repeat(5000), /sent something that is no notification$/],
  ['neither of the questions known', 'ERROR\r\n', /sends no notifications: ERROR$/],
])('a server that says %s: told', async (_, nonsense, reason) => {
  const proxy = await startTcpProxy((await mortal()).port, (_piece, client) => client.write(nonsense));
  onTestFinished(() => proxy.close());
  const store = watched(open('prefix=sessions/', proxy.port));
  await store.until({ kind: 'lost' }, 0);
  expect(store.told[0]).toMatchObject({ reason: { message: expect.stringMatching(reason) } });
});

test('more watchers than memcached takes: told, and taken as soon as there is room', async () => {
  const server = await mortal();
  const others = Array.from({ length: 20 }, () => connect(server.port, '127.0.0.1').on('error', () => {}));
  await Promise.all(
    others.map(
      (socket) =>
        new Promise((resolve) => {
          socket.once('data', resolve);
          socket.write('watch mutations\r\n');
        }),
    ),
  );
  const store = watched(open('prefix=sessions/', server.port));
  await store.until({ kind: 'lost' }, 0);
  expect(store.told[0]).toMatchObject({
    reason: { message: expect.stringMatching(/sends no notifications: .*TOO_MANY/) },
  });
  for (const socket of others) socket.destroy();
  await store.works;
});

test.runIf(process.platform === 'linux')(
  'a connection that is silent is probed by the system within half a minute',
  async () => {
    const server = await mortal();
    const store = watched(open('prefix=sessions/', server.port));
    await store.works;
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
  },
);

test.each(['works', 'lost'])(
  'a process that ends its watch, when it is told that it %s, comes to its own end',
  async (told) => {
    const server = await mortal();
    if (told === 'lost') await server.stop('SIGKILL');
    const program = watchingProgram(`memcached://127.0.0.1:${server.port}`);
    const options = { encoding: 'utf8', timeout: 10_000 } as const;
    expect(execFileSync(process.execPath, ['--input-type=module', '-e', program], options)).toBe(
      `${told}\ntold 0\n`,
    );
    // memcached has closed its side, too.
    if (told === 'works') await expect.poll(() => server.ask('stats\r\n')).toMatch(/STAT log_watchers 0\r\n/);
  },
);
