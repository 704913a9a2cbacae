import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type ChatClient, connectChat } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import type { RunningChat } from '../helpers/chat-server.ts';
import { ownPort } from '../helpers/child.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { eventsOf } from '../helpers/people.ts';
import { csrfToken, type PhpApp, post, startPhpApp } from '../helpers/php-app.ts';

/** Tests the sample site's messages to its users in the chat. */
const key = 'a-key-of-more-than-16-characters';
let memcached: Memcached;
let chat: RunningChat;
let app: PhpApp;
const open: ChatClient[] = [];
beforeAll(async () => {
  memcached = await startMemcached();
  chat = await chatServerHere({
    CHAT_SESSION_STORE: memcached.url,
    CHAT_USER_ROLES: 'role',
    CHAT_API_KEY: `${key},another-key-of-16-characters`,
  });
  app = await startPhpApp({
    memcachedPort: memcached.port,
    env: { CHAT_API_KEY: key, CHAT_API_URL: chat.url },
  });
});
afterAll(async () => {
  await app?.stop();
  await chat?.stop();
  await memcached?.stop();
});
afterEach(() => {
  for (const client of open.splice(0)) client.close();
});

async function connect(cookie: string): Promise<ChatClient> {
  const client = await connectChat(chat.url, cookie);
  open.push(client);
  return client;
}
const homeOf = async (cookie: string) => (await fetch(`${app.url}/`, { headers: { cookie } })).text();
const orderOf = (page: string) => /name="order" value="(\d+)"/.exec(page)?.[1] ?? '';
const textsOf = async (client: ChatClient, room: string) =>
  (await client.request('message:history', { room })).messages.map(({ text, user }) => [user.id, text]);

test('sends one welcome message in the language of the first login', async () => {
  const alice = await connect(await app.login('alice'));
  expect(alice.ready.rooms[0]).toMatchObject({
    id: 'orders-1',
    name: 'Your orders',
    kind: 'private',
    members: 1,
    unread: 1,
    may: expect.arrayContaining(['send', 'invite']),
    last: {
      user: { id: 'site', name: 'Fernleaf Garden Club' },
      text: 'Welcome, Alice! Here we tell you about your orders.',
    },
  });
  await app.login('alice');
  const form = await fetch(`${app.url}/`, { headers: { 'accept-language': 'fr' } });
  const cookie = form.headers.getSetCookie()[0]?.split(';')[0] ?? '';
  const fields = { username: 'alice', password: 'alice', csrf: csrfToken(await form.text()) };
  const answer = await fetch(`${app.url}/login`, {
    method: 'POST',
    redirect: 'manual',
    headers: { cookie, 'accept-language': 'fr' },
    body: new URLSearchParams(fields),
  });
  expect(answer.status).toBe(303);
  expect(await textsOf(alice, 'orders-1')).toHaveLength(1);
});

test('confirms an order once, and only to the user who placed it', async () => {
  const [bobs, carols] = [await app.login('bob'), await app.login('carol')];
  const [bob, carol] = [await connect(bobs), await connect(carols)];
  await bob.request('room:join', { room: 'orders-2' });
  const page = await homeOf(bobs);
  const order = orderOf(page);
  for (let press = 0; press < 2; press++) {
    const answer = await post(`${app.url}/orders`, bobs, { csrf: csrfToken(page), order, product: 'can' });
    expect([answer.status, answer.headers.get('location')]).toEqual([303, '/orders']);
  }
  await expect.poll(() => eventsOf(bob, 'message:new')).toHaveLength(1);
  expect(eventsOf(bob, 'message:new')).toMatchObject([
    {
      room: 'orders-2',
      user: { id: 'site' },
      text: expect.stringContaining(`Order ${order}: Watering can, €24.`),
    },
  ]);
  expect(await textsOf(bob, 'orders-2')).toHaveLength(2);
  expect((await carol.raw('room:join', { room: 'orders-2' })).ok).toBe(false);
  expect(orderOf(await homeOf(bobs))).not.toBe(order);
});

type Forged = [what: string, over: Record<string, string>, status: number];
test.each<Forged>([
  ['another CSRF token', { csrf: 'f'.repeat(64) }, 403],
  ['an unknown product', { product: 'class' }, 400],
  ['an invalid order number', { order: '-1' }, 400],
])('rejects %s without sending a message', async (_, over, status) => {
  const cookie = await app.login('carol');
  const carol = await connect(cookie);
  const before = await textsOf(carol, 'orders-3');
  const page = await homeOf(cookie);
  const fields: Record<string, string> = { csrf: csrfToken(page), order: '777', product: 'can', ...over };
  expect((await post(`${app.url}/orders`, cookie, fields)).status).toBe(status);
  expect(await textsOf(carol, 'orders-3')).toEqual(before);
});

test('rejects orders of visitors who are not logged in', async () => {
  const form = await fetch(`${app.url}/`);
  const cookie = form.headers.getSetCookie()[0]?.split(';')[0] ?? '';
  const answer = await post(`${app.url}/orders`, cookie, { csrf: csrfToken(await form.text()), order: '1' });
  expect(answer.status).toBe(403);
  expect(await answer.text()).toContain('name="username"');
});

test('lets users log in while the chat server is down', async () => {
  const url = `http://127.0.0.1:${await ownPort()}`;
  const lonely = await startPhpApp({
    memcachedPort: memcached.port,
    env: { CHAT_API_KEY: key, CHAT_API_URL: url },
  });
  const cookie = await lonely.login('alice');
  const page = await (await fetch(`${lonely.url}/`, { headers: { cookie } })).text();
  const answer = await post(`${lonely.url}/orders`, cookie, {
    csrf: csrfToken(page),
    order: orderOf(page),
    product: 'can',
  });
  expect(answer.status).toBe(503);
  expect(await answer.text()).toContain('The chat server does not answer right now.');
  expect(lonely.output()).toContain('The welcome message could not be sent: no_answer');
  expect(lonely.output()).not.toContain(key);
  await lonely.stop();
});
