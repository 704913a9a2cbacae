import { createHmac, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type ChatClient, connectChat, newClientId } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import type { RunningChat } from '../helpers/chat-server.ts';
import { ownPort } from '../helpers/child.ts';
import { type Memcached, startMemcached } from '../helpers/memcached.ts';
import { eventsOf } from '../helpers/people.ts';
import { csrfToken, type PhpApp, post, startPhpApp } from '../helpers/php-app.ts';

/** Tests the sample site's messages to its users in the chat, and its cards. */
const key = 'a-key-of-more-than-16-characters';
let memcached: Memcached;
let chat: RunningChat;
let app: PhpApp;
const open: ChatClient[] = [];
const folder = mkdtempSync(join(tmpdir(), 'chat-cards-'));
beforeAll(async () => {
  const keyFile = join(folder, 'webhook-key');
  writeFileSync(keyFile, `whsec_${randomBytes(32).toString('base64')}\n`);
  const port = await ownPort();
  memcached = await startMemcached();
  chat = await chatServerHere({
    CHAT_SESSION_STORE: memcached.url,
    CHAT_USER_ROLES: 'role',
    CHAT_API_KEY: `${key},another-key-of-16-characters`,
    CHAT_WEBHOOK_KEY_FILE: keyFile,
    CHAT_CARDS_URL: `http://127.0.0.1:${port}/chat-cards`,
    CHAT_CARDS_TIMEOUT: '5s',
  });
  app = await startPhpApp({
    memcachedPort: memcached.port,
    port,
    env: { CHAT_API_KEY: key, CHAT_API_URL: chat.url, CHAT_WEBHOOK_KEY_FILE: keyFile },
  });
});
afterAll(async () => {
  await app?.stop();
  await chat?.stop();
  await memcached?.stop();
  rmSync(folder, { recursive: true });
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
      card: `order:${order}`,
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

test('shows an order to its buyer and the staff only, and ships it once', async () => {
  const [bobs, carols] = [await app.login('bob'), await app.login('carol')];
  const [bob, carol, dimitri] = [
    await connect(bobs),
    await connect(carols),
    await connect(await app.login('dimitri')),
  ];
  const page = await homeOf(carols);
  const order = orderOf(page);
  await post(`${app.url}/orders`, carols, { csrf: csrfToken(page), order, product: 'honey' });
  expect(await homeOf(carols)).toContain(`data-about="order:${order}"`);
  for (const one of [bob, carol, dimitri]) await one.request('room:join', { room: 'lobby' });
  const { cards } = await carol.request('card:find', { room: 'lobby', query: order, lang: 'fr' });
  expect(cards).toMatchObject([{ about: `order:${order}`, title: `Commande ${order}`, state: 'Commandée' }]);
  expect((await dimitri.request('card:find', { room: 'lobby', query: order })).cards).toEqual([]);
  const sent = { room: 'lobby', text: 'Where is it?', clientId: newClientId(), card: `order:${order}` };
  const { seq } = (await carol.request('message:send', sent)).message;
  const cardOf = async (person: ChatClient) =>
    (await person.request('card:get', { room: 'lobby', seq })).card;
  expect(await cardOf(dimitri)).toBeUndefined();
  expect(await cardOf(carol)).toMatchObject({
    image: '/pictures/honey.svg',
    buttons: [{ id: 'cancel', label: 'Cancel the order' }],
  });
  expect((await cardOf(bob))?.buttons?.map(({ id }) => id)).toEqual(['ship']);
  const press = (person: ChatClient, button: string) =>
    person.request('card:press', { room: 'lobby', seq, button, clientId: newClientId() });
  // Neither a stranger nor a buyer can ship.
  for (const one of [dimitri, carol]) await press(one, 'ship');
  expect((await cardOf(bob))?.state).toBe('Ordered');
  expect((await press(bob, 'ship')).card?.state).toBe('Shipped');
  expect((await press(carol, 'cancel')).card).toMatchObject({ state: 'Shipped' });
});

test('reserves once for each click, also with parallel repeats, and not more than is left', async () => {
  const [bob, carol] = [await connect(await app.login('bob')), await connect(await app.login('carol'))];
  for (const one of [bob, carol]) await one.request('room:join', { room: 'lobby' });
  const sent = { room: 'lobby', text: 'Honey!', clientId: newClientId(), card: 'product:honey' };
  const { seq } = (await carol.request('message:send', sent)).message;
  const stateOf = async (person: ChatClient) =>
    (await person.request('card:get', { room: 'lobby', seq })).card?.state;
  expect(await stateOf(bob)).toBe('2 left');
  const press = (person: ChatClient, clientId: string) =>
    person.request('card:press', { room: 'lobby', seq, button: 'reserve', clientId });
  const click = newClientId();
  const answers = await Promise.all([press(carol, click), press(carol, click), press(carol, click)]);
  expect(answers.map(({ card }) => card?.state)).toEqual(['1 left', '1 left', '1 left']);
  // The other reader gets the new state too.
  expect(await stateOf(bob)).toBe('1 left');
  await Promise.all([press(bob, newClientId()), press(carol, newClientId())]);
  expect((await press(bob, newClientId())).card).toMatchObject({ state: 'Sold out' });
});

test('runs a click once if two chat servers send it at the same time', async () => {
  const event = JSON.stringify({
    type: 'card.press',
    data: { user: { id: '3', name: 'Carol' }, about: 'product:can', button: 'reserve' },
  });
  const keys = readFileSync(join(folder, 'webhook-key'), 'utf8').trim().replace('whsec_', '');
  const id = `press_${newClientId()}`;
  const send = async (time = Math.floor(Date.now() / 1000), secret = keys) => {
    const digest = createHmac('sha256', Buffer.from(secret, 'base64')).update(`${id}.${time}.${event}`);
    const headers = {
      'webhook-id': id,
      'webhook-timestamp': String(time),
      'webhook-signature': `v1,${digest.digest('base64')}`,
    };
    return fetch(`${app.url}/chat-cards`, { method: 'POST', headers, body: event });
  };
  const answers = await Promise.all([send(), send(), send(), send()]);
  expect(await Promise.all(answers.map((one) => one.json()))).toEqual(
    answers.map(() => ({ card: expect.objectContaining({ state: '4 left' }) })),
  );
  expect((await send(Math.floor(Date.now() / 1000) - 400)).status).toBe(400);
  expect((await send(undefined, randomBytes(32).toString('base64'))).status).toBe(400);
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
