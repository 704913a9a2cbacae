import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { chatServerHere } from '../../helpers/chat-here.ts';
import type { RunningChat } from '../../helpers/chat-server.ts';
import { type ChatSite, startChatSite } from '../../helpers/chat-site.ts';
import { download, origin, upload } from '../../helpers/files.ts';
import { inShort, request, say } from '../../helpers/fuzz-exchange.ts';

/** What RFC 9110 and RFC 9112 require of a server, over raw connections. */
const key = 'a-key-of-more-than-16-characters';
const authorized = { Authorization: `Bearer ${key}` };
let site: ChatSite<RunningChat>;
let cookie: string;
beforeAll(async () => {
  site = await startChatSite(
    { CHAT_API_KEY: key, CHAT_ORIGINS: origin, CHAT_MODERATE_DATA: 'on' },
    chatServerHere,
  );
  cookie = await site.session('standards');
});
afterAll(() => site.close());

const ask = (target: string, headers: Record<string, string> = {}) =>
  say(site.chat.port, request(target, headers));
const chunks = '2\r\n{}\r\n0\r\n\r\n';
/** Returns a ban, whose body has this Transfer-Encoding. */
const encoded = (coding: string, body = chunks) =>
  `${request('/api/users/9/ban', { method: 'PUT', ...authorized, 'Transfer-Encoding': coding })}${body}`;
