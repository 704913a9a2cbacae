import { mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { deflateSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { size, soak } from '../guarantees/size.ts';
import { ConnectRefused, connectChat } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import type { RunningChat } from '../helpers/chat-server.ts';
import { doctorSays } from '../helpers/doctor-says.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { type Redis, startRedis } from '../helpers/redis.ts';

const folder = mkdtempSync(join(tmpdir(), 'doctor-answers-'));
const table = new DatabaseSync(join(folder, 'site.db'));
let memcached: Memcached;
let redis: Redis;
beforeAll(async () => {
  if (soak) [memcached, redis] = await Promise.all([startMemcached(undefined, ['-I', '8m']), startRedis()]);
  table.exec('CREATE TABLE sessions (id TEXT PRIMARY KEY, data BLOB)');
});
afterAll(async () => {
  await Promise.all([memcached?.stop(), redis?.remove()]);
  table.close();
  rmSync(folder, { recursive: true, force: true });
});

/** By the kind of store: its URL, and how a session gets there. */
const stores: Record<string, { url(): string; put(id: string, bytes: Buffer): unknown }> = {
  files: {
    url: () => `file://${folder}`,
    put(id, bytes) {
      const file = join(folder, `sess_${id}`);
      writeFileSync(file, bytes);
      // An older file is read once.
      utimesSync(file, Date.now() / 1000 - 10, Date.now() / 1000 - 10);
    },
  },
  memcached: {
    url: () => `memcached://127.0.0.1:${memcached.port}?handler=memcached`,
    put: (id, bytes) => memcached.set(`memc.sess.key.${id}`, bytes),
  },
  Redis: {
    url: () => `redis://127.0.0.1:${redis.port}`,
    put: (id, bytes) => redis.ask('SET', `PHPREDIS_SESSION:${id}`, bytes),
  },
  SQLite: {
    url: () => `sqlite:${join(folder, 'site.db')}?table=sessions&id=id&data=data`,
    put: (id, bytes) => table.prepare('INSERT INTO sessions VALUES (?, ?)').run(id, bytes),
  },
};

const user = 'user_id|i:42;firstname|s:3:"Ann";';
const large = `${user}more|s:1300000:"${'x'.repeat(1_300_000)}";`;
const deep = `${user}deep|${'a:1:{i:0;'.repeat(5000)}i:1;${'}'.repeat(5000)}`;

/** Sessions, options of the store, and what both say; a cookie, where that is not `PHPSESSID=ID`. */
const sessions: [string, Buffer | null, string, RegExp, ((id: string) => string)?][] = [
  ['of a user', Buffer.from(user), '', /^user 42$/],
  ['of a user, packed', deflateSync(user), 'layers=zlib', /^user 42$/],
  ['that is too large', Buffer.from(large), '', /^the session is larger than 1048576 bytes, the limit of/],
  ['that unpacks to too much', deflateSync(large), 'layers=zlib', /^the session is larger than 1048576/],
  ['that is not packed', Buffer.from(user), 'layers=zlib', /layers=zlib: .* the bytes look like php$/],
  ['that is cut off', Buffer.from(user.slice(0, -2)), '', /^the session cannot be read as php: expected/],
  ['of another format', Buffer.from('a:1:{s:7:"user_id";i:42;}'), '', /the bytes look like php_serialize$/],
  // Another server: the log has each kind of reason once a minute.
  ['that is too deep', Buffer.from(deep), 'timeout=2000ms', /^the session cannot be read as php: /],
  ['of a guest', Buffer.from('cart|i:1;'), '', /^nobody is logged in: user_id is not in the session$/],
  [
    'whose user is a list',
    Buffer.from('user_id|a:1:{i:0;i:7;}'),
    '',
    /^user_id is not a user id but an array or an object$/,
  ],
  ['that is empty', Buffer.alloc(0), '', /^the session is empty$/],
  ['that is not there', null, '', /^there is no such session$/],
  [
    'with a second cookie of another value',
    Buffer.from(user),
    '',
    /^there are two cookies PHPSESSID with different values, .*PHP uses the first in the header/,
    (id) => `PHPSESSID=${id}; PHPSESSID=${'0'.repeat(26)}`,
  ],
];

describe.each(Object.entries(stores).slice(0, size(4, 1)))('a session in %s', (kind, { url, put }) => {
  const servers = new Map<string, RunningChat>();
  afterAll(() => Promise.all([...servers.values()].map((server) => server.stop())));

  async function serverWith(env: Record<string, string>): Promise<RunningChat> {
    const key = JSON.stringify(env);
    const server = servers.get(key) ?? (await chatServerHere(env));
    servers.set(key, server);
    return server;
  }

  test.each(sessions)(
    '%s: the log, the client and the doctor say the same',
    async (title, bytes, options, says, cookieOf) => {
      const id = `${kind}${title}`.replace(/\W/g, '').padEnd(26, 'x');
      if (bytes !== null) await put(id, bytes);
      const separator = url().includes('?') ? '&' : '?';
      const env = { CHAT_SESSION_STORE: options === '' ? url() : `${url()}${separator}${options}` };
      const cookie = cookieOf?.(id) ?? `PHPSESSID=${id}`;

      const server = await serverWith(env);
      const from = server.output().length;
      const client = await connectChat(server.url, cookie).catch((error: unknown) => error);
      const said = await doctorSays(env, '--cookie', `Cookie: ${cookie}`);

      if (!(client instanceof ConnectRefused)) {
        const { ready, close } = client as Awaited<ReturnType<typeof connectChat>>;
        close();
        expect(`user ${ready.user.id}`).toMatch(says);
        expect(said).toContain(`✓ It belongs to the user ${ready.user.id}, called ${ready.user.name}.`);
        return;
      }
      const lineOf = () =>
        /^\{.*"msg":"a connection was refused".*\}$/m.exec(server.output().slice(from))?.[0] ?? '';
      await expect.poll(lineOf).not.toBe('');
      const { reason, hint, code: refused } = JSON.parse(lineOf()) as Record<string, string>;
      expect(reason).toMatch(says);
      expect(client.data?.code).toBe(refused);
      expect(said).toContain(`✗ The chat rejects this login: ${reason}.`);
      if (hint !== undefined) expect(said).toContain(`→ ${hint}`);
      expect(said).not.toContain('It belongs to the user');
      if (/larger than|two cookies/.test(reason ?? ''))
        expect(client.data?.message).toContain(`: ${reason}.`);
    },
  );
});
