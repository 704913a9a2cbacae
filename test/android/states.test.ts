import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { soak } from '../guarantees/size.ts';
import { connectChat, newClientId } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import type { RunningChat } from '../helpers/chat-server.ts';
import { type ChatSite, startChatSite } from '../helpers/chat-site.ts';
import { startGate } from '../helpers/gate.ts';
import { type JavaClient, type JavaRoom, nextJavaClient } from '../helpers/java-client.ts';

const key = 'the-key-of-the-tests';
let site: ChatSite<RunningChat>;
beforeAll(async () => {
  site = await startChatSite({ CHAT_ROOMS: 'lobby', CHAT_API_KEY: key }, chatServerHere);
});
afterAll(() => site.close());
const apps = new Set<JavaClient>();
afterEach(async () => {
  await Promise.all([...apps].map((app) => app.end()));
  apps.clear();
});

const ask = (method: string, path: string, body?: object) =>
  fetch(`${site.chat.url}/api${path}`, {
    method,
    headers: { authorization: `Bearer ${key}` },
    body: JSON.stringify(body),
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
/** Connects another user, who joins the lobby. */
async function another() {
  const other = await connectChat(site.chat.url, await site.session('other'));
  await other.request('room:join', { room: 'lobby' });
  const say = (text: string) =>
    other.request('message:send', { room: 'lobby', text, clientId: newClientId() });
  return { other, say };
}
const texts = async (app: JavaClient, count: number) =>
  (await app.messages('lobby')).slice(-count).map(({ text }) => text);

test('an app reports an unavailable session store and connects when it recovers', async () => {
  const cookie = await site.session(1);
  site.memcached.signal('SIGSTOP');
  const app = await start(cookie);
  await enters(app, 'STORE_UNAVAILABLE');
  site.memcached.signal('SIGCONT');
  await app.ask('wake');
  await enters(app, 'ONLINE');
});

test('an app loads older messages until the start of a room', async () => {
  const { other, say } = await another();
  const sent = await Promise.all(Array.from({ length: 120 }, (_, n) => say(`old ${n}`)));
  const last = Math.max(...sent.map(({ message }) => message.seq));
  const app = await start(await site.session(1));
  await app.ask('open', { room: 'lobby' });
  const seqs = async () => (await app.messages('lobby')).map(({ seq }) => seq);
  await expect.poll(async () => (await seqs()).at(-1)).toBe(last);
  expect(await seqs()).not.toContain(1);
  await expect
    .poll(async () => {
      await app.ask('older', { room: 'lobby' });
      return seqs();
    })
    .toEqual(Array.from({ length: last }, (_, n) => n + 1));
  other.close();
});

test('a reconnected app loads missed messages and sends its own', async () => {
  const gate = await startGate(site.chat.port);
  const app = await start(await site.session(1), `http://127.0.0.1:${gate.port}`);
  await app.ask('open', { room: 'lobby' });
  const { other, say } = await another();
  await gate.outage.begin();
  await enters(app, 'OFFLINE');
  await say('while offline');
  await app.ask('send', { room: 'lobby', text: 'in the tunnel' });
  await app.isTold('messages', ({ unsent }) => unsent === 1);
  await gate.outage.end();
  await app.ask('wake');
  await app.isTold('messages', ({ last, unsent }) => last === 'in the tunnel' && unsent === 0);
  expect(await texts(app, 2)).toEqual(['while offline', 'in the tunnel']);
  await expect.poll(() => other.messages().at(-1)?.text).toBe('in the tunnel');
  other.close();
  await gate.close();
});

test('an app knows whether its list of rooms is of the current connection, and loads the state of a room', async () => {
  const gate = await startGate(site.chat.port);
  const app = await start(await site.session(1), `http://127.0.0.1:${gate.port}`);
  const lists = (upToDate: boolean, from = 0) =>
    app.isTold('rooms', (told) => told.upToDate === upToDate, from);
  const last = (rooms: unknown) => (rooms as JavaRoom[]).find(({ id }) => id === 'lobby')?.last;
  await app.ask('open', { room: 'lobby' });
  await app.ask('close', { room: 'lobby' });
  await lists(true);
  const { other, say } = await another();
  const before = app.told.length;
  await gate.outage.begin();
  await lists(false, before);
  await say('while away');
  await gate.outage.end();
  const from = app.told.length;
  await app.ask('wake');
  expect(last((await lists(true, from)).rooms)).toBe('while away');
  expect(app.told.slice(from).filter(({ told, upToDate }) => told === 'rooms' && upToDate)).toHaveLength(1);
  // Events of rooms that are not open may be late.
  await say('a moment ago');
  expect(last([await app.ask('loadRoom', { room: 'lobby' })])).toBe('a moment ago');
  other.close();
  await gate.close();
});

test('wake detects a hanging server', async () => {
  const gate = await startGate(site.chat.port);
  const app = await start(await site.session(1), `http://127.0.0.1:${gate.port}`);
  await enters(app, 'ONLINE');
  gate.silence.begin();
  await expect
    .poll(
      async () => {
        await app.ask('wake');
        return app.told.findLast(({ told }) => told === 'state')?.kind;
      },
      { interval: 500 },
    )
    .toBe('OFFLINE');
  gate.silence.end();
  const from = app.told.length;
  await enters(app, 'ONLINE', from);
  await gate.close();
});

if (soak) {
  test('opening a room fails if the room is deleted or closed first', async () => {
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

  test('an app reports that a server rejects native clients or allows no more connections', async () => {
    const strict = { CHAT_NATIVE_CLIENTS: 'false', CHAT_LIMIT_CONNECTIONS_USER: '1' };
    const own = await startChatSite(strict, chatServerHere);
    const cookie = await own.session(1);
    expect(await enters(await start(cookie, own.chat.url), 'REFUSED')).toMatchObject({ refusal: 'ORIGIN' });
    await own.close();
    const limited = await startChatSite({ CHAT_LIMIT_CONNECTIONS_USER: '1' }, chatServerHere);
    const first = await connectChat(limited.chat.url, await limited.session(1));
    await enters(await start(await limited.session(1), limited.chat.url), 'RATE_LIMITED');
    first.close();
    await limited.close();
  });
}

test('a restarted app keeps its messages and loads new ones', async () => {
  const app = await start(await site.session(1));
  await app.ask('open', { room: 'lobby' });
  await app.ask('send', { room: 'lobby', text: 'before' });
  await app.isTold('messages', ({ last, unsent }) => last === 'before' && unsent === 0);
  await app.ask('stop');
  await enters(app, 'STOPPED');
  expect(await texts(app, 1)).toEqual(['before']);
  const { other, say } = await another();
  await say('while stopped');
  other.close();
  const from = app.told.length;
  await app.ask('start');
  await app.isTold('messages', ({ last, upToDate }) => last === 'while stopped' && upToDate === true, from);
  expect(app.told.slice(from).filter(({ told }) => told === 'hide')).toEqual([]);
});

test('an app reports a send limit and sends all messages in order', async () => {
  const own = await startChatSite({ CHAT_ROOMS: 'lobby', CHAT_LIMIT_SEND: '3/2s' }, chatServerHere);
  const app = await start(await own.session(1), own.chat.url);
  await app.ask('open', { room: 'lobby' });
  for (const text of ['1', '2', '3', '4', '5']) await app.ask('send', { room: 'lobby', text });
  expect(await app.isTold('sendingPaused')).toMatchObject({ code: 'rate_limited' });
  await app.isTold('messages', ({ last, unsent }) => last === '5' && unsent === 0);
  expect(await texts(app, 9)).toEqual(['1', '2', '3', '4', '5']);
  await own.close();
});

test('an app reports a closed connection and a ban', async () => {
  const app = await start(await site.session('rude'));
  await enters(app, 'ONLINE');
  await ask('DELETE', '/users/rude/connections');
  expect(await enters(app, 'SESSION_ENDED')).toMatchObject({ reason: 'KICKED' });
  await ask('PUT', '/users/rude/ban', { seconds: 3600, reason: 'spam' });
  const from = app.told.length;
  await app.ask('start');
  const until = expect.toSatisfy((time: number) => time > Date.now());
  expect(await enters(app, 'REFUSED', from)).toMatchObject({
    refusal: 'BANNED',
    ban: { reason: 'spam', until },
  });
});

test('a session ends when another user logs in', async () => {
  const cookie = await site.session(1);
  const app = await start(cookie);
  await app.ask('open', { room: 'lobby' });
  await site.memcached.set(site.key(cookie), '{"user_id":2,"firstname":"Two"}');
  expect(await enters(app, 'SESSION_ENDED')).toMatchObject({ reason: 'USER_CHANGED' });
  const from = app.told.length;
  await app.ask('start');
  expect(await app.isTold('identity', undefined, from)).toMatchObject({ user: '2' });
});
