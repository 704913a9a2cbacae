import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type ConnectRefused, connectChat, newClientId } from '../helpers/chat-client.ts';
import { chatServerHere } from '../helpers/chat-here.ts';
import type { RunningChat } from '../helpers/chat-server.ts';
import { type ChatSite, startChatSite } from '../helpers/chat-site.ts';
import { inShort, request, say, upgrade } from '../helpers/fuzz-exchange.ts';
import { connectRaw, frame, openRaw } from '../helpers/raw-client.ts';
import { metrics } from '../helpers/server-figures.ts';

/**
 * Sends the bad input of docs/guarantees.md. Each gets the listed response, and the next client is served as usual.
 * Input that only PHP's formats can contain (references, INF) is tested in packages/php-session/test/.
 */
const key = 'a-key-of-more-than-16-characters';
const user = 'an-id-of-somebody-who-is-logged-in';
const cookie = `PHPSESSID=${user}`;
let site: ChatSite<RunningChat>;
/** Accepts five connections per hour from an address, and one message per hour from a user. */
let capped: RunningChat;
let slowHeaders: Promise<string>;

beforeAll(async () => {
  const env = { CHAT_API_KEY: key, CHAT_ORIGINS: 'https://good.example' };
  site = await startChatSite(env, chatServerHere);
  capped = await chatServerHere({
    CHAT_SESSION_STORE: site.memcached.url,
    CHAT_LIMIT_CONNECT_ADDRESS: '5/1h',
    CHAT_LIMIT_SEND: '1/1h',
  });
  await site.memcached.set(`sessions/${user}`, '{"user_id":7}');
  await site.memcached.set('sessions/with,comma', '{"user_id":5}');
  // Takes 10 s, so it starts before the others.
  slowHeaders = say(site.chat.port, 'GET / HTTP/1.1\r\nHost: a\r\nX-Slow: ');
});
afterAll(async () => {
  await capped?.stop();
  await site?.close();
});

/** Checks that `/healthz`, a new connection and its first request are answered. */
async function nextIsServed(
  { url, port }: RunningChat = site.chat,
  localAddress = '127.0.0.1',
): Promise<void> {
  expect((await fetch(`${url}/healthz`)).status).toBe(200);
  const client = await connectRaw(port, cookie, undefined, localAddress);
  expect(await client.request('room:list', {})).toContain('"ok":true');
  client.socket.destroy();
}

/** Each row: the title, a function that sends the input, and the short form of the response. */
type Row = [item: string, send: () => Promise<string>, answer: string];
const list = (section: string, rows: Row[]) =>
  describe(section, () => {
    test.each(rows)('%s: $2', async (_, send, answer) => {
      expect(await send()).toBe(answer);
      await nextIsServed();
    });
  });

const http = async (text: string) => inShort(await say(site.chat.port, text));
const get = (target: string, headers?: Record<string, string>) => () => http(request(target, headers));
const polling = '/socket.io/?EIO=4&transport=polling';
/** Returns the distinct responses of both transports. */
const from =
  (Origin: string, Host = 'chat.example') =>
  async () => {
    const answers = [
      await http(request(polling, { Origin, Host })),
      await http(request('/socket.io/?EIO=4&transport=websocket', { Origin, Host, ...upgrade })),
    ];
    return [...new Set(answers)].join();
  };

