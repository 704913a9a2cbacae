import { readFileSync, writeFileSync } from 'node:fs';
import { afterAll, beforeAll, expect, type TestContext, test } from 'vitest';
import type { Message } from '../../server/wire/events.ts';
import { type ChatClient, connectChat, newClientId } from '../helpers/chat-client.ts';
import type { ChatServer } from '../helpers/chat-server.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { smallDisk } from '../helpers/small-disk.ts';

let memcached: Memcached;
beforeAll(async () => {
  memcached = await startMemcached();
  for (let user = 1; user <= 9; user++) await memcached.set(`sessions/u${user}`, `{"user_id":${user}}`);
});
afterAll(() => memcached.stop());

const apiKey = 'an-api-key-for-full-disks';

/** Creates a small disk, and a function that starts a server on it. Both end with the test. */
async function diskOf({ onTestFinished }: TestContext, megabytes = 4) {
  const disk = await smallDisk(megabytes * 1024 * 1024, {
    CHAT_SESSION_STORE: memcached.url,
    CHAT_API_KEY: apiKey,
    CHAT_LIMIT_CHANGE: '0',
  });
  const servers: ChatServer[] = [];
  onTestFinished(async () => {
    for (const server of servers) await server.stop('SIGKILL');
    await disk.remove();
  });
  const start = async () => {
    const server = await disk.start();
    servers.push(server);
    return server;
  };
  return { disk, start };
}

const text = 'x'.repeat(2000);
const room = 'lobby';

/** Sends messages until one is rejected. @returns the stored messages and the error code */
async function sendUntilRefused(client: ChatClient): Promise<{ stored: Message[]; code: string }> {
  const stored: Message[] = [];
  for (;;) {
    const answer = await client.raw('message:send', { room, text, clientId: newClientId() });
    if (!answer.ok) return { stored, code: answer.error.code };
    stored.push((answer.data as { message: Message }).message);
    // With more messages the disk would not be full.
    expect(stored.length).toBeLessThan(4000);
  }
}

/** Reads all messages of the room page by page. */
async function wholeRoom(client: ChatClient): Promise<Message[]> {
  const all: Message[] = [];
  for (;;) {
    const since = all.at(-1)?.rev ?? 0;
    const { messages, complete } = await client.request('room:sync', { room, since, limit: 500 });
    all.push(...messages);
    if (complete) return all;
  }
}

test('keeps all acknowledged changes on a full disk, and rejects only requests that need space', async (context) => {
  const { disk, start } = await diskOf(context);
  const server = await start();
  const [anna, ben] = [
    await connectChat(server.url, 'PHPSESSID=u1'),
    await connectChat(server.url, 'PHPSESSID=u2'),
  ];
  for (const client of [anna, ben]) await client.request('room:join', { room });
  disk.fill(512 * 1024);
  const { stored, code } = await sendUntilRefused(anna);
  expect(code).toBe('storage_full');
  // Little of the 4 MB is reserved.
  expect(stored.length).toBeGreaterThan(250);
  const [first, last] = [stored[0] as Message, stored.at(-1) as Message];
  const full = { ok: false, error: { code: 'storage_full' } };

  // All users get the error, for everything that adds to the history. None of it uses the reserve.
  const from = { room, seq: first.seq };
  for (let n = 0; n < 20; n++)
    expect(await ben.raw('message:send', { room, text, clientId: newClientId() })).toMatchObject(full);
  expect(await ben.raw('message:forward', { room, clientId: newClientId(), from })).toMatchObject(full);
  expect(await ben.raw('message:report', { ...from, reason: 'spam' })).toMatchObject(full);
  // Concurrent requests share a transaction. New messages are rejected, but a repeat returns the stored message.
  const together = await Promise.all([
    ben.raw('message:send', { room, text, clientId: newClientId() }),
    anna.raw('message:send', { room, text, clientId: last.clientId }),
    ben.raw('message:send', { room, text, clientId: newClientId() }),
  ]);
  expect(together.map((answer) => (answer.ok ? answer.data : answer.error.code))).toEqual([
    'storage_full',
    { message: last },
    'storage_full',
  ]);

  const sync = await ben.request('room:sync', { room, since: last.rev - 3 });
  expect(sync).toMatchObject({ head: last.rev, complete: true, messages: stored.slice(-3) });
  const tab = await connectChat(server.url, 'PHPSESSID=u2');
  expect((await tab.request('room:join', { room })).messages).toEqual(stored.slice(-50));
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);

  disk.free();
  const next = await anna.request('message:send', { room, text: 'room again', clientId: newClientId() });
  stored.push(next.message);
  for (const client of [ben, tab]) await expect.poll(() => client.messages().at(-1)).toEqual(next.message);
  expect(ben.messages()).toEqual(stored);

  // Only a part of the line fits into the block that the list has.
  const list = `${disk.path}-erased`;
  writeFileSync(list, '\n'.repeat(4096 - 20));
  disk.fill();
  const headers = { authorization: `Bearer ${apiKey}` };
  const erased = await fetch(`${server.url}/api/users/gone`, { method: 'DELETE', headers });
  expect(erased.status).toBe(202);
  expect(readFileSync(list, 'utf8')).toMatch(/\n\d+ [0-9a-f]{64} anonymise\n$/);
  for (const client of [anna, ben, tab]) expect(client.socket.connected).toBe(true);
  await server.stop('SIGKILL');

  const second = await start();
  const again = await connectChat(second.url, 'PHPSESSID=u1');
  await again.request('room:join', { room });
  expect(await wholeRoom(again)).toEqual(stored);
  const newcomer = await connectChat(second.url, 'PHPSESSID=u3');
  expect((await newcomer.request('room:join', { room })).messages).toEqual(stored.slice(-50));
  // The start may still free parts of the write-ahead log, so messages are sent until the disk is full.
  disk.fill();
  stored.push(...(await sendUntilRefused(again)).stored);
  disk.fill();
  const refused = { room, text, clientId: newClientId() };
  expect(await again.raw('message:send', refused)).toMatchObject(full);
  expect(await newcomer.raw('message:send', refused)).toMatchObject(full);
  disk.free();
  const { message } = await again.request('message:send', refused);
  expect(await wholeRoom(again)).toEqual([...stored, message]);
});
