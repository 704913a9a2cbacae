import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { PresenceChange } from '../../../server/wire/events.ts';
import { type ChatClient, connectChat, newClientId, refusalOf } from '../../helpers/chat-client.ts';
import { chatServerHere } from '../../helpers/chat-here.ts';
import type { RunningChat } from '../../helpers/chat-server.ts';
import { type ChatSite, startChatSite } from '../../helpers/chat-site.ts';
import { metrics } from '../../helpers/server-figures.ts';

let site: ChatSite<RunningChat>;
/** A second server on the same store, with a short grace time. */
let hasty: RunningChat;
beforeAll(async () => {
  site = await startChatSite({ CHAT_SESSION_CHECK: '200ms' }, chatServerHere);
  hasty = await chatServerHere({
    CHAT_SESSION_STORE: site.memcached.url,
    CHAT_SESSION_CHECK: '100ms',
    CHAT_SESSION_GRACE: '1s',
  });
});
afterAll(async () => {
  await hasty.stop();
  await site.close();
});

async function joined(cookie: string, transports = ['websocket']): Promise<ChatClient> {
  const client = await connectChat(site.chat.url, cookie, { transports });
  await client.request('room:join', { room: 'lobby' });
  return client;
}
const send = (client: ChatClient, text = 'hello') =>
  client.request('message:send', { room: 'lobby', text, clientId: newClientId() });

describe('session:ended closes the connection, with nothing after it', () => {
  const ends: [string, string, (cookie: string) => Promise<unknown>][] = [
    ['the record is deleted', 'logout', (cookie) => site.memcached.delete(site.key(cookie))],
    ['the record has no user', 'logout', (cookie) => site.memcached.set(site.key(cookie), '{"lang":"de"}')],
    [
      'the record expires before its TTL ends',
      'logout',
      (cookie) => site.memcached.set(site.key(cookie), '{"user_id":1}', -1),
    ],
    [
      'the TTL of the record ends',
      'expired',
      (cookie) => site.memcached.set(site.key(cookie), '{"user_id":1}', 3),
    ],
    [
      'the record has another user',
      'user_changed',
      (cookie) => site.memcached.set(site.key(cookie), '{"user_id":99}'),
    ],
    [
      'the record cannot be read',
      'invalid',
      (cookie) => site.memcached.set(site.key(cookie), 'user_id|i:1;'),
    ],
    ['the record is empty', 'logout', (cookie) => site.memcached.set(site.key(cookie), '')],
  ];
  test.each(ends)('%s: %s, in all tabs', async (_, reason, change) => {
    const cookie = await site.session(1);
    const tabs = await Promise.all([joined(cookie), joined(cookie), joined(cookie, ['polling'])]);
    const witness = await joined(await site.session(2));
    const writing = setInterval(() => send(witness).catch(() => {}), 50);
    await change(cookie);
    for (const tab of tabs) {
      expect((await tab.ended).reason).toBe(reason);
      expect(await tab.disconnected).toBe('io server disconnect');
    }
    clearInterval(writing);
    // This message arrives after everything that was sent before.
    const { message } = await send(witness, 'after the end');
    await expect.poll(() => witness.messages().some(({ id }) => id === message.id)).toBe(true);
    for (const tab of tabs) expect(tab.events.at(-1)?.name).toBe('session:ended');
    witness.close();
  });

  test('leaves another session of the same user open', async () => {
    const [mine, other] = [await site.session(1), await site.session(1)];
    const [tab, stays] = [await joined(mine), await joined(other)];
    await site.memcached.delete(site.key(mine));
    await tab.ended;
    await send(stays);
    stays.close();
  });
});

test('sends a changed name in the session to all users in the room', async () => {
  const cookie = await site.session(1, 'Ann');
  const tab = await joined(cookie);
  const ben = await joined(await site.session(2));
  await site.memcached.set(site.key(cookie), '{"user_id":1,"firstname":"Anna","more":1}');
  await expect.poll(async () => (await send(tab)).message.user).toEqual({ id: '1', name: 'Anna' });
  const joinedBy = (client: ChatClient) =>
    client.events
      .filter(({ name }) => name === 'presence:changed')
      .flatMap(({ payload }) => (payload as PresenceChange).joined);
  for (const client of [tab, ben]) {
    await expect.poll(() => joinedBy(client)).toContainEqual({ id: '1', name: 'Anna' });
    expect(client.socket.connected).toBe(true);
    client.close();
  }
});

test('rejects new connections with session_store_unavailable while the store does not respond', async () => {
  const cookie = await site.session(1);
  const [tab, ben] = [await joined(cookie), await joined(await site.session(2))];
  site.memcached.signal('SIGSTOP');
  try {
    await site.chat.until(/session store not responding/);
    const refusal = await refusalOf(connectChat(site.chat.url, cookie));
    expect(refusal.data).toMatchObject({ code: 'session_store_unavailable', retryable: true });
    const { message } = await send(tab);
    await expect.poll(() => ben.messages().map(({ id }) => id)).toContain(message.id);
    const ready = await fetch(`${site.chat.url}/readyz`);
    expect([ready.status, await ready.json()]).toEqual([
      503,
      { status: 'not ready', missing: ['session store'] },
    ]);
    expect((await fetch(`${site.chat.url}/healthz`)).status).toBe(200);
  } finally {
    site.memcached.signal('SIGCONT');
  }
  await site.chat.until(/session store responding again/);
  await send(tab);
  await expect.poll(async () => (await fetch(`${site.chat.url}/readyz`)).status).toBe(200);
  tab.close();
  ben.close();
  expect(site.chat.output().match(/session store not responding/g)).toHaveLength(1);
});

test('closes the transport without session:ended if the store does not respond within the grace time', async () => {
  const tab = await connectChat(hasty.url, await site.session(1));
  site.memcached.signal('SIGSTOP');
  try {
    expect(await tab.disconnected).toBe('transport close');
    expect(tab.events.some(({ name }) => name === 'session:ended')).toBe(false);
    await hasty.until(/session store not responding for CHAT_SESSION_GRACE, closing connections/);
    expect((await metrics(hasty.url)).get('chat_closed_total{reason="session_store"}')).toBe(1);
  } finally {
    site.memcached.signal('SIGCONT');
  }
});
