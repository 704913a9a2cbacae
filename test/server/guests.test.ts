import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { connectChat, newClientId, refusalOf } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import type { RunningChat } from '../helpers/chat-server.ts';
import { origin, upload } from '../helpers/files.ts';
import { apiKey, codeOf, type PeopleSite, startPeopleSite } from '../helpers/people.ts';

const settings = {
  CHAT_GUESTS: 'write',
  CHAT_ORIGINS: origin,
  CHAT_GUEST_ROOMS: 'support',
  CHAT_ROOMS: 'support,lobby',
  CHAT_LIMIT_CONNECTIONS_USER: '5',
};
const hi = (room: string) => ({ room, text: 'Hi', clientId: newClientId() });
let site: PeopleSite<RunningChat>;
beforeAll(async () => {
  site = await startPeopleSite(settings);
});
afterAll(() => site.close());

const newSecret = () => randomBytes(32).toString('base64url');
const enter = async (auth: object, cookie: string | null = null, url = site.chat.url) => {
  const client = await connectChat(url, cookie, { auth });
  onTestFinished(() => client.close());
  return client;
};

test('the secret of a guest determines the ID, and the label precedes the name', async () => {
  const guest = newSecret();
  const first = await enter({ guest, name: 'Eve' });
  const second = await enter({ guest, name: 'Eva' });
  const other = await enter({ guest: newSecret(), name: 'Eve' });
  expect(first.ready.user).toEqual({ id: expect.stringMatching(/^g-[0-9a-f]{32}$/), name: 'Guest Eve' });
  expect(second.ready.user).toEqual({ id: first.ready.user.id, name: 'Guest Eva' });
  expect(other.ready.user.id).not.toBe(first.ready.user.id);
});

test('a logged-in user is not a guest', async () => {
  const ann = await site.person();
  const again = await enter({ guest: newSecret(), name: 'Eve' }, ann.cookie);
  expect(again.ready).toMatchObject({ user: { id: ann.id }, roles: [] });
  ann.close();
});

test('a visitor with the cookie of an ended session is a guest', async () => {
  const cookie = 'PHPSESSID=0123456789abcdef0123456789';
  expect((await enter({ guest: newSecret(), name: 'Eve' }, cookie)).ready.roles).toEqual(['guest']);
});

test('the rejection of a visitor says what guests may do', async () => {
  expect((await refusalOf(connectChat(site.chat.url, null))).data).toMatchObject({
    ...{ code: 'unauthorized', guests: 'write' },
  });
});

test.each<[string, object, RegExp]>([
  ['without a name', { guest: newSecret() }, /auth\.name/],
  ['with an invisible name', { guest: newSecret(), name: '\u200b\u2060' }, /auth\.name/],
  ['with a name that is not a string', { guest: newSecret(), name: 7 }, /auth\.name/],
  ['with a secret that is too short', { guest: 'short', name: 'Eve' }, /auth\.guest/],
  ['with an object as secret', { guest: {}, name: 'Eve' }, /auth\.guest/],
])('a guest %s is rejected', async (_, auth, message) => {
  const { data } = await refusalOf(connectChat(site.chat.url, null, { auth }));
  expect(data).toMatchObject({ code: 'session_invalid', message: expect.stringMatching(message) });
});

test.each([
  ['a session', { session: 'x' }],
  ['a ticket', { ticket: 'x' }],
])('a client that sends %s is not a guest', async (_, auth) => {
  const refused = await refusalOf(
    connectChat(site.chat.url, null, { auth: { guest: newSecret(), name: 'Eve', ...auth } }),
  );
  expect(refused.data?.code).toMatch(/^(unauthorized|session_invalid)$/);
});

test('a guest cannot connect by polling', async () => {
  const options = { auth: { guest: newSecret(), name: 'Eve' }, transports: ['polling'] };
  const { data } = await refusalOf(connectChat(site.chat.url, null, options));
  expect(data).toMatchObject({ code: 'unauthorized', message: expect.stringMatching(/WebSocket/) });
});

test('a user of the site cannot have the ID of a guest', async () => {
  const id = `g-${'0'.repeat(32)}`;
  const refused = await refusalOf(
    connectChat(site.chat.url, await site.rawSession(JSON.stringify({ user_id: id }))),
  );
  expect(refused.data?.code).toBe('session_invalid');
  const members = await site.api('PATCH', '/rooms/support/members', { add: [id] });
  expect(members.status).toBe(400);
});