/** Returns the response to a request with these bytes, and whether the server then closes the connection. */
async function answerTo(text: string): Promise<string> {
  const socket = connect(site.chat.port, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  const all = textOf(socket);
  socket.on('error', () => {});
  socket.write(text, 'latin1');
  await once(socket, 'close');
  return `${inShort(all())}, closed`;
}
function textOf(socket: Socket): () => string {
  let text = '';
  socket.setEncoding('latin1').on('data', (piece: string) => {
    text += piece;
  });
  return () => text;
}

describe('a Transfer-Encoding', () => {
  test.each(['chunked', 'Chunked', ' chunked '])('%j is read', async (coding) => {
    expect(inShort(await say(site.chat.port, encoded(coding)))).toBe('200');
  });

  // The end of such a body is unknown (RFC 9112, section 6.3).
  test.each([
    ...['xyz', 'identity', 'gzip', 'chunked, gzip', 'chunked, chunked', 'chunked;a=b', 'chunked;', ','],
    ...['\x0bchunked', 'chunked\r\nTransfer-Encoding: identity'],
  ])('%j is answered by 400, and the connection is closed', async (coding) => {
    expect(await answerTo(encoded(coding))).toBe('400 bad_request, closed');
    expect(await answerTo(request('/healthz', { 'Transfer-Encoding': coding }))).toBe(
      '400 bad_request, closed',
    );
  });

  test.each(['gzip, chunked', 'xyz,chunked', 'gzip\r\nTransfer-Encoding: chunked'])(
    '%j is answered by 501',
    async (coding) => {
      expect(await answerTo(encoded(coding))).toBe('501 not_implemented, closed');
    },
  );

  test.each([
    ['an invalid size', 'zz\r\n\r\n'],
    ['a size without a line feed', '2\r{}\r\n0\r\n\r\n'],
    ['an extension of 20 KB', `2;${'x'.repeat(20_000)}\r\n{}\r\n0\r\n\r\n`],
    ['more bytes than its size', '2\r\n{}{}\r\n0\r\n\r\n'],
    ['a size of 2^64', '10000000000000000\r\n{}\r\n0\r\n\r\n'],
  ])('chunked is answered by 400 if a chunk has %s', async (_, body) => {
    expect(await answerTo(encoded('chunked', body))).toBe('400 bad_request, closed');
  });
});

test.each([
  ['CONNECT', 'CONNECT a:443 HTTP/1.1\r\nHost: a:443\r\n\r\n', '501 not_implemented'],
  ['HTTP/2.0 in a request line', 'GET /healthz HTTP/2.0\r\nHost: a\r\n\r\n', '400 bad_request'],
  ['HTTP/0.9', 'GET /healthz HTTP/0.9\r\n\r\n', '400 bad_request'],
])('answers %s instead of only closing the connection, or serving it', async (_, text, answer) => {
  expect(inShort(await say(site.chat.port, text))).toBe(answer);
});

test.each(['/files?room=lobby&name=a', '/moderate/export?user=1', '/api/audit'])(
  'a 401 of %s names how to authenticate',
  async (target) => {
    const isUpload = target.startsWith('/files');
    const answer = await ask(target, {
      ...(isUpload ? { method: 'POST', Origin: origin, body: 'x' } : {}),
      'Sec-Fetch-Site': 'same-origin',
    });
    expect(inShort(answer)).toBe('401 unauthorized');
    expect(answer).toMatch(/^WWW-Authenticate: \w+/m);
  },
);

test.each(['Bearer', 'bearer', 'Bearer  ', 'BEARER   '])('accepts the key after %j', async (scheme) => {
  expect(inShort(await ask('/api/webhooks', { Authorization: `${scheme} ${key}` }))).toBe('200');
});
test.each(['Bearer\t', 'Bearer', 'Basic ', `Bearer ${key} `])('rejects the key after %j', async (scheme) => {
  expect(inShort(await ask('/api/webhooks', { Authorization: `${scheme}${key}` }))).toBe('401 unauthorized');
});

describe('HEAD on the API', () => {
  const parts = (answer: string) => {
    const [head = '', body] = answer.split('\r\n\r\n');
    return { head: head.replace(/^Date:.*\r\n/m, ''), body };
  };
  test.each([
    '/api/webhooks',
    '/api/audit',
    '/api/users/nobody',
    '/api/rooms/lobby/messages?seq=x',
    '/api/x',
  ])('has the headers of GET, without the body: %s', async (target) => {
    const full = parts(await ask(target, authorized));
    const { head, body } = parts(await headOf(target));
    expect(head).toBe(full.head);
    expect(body).toBe('');
  });

  test('of an archive does not read the data', async () => {
    await ask('/api/users', { method: 'PUT', ...authorized, body: '{"users":[{"id":"head","name":"H"}]}' });
    const { head, body } = parts(await headOf('/api/users/head/export'));
    expect(head).toMatch(/^HTTP\/1\.1 200 [\s\S]*application\/zip/);
    expect(body).toBe('');
    expect(await headOf('/api/users/nobody/export')).toMatch(/^HTTP\/1\.1 404 /);
  });

  test('is among the methods of a 405', async () => {
    expect(await ask('/api/users/7', { method: 'POST', ...authorized })).toMatch(
      /^HTTP\/1\.1 405 [\s\S]*^Allow: GET, HEAD, DELETE\r$/m,
    );
    const other = await ask('/api/users', { method: 'HEAD', ...authorized, Connection: 'close' });
    expect(inShort(other)).toBe('405');
  });

  /** Returns the response to HEAD, after which the next response follows. */
  async function headOf(target: string): Promise<string> {
    const text = request(target, { method: 'HEAD', ...authorized }) + request('/healthz');
    const socket = connect(site.chat.port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    const all = textOf(socket);
    socket.write(text);
    while (!all().includes('"status":"ok"')) await once(socket, 'data');
    return all().slice(0, all().lastIndexOf('HTTP/1.1'));
  }
});

describe('Expect: 100-continue', () => {
  /** Returns the statuses of the response to a request without its body, which follows once the server asks for it. */
  async function statusesOf(
    target: string,
    headers: Record<string, string>,
    body: string,
  ): Promise<number[]> {
    const socket = connect(site.chat.port, '127.0.0.1');
    onTestFinished(() => void socket.destroy());
    const all = textOf(socket);
    socket.write(
      request(target, { Expect: '100-continue', 'Content-Length': String(body.length), ...headers }),
    );
    const statuses = () => [...all().matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => Number(status));
    while (statuses().length === 0) await once(socket, 'data');
    if (statuses()[0] === 100) {
      socket.write(body);
      while (statuses().length === 1) await once(socket, 'data');
    }
    return statuses();
  }
  const ban = { method: 'PUT', ...authorized };
  const toFiles = { method: 'POST', Origin: origin };

  test('asks for the body of a request that may send it', async () => {
    expect(await statusesOf('/api/users/9/ban', ban, '{}')).toEqual([100, 200]);
    const target = '/files?room=lobby&name=a.txt';
    expect(await statusesOf(target, { ...toFiles, Cookie: cookie }, 'hello')).toEqual([100, 201]);
    const polling = '/socket.io/?EIO=4&transport=polling';
    const sid = /"sid":"([^"]+)"/.exec(await ask(polling, { Cookie: cookie }))?.[1];
    expect(await statusesOf(`${polling}&sid=${sid}`, { method: 'POST', Cookie: cookie }, '40')).toEqual([
      100, 200,
    ]);
  });

  test.each([
    ['no key', '/api/users/9/ban', { method: 'PUT' }, 401],
    ['a body above the limit', '/api/users/9/ban', { ...ban, 'Content-Length': '70000' }, 413],
    ['an unknown address', '/api/nothing', ban, 404],
    ['an invalid ID', '/api/users/0/ban', ban, 400],
    ['an upload without a login', '/files?room=lobby&name=a', toFiles, 401],
    [
      'an upload of another site',
      '/files?room=lobby&name=a',
      { method: 'POST', Origin: 'https://x.example' },
      403,
    ],
  ])('refuses before it asks for the body: %s', async (_, target, headers, status) => {
    expect(await statusesOf(target, headers as unknown as Record<string, string>, '{}')).toEqual([status]);
  });

  test('refuses an upload above the limit, or into an unknown room, before it asks for the body', async () => {
    const own = { ...toFiles, Cookie: cookie };
    const large = { ...own, 'Content-Length': '100000000000' };
    expect(await statusesOf('/files?room=lobby&name=a', large, '')).toEqual([413]);
    expect(await statusesOf('/files?room=none&name=a', own, 'x')).toEqual([404]);
  });
});

