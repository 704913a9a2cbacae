import { execFileSync } from 'node:child_process';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { startChild } from '../../../test/helpers/child.ts';
import { fastClock } from '../../../test/helpers/fake-clock.ts';
import { startGate } from '../../../test/helpers/gate.ts';
import { hanging } from '../../../test/helpers/hanging.ts';
import { phpRequest } from '../../../test/helpers/php-request.ts';
import { type Redis, redisForTest, startLockedRedis, startRedis } from '../../../test/helpers/redis.ts';
import { spoilingProxy } from '../../../test/helpers/session-stores.ts';
import { endingProgram, lost, subscribed, subscribingProgram } from '../../../test/helpers/subscribed.ts';
import { parseStoreUrl } from '../src/store-url.ts';

const active = ['--notify-keyspace-events', 'Egxe$'];
const password = 'p@ss/w:rd+%';
let redis: Redis;
beforeAll(async () => {
  redis = await startRedis(active);
});
afterAll(() => redis.remove());

const open = (place: string | number) =>
  parseStoreUrl(`redis://${typeof place === 'number' ? `127.0.0.1:${place}` : place}`).open();
const key = (id: string) => `PHPREDIS_SESSION:${id}`;
const failure = expect.objectContaining({ name: 'StoreError' });
const message = (pattern: RegExp) => expect.objectContaining({ message: expect.stringMatching(pattern) });
/** Writes and deletes a session. */
async function logout(on: Redis, id = 'one', prefix = 'PHPREDIS_SESSION:'): Promise<void> {
  await on.ask('SET', prefix + id, 'x');
  await on.ask('DEL', prefix + id);
}
test('reports a write by phpredis’s handler and the deletion of the session', async () => {
  const store = subscribed(open(redis.port));
  await store.active;
  const id = phpRequest(
    { 'session.save_handler': 'redis', 'session.save_path': `tcp://127.0.0.1:${redis.port}` },
    '$_SESSION["user_id"] = 7',
  );
  await store.until({ kind: 'changed', id }, 0);
  const ended = store.until({ kind: 'changed', id });
  await redis.ask('DEL', key(id));
  await ended;
});

test('reports expired and evicted sessions only for its own prefix and database', async () => {
  const own = await redisForTest([...active, '--maxmemory-policy', 'allkeys-random']);
  const store = subscribed(open(`127.0.0.1:${own.port}/3?prefix=siam_`));
  await store.active;
  const lua = (...commands: string[]) =>
    own.ask('EVAL', `redis.call('SELECT', '3'); ${commands.join('; ')}`, '0');
  await own.ask('SET', 'siam_elsewhere', 'x');
  await lua(
    `redis.call('SET', 'other', 'x'); redis.call('DEL', 'other')`,
    `redis.call('SET', 'siam_expired', 'x', 'PX', 20)`,
  );
  // The key is set, gets its TTL, and expires. All three events may arrive before the first check.
  const expired = () => store.received.filter((one) => 'id' in one && one.id === 'expired');
  await expect.poll(expired).toHaveLength(3);
  await lua(`redis.call('SET', 'siam_evicted', 'x')`);
  await store.until({ kind: 'changed', id: 'evicted' }, 0);
  const evicted = store.until({ kind: 'changed', id: 'evicted' });
  await own.ask('CONFIG', 'SET', 'maxmemory', '1');
  await own.ask('SET', 'more', 'x').catch(() => {});
  await evicted;
  expect(new Set(store.received.slice(1).map((one) => 'id' in one && one.id))).toEqual(
    new Set(['expired', 'evicted']),
  );
});

