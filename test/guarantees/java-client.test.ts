import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import type { Message } from '../../server/wire/events.ts';
import { connectChat } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import { historyFolder, type RunningChat, startChatServer } from '../helpers/chat-server.ts';
import { ownPort } from '../helpers/child.ts';
import { type Gate, startGate } from '../helpers/gate.ts';
import { within } from '../helpers/hanging.ts';
import { type JavaClient, nextJavaClient } from '../helpers/java-client.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { type PhpApp, startPhpApp } from '../helpers/php-app.ts';
import { size } from './size.ts';

let memcached: Memcached;
let server: RunningChat;
let port: number;
let gate: Gate;
let php: PhpApp;
const history = historyFolder();
const start = () =>
  size(
    startChatServer,
    chatServerHere,
  )({
    CHAT_DRAIN: '0s',
    CHAT_PORT: String(port),
    CHAT_HISTORY: history.url,
    CHAT_ROOMS: 'lobby',
    CHAT_SESSION_STORE: memcached.url,
  });
beforeAll(async () => {
  memcached = await startMemcached();
  for (const user of [1, 2, 3]) await memcached.set(`sessions/java${user}`, `{"user_id":${user}}`);
  port = await ownPort();
  gate = await startGate(port);
  server = await start();
  php = await startPhpApp({ memcachedPort: memcached.port });
});
const apps = new Set<JavaClient>();
afterEach(async () => {
  await Promise.all([...apps].map((app) => app.end()));
  apps.clear();
});
afterAll(async () => {
  await php.stop();
  await gate.close();
  await server.stop();
  await memcached.stop();
  history.remove();
});

async function connected(user: number, address: number) {
  const app = nextJavaClient();
  apps.add(app);
  await app.ask('setCookie', { page: 'http://127.0.0.1/', value: `java${user}` });
  await app.ask('chat', { server: `http://127.0.0.1:${address}` });
  await app.ask('start');
  await app.ask('open', { room: 'lobby' });
  return app;
}
const stored = (messages: readonly { seq: number; clientId: string; text: string }[]) =>
  messages.map(({ seq, clientId, text }) => ({ seq, clientId, text }));

const count = size(2000, 20);
const restarts = size(10, 1);
test(`keeps all ${count} messages from Java once and in order despite ${restarts} kills of the server and as many network cuts`, async () => {
  const writer = await connected(1, gate.port);
  const reader = await connected(2, gate.port);
  const texts = Array.from({ length: count }, (_, n) => `${n} 中文 👩‍🌾`);
  let said = 0;
  const listed = async () => (await writer.messages('lobby')).filter(({ seq }) => seq !== undefined).length;
  for (let round = 0; round < 2 * restarts; round++) {
    const upTo = Math.floor(((round + 1) * count) / (2 * restarts));
    const sent = await listed();
    while (said < upTo) await writer.ask('send', { room: 'lobby', text: texts[said++] });
    // While messages are being sent.
    await expect.poll(listed, { interval: 10 }).toBeGreaterThan(sent);
    if (round % 2 === 0) {
      await Promise.all([gate.outage.begin(), server.stop('SIGKILL')]);
      server = await start();
      await gate.outage.end();
    } else {
      await gate.outage.begin();
      await gate.outage.end();
    }
    for (const app of [writer, reader]) await app.ask('wake');
  }
  const done = ({ unsent, upToDate, last }: Record<string, unknown>) =>
    unsent === 0 && upToDate === true && last === texts.at(-1);
  await writer.isTold('messages', done);
  await reader.isTold('messages', done);

  const browser = await connectChat(server.url, 'PHPSESSID=java3');
  const messages: Message[] = [];
  for (let since = 0, complete = false; !complete; since = messages.at(-1)?.rev ?? 0) {
    const page = await browser.request('room:sync', { room: 'lobby', since, limit: 500 });
    messages.push(...page.messages);
    complete = page.complete;
  }
  browser.close();
  expect(messages.map(({ text }) => text)).toEqual(texts);
  expect(messages.map(({ seq }) => seq)).toEqual(texts.map((_, n) => n + 1));
  expect(new Set(messages.map(({ clientId }) => clientId)).size).toBe(count);
  const newest = stored(messages).slice(-50);
  for (const app of [writer, reader]) {
    const list = stored(await app.messages('lobby'));
    expect(list.slice(-50)).toEqual(newest);
    expect(list).toEqual(stored(messages).slice(-list.length));
  }
});

test(`ends the session of the app within ${within(2)} s of a logout in PHP`, async () => {
  const app = nextJavaClient();
  apps.add(app);
  const logIn = () => app.ask<string>('logIn', { page: php.url, user: 'alice', password: 'alice' });
  const cookie = `PHPSESSID=${await logIn()}`;
  await app.ask('chat', { server: server.url });
  await app.ask('start');
  await app.ask('open', { room: 'lobby' });
  await app.ask('send', { room: 'lobby', text: 'before the logout' });
  await app.isTold('messages', ({ last, unsent }) => last === 'before the logout' && unsent === 0);
  const from = app.told.length;
  await php.logout(cookie);
  const at = performance.now();
  await app.isTold('hide', undefined, from);
  expect(await app.isTold('state', ({ kind }) => kind === 'SESSION_ENDED', from)).toMatchObject({
    reason: 'LOGOUT',
  });
  expect(performance.now() - at).toBeLessThan(within(2000));
  expect(await app.messages('lobby')).toEqual([]);

  await logIn();
  const again = app.told.length;
  await app.ask('start');
  await app.isTold('messages', ({ last }) => last === 'before the logout', again);
});
