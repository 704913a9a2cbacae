import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { size, soak } from '../guarantees/size.ts';
import { type ChatClient, connectChat, newClientId } from '../helpers/chat-client.ts';
import { type ChatServer, nextChatServer } from '../helpers/chat-server.ts';
import { ownPort } from '../helpers/child.ts';
import { type JavaClient, nextJavaClient } from '../helpers/java-client.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { startNginx } from '../helpers/nginx.ts';
import { type PhpApp, startPhpApp } from '../helpers/php-app.ts';
import { startTcpProxy } from '../helpers/tcp-proxy.ts';

let memcached: Memcached;
let php: PhpApp;
let chat: ChatServer;
beforeAll(async () => {
  memcached = await startMemcached();
  const phpPort = await ownPort();
  chat = await nextChatServer({
    CHAT_SESSION_STORE: memcached.url,
    CHAT_ROOMS: 'lobby',
    CHAT_LOGIN_URL: `http://127.0.0.1:${phpPort}/`,
  });
  php = await startPhpApp({ memcachedPort: memcached.port, chatUrl: chat.url, port: phpPort });
});
const apps = new Set<JavaClient>();
afterEach(async () => {
  await Promise.all([...apps].map((app) => app.end()));
  apps.clear();
});
afterAll(async () => {
  await php.stop();
  await chat.stop();
  await memcached.stop();
});

function start(): JavaClient {
  const app = nextJavaClient();
  apps.add(app);
  return app;
}
/** Logged in by the site's form, connected, and in the lobby. @returns the cookie too */
async function inLobby(user: string, server = chat.url) {
  const app = start();
  const id = await app.ask<string>('logIn', { page: php.url, user, password: user });
  await app.ask('chat', { server });
  await app.ask('start');
  await app.ask('open', { room: 'lobby' });
  return Object.assign(app, { cookie: `PHPSESSID=${id}` });
}
const online = (app: JavaClient, from = 0) => app.isTold('state', ({ kind }) => kind === 'ONLINE', from);
const shows = (app: JavaClient, text: string) =>
  app.isTold('messages', ({ last, pending }) => last === text && pending === 0);
const say = (client: ChatClient, text: string) =>
  client.request('message:send', { room: 'lobby', text, clientId: newClientId() });

test('logged in by the form, Java and others chat both ways, in any script', async () => {
  const app = await inLobby('alice');
  const bob = await connectChat(chat.url, await php.login('bob'));
  await bob.request('room:join', { room: 'lobby' });
  const texts = ['我十点到，带两箱育苗盆。', '👩‍🌾👍🏽', 'two\nlines', '"quotes" \\ </script>'];
  for (const [index, text] of texts.entries()) {
    if (index % 2 === 0) await app.ask('send', { room: 'lobby', text });
    else await say(bob, text);
    await shows(app, text);
    await expect.poll(() => bob.messages().at(-1)?.text).toBe(text);
  }
  expect((await app.messages('lobby')).slice(-4).map(({ text, user }) => ({ text, user }))).toEqual(
    bob
      .messages()
      .slice(-4)
      .map(({ text, user }) => ({ text, user: user.id })),
  );
  // All callbacks run on the executor of the app.
  expect(new Set(app.told.map(({ thread }) => thread))).toEqual(new Set(['main of the app']));
  bob.close();
});

test('a wrong password is refused as the site does it, and leaves nobody logged in', async () => {
  const app = start();
  await expect(app.ask('logIn', { page: php.url, user: 'carol', password: 'wrong' })).rejects.toMatchObject({
    status: 401,
  });
  await app.ask('chat', { server: chat.url });
  await app.ask('start');
  expect(await app.isTold('state', ({ kind }) => kind === 'SESSION_ENDED')).toMatchObject({
    reason: 'UNAUTHORIZED',
    loginUrl: `${php.url}/`,
  });
});