describe('reports `lost`', () => {
  test('once for a cut connection, until the next connection', async () => {
    const store = subscribed(open(redis.port));
    await store.active;
    const back = store.until(lost(null));
    await redis.ask('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await back;
    const ended = store.until({ kind: 'changed', id: 'one' });
    await logout(redis);
    await ended;
    expect(store.received.slice(0, 3)).toEqual([lost(null), lost(failure), lost(null)]);
  });

  test('for a user without the permission to subscribe, until it is granted', async () => {
    const own = await startLockedRedis(password);
    onTestFinished(() => own.remove());
    await own.ask('CONFIG', 'SET', 'notify-keyspace-events', 'Egx');
    const url = `chat:${encodeURIComponent(password)}@127.0.0.1:${own.port}?prefix=siam_`;
    const store = subscribed(open(url));
    await store.until({ kind: 'lost' }, 0);
    expect(store.received).toEqual([lost(message(/NOPERM.*\+subscribe &__keyevent@\*/))]);
    await own.ask('ACL', 'SETUSER', 'chat', '+subscribe', '&__keyevent@*');
    await store.active;
    const ended = store.until({ kind: 'changed', id: 'one' });
    await logout(own, 'one', 'siam_');
    await ended;
    expect(store.received).toHaveLength(3);
  });

  test('if Redis is not configured to send logouts, with the setting to change', async () => {
    const own = await redisForTest(['--notify-keyspace-events', 'Ex$']);
    const store = subscribed(open(own.port));
    await store.until({ kind: 'lost' }, 0);
    expect(store.received).toEqual([lost(message(/CONFIG SET notify-keyspace-events '/))]);
    await own.ask('CONFIG', 'SET', 'notify-keyspace-events', 'Egx');
    const ended = store.until({ kind: 'changed', id: 'one' });
    await logout(own);
    await ended;
    // The next connection reads the configuration again.
    await own.ask('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await store.active;
  });

  test.each(['-ERR never asked\r\n', 'HTTP/1.1 400 Bad Request\r\n\r\n', '*3\r\n$9\r\nsubscribe\r\n'])(
    'after an invalid message, until the next connection: %j',
    async (nonsense) => {
      let isSent = false;
      const proxy = await spoilingProxy(redis.port, (piece, client) => {
        client.write(piece);
        if (isSent || !piece.includes('__:set')) return;
        isSent = true;
        client.write(nonsense);
        setTimeout(() => client.end(), 50);
      });
      const store = subscribed(open(proxy.port));
      await expect.poll(() => store.received).toContainEqual(lost(failure));
      await store.until(lost(null), 1);
      expect(isSent).toBe(true);
    },
  );
});

// Pings are sent every 15 s, so the clock of these processes runs ten times as fast.
describe.concurrent('a ping of the subscription', () => {
  const program = (url: string) =>
    startChild(process.execPath, ['--input-type=module', '-e', subscribingProgram(url)], {
      env: { ...process.env, ...fastClock(10) },
    });

  test('reports a configuration without logouts as lost until it is corrected', async ({
    onTestFinished,
  }) => {
    const own = await startRedis(['--notify-keyspace-events', 'Egx']);
    const child = program(`redis://127.0.0.1:${own.port}?timeout=9999ms`);
    onTestFinished(async () => {
      await child.stop('SIGKILL');
      await own.remove();
    });
    await child.until(/^active\n/);
    await own.ask('CONFIG', 'SET', 'notify-keyspace-events', 'Ex');
    await child.until(/^active\nlost: .*\n/);
    await own.ask('CONFIG', 'SET', 'notify-keyspace-events', 'AE');
    await child.until(/^active\nlost: .*\nactive\n$/);
  });

  test('reports `lost` without a reply, but not for a rejected ping', async ({ expect, onTestFinished }) => {
    const own = await startLockedRedis(password);
    const gate = await startGate(own.port);
    await own.ask('ACL', 'SETUSER', 'chat', '+subscribe', '&__keyevent@*');
    const child = program(`redis://chat:${encodeURIComponent(password)}@127.0.0.1:${gate.port}?prefix=siam_`);
    onTestFinished(async () => {
      await child.stop('SIGKILL');
      await gate.close();
      await own.remove();
    });
    await child.until(/active\n/);
    const rejected = async () => {
      const calls = /cmdstat_ping:.*rejected_calls=(\d+)/.exec(`${await own.ask('INFO', 'commandstats')}`);
      return Number(calls?.[1] ?? 0);
    };
    // A frozen machine may lose the connection once. If a rejected ping counted as silence, the connection
    // would be lost each time.
    await vi.waitFor(async () => {
      const [before, said] = [await rejected(), child.output().length];
      await expect.poll(rejected, { timeout: hanging }).toBeGreaterThan(before + 1);
      expect(child.output().slice(said)).toBe('');
    }, 2 * hanging);
    gate.silence.begin();
    await child.until(/lost: the store did not answer its subscription within 10000 ms\n/);
    gate.silence.end();
    await child.until(/lost: .*\nactive\n/);
  });
});

test('lets the process end after the subscription has ended', () => {
  const program = endingProgram(`redis://127.0.0.1:${redis.port}`);
  const options = { encoding: 'utf8', timeout: hanging } as const;
  expect(execFileSync(process.execPath, ['--input-type=module', '-e', program], options)).toBe(
    'active\nreceived 0\n',
  );
});
