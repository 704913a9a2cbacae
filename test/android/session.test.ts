import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { size } from '../guarantees/size.ts';
import { type ChatClient, connectChat, newClientId } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import type { RunningChat } from '../helpers/chat-server.ts';
import { ownPort } from '../helpers/child.ts';
import { type JavaClient, nextJavaClient } from '../helpers/java-client.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { type PhpApp, startPhpApp } from '../helpers/php-app.ts';
import { startTcpProxy } from '../helpers/tcp-proxy.ts';

let memcached: Memcached;
let php: PhpApp;
let chat: RunningChat;
beforeAll(async () => {
  memcached = await startMemcached();
  const phpPort = await ownPort();
  chat = await chatServerHere({
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
/** Logs in by the site's form, connects and opens the lobby. @returns the app, with its cookie */
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
  app.isTold('messages', ({ last, unsent }) => last === text && unsent === 0);
const say = (client: ChatClient, text: string) =>
  client.request('message:send', { room: 'lobby', text, clientId: newClientId() });

test('after a form login, an app exchanges messages in any script', async () => {
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

test('an app and its upload continue with a renewed session ID', async () => {
  const app = await inLobby('bob');
  const upload = await app.ask('upload', { room: 'lobby', name: 'long.txt', size: 100_000, hold: 50_000 });
  await app.isTold('upload');
  const carol = await connectChat(chat.url, await php.login('carol'));
  await carol.request('room:join', { room: 'lobby' });
  const id = app.cookie.split('=')[1] as string;
  const record = await memcached.ask(`get sessions/${id}\r\n`, /END\r\n$/);
  const value = record.split('\r\n')[1] as string;
  const from = app.told.length;
  // Like session_regenerate_id(true) whose response reaches the app late.
  await memcached.set('sessions/renewedbyphp', value);
  const endedAt = performance.now();
  await memcached.delete(`sessions/${id}`);
  await app.isTold('state', ({ kind }) => kind === 'CHECKING_SESSION', from);
  await say(carol, 'sent in between');
  await app.ask('setCookie', { page: php.url, value: 'renewedbyphp' });
  await online(app, from);
  const tookMs = performance.now() - endedAt;
  await app.isTold('messages', ({ last }) => last === 'sent in between', from);
  await app.ask('send', { room: 'lobby', text: 'still here', files: [{ upload }] });
  // Release the sources of both attempts.
  for (const _ of [1, 2]) await app.ask('release');
  await expect
    .poll(() => carol.messages().at(-1))
    .toMatchObject({ text: 'still here', files: [{ size: 100_000 }] });
  // An app that waits for a second, as on a busy machine, reports the end, and continues.
  if (tookMs < 1000) expect(app.told.slice(from).filter(({ kind }) => kind === 'SESSION_ENDED')).toEqual([]);
  carol.close();
});

const blocks = [
  ['responds with 400', '400'],
  ['hangs', 'hang'],
  ['closes the connection', 'close'],
] as const;
test.each(blocks.slice(0, size(3, 1)))(
  'an app falls back to polling if a network blocks WebSocket and %s',
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

test('an app connects with a session ID and without cookies', async () => {
  const [, id] = (await php.login('alice')).split('=');
  const app = start();
  await app.ask('chat', { server: chat.url, session: id });
  await app.ask('start');
  await app.ask('open', { room: 'lobby' });
  expect(await app.isTold('identity')).toMatchObject({ firstRoom: 'lobby' });
});