test('the token of a guest gives access only to files in guest rooms', async () => {
  const ann = await site.person();
  for (const room of ['support', 'lobby']) await ann.request('room:join', { room });
  const addresses = [];
  for (const room of ['support', 'lobby']) {
    const { file } = await upload(site.chat.url, ann.cookie, 'text', { room });
    await ann.request('message:send', { room, text: '', clientId: newClientId(), files: [{ id: file.id }] });
    addresses.push(`${site.chat.url}/files/${file.id}/a`);
  }
  const guest = await enter({ guest: newSecret(), name: 'Eve' });
  const codes = [];
  for (const address of addresses) {
    for (const access of [guest.ready.fileAccess, 'x'.repeat(42), undefined])
      codes.push((await fetch(access === undefined ? address : `${address}?access=${access}`)).status);
  }
  expect(codes).toEqual([200, 404, 404, 404, 404, 404]);
  ann.close();
});

test('downloads with made-up tokens are limited by address', async () => {
  const server = await startPeopleSite({ ...settings, CHAT_LIMIT_ME: '3/1h' });
  onTestFinished(() => server.close());
  const codes = [];
  for (let n = 0; n < 4; n++)
    codes.push((await fetch(`${server.chat.url}/files/${'x'.repeat(20)}/a?access=${newSecret()}`)).status);
  expect(codes).toEqual([404, 404, 404, 429]);
});

test('GET /me returns the unread count of a guest', async () => {
  const guest = newSecret();
  const headers = { authorization: `Guest ${guest}`, origin };
  const me = async (method: string) => fetch(`${site.chat.url}/me`, { method, headers });
  const eve = await enter({ guest, name: 'Eve' });
  await eve.request('room:join', { room: 'support' });
  eve.close();
  const ann = await site.person();
  await ann.request('room:join', { room: 'support' });
  await ann.request('message:send', hi('support'));
  const preflight = await me('OPTIONS');
  expect(preflight.status).toBe(204);
  expect(preflight.headers.get('access-control-allow-headers')).toMatch(/Authorization/);
  const answer = await (await me('GET')).json();
  expect(answer).toMatchObject({ user: { id: eve.ready.user.id }, unread: 1, mentions: 0 });
  ann.close();
});

test('the guests of one address share the limits of one user', async () => {
  const server = await startPeopleSite({ ...settings, CHAT_LIMIT_SEND: '3/1h' });
  onTestFinished(() => server.close());
  const guests = [];
  for (let n = 0; n < 4; n++)
    guests.push(await enter({ guest: newSecret(), name: 'Eve' }, null, server.chat.url));
  const codes = [];
  for (const guest of guests) {
    await guest.request('room:join', { room: 'support' });
    codes.push(await codeOf(guest, 'message:send', hi('support')));
  }
  expect(codes).toEqual(['ok', 'ok', 'ok', 'rate_limited']);
  guests.push(await enter({ guest: newSecret(), name: 'Eve' }, null, server.chat.url));
  const sixth = connectChat(server.chat.url, null, { auth: { guest: newSecret(), name: 'Eve' } });
  expect((await refusalOf(sixth)).data).toMatchObject({ code: 'rate_limited', retryAfterMs: 5000 });
  const ann = await server.person();
  await ann.request('room:join', { room: 'support' });
  expect(await codeOf(ann, 'message:send', hi('support'))).toBe('ok');
  ann.close();
});

test('an address may create a limited number of guests, who can then return', async () => {
  const server = await startPeopleSite({ ...settings, CHAT_LIMIT_GUESTS: '2/1h' });
  onTestFinished(() => server.close());
  const known = { guest: newSecret(), name: 'Eve' };
  for (const auth of [known, { guest: newSecret(), name: 'Eve' }, known])
    (await enter(auth, null, server.chat.url)).close();
  const third = connectChat(server.chat.url, null, { auth: { guest: newSecret(), name: 'Eve' } });
  const { data } = await refusalOf(third);
  expect(data).toMatchObject({ code: 'rate_limited', retryAfterMs: expect.any(Number) });
  (await enter(known, null, server.chat.url)).close();
});

test('the site bans a guest by ID', async () => {
  const guest = newSecret();
  const eve = await enter({ guest, name: 'Eve' });
  const ban = await fetch(`${site.chat.url}/api/users/${eve.ready.user.id}/ban`, {
    ...{ method: 'PUT', body: '{}' },
    headers: { authorization: `Bearer ${apiKey}`, 'content-type': 'application/json' },
  });
  expect(ban.status).toBe(200);
  expect((await eve.ended).reason).toBe('kicked');
  const refused = await refusalOf(connectChat(site.chat.url, null, { auth: { guest, name: 'Eve' } }));
  expect(refused.data?.code).toBe('forbidden');
});

test('without CHAT_GUESTS a guest is rejected like any visitor', async () => {
  const server = await startPeopleSite({ CHAT_ROOMS: 'support' }, chatServerHere);
  onTestFinished(() => server.close());
  const { data } = await refusalOf(
    connectChat(server.chat.url, null, { auth: { guest: newSecret(), name: 'Eve' } }),
  );
  expect(data?.code).toBe('unauthorized');
  expect(data).not.toHaveProperty('guests');
});
