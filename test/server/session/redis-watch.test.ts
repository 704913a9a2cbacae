import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { parseStoreUrl } from '../../../server/session/store-url.ts';
import { startChild } from '../../helpers/child.ts';
import { fastClock } from '../../helpers/fake-clock.ts';
import { startGate } from '../../helpers/gate.ts';
import { phpRequest } from '../../helpers/php-request.ts';
import { type Redis, startLockedRedis, startRedis } from '../../helpers/redis.ts';
import { startTcpProxy } from '../../helpers/tcp-proxy.ts';
import { watched, watchingProgram } from '../../helpers/watched.ts';

const telling = ['--notify-keyspace-events', 'Egxe$'];
const password = 'p@ss/w:rd+%';
let redis: Redis;
beforeAll(async () => {
  redis = await startRedis(telling);
});
afterAll(() => redis.remove());

const open = (place: string | number) =>
  parseStoreUrl(`redis://${typeof place === 'number' ? `127.0.0.1:${place}` : place}`).open();
const key = (id: string) => `PHPREDIS_SESSION:${id}`;
const lost = (reason: unknown) => expect.objectContaining({ kind: 'lost', reason });
const subscribers = async () => String(await redis.ask('CLIENT', 'LIST', 'TYPE', 'pubsub')).trim();

test('phpredis’s handler: a logout is told, and what is written while Redis tells of that', async () => {
  const store = watched(open(redis.port));
  await store.works;
  const request = (code: string, id?: string) =>
    phpRequest(
      { 'session.save_handler': 'redis', 'session.save_path': `tcp://127.0.0.1:${redis.port}` },
      code,
      id,
    );
  const id = request('$_SESSION["user_id"] = 7');
  await store.until({ kind: 'changed', id }, 0);
  const ended = store.until({ kind: 'changed', id });
  await redis.ask('DEL', key(id));
  await ended;
});

test('a session that is over, or evicted, is told; keys of others and other databases are not', async () => {
  const own = await startRedis([...telling, '--maxmemory-policy', 'allkeys-random']);
  onTestFinished(() => own.remove());
  const store = watched(open(`127.0.0.1:${own.port}/3?prefix=siam_`));
  await store.works;
  const lua = (...commands: string[]) =>
    own.ask('EVAL', `redis.call('SELECT', '3'); ${commands.join('; ')}`, '0');
  await own.ask('SET', 'siam_elsewhere', 'x');
  await lua(
    `redis.call('SET', 'other', 'x'); redis.call('DEL', 'other')`,
    `redis.call('SET', 'siam_over', 'x', 'PX', 20)`,
  );
  await store.until({ kind: 'changed', id: 'over' }, 0);
  // Set, then over.
  await store.until({ kind: 'changed', id: 'over' });
  await lua(`redis.call('SET', 'siam_evicted', 'x')`);
  await store.until({ kind: 'changed', id: 'evicted' }, 0);
  const evicted = store.until({ kind: 'changed', id: 'evicted' });
  await own.ask('CONFIG', 'SET', 'maxmemory', '1');
  await own.ask('SET', 'more', 'x').catch(() => {});
  await evicted;
  expect(new Set(store.told.slice(1).map((one) => 'id' in one && one.id))).toEqual(
    new Set(['over', 'evicted']),
  );
});

test('its connection cut: told once, and well again by itself', async () => {
  const store = watched(open(redis.port));
  await store.works;
  const back = store.until({ kind: 'lost', reason: null });
  await redis.ask('CLIENT', 'KILL', 'TYPE', 'pubsub');
  await back;
  const ended = store.until({ kind: 'changed', id: 'one' });
  await redis.ask('SET', key('one'), 'x');
  await redis.ask('DEL', key('one'));
  await ended;
  expect(store.told.slice(0, 3)).toEqual([
    lost(null),
    lost(expect.objectContaining({ name: 'StoreError' })),
    lost(null),
  ]);
});

test('restarted: told once, and well again by itself', async () => {
  let own = await startRedis(telling);
  onTestFinished(() => own.remove());
  const store = watched(open(own.port));
  await store.works;
  await own.stop();
  await expect.poll(() => store.told).toHaveLength(2);
  own = await startRedis(telling, own);
  await store.until({ kind: 'lost', reason: null });
  const ended = store.until({ kind: 'changed', id: 'one' });
  await own.ask('SET', key('one'), 'x');
  await own.ask('DEL', key('one'));
  await ended;
  expect(store.told.filter(({ kind }) => kind === 'lost')).toHaveLength(3);
});

test('a user who may not listen: told once, with what he needs; as soon as he may, it works', async () => {
  const own = await startLockedRedis(password);
  onTestFinished(() => own.remove());
  await own.ask('CONFIG', 'SET', 'notify-keyspace-events', 'Egx');
  const store = watched(open(`chat:${encodeURIComponent(password)}@127.0.0.1:${own.port}?prefix=siam_`));
  await store.until({ kind: 'lost' }, 0);
  const [refused] = store.told;
  expect(refused).toEqual(
    lost(expect.objectContaining({ message: expect.stringMatching(/NOPERM.*\+subscribe &__keyevent@\*/) })),
  );
  await own.ask('ACL', 'SETUSER', 'chat', '+subscribe', '&__keyevent@*');
  await store.works;
  const ended = store.until({ kind: 'changed', id: 'one' });
  await own.ask('SET', 'siam_one', 'x');
  await own.ask('DEL', 'siam_one');
  await ended;
  expect(store.told).toHaveLength(3);
});

