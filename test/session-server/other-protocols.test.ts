import { once } from 'node:events';
import { METHODS, request } from 'node:http';
import { connect } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { type SessionClient, sessionClient } from '../helpers/session-client.ts';
import { type SessionServer, startSessionServer } from '../helpers/session-server.ts';

let server: SessionServer;
beforeAll(async () => {
  server = await startSessionServer();
});
afterAll(() => server.stop());

const clients: SessionClient[] = [];
const client = async () => {
  const one = await sessionClient(server);
  clients.push(one);
  return one;
};
afterEach(() => {
  for (const { socket } of clients.splice(0)) socket.destroy();
});

const attack = 'open victim rw\r\nput  user_id|i:1;\r\nclose\r\n';
const victim = async () => (await client()).ask('peek victim');
/** The replies to bytes that are sent at once, up to the end of the connection. */
async function answerTo(bytes: string): Promise<string> {
  const one = await client();
  one.send(bytes);
  return one.rest();
}

test('without another protocol before them, the lines of the attack write a session', async () => {
  const one = await client();
  one.send(attack.replaceAll('victim', 'own'));
  expect([await one.line(), await one.line(), await one.line()]).toEqual(['ok', 'ok', 'ok']);
});

describe('HTTP: the connection is closed, and no command in the request is run', () => {
  test.each(METHODS.filter((method) => method !== 'CONNECT'))(
    'a %s request with commands in its body',
    async (method) => {
      const socket = connect({ host: '127.0.0.1', port: server.port });
      const sent = request({
        createConnection: () => socket,
        method,
        path: '/?x=1',
        headers: { 'X-Line': 'new' },
      });
      sent.on('error', () => {});
      sent.end(attack);
      await once(socket, 'close');
      expect(await victim()).toBe('err No such session.');
    },
  );

  test.each([
    ['CONNECT', 'CONNECT 127.0.0.1:9090 HTTP/1.1\r\n'],
    ['HTTP/1.0', 'POST / HTTP/1.0\r\n'],
    ['an absolute target', 'PUT http://127.0.0.1:9090/ HTTP/1.1\r\n'],
    ['a target with blanks', 'GET /a b c HTTP/1.1\r\n'],
    ['a method that is a command', 'open victim HTTP/1.1\r\n'],
    ['a method in lower case', 'put / HTTP/1.1\r\n'],
    ['a method of its own', 'X-y!z /new HTTP/1.1\r\n'],
    ['a target with line ends in it', 'GET /\r\n'],
    ['a target after PUT', 'PUT /a\r\n'],
    ['the target of a proxy', 'GET http://a\r\n'],
    ['an asterisk', 'OPTIONS *\r\n'],
    ['a line end before it', '\r\nPOST / HTTP/1.1\r\n'],
    ['unknown words before it', 'PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\nPOST / HTTP/1.1\r\n'],
    ['an error before it', 'get k\r\nPOST / HTTP/1.1\r\n'],
    ['the preface of HTTP/2', 'PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    ['a header alone', 'Host: 127.0.0.1:9090\r\n'],
    ['a request after a session was closed', 'open x\r\nclose\r\nPOST / HTTP/1.1\r\n'],
    ['an answer', 'HTTP/1.1 200 OK\r\n'],
  ])('%s', async (_, head) => {
    expect(await answerTo(`${head}Content-Length: ${attack.length}\r\n\r\n${attack}`)).toMatch(
      /^((ok|err No session opened\.|err unknown command)\r\n)*$/,
    );
    expect(await victim()).toBe('err No such session.');
  });
});

test.each([
  ['RTSP', 'OPTIONS rtsp://127.0.0.1:9090/ RTSP/1.0\r\n'],
  ['SIP', 'INVITE sip:a@127.0.0.1 SIP/2.0\r\n'],
  ['the beginning of TLS', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n'],
  ['STUN, as WebRTC in a page sends it', '\x00\x03\x00\x24\x21\x12\xa4\x42aaaaaaaaaaaa\r\n'],
  ['Redis', '*2\r\n$4\r\nAUTH\r\n$90\r\n'],
  ['memcached, in binary', '\x80\x01\x00\x01\x08\x00\x00\x00\r\n'],
  ['SSH', 'SSH-2.0-x\r\n'],
  ['AMQP', 'AMQP\x00\x00\x09\x01\r\n'],
  ['XML', '<?xml version="1.0"?>\r\n'],
  ['JSON', '{"jsonrpc":"2.0","method":"\r\n'],
])('%s: the connection is closed, and no command that follows is run', async (_, head) => {
  expect(await answerTo(head + attack)).toBe('err unknown command\r\n');
  expect(await victim()).toBe('err No such session.');
});

test('the log has one warning for all of them, without their content', async () => {
  await answerTo('POST /a-secret HTTP/1.1\r\n\r\n');
  expect(server.output().match(/another protocol/g)).toHaveLength(1);
  expect(server.output()).not.toContain('a-secret');
});

test('values and keys may look like HTTP', async () => {
  const one = await client();
  for (const line of [
    'open http',
    'put /k GET / HTTP/1.1',
    'put Host: a',
    'POST / HTTP/1.1',
    'put_all a:0:{}',
  ]) {
    expect(await one.ask(line)).toBe(line.startsWith('POST') ? 'err unknown command' : 'ok');
  }
  expect(await one.ask('close')).toBe('ok');
});