list('Handshake', [
  ['an evil origin', from('https://evil.example'), '403 origin_not_allowed'],
  ['the origin null', from('null'), '403 origin_not_allowed'],
  ['an origin that starts with an allowed one', from('https://good.example.evil'), '403 origin_not_allowed'],
  ['http instead of https', from('http://good.example'), '403 origin_not_allowed'],
  ['a wrong port', from('https://good.example:444'), '403 origin_not_allowed'],
  ...[
    '/socket.io/?transport=polling',
    '/socket.io/?EIO=4&transport=websocket',
    `${polling}&sid=AAAAAAAAAAAAAAAAAAAA`,
    `${polling}&sid=__proto__`,
    `${polling}&sid=`,
    `${polling}&sid=&sid=AAAAAAAAAAAAAAAAAAAA`,
    `${polling}&transport=websocket`,
    `${polling}&EIO=3`,
    `${polling}&j=1`,
    '//socket.io/?EIO=4',
  ].map((target): Row => [target, get(target), '400 bad_request']),
  ['text that is not HTTP', () => http('hello\r\n\r\n'), '400 bad_request'],
  ['POST without a sid', get(polling, { method: 'POST', body: '40' }), '400 bad_request'],
  ['EIO=3', get('/socket.io/?EIO=3&transport=polling'), '400 unsupported_protocol'],
  ['transport=__proto__', get('/socket.io/?EIO=4&transport=__proto__'), '400 bad_request'],
  ['PUT', get(polling, { method: 'PUT' }), '400 bad_request'],
  ['a cookie of 20 KB', get(polling, { Cookie: `a=${'x'.repeat(20_000)}` }), '431 header_too_large'],
]);

test('Handshake: limits the connections of an address despite X-Forwarded-For', async () => {
  for (let n = 0; n < 5; n++) expect(inShort(await say(capped.port, request(polling)))).toBe('200');
  for (const forged of [{}, { 'X-Forwarded-For': '203.0.113.9' }, { 'X-Forwarded-For': '127.0.0.2' }]) {
    for (const target of [polling, '/socket.io/?EIO=4&transport=websocket']) {
      const more = target === polling ? {} : upgrade;
      const headers = { ...forged, ...more } as Record<string, string>;
      const answer = await say(capped.port, request(target, headers));
      expect(inShort(answer)).toBe('429 rate_limited');
      expect(answer).toMatch(/^Retry-After: \d+\r$/m);
    }
  }
  await nextIsServed(capped, '127.0.0.2');
});

/** Returns the outcome of a CONNECT with this header, such as `unauthorized` or `accepted 7`. */
const withCookie =
  (header: string | null, options = {}) =>
  async () => {
    try {
      const client = await connectChat(site.chat.url, header, options);
      client.close();
      return `accepted ${client.ready.user.id}`;
    } catch (error) {
      return (error as ConnectRefused).data?.code ?? String(error);
    }
  };
const id = (text: string) => withCookie(`PHPSESSID=${text}`);
const session = (bytes: string | (() => string)) => async () =>
  withCookie(await site.rawSession(typeof bytes === 'string' ? bytes : bytes()))();

list('Cookie', [
  ['none', withCookie(null), 'unauthorized'],
  ['an empty ID', id(''), 'unauthorized'],
  ['an unknown ID', id('abcdefghijklmnopqrstuvwxyz'), 'unauthorized'],
  ['A_B', id('A_B'), 'unauthorized'],
  ['a path', id('../../etc/passwd'), 'unauthorized'],
  ['a command to memcached', id('a%0d%0aflush_all'), 'unauthorized'],
  ['a space', id('a b'), 'unauthorized'],
  ['%00', id('a%00b'), 'unauthorized'],
  ['a raw control character', get(polling, { Cookie: 'PHPSESSID=a\x01b' }), '400 bad_request'],
  ['257 characters', id('a'.repeat(257)), 'unauthorized'],
  ['a key that is too long for memcached', id('a'.repeat(250)), 'unauthorized'],
  ['%E0%A4%A', id('%E0%A4%A'), 'unauthorized'],
  ['a quoted ID', id(`"${user}"`), 'unauthorized'],
  ['two different IDs', id(`${user}; PHPSESSID=with,comma`), 'unauthorized'],
  ['an ID in the query', withCookie(null, { query: { PHPSESSID: user, session: user } }), 'unauthorized'],
  ['%2C', id('with%2Ccomma'), 'accepted 5'],
  ['the same ID twice', id(`${user}; ${cookie}`), 'accepted 7'],
]);

