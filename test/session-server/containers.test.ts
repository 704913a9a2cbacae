import { chmod, mkdir, mkdtemp, readdir, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { OpenContainer } from '../../session-server/containers/container.ts';
import { filesContainer } from '../../session-server/containers/files.ts';
import { memoryContainer } from '../../session-server/containers/memory.ts';
import { sqliteContainer } from '../../session-server/containers/sqlite.ts';
import { containers } from '../../session-server/settings.ts';
import { sessionContainerContract } from '../contracts/session-container.ts';
import { sessionClient } from '../helpers/session-client.ts';
import { startSessionServer } from '../helpers/session-server.ts';
import { sessionServers } from '../helpers/session-servers.ts';

const servers = sessionServers();
const options = { memory: 1e9, lifetime: 1440, failed: () => {} };
const newFolder = () => mkdtemp(join(tmpdir(), 'session-server-'));
const paths: Record<string, string> = {
  'memory:': '',
  'file:PATH': 'sessions',
  'sqlite:PATH': 'sessions.db',
};

for (const [form, open] of Object.entries<OpenContainer>(containers)) {
  const make = async () => {
    const folder = await newFolder();
    const again = async () => open(join(folder, paths[form] as string), options);
    return { container: await again(), again, clean: () => rm(folder, { recursive: true }) };
  };
  sessionContainerContract(form, make, form === 'memory:' ? 'ends with it' : 'outlives the process');
}

let folder: string;
beforeEach(async () => {
  folder = await newFolder();
});
afterEach(() => rm(folder, { recursive: true }));
const session = { data: Buffer.from('a:0:{}'), revision: 1, lifetime: 60, expiresAt: Date.now() + 60_000 };
const modeOf = async (path: string) => (await stat(path)).mode & 0o777;

test('a folder that cannot be opened is told, and no ID that a file in it is named after', async () => {
  await mkdir(join(folder, `${'a'.repeat(26)}.0123456789abcdef.tmp`));
  const { code, output } = await servers.refused({ SESSION_SERVER_CONTAINER: `file:${folder}` });
  expect(code).toBe(74);
  expect(output).toContain(`"folder":"${folder}"`);
  expect(output).not.toContain('aaaaa');
});

test.each(['file', 'sqlite'])('%s: belongs to one daemon, until it ends, by kill -9 too', async (kind) => {
  const env = { SESSION_SERVER_CONTAINER: `${kind}:${join(servers.folder, 'sessions')}` };
  const first = await servers.start(env);
  const client = await sessionClient(first);
  for (const line of ['open a', 'put k v', 'commit']) expect(await client.ask(line)).toBe('ok');
  const { code, output } = await servers.refused(env);
  expect(code).toBe(74);
  expect(output).toMatch(/in use by another session server/);
  // The first one has noticed nothing, and is none the worse.
  expect(await client.ask('peek a')).toBe('ok a:1:{s:1:"k";s:1:"v";}');
  await first.stop('SIGKILL');
  const next = await sessionClient(await servers.start(env));
  expect(await next.ask('peek a')).toBe('ok a:1:{s:1:"k";s:1:"v";}');
  next.socket.destroy();
  client.socket.destroy();
});

describe('memory', () => {
  test('holds so many bytes and no more, and has room again', async () => {
    const container = await memoryContainer('', { ...options, memory: 3000 });
    const large = { ...session, data: Buffer.alloc(1500) };
    await container.commit('a', large);
    await expect(container.commit('b', large)).rejects.toThrow(/SESSION_SERVER_MEMORY/);
    expect(await container.open('b')).toBeNull();
    await container.commit('a', large);
    await container.destroy('a');
    await container.commit('b', large);
  });
});

describe('files', () => {
  test('nobody else can read them, whatever the mask', async () => {
    const before = process.umask(0);
    try {
      const path = join(folder, 'deep', 'sessions');
      const container = await filesContainer(path, options);
      await container.commit('a', session);
      expect(await modeOf(path)).toBe(0o700);
      expect(await modeOf(join(path, 'a.txt'))).toBe(0o600);
      await container.close();
    } finally {
      process.umask(before);
    }
  });

  test('a folder that others can list is closed to them, one that they can write is refused', async () => {
    const [listed, shared] = [join(folder, 'listed'), join(folder, 'shared')];
    await mkdir(listed);
    await mkdir(shared);
    await chmod(listed, 0o755);
    await chmod(shared, 0o1777);
    await (await filesContainer(listed, options)).close();
    expect(await modeOf(listed)).toBe(0o700);
    await expect(filesContainer(shared, options)).rejects.toThrow(/mode 700/);
    expect((await stat(shared)).mode & 0o1777).toBe(0o1777);
  });

  test('what a commit that was cut off has left is collected, and nothing else', async () => {
    const leftover = join(folder, 'a.0123456789abcdef.tmp');
    await writeFile(leftover, 'torn');
    await writeFile(join(folder, 'of somebody.else'), 'kept');
    const container = await filesContainer(folder, options);
    expect((await readdir(folder)).sort()).toEqual(['.lock', 'of somebody.else']);
    await writeFile(leftover, 'torn');
    const longAgo = new Date(Date.now() - 2 * 3_600_000);
    await utimes(leftover, longAgo, longAgo);
    await Array.fromAsync(container.expire(Date.now()));
    expect((await readdir(folder)).sort()).toEqual(['.lock', 'of somebody.else']);
    await container.close();
  });

  test('reads what its predecessor has left: rubbish at the end, and no bytes at all', async () => {
    await writeFile(join(folder, 'old.txt'), 'a:1:{s:1:"k";s:1:"v";}s:3:"old";}');
    await writeFile(join(folder, 'empty.txt'), '');
    await writeFile(join(folder, 'torn.txt'), 'a:1:{s:1:"k";s:9:"v');
    const server = await startSessionServer({ SESSION_SERVER_CONTAINER: `file:${folder}` });
    const client = await sessionClient(server);
    expect(await client.ask('open old')).toBe('ok');
    expect(await client.ask('get_all')).toBe('ok a:1:{s:1:"k";s:1:"v";}');
    expect(await client.ask('put k new')).toBe('ok');
    expect(await client.ask('close')).toBe('ok');
    expect(await client.ask('peek old')).toBe('ok a:1:{s:1:"k";s:3:"new";}');
    expect(await client.ask('peek empty')).toBe('ok a:0:{}');
    expect(await client.ask('open torn')).toBe('err Could not open session.');
    // That is not the same as that there is none.
    expect(await client.ask('peek torn')).toBe('err Could not get session data.');
    await server.stop();
    expect(server.output()).toMatch(/cannot be parsed/);
    expect(server.output()).not.toMatch(/torn/);
  });

  test('what its predecessor has left lives as long after a use as any session, and a use is no change', async () => {
    const server = await startSessionServer({
      SESSION_SERVER_CONTAINER: `file:${folder}`,
      SESSION_SERVER_LIFETIME: '1000',
    });
    const [client, watcher] = [await sessionClient(server), await sessionClient(server)];
    const old = join(folder, 'old.txt');
    await writeFile(old, 'a:1:{s:1:"k";s:1:"v";}');
    const before = Date.now() / 1000 - 500;
    await utimes(old, before, before);
    const ttl = async () => Number((await client.ask('ttl old')).slice('ok '.length));
    const watch = async () => {
      expect(await watcher.ask('unwatch old')).toBe('ok');
      return watcher.ask('watch old');
    };
    const reply = await watch();
    expect(reply).toMatch(/^ok live \d+$/);
    expect(await ttl()).toBeGreaterThan(400);
    expect(await ttl()).toBeLessThanOrEqual(500);
    for (const lines of [['open old r', 'touch', 'close'], ['open old', 'close'], ['open old r']]) {
      for (const line of lines) expect(await client.ask(line)).toBe('ok');
      expect(await ttl()).toBeGreaterThan(900);
      expect(await ttl()).toBeLessThanOrEqual(1000);
      expect(await watch()).toBe(reply);
    }
    for (const line of ['open old', 'put k new', 'close']) expect(await client.ask(line)).toBe('ok');
    const changed = Number(/^event changed old (\d+)$/.exec(await watcher.line())?.[1]);
    expect(changed).toBeGreaterThan(Number(reply.slice('ok live '.length)));
    await server.stop();
  });

  test('a session that cannot be read is not kept alive by who tries', async () => {
    await writeFile(join(folder, 'torn.txt'), 'a:1:{s:1:"k";s:9:"v\n#5 1440\n');
    const end = Date.now() / 1000 + 100;
    await utimes(join(folder, 'torn.txt'), end, end);
    const server = await startSessionServer({ SESSION_SERVER_CONTAINER: `file:${folder}` });
    const client = await sessionClient(server);
    for (const line of ['open torn', 'open torn r']) {
      expect(await client.ask(line)).toBe('err Could not open session.');
      expect(Number((await client.ask('ttl torn')).slice('ok '.length))).toBeLessThanOrEqual(100);
    }
    await server.stop();
  });
});

describe('sqlite', () => {
  test('nobody else can read it, whatever the mask', async () => {
    const before = process.umask(0);
    try {
      const path = join(folder, 'sessions.db');
      const container = sqliteContainer(path);
      await container.commit('a', session);
      const names = await readdir(folder);
      expect(names).toContain('sessions.db-wal');
      for (const name of names)
        expect(`${name} ${await modeOf(join(folder, name))}`).toBe(`${name} ${0o600}`);
      await container.close();
    } finally {
      process.umask(before);
    }
  });
});