test('a new session id is survived: the cookie that the jar holds then counts, for an upload under way as well', async () => {
  const app = await inLobby('bob');
  const upload = await app.ask('upload', { room: 'lobby', name: 'long.txt', size: 100_000, hold: 50_000 });
  await app.isTold('upload');
  const carol = await connectChat(chat.url, await php.login('carol'));
  await carol.request('room:join', { room: 'lobby' });
  const id = app.cookie.split('=')[1] as string;
  const record = await memcached.ask(`get sessions/${id}\r\n`, /END\r\n$/);
  const value = record.split('\r\n')[1] as string;
  const from = app.told.length;
  // Like session_regenerate_id(true), whose answer reaches the app 200 ms late.
  await memcached.set('sessions/renewedbyphp', value);
  await memcached.delete(`sessions/${id}`);
  await app.isTold('state', ({ kind }) => kind === 'CHECKING_SESSION', from);
  await say(carol, 'said meanwhile');
  await app.ask('setCookie', { page: php.url, value: 'renewedbyphp' });
  await online(app, from);
  await app.isTold('messages', ({ last }) => last === 'said meanwhile', from);
  await app.ask('send', { room: 'lobby', text: 'still here', files: [{ upload }] });
  // Once for the earlier source, whose upload is over, and once for the next one.
  for (const _ of [1, 2]) await app.ask('release');
  await expect
    .poll(() => carol.messages().at(-1))
    .toMatchObject({ text: 'still here', files: [{ size: 100_000 }] });
  expect(app.told.slice(from).filter(({ kind }) => kind === 'SESSION_ENDED')).toEqual([]);
  carol.close();
});

const blocks = [
  ['answers it with 400', '400'],
  ['lets it hang', 'hang'],
  ['closes it', 'close'],
] as const;
test.each(blocks.slice(0, size(3, 1)))(
  'where a network blocks WebSocket and %s, polling does',
  async (_, how) => {
    const proxy = await startTcpProxy(chat.port, (piece, client) => {
      const upgraded = piece.toString('latin1').startsWith('HTTP/1.1 101');
      if (!upgraded) client.write(piece);
      else if (how === '400') client.end('HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n');
      else if (how === 'close') client.destroy();
    });
    const app = await inLobby('carol', `http://127.0.0.1:${proxy.port}`);
    await online(app);
    const bob = await connectChat(chat.url, await php.login('bob'));
    await bob.request('room:join', { room: 'lobby' });
    await app.ask('send', { room: 'lobby', text: `轮询 ${how}` });
    await expect.poll(() => bob.messages().at(-1)?.text).toBe(`轮询 ${how}`);
    await say(bob, `back 🧑‍🌾 ${how}`);
    await shows(app, `back 🧑‍🌾 ${how}`);
    bob.close();
    await proxy.close();
  },
);

if (soak) {
  test('over polling, where every request carries the cookie, a new session id is survived as well', async () => {
    const proxy = await startTcpProxy(chat.port, (piece, client) => {
      if (piece.toString('latin1').startsWith('HTTP/1.1 101')) client.destroy();
      else client.write(piece);
    });
    const app = await inLobby('alice', `http://127.0.0.1:${proxy.port}`);
    await online(app);
    const id = app.cookie.split('=')[1] as string;
    const value = (await memcached.ask(`get sessions/${id}\r\n`, /END\r\n$/)).split('\r\n')[1] as string;
    const from = app.told.length;
    await memcached.set('sessions/renewedwhilepolling', value);
    await app.ask('setCookie', { page: php.url, value: 'renewedwhilepolling' });
    await app.ask('send', { room: 'lobby', text: 'with the new id' });
    await online(app, from);
    await shows(app, 'with the new id');
    expect(app.told.slice(from).filter(({ told }) => told === 'hide')).toEqual([]);
    await proxy.close();
  });

  test('behind nginx, where the chat is below a path of the site', async () => {
    const port = await ownPort();
    const behind = await nextChatServer({
      CHAT_SESSION_STORE: memcached.url,
      CHAT_ROOMS: 'lobby',
      CHAT_TRUSTED_PROXIES: '127.0.0.1',
    });
    const nginx = await startNginx(behind.port, { port, php: Number(new URL(php.url).port) });
    const app = start();
    await app.ask('logIn', { page: `http://127.0.0.1:${port}/`, user: 'alice', password: 'alice' });
    await app.ask('chat', { server: `http://127.0.0.1:${port}/chat/` });
    await app.ask('start');
    await app.ask('open', { room: 'lobby' });
    const upload = await app.ask('upload', { room: 'lobby', name: 'small.txt', size: 300 });
    await app.ask('send', { room: 'lobby', text: 'through nginx', files: [{ upload }] });
    await shows(app, 'through nginx');
    const { seq } = (await app.messages('lobby')).at(-1) as { seq: number };
    expect(await app.ask('download', { seq, index: 0 })).toMatchObject({ status: 200 });
    await nginx.stop();
    await behind.stop();
  });
}

test('a session id that the app has already is enough, over WebSocket', async () => {
  const [, id] = (await php.login('alice')).split('=');
  const app = start();
  await app.ask('chat', { server: chat.url, session: id });
  await app.ask('start');
  await app.ask('open', { room: 'lobby' });
  expect(await app.isTold('identity')).toMatchObject({ firstRoom: 'lobby' });
});
