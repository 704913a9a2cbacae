import { afterEach, expect, test, vi } from 'vitest';
import { soak } from '../guarantees/size.ts';
import { connectChat, newClientId } from '../helpers/chat-client.ts';
import { type ChatSite, startChatSite } from '../helpers/chat-site.ts';
import { startGate } from '../helpers/gate.ts';
import { hanging } from '../helpers/hanging.ts';
import { type JavaClient, nextJavaClient } from '../helpers/java-client.ts';

let site: ChatSite;
const apps = new Set<JavaClient>();
afterEach(async () => {
  await Promise.all([...apps].map((app) => app.end()));
  apps.clear();
  await site.close();
});

const key = 'the-key-of-the-tests';
const ask = (method: string, path: string, body?: object) =>
  fetch(`${site.chat.url}/api${path}`, {
    method,
    headers: { authorization: `Bearer ${key}` },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
async function start(cookie: string, server = site.chat.url) {
  const app = nextJavaClient();
  apps.add(app);
  await app.ask('setCookie', { page: 'http://127.0.0.1/', value: cookie.split('=')[1] });
  await app.ask('chat', { server });
  await app.ask('start');
  return app;
}
const enters = (app: JavaClient, kind: string, from = 0) =>
  app.isTold('state', (told) => told.kind === kind, from);

test('a silent store is no logout: the app is notified, and connects when the store answers', async () => {
  site = await startChatSite({ CHAT_ROOMS: 'lobby' });
  const cookie = await site.session(1);
  site.memcached.signal('SIGSTOP');
  const app = await start(cookie);
  await enters(app, 'STORE_UNAVAILABLE');
  site.memcached.signal('SIGCONT');
  await app.ask('wake');
  await enters(app, 'ONLINE');
});

test('offline, and online again with the messages sent meanwhile', async () => {
  site = await startChatSite({ CHAT_ROOMS: 'lobby' });
  const gate = await startGate(site.chat.port);
  const cookie = await site.session(1);
  const app = await start(cookie, `http://127.0.0.1:${gate.port}`);
  await app.ask('open', { room: 'lobby' });
  // The app tries again meanwhile, and takes the last place of the address for a moment.
  const another = await site.session(2);
  const other = await vi.waitFor(() => connectChat(site.chat.url, another), hanging);
  await other.request('room:join', { room: 'lobby' });
  await gate.outage.begin();
  await enters(app, 'OFFLINE');
  await other.request('message:send', { room: 'lobby', text: 'meanwhile', clientId: newClientId() });
  await app.ask('send', { room: 'lobby', text: 'in the tunnel' });
  await app.isTold('messages', ({ pending }) => pending === 1);
  await gate.outage.end();
  await app.ask('wake');
  await app.isTold('messages', ({ last, pending }) => last === 'in the tunnel' && pending === 0);
  expect((await app.messages('lobby')).map(({ text }) => text)).toEqual(['meanwhile', 'in the tunnel']);
  await expect.poll(() => other.messages().at(-1)?.text).toBe('in the tunnel');
  other.close();
  await gate.close();
});

test('a server that hangs is noticed as soon as somebody looks', async () => {
  site = await startChatSite({ CHAT_ROOMS: 'lobby' });
  const app = await start(await site.session(1));
  await enters(app, 'ONLINE');
  site.chat.signal('SIGSTOP');
  await expect
    .poll(
      async () => {
        await app.ask('wake');
        return app.told.at(-1)?.kind;
      },
      { interval: 500 },
    )
    .toBe('OFFLINE');
  site.chat.signal('SIGCONT');
  const from = app.told.length;
  await enters(app, 'ONLINE', from);
});

if (soak) {
  test('the end of a server that closes its connections is noticed at once, not by missing pings', async () => {
    site = await startChatSite({ CHAT_ROOMS: 'lobby' });
    const app = await start(await site.session(1));
    await enters(app, 'ONLINE');
    await site.chat.stop();
    await enters(app, 'OFFLINE');
  });

  test('callers that wait are notified of a room that is gone meanwhile, and of one that is closed before it was open', async () => {
    site = await startChatSite({ CHAT_ROOMS: 'lobby', CHAT_API_KEY: key });
    const app = await start(await site.session(1));
    await enters(app, 'ONLINE');
    await ask('PUT', '/rooms/gone', { name: 'Gone', kind: 'public' });
    await app.isTold('rooms', ({ rooms }) => (rooms as { id: string }[]).some(({ id }) => id === 'gone'));
    await app.ask('stop');
    const opening = expect(app.ask('open', { room: 'gone' })).rejects.toMatchObject({ code: 'unknown_room' });
    const closed = expect(app.ask('open', { room: 'lobby' })).rejects.toMatchObject({ code: 'offline' });
    await app.ask('close', { room: 'lobby' });
    await closed;
    await ask('DELETE', '/rooms/gone');
    await app.ask('start');
    await opening;
  });
}

test('stopped and started again, the app has everything, and fetches only new messages', async () => {
  site = await startChatSite({ CHAT_ROOMS: 'lobby' });
  const app = await start(await site.session(1));
  await app.ask('open', { room: 'lobby' });
  await app.ask('send', { room: 'lobby', text: 'before' });
  await app.isTold('messages', ({ last, pending }) => last === 'before' && pending === 0);
  await app.ask('stop');
  await enters(app, 'STOPPED');
  expect((await app.messages('lobby')).map(({ text }) => text)).toEqual(['before']);
  // The app tries again meanwhile, and takes the last place of the address for a moment.
  const another = await site.session(2);
  const other = await vi.waitFor(() => connectChat(site.chat.url, another), hanging);
  await other.request('room:join', { room: 'lobby' });
  await other.request('message:send', { room: 'lobby', text: 'while stopped', clientId: newClientId() });
  other.close();
  const from = app.told.length;
  await app.ask('start');
  await app.isTold('messages', ({ last, upToDate }) => last === 'while stopped' && upToDate === true, from);
  expect(app.told.slice(from).filter(({ told }) => told === 'hide')).toEqual([]);
});

if (soak) {
  test('too many connections of the user, and too many of the address', async () => {
    site = await startChatSite({ CHAT_LIMIT_CONNECTIONS_USER: '1', CHAT_LIMIT_CONNECTIONS_ADDRESS: '2' });
    const cookie = await site.session(1);
    const first = await connectChat(site.chat.url, cookie);
    const second = await start(cookie);
    await enters(second, 'RATE_LIMITED');
    // The app tries again meanwhile, and takes the last place of the address for a moment.
    const another = await site.session(2);
    const other = await vi.waitFor(() => connectChat(site.chat.url, another), hanging);
    const third = await start(await site.session(3));
    await enters(third, 'RATE_LIMITED');
    for (const client of [first, other]) client.close();
  });
}

test('too many messages: the app gets the waiting time, and all arrive in order', async () => {
  site = await startChatSite({ CHAT_ROOMS: 'lobby', CHAT_LIMIT_SEND: '3/6s' });
  const app = await start(await site.session(1));
  await app.ask('open', { room: 'lobby' });
  for (const text of ['1', '2', '3', '4', '5']) await app.ask('send', { room: 'lobby', text });
  expect(await app.isTold('sendingPaused')).toMatchObject({ code: 'rate_limited' });
  await app.isTold('messages', ({ last, pending }) => last === '5' && pending === 0);
  expect((await app.messages('lobby')).map(({ text }) => text)).toEqual(['1', '2', '3', '4', '5']);
});

test('closed by the operator, and banned', async () => {
  site = await startChatSite({ CHAT_API_KEY: key });
  const app = await start(await site.session(1));
  await enters(app, 'ONLINE');
  await ask('DELETE', '/users/1/connections');
  expect(await enters(app, 'SESSION_ENDED')).toMatchObject({ reason: 'KICKED' });
  await ask('PUT', '/users/1/ban', {});
  const from = app.told.length;
  await app.ask('start');
  expect(await enters(app, 'REFUSED', from)).toMatchObject({ refusal: 'BANNED' });
});

test('another user in the same session sees nothing of the first', async () => {
  site = await startChatSite({ CHAT_ROOMS: 'lobby' });
  const cookie = await site.session(1);
  const app = await start(cookie);
  await app.ask('open', { room: 'lobby' });
  await site.memcached.set(site.key(cookie), '{"user_id":2,"firstname":"Two"}');
  expect(await enters(app, 'SESSION_ENDED')).toMatchObject({ reason: 'USER_CHANGED' });
  const from = app.told.length;
  await app.ask('start');
  expect(await app.isTold('identity', undefined, from)).toMatchObject({ user: '2' });
});

if (soak) {
  test('a server for browsers alone says so', async () => {
    site = await startChatSite({ CHAT_NATIVE_CLIENTS: 'false' });
    const app = await start(await site.session(1));
    expect(await enters(app, 'REFUSED')).toMatchObject({ refusal: 'ORIGIN' });
  });
}
