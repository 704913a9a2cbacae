import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { soak } from '../guarantees/size.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import { chatProgram, historyFolder, type RunningChat, startChatServer } from '../helpers/chat-server.ts';
import { type ChatSite, startChatSite } from '../helpers/chat-site.ts';
import { startChild } from '../helpers/child.ts';
import { startUnprivileged } from '../helpers/other-account.ts';

const key = 'a-key-of-more-than-16-characters';
let site: ChatSite<RunningChat>;
beforeAll(async () => {
  const env = {
    CHAT_API_KEY: key,
    CHAT_LOGIN_URL: 'https://site.example/login?a=1&b="2"',
    CHAT_ORIGINS: 'https://site.example',
    CHAT_USER_AVATAR: '/avatars/{id}.svg',
    CHAT_USER_URL: 'https://people.example/{id}',
    CHAT_MODERATE_DATA: 'on',
  };
  site = await startChatSite(env, chatServerHere);
});
afterAll(() => site.close());

/** Sends raw bytes and returns the response once its JSON body is complete or the connection closes. */
function exchange(request: string): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = '';
    const socket = connect(site.chat.port, '127.0.0.1', () => socket.write(request, 'latin1'));
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
      const [head = '', body] = text.split('\r\n\r\n');
      const length = Number(/content-length: (\d+)/i.exec(head)?.[1]);
      if (body !== undefined && Buffer.byteLength(body) >= length) socket.destroy();
    });
    socket.on('close', () => resolve(text));
    socket.on('error', reject);
  });
}

const get = (path: string, init?: RequestInit) => fetch(site.chat.url + path, init);

describe('the chat page and the client', () => {
  test.each([
    ['/', "'self'"],
    ['/moderate', "'none'"],
  ])('serves %s with a strict policy and frame-ancestors %s', async (path, framedBy) => {
    const page = await get(path);
    expect(page.status).toBe(200);
    expect(page.headers.get('content-type')).toBe('text/html; charset=utf-8');
    const policy = page.headers.get('content-security-policy') ?? '';
    expect(policy).toContain("default-src 'none'");
    expect(policy).toContain("require-trusted-types-for 'script'");
    expect(policy).toContain(`frame-ancestors ${framedBy}`);
    expect(policy).not.toContain('unsafe');
    // The relative path in CHAT_USER_AVATAR became a URL of the site, so the policy has to allow that origin.
    expect(policy).toContain("img-src 'self' https://site.example;");
    expect(page.headers.get('x-content-type-options')).toBe('nosniff');
    const html = await page.text();
    expect(html).toContain('login-url="https://site.example/login?a=1&#38;b=&#34;2&#34;"');
    expect(html).toContain('avatar-url="https://site.example/avatars/{id}.svg"');
    expect(html).not.toContain('profile-url');
    expect(html).toContain('href="https://site.example/login?a=1&#38;b=&#34;2&#34;"');
    expect(html).not.toMatch(/<script>|style=/);
  });

  test('serves the element’s script to every origin and revalidates it each time', async () => {
    const script = await get('/php-chat.js');
    expect(script.headers.get('content-type')).toBe('text/javascript; charset=utf-8');
    expect(script.headers.get('access-control-allow-origin')).toBe('*');
    expect(script.headers.get('cache-control')).toBe('no-cache');
    const etag = script.headers.get('etag') ?? '';
    expect((await get('/php-chat.js', { headers: { 'If-None-Match': etag } })).status).toBe(304);
    expect((await get('/php-chat.js', { headers: { 'If-None-Match': '"other"' } })).status).toBe(200);
  });

  test('marks files with content hashes as immutable', async () => {
    const html = await (await get('/')).text();
    const asset = /["(]\.?(\/assets\/[^"]+)"/.exec(html)?.[1] ?? '';
    const file = await get(asset);
    expect(file.status).toBe(200);
    expect(file.headers.get('cache-control')).toContain('immutable');
  });
});

