import { connect } from 'node:net';
import fc from 'fast-check';
import { type Edit, edits, mostly, mutate, type PacketCase, packetCase, packetsOf } from './fuzz-packets.ts';
import { notHanging } from './fuzz-wire.ts';

/** Each character is one byte. */
const bytes = (maxLength: number) => fc.string({ unit: 'binary-ascii', maxLength });
const someBytes = fc
  .array(fc.nat({ max: 255 }), { maxLength: 60 })
  .map((list) => Buffer.from(list).toString('latin1'));
const pieces = (...list: string[]) =>
  fc
    .array(
      mostly<string | null>(null, fc.string({ maxLength: 6 })).chain((odd) =>
        odd === null ? fc.constantFrom(...list) : fc.constant(odd),
      ),
      { maxLength: 6 },
    )
    .map((parts) => parts.join(''));

const target = fc.oneof(
  fc.constantFrom(
    '/',
    '/healthz',
    '/readyz',
    '/metrics',
    '/php-chat.js',
    '/assets/',
    '/socket.io/',
    '*',
    '//',
  ),
  fc
    .tuple(
      pieces(
        'EIO=4',
        '&transport=polling',
        '&transport=websocket',
        '&EIO=3',
        '&sid=',
        '&t=1',
        '&j=0',
        '&b64=1',
        '%00',
      ),
      fc.constantFrom('', '&EIO=4&transport=polling', '&EIO=4&transport=websocket'),
    )
    .map(([query, more]) => `/socket.io/?${query}${more}`),
  pieces(
    '/',
    '..',
    '%2f',
    '%2e',
    '\\',
    'api/rooms/lobby/messages',
    'http://',
    'x:1',
    '?',
    '#',
    '%',
    '%ff',
    '@',
  ).map((path) => `/${path}`),
  someBytes,
);
const value = fc.oneof(
  bytes(30),
  someBytes,
  fc.constantFrom('', ' ', '\t', 'x'.repeat(9000), 'x'.repeat(20_000)),
);
const cookie = pieces(
  'PHPSESSID=',
  'PHPSESSID=0123456789abcdef0123456789abcdef',
  '; ',
  ';',
  '=',
  '%2C',
  '%0d%0a',
  '%00',
  '%E0%A4%A',
  '"',
  '../../',
  'a,b',
  '__proto__=1',
  'a'.repeat(257),
);
const header = fc.oneof(
  fc.tuple(fc.constant('Cookie'), fc.oneof(cookie, value)),
  fc.tuple(
    fc.constant('Origin'),
    fc.oneof(value, fc.constantFrom('null', 'http://127.0.0.1', 'https://[', 'file://', 'http://a@b')),
  ),
  fc.tuple(
    fc.constantFrom('Content-Length'),
    fc.constantFrom('0', '2', '70000', '-1', '1e3', '0x10', '2, 2', '9'.repeat(30)),
  ),
  fc.tuple(fc.constantFrom('Transfer-Encoding'), fc.constantFrom('chunked', 'chunked, chunked', 'gzip', 'x')),
  fc.tuple(fc.constantFrom('Connection'), fc.constantFrom('Upgrade', 'close', 'keep-alive, Upgrade', 'x')),
  fc.tuple(fc.constantFrom('Upgrade'), fc.constantFrom('websocket', 'h2c', 'WebSocket, x', '')),
  fc.tuple(fc.constantFrom('Sec-WebSocket-Version'), fc.constantFrom('13', '8', '99', 'x')),
  fc.tuple(fc.constantFrom('Sec-WebSocket-Key'), fc.constantFrom('dGhlIHNhbXBsZSBub25jZQ==', 'x', '')),
  fc.tuple(
    fc.constantFrom('Sec-WebSocket-Extensions'),
    fc.oneof(value, fc.constantFrom('permessage-deflate; x=', 'a;b="')),
  ),
  fc.tuple(fc.constantFrom('Sec-WebSocket-Protocol'), fc.oneof(value, fc.constantFrom('a, a', ','))),
  fc.tuple(
    fc.constantFrom(
      'Host',
      'X-Forwarded-For',
      'Forwarded',
      'Authorization',
      'Expect',
      'Accept',
      'If-None-Match',
      'Range',
    ),
    fc.oneof(value, fc.constantFrom('100-continue', '127.0.0.1', 'Bearer x', '[::1]:9', '*')),
  ),
  fc.tuple(fc.oneof(fc.stringMatching(/^[A-Za-z-]{1,12}$/), bytes(8)), value),
);

export type HttpCase =
  | { kind: 'bytes'; bytes: string }
  | {
      kind: 'request';
      method: string;
      target: string;
      version: string;
      host: string;
      headers: [string, string][];
      body: string;
      end: string;
    }
  | { kind: 'mutated'; request: number; changes: Edit[] }
  | { kind: 'posts'; posts: PacketCase[][]; connect: boolean };

