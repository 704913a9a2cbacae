import { renameSync } from 'node:fs';
import { connect } from 'node:net';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { connectChat } from '../../helpers/chat-client.ts';
import { type ChatServer, nextChatServer } from '../../helpers/chat-server.ts';
import { type ChatSite, startChatSite } from '../../helpers/chat-site.ts';
import { phpbbSite } from '../../helpers/phpbb.ts';
import { startSiteDatabase } from '../../helpers/site-database.ts';

let site: ChatSite;
let strict: ChatServer;
beforeAll(async () => {
  site = await startChatSite({
    CHAT_ORIGINS:
      'https://good.example,http://shop.example:8080,https://*.blogs.example,capacitor://localhost,app://chat',
  });
  strict = await nextChatServer({
    CHAT_ORIGINS: 'https://good.example',
    CHAT_NATIVE_CLIENTS: 'false',
    CHAT_SESSION_STORE: site.memcached.url,
  });
});
afterAll(async () => {
  await strict.stop();
  await site.close();
});

const handshake = '/socket.io/?EIO=4&transport=polling';

/** Sends an HTTP request exactly as given, so that Host and Origin can be anything. */
function raw(
  server: { port: number },
  request: string,
): Promise<{ status: number; head: string; body: string }> {
  return new Promise((resolve, reject) => {
    const socket = connect(server.port, '127.0.0.1', () => socket.write(request));
    let answer = '';
    const done = () => {
      socket.destroy();
      const [head = '', body = ''] = answer.split('\r\n\r\n');
      resolve({ status: Number(/^HTTP\/1\.1 (\d+)/.exec(head)?.[1]), head, body });
    };
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      answer += chunk;
      const [head, body] = answer.split('\r\n\r\n');
      const length = Number(/content-length: (\d+)/i.exec(head ?? '')?.[1] ?? Number.NaN);
      if (/^HTTP\/1\.1 (101|204) /.test(answer) || (body !== undefined && Buffer.byteLength(body) >= length))
        done();
    });
    socket.on('end', done);
    socket.on('error', reject);
  });
}

