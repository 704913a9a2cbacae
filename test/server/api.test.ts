import { once } from 'node:events';
import { type IncomingMessage, request } from 'node:http';
import { connect } from 'node:net';
import { json, text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { connectChat } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import type { RunningChat } from '../helpers/chat-server.ts';
import { type ChatSite, startChatSite } from '../helpers/chat-site.ts';
import { metrics } from '../helpers/server-figures.ts';

const key = 'a-key-of-more-than-16-characters';
let site: ChatSite<RunningChat>;
beforeAll(async () => {
  site = await startChatSite({ CHAT_API_KEY: key, CHAT_FILES: 'off' }, chatServerHere);
});
afterAll(() => site.close());

const ask = (path: string, init: RequestInit = {}) =>
  fetch(site.chat.url + path, { headers: { Authorization: `Bearer ${key}` }, ...init });
const kick = async (id: string) => {
  const answer = await ask(`/api/users/${encodeURIComponent(id)}/connections`, { method: 'DELETE' });
  return { status: answer.status, body: await answer.json() };
};

test('reads a poll with its votes', async () => {
  const client = await connectChat(site.chat.url, await site.session('poll'));
  const clientId = 'poll';
  const sent = { room: 'lobby', text: 'Lunch?', clientId, poll: { options: ['soup', 'salad'] } };
  await client.request('room:join', { room: 'lobby' });
  const { seq } = (await client.request('message:send', sent)).message;
  await client.request('poll:vote', { room: 'lobby', seq, choice: [2] });
  const read = async (path: string) => {
    const answer = await ask(`/api/rooms/${path}`);
    return { status: answer.status, body: (await answer.json()) as object };
  };
  expect(await read(`lobby/messages?seq=${seq}`)).toMatchObject({
    status: 200,
    body: {
      message: { ...sent, seq, reactions: [{ emoji: '2', count: 1, users: ['poll'] }] },
    },
  });
  const code = (name: string) => ({ body: { error: { code: name } } });
  expect(await read('lobby/messages?seq=999')).toMatchObject({ status: 404, ...code('unknown_message') });
  expect(await read('nowhere/messages?seq=1')).toMatchObject({ status: 404, ...code('unknown_room') });
  for (const query of ['', '?seq=0', '?seq=x', '?seq=1&seq=2'])
    expect(await read(`lobby/messages${query}`)).toMatchObject({ status: 400, ...code('bad_request') });
  client.close();
});

describe('DELETE /api/users/{id} and /api/users/{id}/connections', () => {
  test('closes all connections of the user in every session, and no others', async () => {
    const [first, second] = [await site.session('jo/é ?#'), await site.session('jo/é ?#')];
    const kicked = await Promise.all([
      connectChat(site.chat.url, first),
      connectChat(site.chat.url, first, { transports: ['polling'] }),
      connectChat(site.chat.url, second),
    ]);
    const other = await connectChat(site.chat.url, await site.session('jo'));
    expect(await kick('jo/é ?#')).toEqual({ status: 200, body: { closed: 3 } });
    for (const client of kicked) {
      expect((await client.ended).reason).toBe('kicked');
      expect(await client.disconnected).toBe('io server disconnect');
      expect(client.events.at(-1)?.name).toBe('session:ended');
    }
    expect(await kick('jo/é ?#')).toEqual({ status: 200, body: { closed: 0 } });
    expect(other.socket.connected).toBe(true);
    expect((await metrics(site.chat.url)).get('chat_sessions_ended_total{reason="kicked"}')).toBe(3);
    // The login in PHP is still valid, so the user may connect again.
    (await connectChat(site.chat.url, first)).close();
    other.close();
  });

  /** Sends the target unchanged, because fetch would resolve `..`. */
  const kickAt = async (path: string) => {
    const headers = { Authorization: `Bearer ${key}`, Host: 'chat.test' };
    const sent = request(site.chat.url, { method: 'DELETE', path, headers }).end();
    const [answer] = (await once(sent, 'response')) as [IncomingMessage];
    return { status: answer.statusCode, body: await json(answer) };
  };

  test.each([
    ['..', '/api/users/../connections'],
    ['..', '/api/users/%2e%2E/connections?'],
    ['.', '/api/users/./connections'],
    ['.', 'http://chat.test/api/users/%2e/connections'],
    ['a/..', '/api/users/a%2f../connections'],
    ['"a" {^`|}<b>', '/api/users/"a"%20{^`|}<b>/connections'],
  ])('closes the connections of a user with the ID %s at %s', async (id, path) => {
    const client = await connectChat(site.chat.url, await site.session(id));
    expect(await kickAt(path)).toEqual({ status: 200, body: { closed: 1 } });
    expect((await client.ended).reason).toBe('kicked');
  });

  test('accepts the erasure of users whose IDs look like path segments', async () => {
    for (const path of ['/api/users/..', '/api/users/%2e?messages=delete', '/api/users/a%2f..']) {
      expect(await kickAt(path)).toEqual({ status: 202, body: {} });
    }
  });

  test('rejects a path that reaches the API through dots or a backslash', async () => {
    const client = await connectChat(site.chat.url, await site.session('dots'));
    for (const path of [
      '/api/users/x/../dots/connections',
      '/x/../api/users/dots/connections',
      '/api/users\\dots/connections',
      '/api/{}/../users/dots/connections',
    ]) {
      expect(await kickAt(path)).toMatchObject({ status: 400, body: { error: { code: 'bad_request' } } });
    }
    expect(client.socket.connected).toBe(true);
    client.close();
  });

  test('rejects an invalid user ID', async () => {
    const refused = { status: 400, body: { error: { code: 'bad_request', message: expect.any(String) } } };
    for (const id of ['a'.repeat(65), 'a\n', '\0']) expect(await kick(id)).toEqual(refused);
    const answer = await ask('/api/users/%ff/connections', { method: 'DELETE' });
    expect([answer.status, await answer.json()]).toEqual([refused.status, refused.body]);
  });

  test('rejects a body that is not UTF-8', async () => {
    const body = Buffer.from('{"users":[{"id":"M\xfcller","name":"Ann"}]}', 'latin1');
    const answer = await ask('/api/users', { method: 'PUT', body });
    expect([answer.status, await answer.json()]).toMatchObject([
      400,
      { error: { code: 'bad_request', message: 'the body is not UTF-8' } },
    ]);
  });
});

test('rejects the erasure of a user ID with a slash that a proxy decoded, instead of lifting a ban', async () => {
  const ben = '/api/users/slash-ben';
  expect((await ask(`${ben}/ban`, { method: 'PUT', body: '{}' })).status).toBe(200);
  const answer = await ask(`${ben}/ban?messages=anonymise`, { method: 'DELETE' });
  expect([answer.status, await answer.json()]).toMatchObject([400, { error: { code: 'bad_request' } }]);
  // Control characters are removed, because some databases reject them.
  await ask(`${ben}/ban`, { method: 'PUT', body: JSON.stringify({ reason: 'sp\0am\n' }) });
  expect(await (await ask(ben)).json()).toHaveProperty('banned.reason', 'spam');
});

const user = { id: 'lost-body', name: 'Lou' };
test.each([
  ['POST', 'rooms/lobby/messages', { user, text: 'Hello', clientId: 'lost-body' }],
  ['PUT', 'rooms/lost-body', { name: 'Lost', kind: 'private', topic: 'Found' }],
  ['PATCH', 'rooms/lobby/members', { add: ['lost-body'] }],
  ['PUT', 'users', { users: [user] }],
  ['POST', 'users/lost-body/push', { name: 'order', data: 1 }],
  ['PUT', 'users/lost-body/ban', { seconds: 60, reason: 'spam' }],
])('rejects a lost, cut or misspelt body of %s /api/%s', async (method, path, whole) => {
  const text = JSON.stringify(whole);
  const misspelt = JSON.stringify({ ...whole, second: 60 });
  for (const body of ['', ' ', 'null', '[]', text.slice(0, -1), misspelt]) {
    const answer = await ask(`/api/${path}`, { method, body });
    expect([body, answer.status, await answer.json()]).toMatchObject([
      ...[body, 400],
      { error: { code: 'bad_request' } },
    ]);
  }
  expect((await ask(`/api/${path}`, { method, body: text })).ok).toBe(true);
});

test.each([
  ['PUT', 'users', '{"users":[{"id":9007199254740993,"name":"Big"}]}'],
  ['PATCH', 'rooms/lobby/members', '{"add":[9007199254740993]}'],
  ['PATCH', 'rooms/lobby/members', '{"add":[{"id":9007199254740993,"name":"Big"}]}'],
  ['PATCH', 'rooms/lobby/members', '{"remove":[9007199254740993]}'],
  [
    'POST',
    'rooms/lobby/messages',
    '{"user":{"id":9007199254740993,"name":"Big"},"text":"Hi","clientId":"big"}',
  ],
])('names the fix for an ID that JSON numbers cannot hold: %s /api/%s %s', async (method, path, body) => {
  const answer = await ask(`/api/${path}`, { method, body });
  expect([answer.status, await answer.json()]).toMatchObject([
    400,
    { error: { message: expect.stringContaining('send a larger ID as a string') } },
  ]);
});

test('GET /api/audit lists the actions of moderators and of the site, newest first', async () => {
  const ann = await connectChat(site.chat.url, await site.session('audit-ann'));
  const made = { name: 'Den', kind: 'private' as const, members: ['audit-ben'], clientId: 'audit-den' };
  const { room } = await ann.request('room:create', made);
  await ann.request('room:mute', { room: room.id, user: 'audit-ben', reason: 'loud' });
  await ann.request('room:mute', { room: room.id, user: 'audit-ben', seconds: 0 });
  await ann.request('room:update', { room: room.id, slow: 30, color: 'teal', emoji: '🧪' });
  await ask(`/api/rooms/${room.id}`, { method: 'DELETE' });
  const of = { at: expect.any(Number), room: room.id };
  const by = 'audit-ann';
  const listed = async () => {
    const { acts } = (await (await ask('/api/audit')).json()) as { acts: { room?: string }[] };
    return acts.filter((act) => act.room === room.id);
  };
  await expect.poll(listed).toEqual([
    { ...of, kind: 'room_deleted' },
    {
      ...of,
      kind: 'room_changed',
      by,
      to: { changed: ['slow', 'color', 'emoji'], slow: 30, color: 'teal', emoji: '🧪' },
    },
    { ...of, kind: 'unmuted', by, user: 'audit-ben' },
    { ...of, kind: 'muted', by, user: 'audit-ben', reason: 'loud' },
  ]);
  for (const cursor of ['x', '%00', 'WyJhIl0', 'a&cursor=b', 'a'.repeat(65)]) {
    expect((await ask(`/api/audit?cursor=${cursor}`)).status).toBe(400);
  }
  ann.close();
});

test('GET /api/audit keeps entries of the site on the first page despite many room changes', async () => {
  await ask('/api/users/flood-victim/ban', { method: 'PUT', body: '{"reason":"spam"}' });
  const eve = await connectChat(site.chat.url, await site.session('flood-eve'));
  const made = { name: 'Den', kind: 'private', clientId: 'flood-den' } as const;
  const { room } = await eve.request('room:create', made);
  for (let n = 0; n < 110; n++) await eve.request('room:update', { room: room.id, slow: 1 + (n % 2) });

  type Page = { acts: { kind: string; by?: string; room?: string; at: number }[]; next?: string };
  const page = async (query = ''): Promise<Page> => (await (await ask(`/api/audit?${query}`)).json()) as Page;
  const all = async (query = '') => {
    const acts: Page['acts'] = [];
    for (let cursor: string | undefined = ''; cursor !== undefined; ) {
      const next: Page = await page(`${query}&cursor=${cursor}`);
      expect(next.acts).toEqual(next.acts.toSorted((a, b) => b.at - a.at));
      acts.push(...next.acts);
      cursor = next.next;
    }
    return acts;
  };
  await expect.poll(async () => (await all('by=flood-eve')).length).toBe(110);
  const banned = expect.objectContaining({ kind: 'site_banned', user: 'flood-victim' });
  expect((await page()).acts).toContainEqual(banned);

  const [everything, ofSite, ofRooms] = [await all(), await all('scope=site'), await all('scope=rooms')];
  expect(everything).toHaveLength(ofSite.length + ofRooms.length);
  expect(everything.filter(({ by }) => by === 'flood-eve')).toHaveLength(110);
  expect(ofSite).toContainEqual(banned);
  expect(ofSite.filter(({ room = '', by }) => room.startsWith('u-') && by !== undefined)).toEqual([]);
  expect(ofRooms.filter(({ room = '' }) => !room.startsWith('u-'))).toEqual([]);
  expect(await all('by=flood-eve&scope=site')).toEqual([]);
  for (const query of ['scope=all', 'by=', 'by=0', 'by=a&by=b', 'scope=site&user=1'])
    expect([query, (await ask(`/api/audit?${query}`)).status]).toEqual([query, 400]);
  eve.close();
});

test.each([
  ['no key', '/api/users/1/connections', 'DELETE', undefined, 401, 'unauthorized'],
  ['a wrong key', '/api/users/1/connections', 'DELETE', `${key}x`, 401, 'unauthorized'],
  ['no key for an unknown path', '/api/nothing', 'GET', undefined, 401, 'unauthorized'],
  ['a wrong method', '/api/users/1/connections', 'GET', key, 405, 'method_not_allowed'],
  ['an unknown path', '/api/nothing', 'GET', key, 404, 'not_found'],
  ['no user ID', '/api/users//connections', 'DELETE', key, 400, 'bad_request'],
  ['the ID of erased users', '/api/users/0', 'DELETE', key, 400, 'bad_request'],
  ['the ID of @all', '/api/users/%2A', 'DELETE', key, 400, 'bad_request'],
])('rejects a request with %s', async (_, path, method, given, status, code) => {
  const headers: Record<string, string> = given === undefined ? {} : { Authorization: `Bearer ${given}` };
  const answer = await ask(path, { method, headers });
  const { error } = (await answer.json()) as { error: { code: string } };
  expect([answer.status, error.code]).toEqual([status, code]);
  if (status === 401) expect(answer.headers.get('www-authenticate')).toBe('Bearer');
  if (status === 405) expect(answer.headers.get('allow')).toBe('DELETE');
});

test.each(['', '\u200b', '\u3164', '\u2800'])(
  'keeps the known name or shows the ID if the given name is invisible: %j',
  async (blank) => {
    const call = async (method: string, path: string, body?: object) =>
      (await ask(path, { method, body: JSON.stringify(body) })).json();
    const add = (one: object) => call('PATCH', '/api/rooms/named/members', { add: [one] });
    const nameOf = async (id: string) =>
      ((await call('GET', `/api/users/${id}`)) as { user: { name: string } }).user.name;
    await call('PUT', '/api/rooms/named', { name: 'Named', kind: 'private' });
    await add({ id: 'named-ann', name: 'Ann' });
    const id = `named-${blank.codePointAt(0)}`;
    for (const one of ['named-ann', id]) await add({ id: one, name: blank });
    expect([await nameOf('named-ann'), await nameOf(id)]).toEqual(['Ann', id]);
    const message = { user: { id: `${id}-shop`, name: blank }, text: 'hello', clientId: id };
    expect(await call('POST', '/api/rooms/named/messages', message)).toMatchObject({
      message: { user: { id: `${id}-shop`, name: `${id}-shop` } },
    });
  },
);

test('answers 413 for a body that is too large while the client is still sending', async () => {
  const body = 'x'.repeat(4_000_000);
  const head = `Host: a\r\nAuthorization: Bearer ${key}`;
  const chunked = `${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`;
  const post = async (path: string, rest: string) => {
    const socket = connect(site.chat.port, '127.0.0.1');
    socket.write(`POST ${path} HTTP/1.1\r\n${head}\r\n${rest}`);
    const [status = ''] = (await text(socket)).split('\r\n');
    return status;
  };
  for (let n = 0; n < 2; n++) {
    for (const rest of [
      `Content-Length: ${body.length}\r\n\r\n${body}`,
      `Transfer-Encoding: chunked\r\n\r\n${chunked}`,
    ]) {
      expect(await post('/api/rooms/lobby/messages', rest)).toContain('413');
      expect(await post('/api/nowhere', rest)).toContain('404');
    }
  }
});

test('answers 404 for file requests with CHAT_FILES=off', async () => {
  const headers = { origin: 'http://localhost:8080' };
  for (const [method, address] of [
    ['GET', `/files/${'a'.repeat(32)}/x`],
    ['POST', '/files?room=lobby&name=x'],
  ])
    expect((await fetch(site.chat.url + address, { method, headers } as RequestInit)).status).toBe(404);
});