test.each(['', 'Eg', 'Ex$', 'KA', 'gx'])(
  'set up to tell with %j: lost, with what would mend it, and what is heard is told; mended: well',
  async (flags) => {
    const own = await startRedis(['--notify-keyspace-events', flags]);
    onTestFinished(() => own.remove());
    const store = watched(open(own.port));
    await store.until({ kind: 'lost' }, 0);
    expect(store.told).toEqual([
      lost(
        expect.objectContaining({ message: expect.stringMatching(/CONFIG SET notify-keyspace-events '/) }),
      ),
    ]);
    await own.ask('CONFIG', 'SET', 'notify-keyspace-events', 'Egx');
    const ended = store.until({ kind: 'changed', id: 'one' });
    await own.ask('SET', key('one'), 'x');
    await own.ask('DEL', key('one'));
    await ended;
    // A watch that begins anew asks anew.
    await own.ask('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await store.works;
  },
);

test('set up anew while it is watched: told, too', async () => {
  const own = await startRedis(['--notify-keyspace-events', 'Egx']);
  const module = new URL('../../../server/session/store-url.ts', import.meta.url).pathname;
  const program = `import { parseStoreUrl } from '${module}';
    parseStoreUrl('redis://127.0.0.1:${own.port}?timeout=9999ms').open().subscribe({
      lost: (reason) => console.log(reason === null ? 'works' : 'lost'),
    });`;
  const child = startChild(process.execPath, ['--input-type=module', '-e', program], {
    env: { ...process.env, ...fastClock(10) },
  });
  onTestFinished(async () => {
    await child.stop('SIGKILL');
    await own.remove();
  });
  await child.until(/^works\n/);
  await own.ask('CONFIG', 'SET', 'notify-keyspace-events', 'Ex');
  await child.until(/^works\nlost\n/);
  await own.ask('CONFIG', 'SET', 'notify-keyspace-events', 'AE');
  await child.until(/^works\nlost\nworks\n$/);
});

test.each([
  '$5\r\nnever asked',
  '-ERR never asked\r\n',
  'HTTP/1.1 400 Bad Request\r\n\r\n',
  '*3\r\n$9\r\nsubscribe\r\n',
])('a server that says %j in between: lost, and well again by itself', async (nonsense) => {
  let said = false;
  const proxy = await startTcpProxy(redis.port, (piece, client) => {
    client.write(piece);
    if (said || !piece.includes('__:set')) return;
    said = true;
    client.write(nonsense);
    setTimeout(() => client.end(), 50);
  });
  onTestFinished(() => proxy.close());
  const store = watched(open(proxy.port));
  await store.until({ kind: 'lost' }, 0);
  await expect.poll(() => store.told).toContainEqual(lost(expect.objectContaining({ name: 'StoreError' })));
  await store.until({ kind: 'lost', reason: null }, 1);
  expect(said).toBe(true);
});

test('ended: nothing is told any more, and no connection is left', async () => {
  const store = watched(open(redis.port));
  await store.works;
  expect(await subscribers()).not.toBe('');
  store.end();
  await redis.ask('SET', key('one'), 'x');
  await redis.ask('DEL', key('one'));
  await expect.poll(subscribers).toBe('');
  expect(store.told).toEqual([lost(null)]);
});

test.each([
  ['works', () => redis.port, 'works\ntold 0\n'],
  ['cannot be reached', () => 1, 'lost\ntold 0\n'],
])('ended when it %s: nothing is left that would keep the process', (_, port, said) => {
  const program = watchingProgram(`redis://127.0.0.1:${port()}`);
  const options = { encoding: 'utf8', timeout: 20_000 } as const;
  expect(execFileSync(process.execPath, ['--input-type=module', '-e', program], options)).toBe(said);
});

test('hundreds of thousands of events about other keys: ours is told all the same', async () => {
  const store = watched(open(redis.port));
  await store.works;
  const ended = store.until({ kind: 'changed', id: 'one' });
  const flood = `for n = 1, 100000 do redis.call('SET', 'other' .. n, 'x'); redis.call('DEL', 'other' .. n) end
    redis.call('SET', '${key('one')}', 'x'); redis.call('DEL', '${key('one')}')`;
  await redis.ask('EVAL', flood, '0');
  await ended;
  expect(store.told.filter((one) => 'id' in one && one.id !== 'one')).toEqual([]);
});

test('silent from one moment to the next: noticed by itself; quiet, though its user may not be asked: not lost', async () => {
  const own = await startLockedRedis(password);
  const gate = await startGate(own.port);
  await own.ask('ACL', 'SETUSER', 'chat', '+subscribe', '&__keyevent@*');
  const url = `redis://chat:${encodeURIComponent(password)}@127.0.0.1:${gate.port}?prefix=siam_`;
  const module = new URL('../../../server/session/store-url.ts', import.meta.url).pathname;
  const program = `import { parseStoreUrl } from '${module}';
    parseStoreUrl('${url}').open().subscribe({
      lost: (reason) => console.log(reason === null ? 'works' : 'lost: ' + reason.message),
    });`;
  const child = startChild(process.execPath, ['--input-type=module', '-e', program], {
    env: { ...process.env, ...fastClock(10) },
  });
  onTestFinished(async () => {
    await child.stop('SIGKILL');
    await gate.close();
    await own.remove();
  });
  await child.until(/works\n/);
  await expect
    .poll(async () => String(await own.ask('INFO', 'commandstats')))
    .toMatch(/cmdstat_ping:.*rejected_calls=[2-9]/);
  expect(child.output()).toBe('works\n');
  gate.silence.begin();
  await child.until(/lost: the store did not answer its subscription within 10000 ms\n/);
  gate.silence.end();
  await child.until(/lost: .*\nworks\n/);
});
