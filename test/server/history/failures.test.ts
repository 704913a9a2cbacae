import { closeSync, openSync, statSync, symlinkSync, writeSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, expect, test } from 'vitest';
import { connectChat, newClientId } from '../../helpers/chat-client.ts';
import { chatProgram, historyFolder, startChatServer } from '../../helpers/chat-server.ts';
import { startChild } from '../../helpers/child.ts';
import { startMemcached } from '../../helpers/memcached.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function setUp() {
  const memcached = await startMemcached();
  closing.push(() => memcached.stop());
  await memcached.set('sessions/u1', '{"user_id":1}');
  const history = historyFolder();
  closing.push(() => history.remove());
  const env = { CHAT_SESSION_STORE: memcached.url, CHAT_HISTORY: history.url };
  const start = async () => {
    const server = await startChatServer(env);
    closing.push(() => server.stop());
    const client = await connectChat(server.url, 'PHPSESSID=u1');
    closing.push(() => client.close());
    await client.request('room:join', { room: 'lobby' });
    return { server, client };
  };
  return { path: history.path, env, start };
}
/** The end of a chat server that must not start. */
async function refused(env: NodeJS.ProcessEnv): Promise<{ code: number | null; output: string }> {
  const child = startChild(process.execPath, chatProgram, {
    cwd: new URL('../../../', import.meta.url).pathname,
    env: { PATH: process.env.PATH, CHAT_HOST: '127.0.0.1', CHAT_PORT: '0', ...env },
  });
  await new Promise((resolve) => child.process.on('close', resolve));
  return { code: child.process.exitCode, output: child.output() };
}

const message = () => ({ room: 'lobby', text: 'hello', clientId: newClientId() });

test('locked by another program: sends are told so, reading goes on, and sending comes back by itself', async () => {
  const { path, start } = await setUp();
  const { server, client } = await start();
  const first = message();
  const stored = await client.request('message:send', first);
  const other = new DatabaseSync(path);
  other.exec('BEGIN IMMEDIATE');
  const refused = message();
  await expect(client.request('message:send', refused)).rejects.toThrow('storage_unavailable');
  expect((await client.request('message:history', { room: 'lobby' })).messages).toEqual([stored.message]);
  expect((await client.request('room:join', { room: 'lobby' })).messages).toEqual([stored.message]);
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  other.exec('ROLLBACK');
  other.close();
  expect(await client.request('message:send', refused)).toMatchObject({ message: { seq: 2 } });
  expect(server.output().match(/"code":"storage_unavailable"/g)).toHaveLength(1);
});

test('locked for a moment only: the send waits for it', async () => {
  const { path, start } = await setUp();
  const { server, client } = await start();
  const other = new DatabaseSync(path);
  other.exec('BEGIN IMMEDIATE');
  const sending = client.request('message:send', message());
  // Any other request is answered meanwhile; after this one, the send has long arrived.
  await fetch(`${server.url}/metrics`);
  other.exec('ROLLBACK');
  other.close();
  expect(await sending).toMatchObject({ message: { seq: 1 } });
});

test('a corrupt file is told at the start, by its name', async () => {
  const { path, env, start } = await setUp();
  const { server, client } = await start();
  for (let n = 0; n < 50; n++) await client.request('message:send', message());
  await server.stop();
  // Everything but the header, as a failing disk or a cut copy leaves it.
  const file = openSync(path, 'r+');
  writeSync(file, Buffer.alloc(statSync(path).size - 100, 0xa5), 0, undefined, 100);
  closeSync(file);
  const { code, output } = await refused(env);
  expect(code).toBe(74);
  expect(output).toContain('the server cannot start');
  expect(output).toContain(path);
  expect(output).toMatch(/malformed|not a database/);
});

test('a second chat server on the same file, by a symbolic link too, ends with 74 and names it; the next starts after kill -9 of the first', async () => {
  const { path, env, start } = await setUp();
  const { server, client } = await start();
  const stored = await client.request('message:send', message());
  const link = `${path}.link`;
  symlinkSync(path, link);
  const seconds = await Promise.all(
    [path, link].map(async (file) => ({
      file,
      ...(await refused({ ...env, CHAT_HISTORY: `sqlite:${file}` })),
    })),
  );
  for (const { file, code, output } of seconds) {
    expect(code).toBe(74);
    expect(output).toContain(
      `the history ${file} cannot be opened: another chat server is using it; stop that one first, or set CHAT_HISTORY to another file`,
    );
  }
  // The first one has noticed nothing.
  expect(await client.request('message:send', message())).toMatchObject({ message: { seq: 2 } });
  await server.stop('SIGKILL');
  const next = await start();
  const { messages } = await next.client.request('message:history', { room: 'lobby' });
  expect(messages.map(({ seq }) => seq)).toEqual([1, 2]);
  expect(messages[0]).toEqual(stored.message);
});
