import { execFileSync } from 'node:child_process';
import { createHmac, randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest';
import { connectChat, newClientId, refusalOf } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import { emptyHistory, type RunningChat, usual } from '../helpers/chat-server.ts';
import { type ChatSite, startChatSite } from '../helpers/chat-site.ts';
import { doctorSays } from '../helpers/doctor-says.ts';
import { apiKey } from '../helpers/people.ts';
import { claimsOf, encode, now, ticketKeys } from '../helpers/tickets.ts';

const tickets = ticketKeys();
const { sign, ticket: ticketOf } = tickets;
const [key, oldKey] = tickets.keys;
const settings = { ...tickets.env, CHAT_API_KEY: apiKey, CHAT_SESSION_CHECK: '100ms' };

let site: ChatSite<RunningChat>;
beforeAll(async () => {
  site = await startChatSite(settings, chatServerHere);
});
afterAll(async () => {
  await site.close();
  tickets.remove();
});

const connect = (ticket: unknown, url = site.chat.url) => connectChat(url, null, { auth: { ticket } });

const endLogin = (sid: string) =>
  fetch(`${site.chat.url}/api/sessions/${encodeURIComponent(sid)}`, {
    method: 'DELETE',
    headers: { authorization: `Bearer ${apiKey}` },
  });

test('takes the user, the roles and the rooms from a ticket', async () => {
  const client = await connect(ticketOf({ roles: ['moderator'], rooms: { garden: 'Garden' }, sid: 'all' }));
  expect(client.ready).toMatchObject({ user: { id: '7', name: 'Zoë' }, roles: ['moderator'] });
  expect(client.ready.rooms.map(({ id }) => id)).toContain('garden');
  client.close();
});

test('treats an integer `sub` as the user with its digits as ID', async () => {
  const client = await connect(ticketOf({ sub: 7 }));
  expect(client.ready.user.id).toBe('7');
  client.close();
});

test('accepts a ticket signed with the old key', async () => {
  (await connect(ticketOf({}, { by: oldKey }))).close();
});

test('prefers a ticket to a cookie', async () => {
  const cookie = await site.session(3);
  const client = await connectChat(site.chat.url, cookie, { auth: { ticket: ticketOf() } });
  expect(client.ready.user.id).toBe('7');
  client.close();
});

test('rejects an invalid ticket despite a valid cookie', async () => {
  const cookie = await site.session(3);
  const refused = await refusalOf(connectChat(site.chat.url, cookie, { auth: { ticket: 'x' } }));
  expect(refused.data).toMatchObject({ code: 'session_invalid', retryable: false });
});

/** Forms of base64url that lenient decoders read as the same bytes. */
const lenientForms: Record<string, (part: string) => string> = {
  padding: (part) => `${part}=`,
  'a blank': (part) => `${part.slice(0, 4)} ${part.slice(4)}`,
  'a line feed': (part) => `${part}\n`,
  'another character': (part) => `${part}!`,
  'a sign of base64': (part) => `${part.slice(0, 4)}+${part.slice(5)}`,
  // A digest of 32 bytes leaves 2 bits of the last character unused.
  'excess bits': (part) => part.slice(0, -1) + String.fromCharCode(part.charCodeAt(part.length - 1) + 1),
};

describe('rejects a ticket', () => {
  const text = ticketOf();
  const [head = '', body = '', signature = ''] = text.split('.');
  const wrong: Record<string, [ticket: () => unknown, code: string, reason: RegExp]> = {
    'that is an object': [() => ({ sub: '7' }), 'session_invalid', /not a string/],
    'that is empty': [() => '', 'session_invalid', /JSON Web Token/],
    'with two parts': [() => `${head}.${body}`, 'session_invalid', /JSON Web Token/],
    'with four parts': [() => `${text}.${signature}`, 'session_invalid', /JSON Web Token/],
    'with several signatures': [
      () => JSON.stringify({ payload: body, signatures: [{ protected: head, signature }] }),
      'session_invalid',
      /JSON Web Token/,
    ],
    'whose payload is a list': [() => sign([claimsOf()]), 'session_invalid', /JSON Web Token/],
    'whose payload is not JSON': [
      () => {
        const part = `${head}.${Buffer.from('{"sub"').toString('base64url')}`;
        return `${part}.${createHmac('sha256', key).update(part).digest('base64url')}`;
      },
      'session_invalid',
      /JSON Web Token/,
    ],
    'longer than 4 KB': [() => ticketOf({ name: 'x'.repeat(4096) }), 'session_invalid', /longer than 4096/],
    ...Object.fromEntries(
      Object.entries(lenientForms).map(([form, change]) => [
        `whose signature has ${form}`,
        [() => `${head}.${body}.${change(signature)}`, 'session_invalid', /base64url/],
      ]),
    ),
    'whose signed payload has padding': [
      () => {
        const part = `${head}.${body}${'='.repeat(4 - (body.length % 4))}`;
        return `${part}.${createHmac('sha256', key).update(part).digest('base64url')}`;
      },
      'session_invalid',
      /base64url/,
    ],
    'without a signature': [() => `${head}.${body}.`, 'session_invalid', /CHAT_TICKET_KEY_FILE/],
    'with alg none': [
      () => `${encode({ alg: 'none' })}.${body}.`,
      'session_invalid',
      /not signed with HS256/,
    ],
    'with HS512': [
      () => ticketOf({}, { header: { alg: 'HS512' }, hash: 'sha512' }),
      'session_invalid',
      /not signed with HS256/,
    ],
    'with RS256': [
      () => ticketOf({}, { header: { alg: 'RS256' } }),
      'session_invalid',
      /not signed with HS256/,
    ],
    'with an unknown critical header': [
      () => ticketOf({}, { header: { alg: 'HS256', crit: ['x'], x: 1 } }),
      'session_invalid',
      /JSON Web Token/,
    ],
    'signed with another key': [
      () => ticketOf({}, { by: randomBytes(32) }),
      'session_invalid',
      /CHAT_TICKET_KEY_FILE/,
    ],
    'of another audience': [
      () => ticketOf({ aud: 'other.example' }),
      'session_invalid',
      /aud .*CHAT_TICKET_AUDIENCE/,
    ],
    'without an audience': [() => ticketOf({ aud: undefined }), 'session_invalid', /aud/],
    'that has expired': [
      () => ticketOf({ iat: now() - 600, exp: now() - 31 }),
      'unauthorized',
      /has expired/,
    ],
    'that is not valid yet': [
      () => ticketOf({ iat: now() + 60, exp: now() + 90 }),
      'session_invalid',
      /iat .*future/,
    ],
    'with nbf in the future': [() => ticketOf({ nbf: now() + 60 }), 'session_invalid', /nbf/],
    'that expires when it was issued': [
      () => {
        const iat = now() + 20;
        return ticketOf({ iat, exp: iat });
      },
      'session_invalid',
      /exp/,
    ],
    'that is valid for too long': [
      () => ticketOf({ exp: now() + 901 }),
      'session_invalid',
      /CHAT_TICKET_TTL/,
    ],
  };
  for (const claim of ['sub', 'sid', 'iat', 'exp'])
    wrong[`without ${claim}`] = [
      () => ticketOf({ [claim]: undefined }),
      'session_invalid',
      new RegExp(`claim ${claim}`),
    ];
  const types: [claim: string, ...values: unknown[]][] = [
    ['sub', true, '', '0', 0, -1, 1.5, ['7'], { id: 7 }, 'x'.repeat(65), 'a\nb', null],
    ['sid', 5, '', null, 'x'.repeat(257)],
    ['iat', '1', null, -5, 1e300],
    ['exp', '9', null, 1e300],
    ['name', 5, ['x'], { x: 1 }],
    ['rooms', 'garden', 5, [['x']], { garden: 5 }],
    ['roles', 5, { admin: true }, [5]],
    ['mail', 5, ['a@b.example']],
  ];
  for (const [claim, ...values] of types) {
    for (const value of values)
      wrong[`with ${claim} ${JSON.stringify(value).slice(0, 20)}`] = [
        () => ticketOf({ [claim]: value }),
        'session_invalid',
        new RegExp(`claim ${claim}|JSON Web Token|CHAT_TICKET_TTL`),
      ];
  }
  test.each(Object.entries(wrong))('%s', async (_, [ticket, code, reason]) => {
    const { data } = await refusalOf(connect(ticket()));
    expect(data?.code).toBe(code);
    expect(data?.message).toMatch(reason);
    expect(site.chat.output()).not.toMatch(/Zoë|login-1|xxxx/);
  });
});

test('gives roles by CHAT_ADMINS and CHAT_MODERATORS', async () => {
  const server = await chatServerHere({ ...settings, CHAT_SESSION_STORE: 'none', CHAT_ADMINS: '7' });
  onTestFinished(async () => void (await server.stop()));
  const client = await connect(ticketOf(), server.url);
  expect(client.ready.roles).toEqual(['admin']);
  client.close();
});

test('a role in a ticket makes a user a member of the team', async () => {
  const env = { ...settings, CHAT_SESSION_STORE: 'none', CHAT_TEAM: 'role:shop_manager' };
  const server = await chatServerHere(env);
  onTestFinished(async () => void (await server.stop()));
  const client = await connect(ticketOf({ roles: ['customer', 'shop_manager'] }), server.url);
  expect(client.ready).toMatchObject({ roles: ['team'] });
  expect(client.ready.can.ask).toBeUndefined();
  client.close();
  const other = await connect(ticketOf({ sub: 8, roles: ['team'] }), server.url);
  expect(other.ready).toMatchObject({ roles: [], can: { ask: true } });
  other.close();
});

test('accepts the ticket of the page in docs/sites/tickets.md, from a file with two keys', async () => {
  const guide = readFileSync(new URL('../../docs/sites/tickets.md', import.meta.url), 'utf8');
  const page = /```php\n( *<\?php\n[\s\S]*?)```/.exec(guide)?.[1] ?? '';
  const folder = mkdtempSync(join(tmpdir(), 'ticket-page-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const file = join(folder, 'page.php');
  const own = page
    .trim()
    .replace('/home/example/ticket-key', tickets.env.CHAT_TICKET_KEY_FILE)
    .replace('chat.example.org', tickets.env.CHAT_TICKET_AUDIENCE);
  writeFileSync(file, own.replace('session_start();', "session_id('page'); session_start();"));
  writeFileSync(join(folder, 'sess_page'), 'user_id|i:7;name|s:4:"Zoë";');
  const options = ['-d', `session.save_path=${folder}`, '-d', 'session.use_strict_mode=0'];
  const { ticket } = JSON.parse(execFileSync('php', [...options, file], { encoding: 'utf8' }));
  const client = await connect(ticket);
  expect(client.ready.user).toEqual({ id: '7', name: 'Zoë' });
  client.close();
});

test('treats null as the absence of an optional claim', async () => {
  const client = await connect(ticketOf({ name: null, roles: null, rooms: null, mail: null }));
  expect(client.ready).toMatchObject({ user: { id: '7', name: '7' }, roles: [] });
  client.close();
});

test('ignores claims that it does not know', async () => {
  (await connect(ticketOf({ code: 'x', reason: 'x', kind: 'x', jti: 'x' }))).close();
});

test('rejects a ticket if the server has no key, despite a valid cookie', async () => {
  const plain = await startChatSite({}, chatServerHere);
  onTestFinished(() => plain.close());
  const connecting = connectChat(plain.chat.url, await plain.session(3), { auth: { ticket: ticketOf() } });
  expect((await refusalOf(connecting)).data).toMatchObject({
    code: 'session_invalid',
    message: expect.stringContaining('CHAT_TICKET_KEY_FILE'),
  });
});

test('tolerates clocks that differ by 30 s', async () => {
  (await connect(ticketOf({ iat: now() - 60, exp: now() - 25 }))).close();
  (await connect(ticketOf({ iat: now() + 25, exp: now() + 100 }))).close();
});

test('rejects a ticket over long-polling', async () => {
  const { data } = await refusalOf(
    connectChat(site.chat.url, null, { auth: { ticket: ticketOf() }, transports: ['polling'] }),
  );
  expect(data).toMatchObject({ code: 'unauthorized', message: 'auth.ticket needs WebSocket' });
});

test('ends a login when its last ticket expires', async () => {
  const client = await connect(ticketOf({ iat: now() - 60, exp: now() - 28, sid: 'short' }));
  expect((await client.ended).reason).toBe('expired');
});

describe('session:renew', () => {
  test('keeps the login beyond the end of the first ticket, in all tabs', async () => {
    const first = ticketOf({ iat: now() - 60, exp: now() - 27, sid: 'renewed' });
    const [tab, other] = [await connect(first), await connect(first)];
    await tab.request('session:renew', { ticket: ticketOf({ sid: 'renewed' }) });
    // This login expires at the same time, but is not renewed.
    const witness = await connect(ticketOf({ iat: now() - 60, exp: now() - 27, sid: 'not renewed' }));
    expect((await witness.ended).reason).toBe('expired');
    for (const open of [tab, other]) {
      await open.request('room:join', { room: 'lobby' });
      open.close();
    }
  });

  test('applies the new name, roles and rooms at once', async () => {
    const client = await connect(ticketOf({ sid: 'changes' }));
    const changed = new Promise((resolve) => client.socket.once('session:changed', resolve));
    const ticket = ticketOf({ sid: 'changes', name: 'Zoë B.', roles: 'admin', rooms: ['shed'] });
    await client.raw('session:renew', { ticket });
    expect(await changed).toMatchObject({ user: { id: '7', name: 'Zoë B.' }, roles: ['admin'] });
    await client.request('room:join', { room: 'shed' });
    client.close();
  });

  test('ignores the claims of an earlier ticket', async () => {
    const client = await connect(ticketOf({ sid: 'newest', roles: 'admin', iat: now() }));
    await client.raw('session:renew', { ticket: ticketOf({ sid: 'newest', iat: now() - 5 }) });
    const again = await connect(ticketOf({ sid: 'newest', iat: now() - 5 }));
    expect(client.events.map(({ name }) => name)).not.toContain('session:changed');
    client.close();
    again.close();
  });

  test.each([
    ['another user', { sub: '8' }, 'forbidden'],
    ['another login', { sid: 'other' }, 'forbidden'],
    ['an expired ticket', { iat: now() - 600, exp: now() - 60 }, 'bad_request'],
  ])('rejects %s', async (_, over, code) => {
    const client = await connect(ticketOf({ sid: 'kept' }));
    const answer = await client.raw('session:renew', { ticket: ticketOf({ sid: 'kept', ...over }) });
    expect(answer).toMatchObject({ ok: false, error: { code } });
    await client.request('room:join', { room: 'lobby' });
    client.close();
  });

  test('does not replace a login by PHP session', async () => {
    const client = await connectChat(site.chat.url, await site.session(7));
    const answer = await client.raw('session:renew', { ticket: ticketOf() });
    expect(answer).toMatchObject({ ok: false, error: { code: 'forbidden' } });
    client.close();
  });
});

describe('DELETE /api/sessions/{sid}', () => {
  test('ends the connections of this login, and no others', async () => {
    const [tab, other, stays] = [
      await connect(ticketOf({ sid: 'a/b c' })),
      await connect(ticketOf({ sid: 'a/b c' })),
      await connect(ticketOf({ sid: 'stays' })),
    ];
    expect((await endLogin('a/b c')).status).toBe(200);
    expect((await tab.ended).reason).toBe('logout');
    expect((await other.ended).reason).toBe('logout');
    await stays.request('room:join', { room: 'lobby' });
    stays.close();
  });

  test('rejects further tickets of the login, also after a restart', async () => {
    const history = await emptyHistory();
    const env = {
      ...settings,
      CHAT_SESSION_STORE: 'none',
      CHAT_HISTORY: history.url,
      CHAT_FILES: history.files,
    };
    const first = await chatServerHere(env);
    await fetch(`${first.url}/api/sessions/gone`, {
      method: 'DELETE',
      headers: { authorization: `Bearer ${apiKey}` },
    });
    const refused = await refusalOf(connect(ticketOf({ sid: 'gone' }), first.url));
    expect(refused.data?.code).toBe('unauthorized');
    await first.stop();
    const second = await chatServerHere(env);
    expect((await refusalOf(connect(ticketOf({ sid: 'gone' }), second.url))).data?.code).toBe('unauthorized');
    (await connect(ticketOf({ sid: 'other' }), second.url)).close();
    await second.stop();
    history.remove();
  });

  test('rejects a ticket of the ended login as long as the ticket is valid', async () => {
    vi.useFakeTimers({ toFake: ['Date'] });
    onTestFinished(() => void vi.useRealTimers());
    // The clock of the site is ahead, and the ticket has the maximum lifetime.
    const ticket = ticketOf({ sid: 'ahead', iat: now() + 29, exp: now() + 29 + 900 });
    await endLogin('ahead');
    vi.setSystemTime(Date.now() + 945_000);
    // Deletes the ended logins that are no longer needed.
    await endLogin('another');
    expect((await refusalOf(connect(ticket))).data).toMatchObject({
      code: 'unauthorized',
      message: expect.stringContaining('ended'),
    });
  });

  test('rejects a `sid` that no ticket can have', async () => {
    expect((await endLogin('x'.repeat(257))).status).toBe(400);
  });
});

test('uploads and downloads files with a ticket, without a cookie', async () => {
  const client = await connect(ticketOf({ sid: 'files' }));
  await client.request('room:join', { room: 'lobby' });
  const upload = (authorization: string) =>
    fetch(`${site.chat.url}/files?room=lobby&name=a.txt`, {
      method: 'POST',
      headers: { authorization, 'content-type': 'text/plain' },
      body: 'seeds',
    });
  const response = await upload(`Ticket ${ticketOf({ sid: 'files' })}`);
  expect(response.status).toBe(201);
  const { file } = (await response.json()) as { file: { id: string } };
  const clientId = newClientId();
  await client.request('message:send', { room: 'lobby', text: '', files: [file], clientId });
  const url = `${site.chat.url}/files/${file.id}/a.txt`;
  const authorization = `Ticket ${ticketOf({ sid: 'files' })}`;
  expect(await (await fetch(url, { headers: { authorization } })).text()).toBe('seeds');
  expect((await upload('Ticket x')).status).toBe(401);
  client.close();
});

describe('an upload that is not complete', () => {
  /** A client, and its upload of a file whose second half the test sends. */
  async function startUpload(ticket: string) {
    const client = await connect(ticket);
    await client.request('room:join', { room: 'lobby' });
    const upload = request(`${site.chat.url}/files?room=lobby&name=a.txt`, {
      method: 'POST',
      headers: { authorization: `Ticket ${ticket}`, 'content-length': 8 },
    });
    upload.write('half');
    return {
      client,
      finish: () =>
        new Promise((resolve) => {
          upload.once('response', (response) => resolve(response.resume().statusCode));
          upload.end('rest');
        }),
    };
  }

  test('may outlast its ticket', async () => {
    const { client, finish } = await startUpload(ticketOf({ sid: 'slow', iat: now() - 60, exp: now() - 25 }));
    expect((await client.ended).reason).toBe('expired');
    expect(await finish()).toBe(201);
  });

  test('is rejected if the site ends its login', async () => {
    const { client, finish } = await startUpload(ticketOf({ sid: 'interrupted' }));
    await endLogin('interrupted');
    expect((await client.ended).reason).toBe('logout');
    expect(await finish()).toBe(401);
  });
});

test('accepts a ticket for GET /me', async () => {
  const response = await fetch(`${site.chat.url}/me`, {
    headers: { authorization: `Ticket ${ticketOf()}`, origin: 'http://localhost:8080' },
  });
  expect(await response.json()).toMatchObject({ user: { id: '7' } });
});

describe('`access` of a file URL', () => {
  /** Connects a client and uploads a file. `load` requests it as a page of another site does. */
  async function withFile(over: object, room = 'lobby') {
    const client = await connect(ticketOf(over));
    await client.request('room:join', { room });
    const response = await fetch(`${site.chat.url}/files?room=${room}&name=a.txt`, {
      method: 'POST',
      headers: { authorization: `Ticket ${ticketOf(over)}` },
      body: 'seeds',
    });
    const { file } = (await response.json()) as { file: { id: string } };
    const load = (access: string | undefined, path = `files/${file.id}/a.txt`) =>
      fetch(`${site.chat.url}/${path}?${new URLSearchParams({ access: access ?? '' })}`, {
        headers: { 'sec-fetch-site': 'cross-site' },
      });
    return { client, load };
  }

  test('loads a file into a page of another site, without a cookie', async () => {
    const { client, load } = await withFile({ sid: 'access' });
    const loaded = await load(client.ready.fileAccess);
    expect(await loaded.text()).toBe('seeds');
    client.close();
  });

  test('loads a file of a room that the ticket grants', async () => {
    const { client, load } = await withFile({ sid: 'granted', rooms: ['barn'] }, 'barn');
    expect(await (await load(client.ready.fileAccess)).text()).toBe('seeds');
    client.close();
  });

  test('is new for each ticket', async () => {
    const { client, load } = await withFile({ sid: 'fresh', exp: now() + 300 });
    const { fileAccess } = await client.request('session:renew', { ticket: ticketOf({ sid: 'fresh' }) });
    expect(fileAccess).not.toBe(client.ready.fileAccess);
    expect((await load(fileAccess)).status).toBe(200);
    client.close();
  });

  test('is valid for a ticket whose times have fractions', async () => {
    const { client, load } = await withFile({ sid: 'fractions', iat: now() - 0.5, exp: now() + 300.1234 });
    expect((await load(client.ready.fileAccess)).status).toBe(200);
    client.close();
  });

  test('is invalid after the login ends', async () => {
    const { client, load } = await withFile({ sid: 'over' });
    await endLogin('over');
    expect((await load(client.ready.fileAccess)).status).toBe(404);
  });

  test('is invalid after its ticket expires', async () => {
    const { client, load } = await withFile({ sid: 'ending', iat: now() - 60, exp: now() - 28 });
    await client.ended;
    expect((await load(client.ready.fileAccess)).status).toBe(404);
  });

  test.each(['', 'x', 'x.y', 'W10.', `${encode([])}.AAAA`])(
    'is invalid as %j or with a changed content',
    async (access) => {
      const { client, load } = await withFile({ sid: 'wrong' });
      expect((await load(access)).status).toBe(404);
      const [content, signature] = String(client.ready.fileAccess).split('.');
      expect((await load(`${content}x.${signature}`)).status).toBe(404);
      client.close();
    },
  );

  test('has one form only', async () => {
    const { client, load } = await withFile({ sid: 'one form' });
    const [content, signature = ''] = String(client.ready.fileAccess).split('.');
    for (const [form, change] of Object.entries(lenientForms)) {
      expect([form, (await load(`${content}.${change(signature)}`)).status]).toEqual([form, 404]);
    }
    expect((await load(`${content}.${signature}.x`)).status).toBe(404);
    expect((await load(`${content}.${signature}`)).status).toBe(200);
    client.close();
  });

  test('gives no other right', async () => {
    const { client, load } = await withFile({ sid: 'only files' });
    const { fileAccess } = client.ready;
    expect((await refusalOf(connect(fileAccess))).data?.code).toBe('session_invalid');
    expect(await (await load(fileAccess, 'me')).text()).not.toContain('user');
    client.close();
  });

  test('is absent for a login by PHP session', async () => {
    const client = await connectChat(site.chat.url, await site.session(7));
    expect(client.ready).not.toHaveProperty('fileAccess');
    client.close();
  });
});

test('accepts only tickets on a server without a session store', async () => {
  const server = await chatServerHere({ ...usual, ...settings, CHAT_SESSION_STORE: 'none' });
  (await connect(ticketOf(), server.url)).close();
  const { data } = await refusalOf(connectChat(server.url, 'PHPSESSID=abc'));
  expect(data).toMatchObject({ code: 'unauthorized', message: expect.stringContaining('tickets only') });
  expect((await fetch(`${server.url}/readyz`)).status).toBe(200);
  await server.stop();
});

test('the doctor refers to the log if it is asked about a cookie and the server accepts only tickets', async () => {
  const said = await doctorSays({ ...tickets.env, CHAT_SESSION_STORE: 'none' }, '--cookie', 'x');
  expect(said).toMatch(/--cookie is for logins by session.*the log of the server says why/);
});
