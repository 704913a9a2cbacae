import { mkdirSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { soak } from '../guarantees/size.ts';
import { sessionClient } from '../helpers/session-client.ts';
import { sessionServers } from '../helpers/session-servers.ts';

const servers = sessionServers();
/** Milliseconds: longer than the machine may stand still. */
const lifetime = 5000;

test('a session expires when its lifetime is over without use; open, touch and saves restart it, peek does not', async () => {
  const server = await servers.start({ SESSION_SERVER_LIFETIME: '5', SESSION_SERVER_COLLECT: '100ms' });
  const [client, watcher] = [await sessionClient(server), await sessionClient(server)];
  const made = performance.now();
  const ids = ['peeked', 'touched', 'read', 'saved', 'own', 'never'];
  for (const id of ids) for (const line of [`open ${id}`, 'put k v', 'close']) await client.ask(line);
  for (const line of ['open own', 'lifetime 100', 'close', 'open never', 'lifetime 0', 'close']) {
    expect(await client.ask(line)).toMatch(/^ok/);
  }
  const here = async () => {
    const found: string[] = [];
    for (const id of ids) if ((await client.ask(`peek ${id}`)) !== 'err No such session.') found.push(id);
    return found;
  };
  for (const id of ['peeked', 'touched']) expect(await watcher.ask(`watch ${id}`)).toMatch(/^ok live/);
  const began = performance.now();
  let gone: number | undefined;
  let touched = began;
  while (performance.now() - began < 1.6 * lifetime) {
    touched = performance.now();
    for (const line of ['open touched r', 'touch', 'open read r', 'open saved', 'put k v', 'close']) {
      expect(`${line} ${await client.ask(line)}`).toBe(`${line} ok`);
    }
    if (!(await here()).includes('peeked')) gone ??= performance.now() - made;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  // A peek does not prolong it.
  expect(gone).toBeGreaterThan(lifetime - 500);
  expect(await here()).toEqual(['touched', 'read', 'saved', 'own', 'never']);
  expect(await client.ask('open peeked r')).toBe('err Could not open session.');
  expect(await client.ask('open peeked')).toBe('ok');
  expect(await client.ask('keys')).toBe('ok ');
  // The subscriber is notified at the time that the last use has set, and not before.
  expect(await watcher.line()).toBe('event expired peeked');
  expect(await watcher.ask('ping')).toBe('ok');
  expect(await watcher.line()).toBe('event expired touched');
  expect(performance.now() - touched).toBeGreaterThan(lifetime - 500);
  for (const { socket } of [client, watcher]) socket.destroy();
});

test('a session that cannot be read does not stop the deletion of expired ones', async () => {
  const folder = join(servers.folder, 'sessions');
  const env = { SESSION_SERVER_CONTAINER: `file:${folder}`, SESSION_SERVER_LIFETIME: '1' };
  const server = await servers.start({ ...env, SESSION_SERVER_COLLECT: '100ms' });
  mkdirSync(join(folder, 'aaa.txt'));
  utimesSync(join(folder, 'aaa.txt'), 1, 1);
  const client = await sessionClient(server);
  for (const id of ['b', 'c', 'd']) {
    for (const line of [`open ${id}`, 'put k v', 'close']) expect(await client.ask(line)).toBe('ok');
  }
  await expect.poll(() => readdirSync(folder)).toEqual(['.lock', 'aaa.txt']);
  client.socket.destroy();
});

if (soak)
  test('if the file of a session is deleted, its subscribers are notified when its lifetime is over', async () => {
    const folder = join(servers.folder, 'sessions');
    const server = await servers.start({
      SESSION_SERVER_CONTAINER: `file:${folder}`,
      SESSION_SERVER_LIFETIME: '1',
    });
    const [client, watcher] = [await sessionClient(server), await sessionClient(server)];
    for (const line of ['open a', 'put k v', 'close']) expect(await client.ask(line)).toBe('ok');
    expect(await watcher.ask('watch a')).toMatch(/^ok live/);
    rmSync(join(folder, 'a.txt'));
    expect(await watcher.line()).toBe('event expired a');
    for (const { socket } of [client, watcher]) socket.destroy();
  });
