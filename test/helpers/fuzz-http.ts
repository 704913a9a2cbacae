import { connect } from 'node:net';
import fc from 'fast-check';
import { edits, mutate, type PacketCase, packetCase, packetsOf, someBytes, words } from './fuzz-packets.ts';
import { upgradeRequest } from './raw-client.ts';

const id = '0123456789abcdef0123456789abcdef';
const polling = '/socket.io/?EIO=4&transport=polling';
const chunked = 'Transfer-Encoding: chunked\r\n\r\n2\r\n40\r\n0\r\n\r\n';
const get = (target: string, ...headers: string[]) =>
  [`GET ${target} HTTP/1.1`, 'Host: 127.0.0.1', ...headers, '\r\n'].join('\r\n');
const cookies = `PHPSESSID=${id};a=%2C%0d%0a%00%E0%A4%A ; PHPSESSID="../../a,b"; __proto__=1; ${'a'.repeat(257)}`;
const requests = [
  ...words(
    `/ /healthz /readyz /metrics /php-chat.js /assets/ /socket.io/ * // /..%2f /%ff ${polling}&j=0&b64=1`,
  ).map((target) => get(target)),
  get(polling, `Cookie: theme=dark; PHPSESSID=${id}`, 'Accept: text/html'),
  get(polling, `Cookie: ${cookies}`, 'Origin: https://[', 'X-Forwarded-For: [::1]:9, 127.0.0.1'),
  get(`${polling}&EIO=3&sid=%00`, `Cookie: ${'x'.repeat(9000)}`, 'Connection: close', 'Expect: 100-continue'),
  get('/healthz', `Cookie: ${'x'.repeat(20_000)}`),
  `POST ${polling}&sid=AAAA HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n40`,
  `POST ${polling}&sid=AAAA HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n${'x'.repeat(100)}`,
  `POST ${polling}&sid=AAAA HTTP/1.1\r\nHost: a\r\n${chunked}`,
  `POST /api/rooms/lobby/messages HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer x\r\nContent-Length: 2\r\n\r\n{}`,
  upgradeRequest(`PHPSESSID=${id}`),
  upgradeRequest().replace(
    '\r\n\r\n',
    '\r\nSec-WebSocket-Extensions: permessage-deflate; x=\r\nSec-WebSocket-Protocol: a, a\r\n\r\n',
  ),
  `OPTIONS ${polling} HTTP/1.1\r\nHost: a\r\nOrigin: http://localhost:8080\r\n\r\n`,
  'HEAD /healthz HTTP/1.1\r\nHost: a\r\n\r\nTRACE /readyz HTTP/1.1\r\nHost: a\r\nRange: bytes=0-\r\n\r\n',
].map((request) => Buffer.from(request));

/** The bytes of requests, or the packets of POSTs to a polling connection. `connect`: CONNECT is sent first. */
export type HttpCase = { bytes: Buffer } | { posts: PacketCase[]; connect: boolean };
export const httpCase: fc.Arbitrary<HttpCase> = fc.oneof(
  { weight: 1, arbitrary: someBytes(60).map((bytes) => ({ bytes })) },
  {
    weight: 9,
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

/** Returns the body of a POST to a polling connection. */
export const bodyOf = (cases: readonly PacketCase[]): Buffer =>
  Buffer.from(
    cases
      .flatMap(packetsOf)
      .map(({ payload, opcode }) =>
        opcode === 1 ? payload.toString('utf8') : `b${payload.toString('base64')}`,
      )
      .join('\x1e'),
  );

/** Sends the bytes and closes its half of the connection. @returns everything that the server sends until it closes */
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

/** Returns the statuses of a response. @throws Error if the server sent anything but HTTP, or reports a failure */
export function checkHttp(answer: string): number[] {
  if (answer !== '' && !/^HTTP\/1\.1 [1-5]\d\d /.test(answer))
    throw new Error(`not an HTTP response: ${answer.slice(0, 200)}`);
  const statuses = [...answer.matchAll(/^HTTP\/1\.1 (\d+) /gm)].map(([, status]) => Number(status));
  if (statuses.some((status) => status >= 500 && status !== 501 && status !== 503))
    throw new Error(`the server failed: ${answer.slice(0, 200)}`);
  return statuses;
}
