import { chmod, mkdir, mkdtemp, readdir, readFile, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { sessionClient, sessionClients } from '../../../test/helpers/session-client.ts';
import type { SessionServer } from '../../../test/helpers/session-server.ts';
import { say, sessionServerForTest } from '../../../test/helpers/session-server-here.ts';
import { sessionServers } from '../../../test/helpers/session-servers.ts';
import type { OpenContainer } from '../src/containers/container.ts';
import { filesContainer } from '../src/containers/files.ts';
import { memoryContainer } from '../src/containers/memory.ts';
import { sqliteContainer } from '../src/containers/sqlite.ts';
import { containers } from '../src/index.ts';
import { sessionContainerContract } from './contracts/session-container.ts';

const servers = sessionServers();
let server: SessionServer;
const connect = sessionClients(() => server);

const options = { maxMemoryBytes: 1e9, lifetimeSeconds: 1440, logError: () => {} };
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
  sessionContainerContract(form, make, form === 'memory:' ? 'ends with the process' : 'outlives the process');
}

let folder: string;
beforeEach(async () => {
  folder = await newFolder();
});
afterEach(() => rm(folder, { recursive: true }));
const session = {
  data: Buffer.from('a:0:{}'),
  revision: 1,
  lifetimeSeconds: 60,
  expiresAt: Date.now() + 60_000,
};
const modeOf = async (path: string) => (await stat(path)).mode & 0o777;

test('lets only the owner read the files of sessions, regardless of the umask', async () => {
  const before = process.umask(0);
  try {
    const path = join(folder, 'deep', 'sessions');
    const files = await filesContainer(path, options);
    const sqlite = sqliteContainer(join(path, 'sessions.db'));
    for (const container of [files, sqlite]) await container.commit('a', session);
    expect(await modeOf(path)).toBe(0o700);
    const names = await readdir(path);
    expect(names).toEqual(expect.arrayContaining(['a.txt', 'sessions.db', 'sessions.db-wal']));
    for (const name of names)
      if (name !== '.lock') expect(`${name} ${await modeOf(join(path, name))}`).toBe(`${name} ${0o600}`);
    for (const container of [files, sqlite]) await container.close();
  } finally {
    process.umask(before);
  }
});

test('keeps the sessions of the Debian package in the state folder of its service', async () => {
  const file = new URL('../../../deploy/debian/php-session-chat-sessions.service', import.meta.url);
  const unit = await readFile(file, 'utf8');
  const [, state] = /^StateDirectory=(.*)$/m.exec(unit) ?? [];
  expect(unit).toMatch(new RegExp(`^Environment=SESSION_SERVER_CONTAINER=sqlite:/var/lib/${state}/`, 'm'));
});

test.each(['file', 'sqlite'])(
  'rejects a second server on the same %s container until the first one is killed',
  async (kind) => {
    const url = `${kind}:${join(servers.folder, kind, 'sessions')}`;
    const first = await servers.start({ SESSION_SERVER_CONTAINER: url });
    const client = await sessionClient(first);
    await say(client, 'open a', 'put k v', 'commit');
    const second = sessionServerForTest({ SESSION_SERVER_CONTAINER: url });
    await expect(second).rejects.toThrow(/in use by another session server/);
    // The first one still works.
    expect(await client.ask('peek a')).toBe('ok a:1:{s:1:"k";s:1:"v";}');
    await first.stop('SIGKILL');
    const next = await sessionServerForTest({ SESSION_SERVER_CONTAINER: url });
    expect(await (await next.connect()).ask('peek a')).toBe('ok a:1:{s:1:"k";s:1:"v";}');
    client.socket.destroy();
  },
);

test('rejects a session beyond the configured bytes in memory until another one is destroyed', async () => {
  const container = await memoryContainer('', { ...options, maxMemoryBytes: 3000 });
  const large = { ...session, data: Buffer.alloc(1500) };
  await container.commit('a', large);
  await expect(container.commit('b', large)).rejects.toThrow(/SESSION_SERVER_MEMORY/);
  expect(await container.open('b')).toBeNull();
  await container.commit('a', large);
  await container.destroy('a');
  await container.commit('b', large);
});

