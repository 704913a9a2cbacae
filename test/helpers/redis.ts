import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createClient, RESP_TYPES } from 'redis';
import { afterAll, onTestFinished } from 'vitest';
import { type Child, ownPort, startChild } from './child.ts';

export interface Redis extends Child {
  readonly port: number;
  /** Its folder, with `redis.sock` and, after a SAVE, `dump.rdb`. */
  readonly folder: string;
  /** Sends a command as the administrator over the Unix socket. Strings in the reply are Buffers. */
  ask(...command: (string | Buffer)[]): Promise<unknown>;
  /** Returns the values under these keys, and when the first key expires. */
  traces(...keys: string[]): Promise<{ held: string[]; expires: number }>;
  /** Stops the server and removes its folder. */
  remove(): Promise<void>;
}

/**
 * Starts a real Redis on a free loopback port. Resolves when its log says that it is ready.
 * @param args further options of redis-server
 * @param again a stopped Redis whose port and folder the new one uses
 */
export async function startRedis(
  args: readonly string[] = [],
  again?: { port: number; folder: string },
): Promise<Redis> {
  const port = again?.port ?? (await ownPort());
  const folder = again?.folder ?? mkdtempSync(join(tmpdir(), 'redis-'));
  const path = join(folder, 'redis.sock');
  const child = startChild('redis-server', [
    ...['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', folder, '--unixsocket', path],
    ...args,
  ]);
  await child.until(/Ready to accept connections/);
  const password = args[args.indexOf('--requirepass') + 1] ?? '';
  const ask = async (...command: (string | Buffer)[]) => {
    const client = createClient({
      RESP: 2,
      socket: { path, reconnectStrategy: false },
      ...(args.includes('--requirepass') ? { password } : {}),
      commandOptions: { typeMapping: { [RESP_TYPES.BLOB_STRING]: Buffer } },
    });
    client.on('error', () => {});
    await client.connect();
    try {
      return await client.sendCommand<unknown>(command);
    } finally {
      client.destroy();
    }
  };
  return Object.assign(child, {
    port,
    folder,
    ask,
    async traces(...keys: string[]) {
      const held = (await Promise.all(keys.map((key) => ask('GET', key)))) as (Buffer | null)[];
      const expires = Number(await ask('EXPIRETIME', String(keys[0])));
      return { held: held.map((value) => value?.toString('latin1') ?? 'nothing'), expires };
    },
    async remove() {
      await child.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  });
}

/**
 * Starts a Redis with a password, and with a user `chat` that has the same password and, on keys that start with
 * `siam_`, the rights that the store needs.
 */
export async function startLockedRedis(password: string): Promise<Redis> {
  const redis = await startRedis(['--requirepass', password]);
  await redis.ask('ACL', 'SETUSER', 'chat', 'on', `>${password}`, '~siam_*', '+mget', '+strlen');
  return redis;
}

/** Starts a Redis without a password and one with a password, for all tests of a file. */
export async function sharedRedis(password: string): Promise<{ redis: Redis; locked: Redis }> {
  const [redis, locked] = await Promise.all([startRedis(), startLockedRedis(password)]);
  afterAll(() => Promise.all([redis.remove(), locked.remove()]));
  return { redis, locked };
}

/** Starts a Redis that is removed at the end of the test. @param again as in `startRedis` */
export async function redisForTest(args: readonly string[] = [], again?: Redis): Promise<Redis> {
  const redis = await startRedis(args, again);
  onTestFinished(() => redis.remove());
  return redis;
}