function get(path: string, headers: Record<string, string | undefined>, method = 'GET', body = ''): string {
  const lines = Object.entries({
    Host: 'chat.example',
    ...headers,
    ...(body && { 'Content-Length': String(body.length) }),
  })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}: ${value}\r\n`);
  return `${method} ${path} HTTP/1.1\r\n${lines.join('')}\r\n${body}`;
}

const upgrade = (
  headers: Record<string, string | undefined>,
  path = '/socket.io/?EIO=4&transport=websocket',
) =>
  get(path, {
    Connection: 'Upgrade',
    Upgrade: 'websocket',
    'Sec-WebSocket-Version': '13',
    'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  });

describe('Origin', () => {
  const foreign: [string, string, string?][] = [
    ['evil', 'https://evil.example'],
    ['null', 'null'],
    ['a name that begins like an allowed one', 'https://good.example.evil'],
    ['http for https', 'http://good.example'],
    ['a wrong port', 'https://good.example:444'],
    ['a path', 'https://good.example/'],
    ['the own address under a foreign name', 'http://rebound.example:7070', 'rebound.example:7070'],
    ['http for https on the own host', 'http://good.example:7070', 'good.example:7070'],
    ['nothing of the kind', 'good.example'],
    ['two labels for a wildcard', 'https://a.b.blogs.example'],
    ['no label for a wildcard', 'https://blogs.example'],
    ['a wildcard within a label', 'https://evilblogs.example'],
    ['another port than that of a wildcard', 'https://a.blogs.example:444'],
    ['a user name where a wildcard has a label', 'https://evil@a.blogs.example'],
    ['what ends a host where a wildcard has a label', 'https://evil\\.blogs.example'],
    ['another app', 'app://other'],
    ['another scheme', 'ionic://localhost'],
  ];
  test.each(foreign)('refused on both transports: %s', async (_, Origin, Host) => {
    for (const request of [
      get(handshake, { Origin, Host: Host ?? 'chat.example' }),
      upgrade({ Origin, Host: Host ?? 'chat.example' }),
    ]) {
      const answer = await raw(site.chat, request);
      expect(answer.status).toBe(403);
      expect(JSON.parse(answer.body)).toEqual({
        error: { code: 'origin_not_allowed', message: expect.any(String) },
      });
      expect(answer.head).not.toMatch(/access-control-allow-origin/i);
    }
  });

  test.each([
    ['as listed', 'https://good.example', 'chat.example'],
    ['as listed, with a port', 'http://shop.example:8080', 'chat.example'],
    ['the own page on loopback', 'http://localhost:7070', 'localhost:7070'],
    ['the own page on 127.0.0.1', 'http://127.0.0.1:7070', '127.0.0.1:7070'],
    ['the own page on a listed host and scheme', 'https://good.example:7070', 'good.example:7070'],
    ['a label for a wildcard', 'https://a.blogs.example', 'chat.example'],
    ['the own page on a host of a wildcard', 'https://a.blogs.example:7070', 'a.blogs.example:7070'],
    ['an app with a scheme of its own', 'capacitor://localhost', 'chat.example'],
    ['an app with a name of its own', 'app://chat', 'chat.example'],
    ['a native client', undefined, 'chat.example'],
  ])('allowed: %s', async (_, Origin, Host) => {
    const polling = await raw(site.chat, get(handshake, { Origin, Host }));
    expect(polling.status).toBe(200);
    expect(polling.head).toMatch(/^vary: origin$/im);
    if (Origin !== undefined) {
      expect(polling.head).toContain(`Access-Control-Allow-Origin: ${Origin}`);
      expect(polling.head).toContain('Access-Control-Allow-Credentials: true');
    }
    expect((await raw(site.chat, upgrade({ Origin, Host }))).status).toBe(101);
  });

  test('without native clients an upgrade needs an Origin; a GET of the own page may lack it', async () => {
    expect((await raw(strict, upgrade({}))).status).toBe(403);
    expect((await raw(strict, upgrade({ Origin: 'https://good.example' }))).status).toBe(101);
    const first = await raw(strict, get(handshake, {}));
    expect(first.status).toBe(200);
    const { sid } = JSON.parse(first.body.slice(1)) as { sid: string };
    expect((await raw(strict, get(`${handshake}&sid=${sid}`, {}, 'POST', '40'))).status).toBe(403);
    const own = { Origin: 'https://good.example' };
    expect((await raw(strict, get(`${handshake}&sid=${sid}`, own, 'POST', '40'))).status).toBe(200);
  });

  test.each([
    ['cross-site', 403],
    // A sibling subdomain is a foreign page too: its legitimate requests have an Origin.
    ['same-site', 403],
    ['none, same-origin', 403],
    ['same-origin', 200],
    ['none', 200],
  ])('without Origin: Sec-Fetch-Site %s is %d, whether apps may connect or not', async (site_, status) => {
    for (const server of [site.chat, strict]) {
      const answer = await raw(server, get(handshake, { 'Sec-Fetch-Site': site_ }));
      expect(answer.status).toBe(status);
      if (status === 403)
        expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'origin_not_allowed' } });
    }
    const Origin = 'https://good.example';
    expect((await raw(strict, get(handshake, { Origin, 'Sec-Fetch-Site': site_ }))).status).toBe(200);
  });

  test.each([
    ['image', 403],
    ['iframe', 403],
    ['script', 403],
    ['empty', 200],
    ['document', 200],
  ])('a page of this origin that loads it as %s gets %d', async (dest, status) => {
    const headers = { 'Sec-Fetch-Site': 'same-origin', 'Sec-Fetch-Dest': dest };
    expect((await raw(site.chat, get(handshake, headers))).status).toBe(status);
  });

  test('a preflight is answered for allowed origins only', async () => {
    const allowed = await raw(site.chat, get(handshake, { Origin: 'https://good.example' }, 'OPTIONS'));
    expect(allowed.status).toBe(204);
    expect((await raw(site.chat, get(handshake, { Origin: 'https://evil.example' }, 'OPTIONS'))).status).toBe(
      403,
    );
  });
});

test('the log names the origin that was refused, once', async () => {
  await site.chat.until(/CHAT_ORIGINS does not list https:\/\/evil\.example"/);
  expect(site.chat.output().match(/CHAT_ORIGINS does not list/g)).toHaveLength(1);
});

test('an origin takes nothing into the log that a terminal would obey', async () => {
  const server = await nextChatServer({ CHAT_SESSION_STORE: site.memcached.url });
  onTestFinished(async () => void (await server.stop()));
  // The 8-bit form of the escape sequence that clears a screen.
  await raw(server, get(handshake, { Origin: 'https://evil.example\u009b2J' }));
  const [line = ''] = await server.until(/CHAT_ORIGINS does not list .*/);
  expect(line).toMatch(/https:\/\/evil\.example\?+2J"/);
});

describe('a request that Engine.IO could not use: 400', () => {
  test.each([
    ['no EIO', get('/socket.io/?transport=polling', {})],
    ['transport=__proto__', get('/socket.io/?EIO=4&transport=__proto__', {})],
    ['transport=websocket without an upgrade', get('/socket.io/?EIO=4&transport=websocket', {})],
    ['an unknown sid', get(`${handshake}&sid=AAAAAAAAAAAAAAAAAAAA`, {})],
    ['sid=__proto__', get(`${handshake}&sid=__proto__`, {})],
    ['an empty sid', get(`${handshake}&sid=`, {})],
    ['two sids, one of them empty', get(`${handshake}&sid=&sid=AAAAAAAAAAAAAAAAAAAA`, {})],
    ['two transports', get('/socket.io/?EIO=4&transport=polling&transport=websocket', {})],
    ['two versions', get('/socket.io/?EIO=4&EIO=3&transport=polling', {})],
    ['JSONP', get(`${handshake}&j=1`, {})],
    ['PUT', get(handshake, {}, 'PUT')],
    ['POST without a sid', get(handshake, {}, 'POST', '40')],
    ['a target that is no path', get('//socket.io/?EIO=4', {})],
    ['a raw control character in a cookie', get(handshake, { Cookie: 'PHPSESSID=a\x01b' })],
    ['no HTTP at all', 'hello\r\n\r\n'],
  ])('%s', async (_, request) => {
    const answer = await raw(site.chat, request);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'bad_request' } });
  });

  test.each([
    ['polling', get('/socket.io/?EIO=3&transport=polling', {})],
    ['an upgrade', upgrade({}, '/socket.io/?EIO=3&transport=websocket')],
  ])('a client of Socket.IO 2 learns that its protocol is not supported: %s', async (_, request) => {
    const answer = await raw(site.chat, request);
    expect(answer.status).toBe(400);
    expect(JSON.parse(answer.body)).toMatchObject({
      code: 5,
      message: 'Unsupported protocol version',
      error: { code: 'unsupported_protocol' },
    });
  });

  test('headers above 16 KB or 100 are 431, logged once with a hint', async () => {
    for (const headers of [
      { Cookie: `PHPSESSID=${'a'.repeat(20_000)}` },
      Object.fromEntries(Array.from({ length: 120 }, (_, n) => [`X-${n}`, '1'])),
    ]) {
      const answer = await raw(site.chat, get(handshake, headers));
      expect(answer.status).toBe(431);
      expect(JSON.parse(answer.body)).toMatchObject({ error: { code: 'header_too_large' } });
    }
    await site.chat.until(/"code":"header_too_large","reason":".*16 KB.*","hint":".*cookies/);
    expect(site.chat.output().match(/header_too_large/g)).toHaveLength(1);
  });
});

describe('the sid of a connection is no key to it', () => {
  async function begin(headers: Record<string, string | undefined>) {
    const answer = await raw(site.chat, get(handshake, headers));
    const { sid } = JSON.parse(answer.body.slice(1)) as { sid: string };
    return `${handshake}&sid=${sid}`;
  }

  test('no cookie, another cookie, another origin: 403 on a poll, a post and an upgrade', async () => {
    const Cookie = await site.session(1);
    const own = { Cookie, Origin: 'https://good.example' };
    const path = await begin(own);
    const stolen = [
      { Origin: 'https://good.example' },
      { Origin: 'https://good.example', Cookie: await site.session(2) },
      { Cookie, Origin: 'http://shop.example:8080' },
      { Cookie },
    ];
    for (const headers of stolen) {
      expect((await raw(site.chat, get(path, headers, 'POST', '40'))).status).toBe(403);
      expect((await raw(site.chat, upgrade(headers, path.replace('polling', 'websocket')))).status).toBe(403);
    }
    for (const headers of stolen.slice(0, 3))
      expect((await raw(site.chat, get(path, headers))).status).toBe(403);
    expect((await raw(site.chat, get(path, own, 'POST', '40'))).status).toBe(200);
    expect((await raw(site.chat, get(path, own))).body).toMatch(/^40\{"sid"/);
  });

  test('nor is it when the connection began before the database of the site could be read', async () => {
    const db = await startSiteDatabase('sqlite');
    onTestFinished(() => db.remove());
    const forum = await phpbbSite(db);
    onTestFinished(forum.remove);
    const { cookies: Cookie } = await forum.logIn('7');
    renameSync(db.name, `${db.name}.away`);
    const chat = await nextChatServer({ CHAT_SITE: forum.folder, CHAT_SITE_CHECKS: 'off' });
    onTestFinished(async () => void (await chat.stop()));
    const beginning = await raw(chat, get(handshake, { Cookie }));
    const { sid } = JSON.parse(beginning.body.slice(1)) as { sid: string };
    renameSync(`${db.name}.away`, db.name);
    await expect.poll(async () => (await fetch(`${chat.url}/readyz`)).status).toBe(200);
    const path = `${handshake}&sid=${sid}`;
    await raw(chat, get(path, {}, 'POST', '40'));
    // Nobody without the cookie polls what is said to its owner.
    expect((await raw(chat, get(path, {}))).body).toMatch(/^44.*session_store_unavailable/);
    const client = await connectChat(chat.url, Cookie);
    expect(client.ready.user.id).toBe('7');
    client.close();
  });

  test('nor is it when it stands twice in the address, beside an own one or none', async () => {
    const Cookie = await site.session(1);
    const sid = (await begin({ Cookie })).split('&sid=')[1];
    const own = (await begin({})).split('&sid=')[1];
    for (const twice of [`sid=&sid=${sid}`, `sid=${own}&sid=${sid}`, `sid=${sid}&sid=${own}`]) {
      expect((await raw(site.chat, get(`${handshake}&${twice}`, {}))).status).toBe(400);
      expect((await raw(site.chat, get(`${handshake}&${twice}`, {}, 'POST', '40'))).status).toBe(400);
      const path = `/socket.io/?EIO=4&transport=websocket&${twice}`;
      expect((await raw(site.chat, upgrade({}, path))).status).toBe(400);
    }
  });

  test('a connection that began as a WebSocket cannot be taken over by another one', async () => {
    const [, session] = (await site.session(1)).split('=');
    const native = await connectChat(site.chat.url, null, { auth: { session } });
    const sid = native.socket.io.engine.id;
    expect(
      (await raw(site.chat, upgrade({}, `/socket.io/?EIO=4&transport=websocket&sid=${sid}`))).status,
    ).toBe(400);
    expect((await raw(site.chat, get(`${handshake}&sid=${sid}`, {}))).status).toBe(400);
    expect(native.socket.connected).toBe(true);
    native.close();
  });

  test('other cookies may change, and the origin of a GET may be missing', async () => {
    const Cookie = await site.session(1);
    const path = await begin({ Cookie });
    const later = { Cookie: `theme=dark; ${Cookie}`, Origin: 'https://good.example' };
    expect((await raw(site.chat, get(path, later, 'POST', '40'))).status).toBe(200);
    expect((await raw(site.chat, get(path, { Cookie }))).status).toBe(200);
  });
});

test('after all that the next client is served', async () => {
  expect((await fetch(`${site.chat.url}/healthz`)).status).toBe(200);
});