describe('files', () => {
  test('makes its folder private, and rejects a folder that others can write to', async () => {
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

  test('deletes only the files of unfinished commits', async () => {
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

  describe('of HTTP_SessionServer', () => {
    const start = () =>
      sessionServerForTest({ SESSION_SERVER_CONTAINER: `file:${folder}`, SESSION_SERVER_LIFETIME: '1000' });

    test('are read with garbage at the end or without content, and reported if they are torn', async () => {
      await writeFile(join(folder, 'old.txt'), 'a:1:{s:1:"k";s:1:"v";}s:3:"old";}');
      await writeFile(join(folder, 'empty.txt'), '');
      await writeFile(join(folder, 'torn.txt'), 'a:1:{s:1:"k";s:9:"v\n#5 1440\n');
      const end = Date.now() / 1000 + 100;
      await utimes(join(folder, 'torn.txt'), end, end);
      const { connect, output } = await start();
      const client = await connect();
      await say(client, 'open old');
      expect(await client.ask('get_all')).toBe('ok a:1:{s:1:"k";s:1:"v";}');
      await say(client, 'put k new', 'close');
      expect(await client.ask('peek old')).toBe('ok a:1:{s:1:"k";s:3:"new";}');
      expect(await client.ask('peek empty')).toBe('ok a:0:{}');
      for (const line of ['open torn', 'open torn r']) {
        expect(await client.ask(line)).toBe('err Could not open session.');
        expect(Number((await client.ask('ttl torn')).slice('ok '.length))).toBeLessThanOrEqual(100);
      }
      // Unlike the reply for a session that does not exist.
      expect(await client.ask('peek torn')).toBe('err Could not get session data.');
      expect(output()).toMatch(/cannot be parsed/);
      expect(output()).not.toMatch(/torn/);
    });

    test('begin their lifetime again at each use, which does not count as a change', async () => {
      const { connect } = await start();
      const [client, watcher] = [await connect(), await connect()];
      const old = join(folder, 'old.txt');
      await writeFile(old, 'a:1:{s:1:"k";s:1:"v";}');
      const before = Date.now() / 1000 - 500;
      await utimes(old, before, before);
      const ttl = async () => Number((await client.ask('ttl old')).slice('ok '.length));
      const watch = async () => {
        await say(watcher, 'unwatch old');
        return watcher.ask('watch old');
      };
      const reply = await watch();
      expect(reply).toMatch(/^ok live \d+$/);
      expect(await ttl()).toBeGreaterThan(400);
      expect(await ttl()).toBeLessThanOrEqual(500);
      for (const lines of [['open old r', 'touch', 'close'], ['open old', 'close'], ['open old r']]) {
        await say(client, ...lines);
        expect(await ttl()).toBeGreaterThan(900);
        expect(await ttl()).toBeLessThanOrEqual(1000);
        expect(await watch()).toBe(reply);
      }
      await say(client, 'open old', 'put k new', 'close');
      const changed = Number(/^event changed old (\d+)$/.exec(await watcher.line())?.[1]);
      expect(changed).toBeGreaterThan(Number(reply.slice('ok live '.length)));
    });
  });

  test('runs the commands although the folder cannot be synced', async () => {
    server = await servers.start({
      SESSION_SERVER_CONTAINER: `file:${join(servers.folder, 'sessions')}`,
      NODE_OPTIONS: `--import=${fileURLToPath(new URL('../../../test/helpers/failing-folder-sync.ts', import.meta.url))}`,
    });
    const [writer, watcher] = [await connect(), await connect()];
    expect(await watcher.ask('watch a')).toBe('ok gone');
    for (const value of [1, 2]) {
      await say(writer, 'open a', `put k ${value}`, 'commit');
      expect(await watcher.line()).toMatch(/^event changed a \d+$/);
      expect(await watcher.ask('peek a')).toBe(`ok a:1:{s:1:"k";s:1:"${value}";}`);
    }

    await say(writer, 'open a');
    const reply = await writer.ask('regenerate_id');
    expect(reply).toMatch(/^ok [0-9a-f]{32}$/);
    const id = reply.slice('ok '.length);
    expect(await watcher.line()).toBe('event regenerated a');
    expect(await watcher.ask('peek a')).toBe('err No such session.');
    expect(await watcher.ask(`peek ${id}`)).toBe('ok a:1:{s:1:"k";s:1:"2";}');

    expect(await watcher.ask(`watch ${id}`)).toMatch(/^ok live/);
    await say(writer, 'destroy');
    expect(await watcher.line()).toBe(`event destroyed ${id}`);
    expect(await watcher.ask(`peek ${id}`)).toBe('err No such session.');
    await server.until(/"reason":"fsync: EIO"/);
  });
});

describe('sqlite', () => {
  test('changes neither the sessions nor their count in a failed transaction', async () => {
    const path = join(servers.folder, 'sessions.db');
    const container = sqliteContainer(path);
    await container.commit('old', session);
    // Deferred constraints fail at COMMIT, as a full disk may.
    const other = new DatabaseSync(path);
    other.exec(`CREATE TABLE parents (id TEXT PRIMARY KEY);
      CREATE TABLE orphans (parent TEXT REFERENCES parents DEFERRABLE INITIALLY DEFERRED);
      CREATE TRIGGER no_insert AFTER INSERT ON sessions BEGIN INSERT INTO orphans VALUES ('none'); END;
      CREATE TRIGGER no_delete AFTER DELETE ON sessions BEGIN INSERT INTO orphans VALUES ('none'); END`);
    await expect(container.commit('new', session)).rejects.toThrow();
    await expect(container.destroy('old')).rejects.toThrow();
    expect(await container.open('new')).toBeNull();
    expect(await container.open('old')).toEqual(session);
    expect(container.count).toBe(1);
    other.exec('DROP TRIGGER no_insert; DROP TRIGGER no_delete');
    other.close();
    await container.commit('new', session);
    expect(await container.destroy('old')).toBe(true);
    expect(container.count).toBe(1);
    await container.close();
  });

  test('keeps only the old session if regenerate_id cannot delete it', async () => {
    const path = join(servers.folder, 'sessions.db');
    const { connect } = await sessionServerForTest({ SESSION_SERVER_CONTAINER: `sqlite:${path}` });
    const [writer, watcher] = [await connect(), await connect()];
    await say(writer, 'open kept', 'put k 1', 'commit', 'open kept');
    const other = new DatabaseSync(path);
    other.exec(`CREATE TRIGGER refused BEFORE DELETE ON sessions WHEN old.id = 'kept'
      BEGIN SELECT RAISE(ABORT, 'refused'); END`);
    const rows = () => other.prepare('SELECT id FROM sessions').all();
    expect(await watcher.ask('watch kept')).toMatch(/^ok live/);
    expect(await writer.ask('regenerate_id')).toBe('err Could not regenerate session id.');
    expect(rows()).toEqual([{ id: 'kept' }]);
    // The session is still open under its lock.
    await say(writer, 'put k 2', 'close');
    expect(await watcher.line()).toMatch(/^event changed kept \d+$/);
    expect(await watcher.ask('peek kept')).toBe('ok a:1:{s:1:"k";s:1:"2";}');
    other.close();
  });
});
