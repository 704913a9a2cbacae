import { renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from 'vitest';
import { requestErrors } from '../../../server/wire/errors.ts';
import { size, soak } from '../../guarantees/size.ts';
import { againInSoak } from '../../helpers/again-in-soak.ts';
import { type ChatClient, connectChat, newClientId } from '../../helpers/chat-client.ts';
import { chatServerHere } from '../../helpers/chat-here.ts';
import {
  type ChatServer,
  chatProgram,
  historyFolder,
  nextChatServer,
  type RunningChat,
  startChatServer,
} from '../../helpers/chat-server.ts';
import { startChild } from '../../helpers/child.ts';
import { faultyDisk } from '../../helpers/faulty-disk.ts';
import { hanging } from '../../helpers/hanging.ts';
import { type Memcached, startMemcached } from '../../helpers/memcached.ts';

const closing: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

let memcached: Memcached;
beforeAll(async () => {
  memcached = await startMemcached();
  for (const user of [1, 2]) await memcached.set(`sessions/u${user}`, `{"user_id":${user}}`);
});
afterAll(() => memcached.stop());

function setUp() {
  const history = historyFolder();
  closing.push(() => history.remove());
  const env = { CHAT_SESSION_STORE: memcached.url, CHAT_HISTORY: history.url };
  async function start<Chat extends RunningChat>(by: (env: NodeJS.ProcessEnv) => Promise<Chat>) {
    const server = await by(env);
    closing.push(() => server.stop());
    const client = await connectChat(server.url, 'PHPSESSID=u1');
    closing.push(() => client.close());
    await client.request('room:join', { room: 'lobby' });
    return { server, client };
  }
  return { path: history.path, env, start };
}
/** Returns the exit code and output of a chat server that must not start. */
async function refused(env: NodeJS.ProcessEnv): Promise<{ code: number | null; output: string }> {
  const child = startChild(process.execPath, chatProgram, {
    cwd: fileURLToPath(new URL('../../../', import.meta.url)),
    env: { PATH: process.env.PATH, CHAT_HOST: '127.0.0.1', CHAT_PORT: '0', ...env },
  });
  await new Promise((resolve) => child.process.on('close', resolve));
  return { code: child.process.exitCode, output: child.output() };
}

const message = () => ({ room: 'lobby', text: 'hello', clientId: newClientId() });

test('rejects only sends while another program locks the history', async () => {
  const { path, start } = setUp();
  const { server, client } = await start(chatServerHere);
  const first = message();
  const stored = await client.request('message:send', first);
  const other = new DatabaseSync(path, { timeout: 5000 });
  other.exec('BEGIN IMMEDIATE');
  const refused = message();
  await expect(client.request('message:send', refused)).rejects.toThrow('storage_unavailable');
  expect((await client.request('message:history', { room: 'lobby' })).messages).toEqual([stored.message]);
  expect((await client.request('room:join', { room: 'lobby' })).messages).toEqual([stored.message]);
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
  other.exec('ROLLBACK');
  other.close();
  expect(await client.request('message:send', refused)).toMatchObject({ message: { seq: 2 } });
  expect(server.output().match(/"code":"storage_unavailable","event":"message:send"/g)).toHaveLength(1);
});

test('delays a send while the history is locked briefly', async () => {
  const { path, start } = setUp();
  const { server, client } = await start(chatServerHere);
  const other = new DatabaseSync(path, { timeout: 5000 });
  other.exec('BEGIN IMMEDIATE');
  const sending = client.request('message:send', message());
  // Other requests are answered during the lock. After this one, the send has reached the server.
  await fetch(`${server.url}/metrics`);
  other.exec('ROLLBACK');
  other.close();
  expect(await sending).toMatchObject({ message: { seq: 1 } });
});

if (soak) {
  test('survives a history file that cannot be opened at the first read', async () => {
    const { path, env } = setUp();
    const away = async () => {
      const server = await startChatServer(env);
      closing.push(() => server.stop());
      renameSync(path, `${path}-away`);
      return { server, connecting: await Promise.allSettled([connectChat(server.url, 'PHPSESSID=u1')]) };
    };
    let { server, connecting } = await away();
    // On a slow machine, the server may have read the file before it was moved.
    for (let n = 0; n < 5 && connecting[0].status === 'fulfilled'; n++) {
      connecting[0].value.close();
      renameSync(`${path}-away`, path);
      await server.stop();
      ({ server, connecting } = await away());
    }
    expect(connecting).toMatchObject([{ reason: { message: 'internal' } }]);
    expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
    expect(server.output()).toMatch(/the history .* cannot be opened: unable to open database file/);
    expect(server.output()).not.toContain('unexpected error');
    renameSync(`${path}-away`, path);
    const connected = await vi.waitUntil(() => connectChat(server.url, 'PHPSESSID=u1').catch(() => null), {
      timeout: hanging,
    });
    closing.push(() => connected.close());
    await connected.request('room:join', { room: 'lobby' });
    expect(await connected.request('message:send', message())).toMatchObject({ message: { seq: 1 } });
  });
}

describe('with a faulty disk', () => {
  const history = historyFolder();
  const hangs = `${history.path}-hangs`;
  const disk = faultyDisk(false);
  const key = 'a-key-of-more-than-16';
  let server: ChatServer;
  let client: ChatClient;
  beforeAll(async () => {
    const hangingDisk = fileURLToPath(new URL('../../helpers/hanging-disk.ts', import.meta.url));
    server = await startChatServer({
      ...{ CHAT_SESSION_STORE: memcached.url, CHAT_HISTORY: history.url, CHAT_ROOMS: 'lobby,garden' },
      ...{ CHAT_API_KEY: key, HANGING_DISK: hangs },
      ...disk.env,
      NODE_OPTIONS: `${disk.env.NODE_OPTIONS} --import=${hangingDisk}`,
    });
    client = await connectChat(server.url, 'PHPSESSID=u1');
    for (const room of ['lobby', 'garden']) await client.request('room:join', { room });
  });
  afterAll(async () => {
    client.close();
    await server.stop('SIGKILL');
    disk.close();
    history.remove();
  });

  test('retries the removal of a deleted text after a disk error', async () => {
    const { seq } = (await client.request('message:send', { ...message(), room: 'garden' })).message;
    disk.fail('SQLite: run at …DELETE FROM former_t', 'EIO');
    await client.request('message:delete', { room: 'garden', seq });
    const file = new DatabaseSync(history.path, { readOnly: true });
    closing.push(() => file.close());
    const former = () => file.prepare('SELECT count(*) AS n FROM former_texts').get()?.n;
    await expect.poll(former).toBe(0);
    expect(disk.failed()).toContain('DELETE FROM former_t');
    expect(await client.request('message:search', { query: 'hello' })).toMatchObject({ messages: [] });
  });

  againInSoak('answers every request while the disk hangs', async () => {
    writeFileSync(hangs, '');
    const sent = message();
    const socket = async (event: string, payload: unknown) => {
      const answer = await client.raw(event, payload);
      return answer.ok ? 'ok' : answer.error.code;
    };
    const http = async (path: string, init: RequestInit) => {
      const answer = await fetch(`${server.url}${path}`, init);
      return [answer.status, ((await answer.json()) as { error?: object }).error];
    };
    const outcomes = await Promise.all([
      socket('message:send', sent),
      // These are queued behind earlier requests.
      socket('room:notify', { room: 'lobby', notify: 'all' }),
      socket('room:notify', { room: 'lobby', notify: 'none' }),
      socket('message:history', { room: 'lobby' }),
      socket('message:search', { query: 'hello' }),
      http('/api/rooms/lobby/messages', {
        method: 'POST',
        headers: { Authorization: `Bearer ${key}` },
        body: JSON.stringify({ user: { id: 'shop', name: 'Shop' }, text: 'hello', clientId: newClientId() }),
      }),
      http('/me', { headers: { Cookie: 'PHPSESSID=u2', 'Sec-Fetch-Site': 'same-origin' } }),
    ]);
    expect(outcomes.slice(0, 5)).toEqual(Array(5).fill('storage_unavailable'));
    // Only the log contains the reason.
    const error = { code: 'storage_unavailable', message: requestErrors.storage_unavailable };
    expect(outcomes.slice(5)).toEqual(Array(2).fill([503, error]));
    const logged =
      /"code":"storage_unavailable","reason":"the request did not finish within 7000 ms".*a request failed/g;
    await server.until(/a request failed/);
    expect(server.output().match(logged)).toHaveLength(1);
    expect(await socket('room:explode', {})).toBe('unknown_event');

    rmSync(hangs);
    const { rooms } = await client.request('room:list', {});
    expect(rooms[0]).toMatchObject({ id: 'lobby', notify: 'none' });
    // The HTTP post may still have been queued for the writer when the disk recovered.
    const messages = await vi.waitFor(async () => {
      const history = await client.request('message:history', { room: 'lobby' });
      expect(history.messages).toHaveLength(2);
      return history.messages;
    }, hanging);
    expect(messages.map(({ clientId }) => clientId)).toContain(sent.clientId);
    // A repeat of the send with the unknown result returns the stored message.
    expect(await client.request('message:send', sent)).toEqual({
      message: messages.find(({ clientId }) => clientId === sent.clientId),
    });
    expect(await server.stop()).toBe(0);
  });
});

test('rejects a second chat server on the same history', async () => {
  const { path, env, start } = setUp();
  const { server, client } = await start(nextChatServer);
  const stored = await client.request('message:send', message());
  const link = `${path}.link`;
  symlinkSync(path, link);
  const seconds = await Promise.all(
    size([path, link], [link]).map(async (file) => ({
      file,
      ...(await refused({ ...env, CHAT_HISTORY: `sqlite:${file}` })),
    })),
  );
  for (const { file, code, output } of seconds) {
    expect(code).toBe(74);
    expect(output).toContain(
      `the history ${file} cannot be opened: another chat server is using it. If that server is for the same site, stop it. Otherwise give each site its own CHAT_HISTORY and CHAT_FILES`,
    );
  }
  // The first server keeps working.
  expect(await client.request('message:send', message())).toMatchObject({ message: { seq: 2 } });
  await server.stop('SIGKILL');
  const next = await start(chatServerHere);
  const { messages } = await next.client.request('message:history', { room: 'lobby' });
  expect(messages.map(({ seq }) => seq)).toEqual([1, 2]);
  expect(messages[0]).toEqual(stored.message);
});