describe('preconditions', () => {
  test('If-Match compares the ETag of a file strongly, before If-None-Match and Range', async () => {
    const { file } = await upload(site.chat.url, cookie, 'hello', { name: 'a.txt' });
    const target = `/files/${file?.id}/a.txt`;
    const get = async (headers: Record<string, string>) =>
      inShort(await ask(target, { Cookie: cookie, Origin: origin, ...headers }));
    const { etag } = Object.fromEntries((await download(site.chat.url, cookie, file as never)).headers);
    const tag = etag as string;
    expect(await get({ 'If-Match': tag })).toBe('200');
    expect(await get({ 'If-Match': `"a", ${tag}` })).toBe('200');
    expect(await get({ 'If-Match': '*', Range: 'bytes=0-1' })).toBe('206');
    for (const other of ['"a"', `W/${tag}`, '']) {
      expect(await get({ 'If-Match': other, 'If-None-Match': tag, Range: 'bytes=0-1' })).toBe(
        '412 precondition_failed',
      );
    }
  });

  test('If-Match holds for the client’s files too', async () => {
    expect(inShort(await ask('/php-chat.js', { 'If-Match': '"a"' }))).toBe('412 precondition_failed');
    expect(await ask('/php-chat.js', { method: 'HEAD', 'If-Match': '*', Connection: 'close' })).toMatch(
      /^HTTP\/1\.1 200 /,
    );
  });

  test('a call of the API is not made under a condition that nothing can fulfil', async () => {
    const put = (headers: Record<string, string>) =>
      ask('/api/rooms/conditional', {
        ...{ method: 'PUT', ...authorized, ...headers },
        body: '{"name":"Conditional","kind":"private"}',
      });
    for (const [name = '', value = ''] of [
      ['If-Match', '"a"'],
      ['If-Match', '*'],
      ['If-None-Match', '*'],
    ])
      expect(inShort(await put({ [name]: value }))).toBe('412 precondition_failed');
    expect(inShort(await put({ 'If-None-Match': '"a"' }))).toBe('201');
  });
});

test('reads the unit of a Range in any case, and ignores other units', async () => {
  const { file } = await upload(site.chat.url, cookie, 'hello', { name: 'a.txt' });
  const get = async (Range: string) =>
    inShort(await ask(`/files/${file?.id}/a.txt`, { Cookie: cookie, Origin: origin, Range }));
  expect(await get('bytes=1-2')).toBe('206');
  expect(await get('Bytes=1-2')).toBe('206');
  expect(await get('BYTES=-2')).toBe('206');
  expect(await get('Bytes=9-')).toBe('416');
  expect(await get('octets=1-2')).toBe('200');
});