const levels = (depth: number) => '['.repeat(depth) + ']'.repeat(depth);
list('Session', [
  ['no user field', session('{"csrf":"x"}'), 'unauthorized'],
  ...['null', 'false', '0', '"0"', '""', '[]', '{}', '0.0'].map(
    (empty): Row => [`empty() in PHP: ${empty}`, session(`{"user_id":${empty}}`), 'unauthorized'],
  ),
  ['an empty record', session(''), 'unauthorized'],
  ['PHP’s empty session', session('[]'), 'unauthorized'],
  ...['[1]', '{"a":1}', 'true', '1.0', '1e3', '-1'].map(
    (value): Row => [`the user ${value}`, session(`{"user_id":${value}}`), 'session_invalid'],
  ),
  ['a user inherited through __proto__', session('{"__proto__":{"user_id":7}}'), 'unauthorized'],
  ['truncated bytes', session('{"user_id":7,"csrf":"x'), 'session_invalid'],
  ['a wrong length', session('user_id|s:9:"7";'), 'session_invalid'],
  ['a:2000000000', session('a:2000000000:{s:7:"user_id";i:7;}'), 'session_invalid'],
  ['200,000 levels', session(() => `{"user_id":7,"a":${levels(200_000)}}`), 'session_invalid'],
  ['2 MB', session(() => JSON.stringify({ user_id: 7, a: 'x'.repeat(2 ** 21) })), 'session_invalid'],
  ['a format that is not configured', session('user_id|i:7;'), 'session_invalid'],
  ['| and ; inside strings', session('{"bio":"user_id|i:1;","user_id":7}'), 'accepted 7'],
  ['objects in other keys', session('{"cart":{"items":[{"id":1.5e99}]},"user_id":7}'), 'accepted 7'],
  ['a 64-bit ID', session('{"user_id":9223372036854775807}'), 'accepted 9223372036854775807'],
  ['the last of equal keys', session('{"user_id":1,"user_id":7}'), 'accepted 7'],
]);

test('Session: logs the format that the bytes look like, but not their content', async () => {
  for (const line of [
    /the bytes look like php"/,
    /the bytes look like php_serialize"/,
    /user_id is not a user id but a list/,
  ])
    await expect.poll(() => site.chat.output()).toMatch(line);
  expect(site.chat.output()).not.toContain('i:7;');
});

const closings = async () =>
  [...(await metrics(site.chat.url))].filter(([name]) => name.startsWith('chat_closed_total'));

/** Returns the reason that the server counted for closing this connection, such as `closed as malformed`. */
const packet =
  (payload: string | Buffer, { connected = true, op = 1 } = {}) =>
  async () => {
    const before = new Map(await closings());
    const { socket } = connected
      ? await connectRaw(site.chat.port, cookie)
      : await openRaw(site.chat.port, { cookie });
    const closed = new Promise((resolve) => socket.once('close', resolve));
    socket.write(frame(payload, op));
    await closed;
    const risen = (await closings()).filter(([name, n]) => n > (before.get(name) ?? 0));
    return `closed as ${risen.map(([name]) => /reason="(\w+)"/.exec(name)?.[1]).join()}`;
  };

list('Packets', [
  ['an event before CONNECT', packet('420["room:list",{}]', { connected: false }), 'closed as malformed'],
  ['an unknown Engine.IO type before CONNECT', packet('9', { connected: false }), 'closed as malformed'],
  // The server reads the type as a number, and a blank counts as 0.
  ...['40', '4 ', '40/,{}', '4\n/,{}'].map(
    (connect): Row => [
      `a second CONNECT: ${JSON.stringify(connect)}`,
      packet(connect),
      'closed as second_connect',
    ],
  ),
  ['an unknown type', packet('49'), 'closed as malformed'],
  ['a CONNECT_ERROR', packet('44{"message":"x"}'), 'closed as malformed'],
  ['an unrequested ack', packet('439[]'), 'closed as malformed'],
  ['an attachment without an event', packet(Buffer.from([1, 2, 3]), { op: 2 }), 'closed as malformed'],
  ['broken JSON', packet('42["room:list",'), 'closed as malformed'],
  ['42[]', packet('42[]'), 'closed as malformed'],
  ['42["disconnecting"]', packet('42["disconnecting"]'), 'closed as malformed'],
  ['11 attachments', packet('4511-["a",{"_placeholder":true,"num":0}]'), 'closed as malformed'],
  ['invalid UTF-8', packet(Buffer.from('3432c328', 'hex')), 'closed as malformed'],
  ['70 KB', packet(`42["room:list",{"a":"${'x'.repeat(70_000)}"}]`), 'closed as too_large'],
]);

