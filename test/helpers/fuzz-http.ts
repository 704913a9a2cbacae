import { connect } from 'node:net';
import fc from 'fast-check';
import {
  edits,
  mostly,
  mutate,
  type PacketCase,
  packetCase,
  packetsOf,
  someBytes,
  words,
} from './fuzz-packets.ts';
import { upgradeRequest } from './raw-client.ts';

/** Each character is one byte. */
const text = (most: number) =>
  fc.oneof(
    fc.string({ unit: 'binary-ascii', maxLength: most }),
    someBytes(2 * most).map((bytes) => bytes.toString('latin1')),
  );
/** Some of these, one after the other, rarely with something else among them. */
const joined = (...parts: string[]) =>
  fc
    .array(fc.oneof({ weight: 5, arbitrary: fc.constantFrom(...parts) }, { weight: 1, arbitrary: text(6) }), {
      maxLength: 6,
    })
    .map((list) => list.join(''));

const target = fc.oneof(
  fc.constantFrom(...words('/ /healthz /readyz /metrics /php-chat.js /assets/ /socket.io/ * //')),
  fc
    .tuple(
      joined(...words('EIO=4 &transport=polling &transport=websocket &EIO=3 &sid= &t=1 &j=0 &b64=1 %00')),
      fc.constantFrom('', '&EIO=4&transport=polling', '&EIO=4&transport=websocket'),
    )
    .map((parts) => `/socket.io/?${parts.join('')}`),
  joined(...words('/ .. %2f %2e \\ api/rooms/lobby/messages http:// x:1 ? # % %ff @')).map(
    (path) => `/${path}`,
  ),
  text(30),
);
const value = fc.oneof(text(30), fc.constantFrom('', ' ', '\t', 'x'.repeat(9000), 'x'.repeat(20_000)));
const id = '0123456789abcdef0123456789abcdef';
const values: Record<string, fc.Arbitrary<string>> = {
  Cookie: joined(
    ...words(
      `PHPSESSID= PHPSESSID=${id} ; = %2C %0d%0a %00 %E0%A4%A " ../../ a,b __proto__=1 ${'a'.repeat(257)}`,
    ),
    '; ',
  ),
};
const known = {
  Origin: 'null http://127.0.0.1 https://[ file:// http://a@b',
  'Content-Length': `0 2 70000 -1 1e3 0x10 2,2 ${'9'.repeat(30)}`,
  'Transfer-Encoding': 'chunked chunked,chunked gzip x',
  Connection: 'Upgrade close keep-alive,Upgrade x',
  Upgrade: 'websocket h2c WebSocket,x',
  'Sec-WebSocket-Version': '13 8 99 x',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ== x',
  'Sec-WebSocket-Extensions': 'permessage-deflate;x= a;b="',
  'Sec-WebSocket-Protocol': 'a,a ,',
  'X-Forwarded-For': '127.0.0.1 [::1]:9 *',
  Authorization: 'Bearer x',
  Expect: '100-continue x',
  'If-None-Match': '*',
  Range: 'bytes=0-',
};
for (const [name, list] of Object.entries(known))
  values[name] = mostly(words(list)[0] as string, fc.constantFrom(...words(list)));
const header = fc.oneof(
  {
    weight: 5,
    arbitrary: fc
      .constantFrom(...Object.keys(values))
      .chain((name) => fc.tuple(fc.constant(name), fc.oneof(values[name] as fc.Arbitrary<string>, value))),
  },
  { weight: 1, arbitrary: fc.tuple(fc.oneof(fc.stringMatching(/^[A-Za-z-]{1,12}$/), text(8)), value) },
);

const requests = [
  'GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nCookie: PHPSESSID=0123456789abcdef\r\nAccept: text/html\r\n\r\n',
  'GET /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nCookie: theme=dark; PHPSESSID=0123\r\n\r\n',
  'POST /socket.io/?EIO=4&transport=polling&sid=AAAA HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n40',
  'POST /socket.io/?EIO=4&transport=polling&sid=AAAA HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n40\r\n0\r\n\r\n',
  upgradeRequest(`PHPSESSID=${id}`),
  'OPTIONS /socket.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: a\r\nOrigin: http://localhost:8080\r\n\r\n',
  'HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\nGET /readyz HTTP/1.1\r\nHost: a\r\n\r\n',
].map((request) => Buffer.from(request));

const built = fc
  .record({
    method: mostly(
      'GET',
      fc.oneof(fc.constantFrom('POST', 'OPTIONS', 'PUT', 'TRACE', 'CONNECT', 'get'), text(5)),
    ),
    target,
    version: mostly('HTTP/1.1', fc.oneof(fc.constantFrom('HTTP/1.0', 'HTTP/2.0', 'HTTP/1.'), text(5))),
    host: mostly('127.0.0.1', value),
    headers: fc.array(header, { maxLength: 5 }),
    body: fc.oneof(fc.constantFrom('', '40', '2\r\n40\r\n0\r\n\r\n', 'ffffffffff\r\n'), text(30)),
    end: mostly('\r\n', fc.constantFrom('\n', '')),
  })
  .map(({ method, target, version, host, headers, body, end }) => {
    const lines = [
      `${method} ${target} ${version}`,
      `Host: ${host}`,
      ...headers.map((one) => one.join(': ')),
      '',
    ];
    return Buffer.from(lines.join(end) + end + body, 'latin1');
  });

/** The bytes of requests; or the packets of POSTs to a polling connection, `connect`: after CONNECT. */
export type HttpCase = { bytes: Buffer } | { posts: PacketCase[]; connect: boolean };
export const httpCase: fc.Arbitrary<HttpCase> = fc.oneof(
  { weight: 1, arbitrary: someBytes(60).map((bytes) => ({ bytes })) },
  { weight: 6, arbitrary: built.map((bytes) => ({ bytes })) },
  {
    weight: 4,
    arbitrary: fc
      .tuple(fc.constantFrom(...requests), edits)
      .map(([request, changes]) => ({ bytes: mutate(request, changes, Buffer.concat(requests)) })),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      posts: fc.array(packetCase, { minLength: 1, maxLength: 4 }),
      connect: fc.boolean(),
    }),
  },
);

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
export function exchange(port: number, request: Buffer): Promise<string> {
  const socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
  let answer = '';
  socket.setEncoding('latin1').on('data', (piece: string) => {
    answer += piece;
  });
  socket.on('error', () => {});
  socket.on('end', () => socket.destroy());
  socket.end(request);
  return new Promise((resolve) => socket.on('close', () => resolve(answer)));
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