describe('all other requests', () => {
  test.each([
    ['GET', '/nothing', 404, 'not_found'],
    ['GET', '/..%2f', 404, 'not_found'],
    ['GET', '/assets/..%2f..%2fpackage.json', 404, 'not_found'],
    ['GET', '/%00', 404, 'not_found'],
    ['GET', '/assets/', 404, 'not_found'],
    ['GET', '/index.html', 404, 'not_found'],
    ['GET', '/api/rooms/lobby/messages', 401, 'unauthorized'],
    ['GET', '/constructor', 404, 'not_found'],
    ['POST', '/', 405, 'method_not_allowed'],
    ['DELETE', '/healthz', 405, 'method_not_allowed'],
    ['PUT', '/php-chat.js', 405, 'method_not_allowed'],
  ])('answers %s %s with the JSON error %d', async (method, path, status, code) => {
    const answer = await get(path, { method });
    expect(answer.status).toBe(status);
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(await answer.json()).toEqual({ error: { code, message: expect.any(String) } });
  });

  test.each([
    ['TRACE', 'TRACE / HTTP/1.1\r\nHost: a\r\n\r\n', 405],
    ['headers of 20 KB', `GET / HTTP/1.1\r\nHost: a\r\nX: ${'x'.repeat(20_000)}\r\n\r\n`, 431],
    ['a TLS handshake', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc', 400],
    ['headers that never end, after 10 s', 'GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ', 408],
  ])('answers a malformed request with a JSON error: %s', async (_, request, status) => {
    const answer = await exchange(request);
    expect(answer).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(answer).toContain('{"error":{"code":');
  });
});

/** A proxy that blocks certain paths may parse these targets differently from a URL parser. */
describe('ambiguous request targets', () => {
  test.each([
    ['a backslash instead of a slash', '\\readyz'],
    ['backslashes that lead up', '/x\\..\\readyz'],
    ['two slashes', '//evil.example/readyz'],
    ['dot segments', '/x/../readyz'],
    ['a dot segment at the end', '/readyz/..'],
    ['encoded dot segments', '/x/%2e%2E/readyz'],
    ['dot segments to the chat', '/x/../socket.io/?EIO=4&transport=polling'],
    ['a raw quotation mark', '/ready"z'],
    ['a raw byte over 127', '/ready\xe9z'],
    ['a fragment', '/readyz#/../x'],
    ['a URL of another host', 'http://evil.example/readyz'],
    ['a URL with a user', 'http://x@a/readyz'],
    ['a URL without a path', 'http://a'],
    ['no path', 'readyz'],
  ])('rejects with 400: %s', async (_, target) => {
    const answer = await exchange(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 400 [\s\S]*\{"error":\{"code":"bad_request"/);
    const upgrade = 'Connection: Upgrade\r\nUpgrade: websocket\r\n';
    expect(await exchange(`GET ${target} HTTP/1.1\r\nHost: a\r\n${upgrade}\r\n`)).toMatch(
      /^HTTP\/1\.1 400 [\s\S]*\{"error":\{"code":"bad_request"/,
    );
  });

  test.each(['[', 'a:b', 'a:99999', ''])(
    'rejects an absolute URL with the invalid host %j, also given in `Host`',
    async (host) => {
      const from = site.chat.output().length;
      for (const path of ['/readyz', '/moderate/export?user=1']) {
        const lines = [`GET http://${host}${path} HTTP/1.1`, `Host: ${host}`, 'Sec-Fetch-Site: same-origin'];
        expect(await exchange(`${lines.join('\r\n')}\r\n\r\n`)).toMatch(/^HTTP\/1\.1 400 /);
      }
      // A thrown error would let any client fill the log.
      expect(site.chat.output().slice(from)).not.toMatch(/"level":(50|60)/);
    },
  );

  test.each([['/%5Cx/readyz'], ['/x%2freadyz'], ['/%72eadyz'], ['/readyz/'], ['/READYZ'], ['/readyz%09']])(
    'answers 404 for a path that only resembles an existing path: %s',
    async (target) => {
      expect(await exchange(`GET ${target} HTTP/1.1\r\nHost: a\r\n\r\n`)).toMatch(/^HTTP\/1\.1 404 /);
    },
  );
});

test('does not log an error when a client disconnects in the middle of its request', async () => {
  const from = site.chat.output().length;
  const head = `PUT /api/rooms/cut HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer ${key}\r\n`;
  for (const body of ['Content-Length: 100\r\n\r\n{', 'Transfer-Encoding: chunked\r\n\r\n9\r\n{']) {
    const socket = connect(site.chat.port, '127.0.0.1');
    // The response to /healthz shows that the server has begun to read the second request.
    socket.write(`GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n${head}${body}`);
    await once(socket, 'data');
    socket.resetAndDestroy();
    await once(socket, 'close');
  }
  // By the time of this response, the server has logged the broken requests.
  await get('/healthz');
  expect(site.chat.output().slice(from)).not.toMatch(/"level":(50|60)/);
});

test.each([
  ['an absolute URL', 'GET http://chat.example/healthz HTTP/1.1\r\nHost: chat.example\r\n\r\n'],
  [
    'an offer of HTTP/2',
    'GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n',
  ],
])('serves a request with %s', async (_, request) => {
  expect(await exchange(request)).toMatch(/^HTTP\/1\.1 200 [\s\S]*"status":"ok"/);
});

describe('/metrics', () => {
  test('returns all metrics of docs/operate/monitor.md to a request from this machine', async () => {
    const text = await (await get('/metrics')).text();
    const page = readFileSync(new URL('../../docs/operate/monitor.md', import.meta.url), 'utf8');
    const named = [...page.matchAll(/^- `(chat_\w+)`:/gm)].map(([, name]) => name);
    expect(named).toContain('chat_connections');
    named.push('nodejs_eventloop_lag_p99_seconds');
    expect(named.filter((name) => !text.includes(`# TYPE ${name} `))).toEqual([]);
  });

  test.each([['X-Real-IP: 203.0.113.1'], ['Via: 1.1 proxy'], ['Forwarded: for=203.0.113.1']])(
    'requires the key if the request has %s or another host name',
    async (header) => {
      const head = (host: string, more = '') => `GET /metrics HTTP/1.1\r\nHost: ${host}\r\n${more}\r\n`;
      expect(await exchange(head('127.0.0.1:7070'))).toMatch(/^HTTP\/1\.1 200 /);
      expect(await exchange(head('127.0.0.1:7070', `${header}\r\n`))).toMatch(/^HTTP\/1\.1 401 /);
      expect(await exchange(head('rebound.example:7070'))).toMatch(/^HTTP\/1\.1 401 /);
    },
  );

  test('requires the key behind a proxy, even one on this machine', async () => {
    const forwarded = { 'X-Forwarded-For': '127.0.0.1' };
    expect((await get('/metrics', { headers: forwarded })).status).toBe(401);
    expect((await get('/metrics', { headers: { ...forwarded, Authorization: 'Bearer wrong' } })).status).toBe(
      401,
    );
    expect(
      (await get('/metrics', { headers: { ...forwarded, Authorization: `Bearer ${key}` } })).status,
    ).toBe(200);
  });
});

test('requires the key for /metrics on this machine if CHAT_TRUSTED_PROXIES is set', async () => {
  // A local proxy that forwards the client’s Host and adds no header cannot be told apart from a local client.
  const proxied = await chatServerHere({
    CHAT_SESSION_STORE: site.memcached.url,
    CHAT_TRUSTED_PROXIES: '10.0.0.0/8',
    CHAT_API_KEY: key,
  });
  onTestFinished(async () => void (await proxied.stop()));
  expect((await fetch(`${proxied.url}/metrics`)).status).toBe(401);
  const headers = { Authorization: `Bearer ${key}` };
  expect((await fetch(`${proxied.url}/metrics`, { headers })).status).toBe(200);
});

describe('a failing start', () => {
  const history = historyFolder();
  afterAll(() => history.remove());
  const here = (args: readonly string[], env: NodeJS.ProcessEnv) =>
    startChild(process.execPath, args, { cwd: fileURLToPath(new URL('../../', import.meta.url)), env });
  const end = async (own: NodeJS.ProcessEnv, start = here) => {
    const child = start(chatProgram, {
      PATH: process.env.PATH,
      CHAT_HOST: '127.0.0.1',
      CHAT_PORT: '0',
      CHAT_HISTORY: history.url,
      CHAT_SESSION_STORE: site.memcached.url,
      ...own,
    });
    await new Promise((resolve) => child.process.on('close', resolve));
    return { code: child.process.exitCode, output: child.output() };
  };

  test('reports all invalid settings at once and exits with 78', async () => {
    const { code, output } = await end({
      CHAT_PORT: 'x',
      CHAT_ROOMS: 'u-mine',
      CHAT_SESSION_STORE: 'redis://:secret@h:0',
    });
    expect(code).toBe(78);
    expect(output).toMatch(
      /CHAT_PORT: "x" is not[\s\S]*CHAT_ROOMS: "u-mine" is not[\s\S]*CHAT_SESSION_STORE: /,
    );
    expect(output).not.toContain('secret');
  });

  test('reports a port in use', async () => {
    const { code, output } = await end({ CHAT_PORT: String(site.chat.port) });
    expect(code).toBe(74);
    expect(output).toContain(`EADDRINUSE`);
  });

  test('reports a history that cannot be opened', async () => {
    const { code, output } = await end({ CHAT_HISTORY: 'sqlite:/dev/null/chat.db' });
    expect(code).toBe(74);
    // The log entry names the cause once.
    expect(output).toMatch(
      /"message":"the history [^E"]*EEXIST: file already exists, mkdir '\/dev\/null'",.*"the server failed to start"/,
    );
  });

  if (soak) {
    test('names the account and the command to run if a folder cannot be created', async () => {
      // Root may create it.
      const { code, output } = await end({ CHAT_HISTORY: 'sqlite:/usr/chat/chat.db' }, startUnprivileged);
      expect(code).toBe(78);
      expect(output).toMatch(
        /the account (\S+) may not create the folder \/usr\/chat \(EACCES\); as root, run: install -d -o \1 -m 700 \/usr\/chat/,
      );
    });
  }
});

if (soak) {
  test('answers 503 for the page if the client is not built, and serves the rest', async () => {
    // The server looks for the client in a sibling folder, so a copy of the server alone has none.
    const root = fileURLToPath(new URL('../../', import.meta.url));
    const folder = mkdtempSync(join(tmpdir(), 'chat-bare-'));
    cpSync(join(root, 'server'), join(folder, 'server'), { recursive: true });
    cpSync(join(root, 'package.json'), join(folder, 'package.json'));
    symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
    let server: RunningChat | undefined;
    try {
      server = await startChatServer({ CHAT_SESSION_STORE: site.memcached.url }, folder);
      for (const path of ['/', '/php-chat.js']) {
        const answer = await fetch(server.url + path);
        expect([answer.status, await answer.json()]).toMatchObject([
          503,
          { error: { code: 'client_not_built' } },
        ]);
      }
      expect((await fetch(`${server.url}/healthz`)).status).toBe(200);
    } finally {
      await server?.stop();
      rmSync(folder, { recursive: true });
    }
  });
}