const upgrade =
  'Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n';
const requests = [
  'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: PHPSESSID=0123456789abcdef\r\nAccept: text/html\r\n\r\n',
  'GET /socket.io/?EIO=4&transport=polling&t=abc HTTP/1.1\r\nHost: a\r\nCookie: theme=dark; PHPSESSID=0123456789abcdef\r\n\r\n',
  'POST /socket.io/?EIO=4&transport=polling&sid=AAAA HTTP/1.1\r\nHost: a\r\nContent-Type: text/plain\r\nContent-Length: 2\r\n\r\n40',
  'POST /socket.io/?EIO=4&transport=polling&sid=AAAA HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n40\r\n0\r\n\r\n',
  `GET /socket.io/?EIO=4&transport=websocket HTTP/1.1\r\nHost: a\r\nOrigin: http://localhost:8080\r\n${upgrade}\r\n`,
  `GET /other HTTP/1.1\r\nHost: a\r\n${upgrade}\r\n`,
  'OPTIONS /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nOrigin: http://localhost:8080\r\nAccess-Control-Request-Method: POST\r\n\r\n',
  'HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /readyz HTTP/1.1\r\nHost: a\r\n\r\n',
].map((request) => Buffer.from(request));

export const httpCase: fc.Arbitrary<HttpCase> = fc.oneof(
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('bytes'), bytes: someBytes }) },
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('request'),
      method: mostly(
        'GET',
        fc.oneof(fc.constantFrom('POST', 'POST', 'OPTIONS', 'PUT', 'TRACE', 'CONNECT', 'get'), bytes(5)),
      ),
      target,
      version: mostly('HTTP/1.1', fc.oneof(fc.constantFrom('HTTP/1.0', 'HTTP/2.0', 'HTTP/1.'), bytes(5))),
      host: mostly('127.0.0.1', value),
      headers: fc.array(header, { maxLength: 5 }),
      body: fc.oneof(fc.constantFrom('', '40', '2\r\n40\r\n0\r\n\r\n', 'ffffffffff\r\n'), someBytes),
      end: mostly('\r\n', fc.constantFrom('\n', '')),
    }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('mutated'),
      request: fc.nat({ max: requests.length - 1 }),
      changes: edits,
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('posts'),
      posts: fc.array(fc.array(packetCase, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 2 }),
      connect: fc.boolean(),
    }),
  },
);

/** The bytes of a case, for all kinds but polling. */
export function requestOf(one: Exclude<HttpCase, { kind: 'posts' }>): Buffer {
  if (one.kind === 'bytes') return Buffer.from(one.bytes, 'latin1');
  if (one.kind === 'mutated') {
    const request = requests[one.request] as Buffer;
    return mutate(request, one.changes, Buffer.concat(requests));
  }
  const { method, version, host, headers, body, end } = one;
  const lines = [
    `${method} ${one.target} ${version}`,
    `Host: ${host}`,
    ...headers.map(([name, value]) => `${name}: ${value}`),
    '',
  ];
  return Buffer.from(lines.join(end) + end + body, 'latin1');
}

/** The body of a POST to a polling connection. */
export const bodyOf = (cases: readonly PacketCase[]): Buffer =>
  Buffer.from(
    cases
      .flatMap(packetsOf)
      .map(({ payload, opcode }) =>
        opcode === 1 ? payload.toString('utf8') : `b${payload.toString('base64')}`,
      )
      .join('\x1e'),
  );

/** Sends the bytes, closes its half of the connection, and returns everything that the server sends until it closes. */
export async function exchange(port: number, request: Buffer): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  let answer = '';
  socket.setEncoding('latin1').on('data', (piece: string) => {
    answer += piece;
  });
  socket.on('error', () => {});
  socket.end(request);
  socket.on('end', () => socket.destroy());
  await notHanging(
    new Promise((resolve) => socket.on('close', resolve)),
    'the end of a connection whose client has ended',
  );
  return answer;
}

/** The statuses of an answer; throws if the server has sent anything but HTTP, or reports a failure. */
export function checkHttp(answer: string): number[] {
  if (answer !== '' && !/^HTTP\/1\.1 [1-5]\d\d /.test(answer))
    throw new Error(`no HTTP: ${answer.slice(0, 200)}`);
  const statuses = [...answer.matchAll(/^HTTP\/1\.1 (\d+) /gm)].map(([, status]) => Number(status));
  if (statuses.some((status) => status >= 500 && status !== 503))
    throw new Error(`the server has failed: ${answer.slice(0, 200)}`);
  return statuses;
}
