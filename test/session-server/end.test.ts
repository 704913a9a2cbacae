import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync, utimesSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { makeCertificate } from '../helpers/certificate.ts';
import { sessionClient } from '../helpers/session-client.ts';
import { sessionServers } from '../helpers/session-servers.ts';

const servers = sessionServers();
describe('the end', () => {
  test.each(['memory:', 'file', 'sqlite'])(
    '%s: finishes what is under way, saves nothing half, frees all',
    async (kind) => {
      const container = kind === 'memory:' ? kind : `${kind}:${join(servers.folder, 'sessions')}`;
      const env = { SESSION_SERVER_CONTAINER: container };
      const server = await servers.start(env);
      const [saving, open, waiting, idle, watching] = await Promise.all(
        Array.from({ length: 5 }, () => sessionClient(server)),
      );
      if (!saving || !open || !waiting || !idle || !watching) throw new Error('no clients');
      expect(await idle.ask('ping')).toBe('ok');
      expect(await watching.ask('watch held')).toBe('ok gone');
      for (const line of ['open held', 'put k lost']) expect(await open.ask(line)).toBe('ok');
      const value = 'x'.repeat(900_000);
      for (const line of ['open saved', `put k ${value}`]) expect(await saving.ask(line)).toBe('ok');
      waiting.send('open held\r\n');
      saving.send('commit\r\n');
      // Both have been read before this is answered.
      expect(await idle.ask('ping')).toBe('ok');
      const began = performance.now();
      const stopped = server.stop('SIGTERM');
      expect(await saving.rest()).toBe('ok\r\n');
      expect(await waiting.rest()).toBe('err Could not open session.\r\n');
      for (const client of [open, idle, watching]) expect(await client.rest()).toBe('');
      expect(await stopped).toBe(0);
      expect(performance.now() - began).toBeLessThan(5000);
      // Neither IDs nor what is in a session.
      expect(server.output()).not.toMatch(/held|saved|lost|xxx/);
      for (const { socket } of [saving, open, waiting, idle, watching]) socket.destroy();
      if (kind === 'memory:') return;
      const again = await servers.start(env);
      const reader = await sessionClient(again);
      expect(await reader.ask('peek saved')).toBe(`ok a:1:{s:1:"k";s:900000:"${value}";}`);
      expect(await reader.ask('peek held')).toBe('err No such session.');
      reader.socket.destroy();
    },
  );
});

test('waits neither for who reads nothing, nor for who has connected and does not shake hands', async () => {
  const { certificate, key } = makeCertificate(servers.folder, 'localhost');
  const tls = await servers.start({ SESSION_SERVER_TLS_CERT: certificate, SESSION_SERVER_TLS_KEY: key });
  const silent = connect(tls.port, '127.0.0.1');
  silent.on('error', () => {});
  await once(silent, 'connect');
  const plain = await servers.start({});
  const reader = await sessionClient(plain);
  for (const line of ['open a', `put k ${'x'.repeat(900_000)}`]) expect(await reader.ask(line)).toBe('ok');
  reader.socket.pause();
  reader.send('get k\r\n'.repeat(40));
  // One process reads all in turn: by then it is at work on that.
  const other = await sessionClient(plain);
  for (let n = 0; n < 3; n++) expect(await other.ask('ping')).toBe('ok');
  const began = performance.now();
  expect(await Promise.all([tls.stop('SIGTERM'), plain.stop('SIGTERM')])).toEqual([0, 0]);
  expect(performance.now() - began).toBeLessThan(5000);
  for (const socket of [silent, reader.socket, other.socket]) socket.destroy();
});

describe('the time of a session', () => {
  test('is over after so many seconds without use, and whoever uses it sets it back', async () => {
    const server = await servers.start({ SESSION_SERVER_LIFETIME: '2', SESSION_SERVER_COLLECT: '100ms' });
    const [client, watcher] = [await sessionClient(server), await sessionClient(server)];
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
    while (performance.now() - began < 3500) {
      for (const line of ['open touched r', 'touch', 'open read r', 'open saved', 'put k v', 'close']) {
        expect(`${line} ${await client.ask(line)}`).toBe(`${line} ok`);
      }
      if (!(await here()).includes('peeked')) gone ??= performance.now() - began;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    // Looking does not keep it.
    expect(gone).toBeGreaterThan(1500);
    expect(gone).toBeLessThan(3000);
    expect(await here()).toEqual(['touched', 'read', 'saved', 'own', 'never']);
    expect(await client.ask('open peeked r')).toBe('err Could not open session.');
    expect(await client.ask('open peeked')).toBe('ok');
    expect(await client.ask('keys')).toBe('ok ');
    // Who watches is told of the end that the last use has set, and of none before.
    expect(await watcher.line()).toBe('event expired peeked');
    expect(await watcher.ask('ping')).toBe('ok');
    expect(await watcher.line()).toBe('event expired touched');
    expect(performance.now() - began).toBeGreaterThan(3500 + 1500);
    for (const { socket } of [client, watcher]) socket.destroy();
  });
});

test('what cannot be read keeps no other session that is over', async () => {
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

test('who watches a session whose file somebody has taken away is told when its time is over', async () => {
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
