import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { describe, expect, test } from 'vitest';
import { sqliteContainer } from '../../session-server/containers/sqlite.ts';
import { type SessionClient, sessionClients } from '../helpers/session-client.ts';
import type { SessionServer } from '../helpers/session-server.ts';
import { sessionServers } from '../helpers/session-servers.ts';

const servers = sessionServers();
let server: SessionServer;
const connect = sessionClients(() => server);

async function say(client: SessionClient, ...lines: string[]): Promise<void> {
  for (const line of lines) expect(`${line} → ${await client.ask(line)}`).toBe(`${line} → ok`);
}

test('files: a folder that cannot be synced is logged, and what is done is answered and told all the same', async () => {
  server = await servers.start({
    SESSION_SERVER_CONTAINER: `file:${join(servers.folder, 'sessions')}`,
    NODE_OPTIONS: `--import=${new URL('../helpers/failing-folder-sync.ts', import.meta.url).pathname}`,
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
  expect(server.output()).toMatch(/"reason":"fsync: EIO"/);
});

describe('sqlite', () => {
  test('a transaction that fails changes nothing, the count of sessions neither', async () => {
    const path = join(servers.folder, 'sessions.db');
    const container = sqliteContainer(path);
    const session = {
      data: Buffer.from('a:0:{}'),
      revision: 1,
      lifetime: 60,
      expiresAt: Date.now() + 60_000,
    };
    await container.commit('old', session);
    // Looked at with COMMIT and not before, as a full disk is.
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

  test('a regeneration that cannot end the old session leaves that one, and nothing else', async () => {
    const path = join(servers.folder, 'sessions.db');
    server = await servers.start({ SESSION_SERVER_CONTAINER: `sqlite:${path}` });
    const [writer, watcher] = [await connect(), await connect()];
    await say(writer, 'open kept', 'put k 1', 'commit', 'open kept');
    const other = new DatabaseSync(path);
    other.exec(`CREATE TRIGGER refused BEFORE DELETE ON sessions WHEN old.id = 'kept'
      BEGIN SELECT RAISE(ABORT, 'refused'); END`);
    const rows = () => other.prepare('SELECT id FROM sessions').all();
    expect(await watcher.ask('watch kept')).toMatch(/^ok live/);
    expect(await writer.ask('regenerate_id')).toBe('err Could not regenerate session id.');
    expect(rows()).toEqual([{ id: 'kept' }]);
    // It is open as before, under its lock.
    await say(writer, 'put k 2', 'close');
    expect(await watcher.line()).toMatch(/^event changed kept \d+$/);
    expect(await watcher.ask('peek kept')).toBe('ok a:1:{s:1:"k";s:1:"2";}');
    other.close();
  });
});