/** Returns the error code of the response, on a connection that has joined the lobby and must still work afterwards. */
const event =
  (name: string, ...args: (string | object)[]) =>
  async () => {
    const client = await connectRaw(site.chat.port, cookie, 'lobby');
    // A string is raw JSON, some of which no JavaScript value would produce.
    const payloads = args.map((arg) => (typeof arg === 'string' ? arg : JSON.stringify(arg)));
    const answer = await client.ask([JSON.stringify(name), ...payloads].join());
    expect(await client.request('room:list', {})).toContain('"ok":true');
    client.socket.destroy();
    return /^\[\{"ok":false,"error":\{"code":"(\w+)"/.exec(answer)?.[1] ?? answer;
  };
const message = (over: object = {}) => ({ room: 'lobby', text: 'hello', clientId: newClientId(), ...over });

list('Events', [
  ['extra arguments', event('room:join', { room: 'lobby' }, '1'), 'bad_request'],
  ['null', event('room:join', 'null'), 'bad_request'],
  ['a number', event('message:send', '7'), 'bad_request'],
  ['20,000 levels', event('room:list', `{"a":${levels(20_000)}}`), 'bad_request'],
  ['__proto__ in the body', event('room:list', '{"a":{"__proto__":{}}}'), 'bad_request'],
  ['a lone surrogate', event('message:send', message({ text: 'a\ud800' })), 'bad_request'],
  ['a blank text', event('message:send', message({ text: ' \n\u3000' })), 'bad_request'],
  ['a bad clientId', event('message:send', message({ clientId: 'a b' })), 'bad_request'],
  ['a negative cursor', event('room:sync', { room: 'lobby', since: -1 }), 'bad_request'],
  ['limit 1e9', event('room:sync', '{"room":"lobby","since":0,"limit":1e9}'), 'bad_request'],
  ['4001 characters', event('message:send', message({ text: 'x'.repeat(4001) })), 'too_long'],
  ['an unknown room', event('room:join', { room: 'cellar' }), 'unknown_room'],
  ['an unknown event', event('room:explode', {}), 'unknown_event'],
]);

test('Events: rate_limited contains the time to wait', async () => {
  // From another address, because the other tests have used up the connections of their address.
  const client = await connectRaw(capped.port, cookie, 'lobby', '127.0.0.3');
  const send = () => client.request('message:send', message());
  expect(await send()).toContain('"ok":true');
  expect(await send()).toMatch(/"code":"rate_limited".*"retryAfterMs":3(599|600)\d{3}/);
  client.socket.destroy();
  await nextIsServed(capped, '127.0.0.4');
});

/** Posts to a new polling connection. @returns the short form of the response */
const post = async (body: string) => {
  const greeting = await say(site.chat.port, request(polling, { Cookie: cookie }));
  const sid = /"sid":"([^"]+)"/.exec(greeting)?.[1];
  return http(request(`${polling}&sid=${sid}`, { method: 'POST', Cookie: cookie, body }));
};
list('HTTP', [
  ['/..%2f', get('/..%2f'), '404 not_found'],
  ['TRACE', get('/', { method: 'TRACE' }), '405 method_not_allowed'],
  [
    'broken JSON',
    get('/api/rooms/lobby/messages', {
      method: 'POST',
      Authorization: `Bearer ${key}`,
      'Content-Type': 'application/json',
      body: '{',
    }),
    '400 bad_request',
  ],
  ['a body that is too large', () => post('x'.repeat(70_000)), '413 too_large'],
  ['no key', get('/metrics', { 'X-Forwarded-For': '127.0.0.1' }), '401 unauthorized'],
  ['slow headers', async () => inShort(await slowHeaders), '408 request_timeout'],
]);
