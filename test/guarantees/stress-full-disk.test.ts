import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Message } from '../../server/events.ts';
import { type ChatClient, connectChat, newClientId } from '../helpers/chat-client.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { type SmallDiskServer, startOnSmallDisk } from '../helpers/small-disk.ts';

let memcached: Memcached;
let server: SmallDiskServer;
beforeAll(async () => {
  memcached = await startMemcached();
  for (let user = 1; user <= 9; user++) await memcached.set(`sessions/u${user}`, `{"user_id":${user}}`);
  server = await startOnSmallDisk(4 * 1024 * 1024, { CHAT_SESSION_STORE: memcached.url });
});
afterAll(async () => {
  await server?.stop();
  await memcached.stop();
});

const text = 'x'.repeat(2000);
const room = 'lobby';

/** Sends until it is refused; what was stored, and the code of the refusal. */
async function sendUntilRefused(client: ChatClient): Promise<{ stored: Message[]; code: string }> {
  const stored: Message[] = [];
  for (;;) {
    const answer = await client.raw('message:send', { room, text, clientId: newClientId() });
    if (!answer.ok) return { stored, code: answer.error.code };
    stored.push((answer.data as { message: Message }).message);
    // More than the disk can hold: it is not full, and this test tests nothing.
    expect(stored.length).toBeLessThan(4000);
  }
}

test('a full disk: storage_full to who sends, everything to who reads; with room again, sending works again', async () => {
  const [anna, ben] = [
    await connectChat(server.url, 'PHPSESSID=u1'),
    await connectChat(server.url, 'PHPSESSID=u2'),
  ];
  for (const client of [anna, ben]) await client.request('room:join', { room });
  server.fill(1024 * 1024);
  const { stored, code } = await sendUntilRefused(anna);
  expect(code).toBe('storage_full');
  const first = stored[0] as Message;
  const last = stored.at(-1) as Message;

  // It stays so, for everybody, and is told each time.
  for (let n = 0; n < 50; n++) {
    const refused = await ben.raw('message:send', { room, text, clientId: newClientId() });
    expect(refused).toMatchObject({ ok: false, error: { code: 'storage_full' } });
  }
  // Many at once are one transaction: a repeat among them is answered all the same.
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
  expect(await anna.request('message:send', { room, text, clientId: first.clientId })).toEqual({
    message: first,
  });

  const sync = await ben.request('room:sync', { room, since: last.rev - 3 });
  expect(sync).toMatchObject({ head: last.rev, complete: true, messages: stored.slice(-3) });
  const history = await ben.request('message:history', { room, limit: 10 });
  expect(history.messages).toEqual(stored.slice(-10));
  const tab = await connectChat(server.url, 'PHPSESSID=u2');
  expect((await tab.request('room:join', { room })).messages).toEqual(stored.slice(-50));
  expect((await fetch(`${server.url}/healthz`)).status).toBe(200);

  server.free();
  const next = await anna.request('message:send', { room, text: 'room again', clientId: newClientId() });
  expect(next.message.seq).toBe(last.seq + 1);
  for (const client of [ben, tab]) {
    await expect.poll(() => client.messages().at(-1)).toEqual(next.message);
  }
  expect(ben.messages()).toEqual([...stored, next.message]);
  for (const client of [anna, ben, tab]) {
    expect(client.socket.connected).toBe(true);
    client.close();
  }
});
