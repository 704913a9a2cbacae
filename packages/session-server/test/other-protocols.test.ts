import { describe, expect, test } from 'vitest';
import { say, sharedSessionServer } from '../../../test/helpers/session-server-here.ts';

const { connect, output } = sharedSessionServer();
const attack = 'open victim rw\r\nput  user_id|i:1;\r\nclose\r\n';
const victim = async () => (await connect()).ask('peek victim');
/** The replies to bytes that are sent at once, up to the end of the connection. */
async function answerTo(bytes: string): Promise<string> {
  const client = await connect();
  client.send(bytes);
  return client.rest();
}

test('writes a session if the lines of the attack are sent alone', async () => {
  await say(await connect(), ...attack.replaceAll('victim', 'own').trim().split('\r\n'));
});

describe('closes an HTTP connection without running a command of the request', () => {
  test.each([
    ['GET', 'GET /?x=1 HTTP/1.1\r\nX-Line: new\r\n'],
    ['CONNECT', 'CONNECT 127.0.0.1:9090 HTTP/1.1\r\n'],
    ['HTTP/1.0', 'POST / HTTP/1.0\r\n'],
    ['an absolute target', 'PUT http://127.0.0.1:9090/ HTTP/1.1\r\n'],
    ['a target with blanks', 'GET /a b c HTTP/1.1\r\n'],
    ['a method that is a command', 'open victim HTTP/1.1\r\n'],
    ['a method in lower case', 'put / HTTP/1.1\r\n'],
    ['a method that HTTP does not define', 'X-y!z /new HTTP/1.1\r\n'],
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
  ['XML', '<?xml version="1.0"?>\r\n'],
])('closes a connection with %s without running a later command', async (_, head) => {
  expect(await answerTo(head + attack)).toBe('err unknown command\r\n');
  expect(await victim()).toBe('err No such session.');
});

test('logs one warning for all connections of other protocols, without their content', async () => {
  await answerTo('POST /a-secret HTTP/1.1\r\n\r\n');
  expect(output().match(/another protocol/g)).toHaveLength(1);
  expect(output()).not.toContain('a-secret');
});

test('accepts values and keys that look like HTTP', async () => {
  const client = await connect();
  await say(client, 'open http', 'put /k GET / HTTP/1.1', 'put Host: a');
  expect(await client.ask('POST / HTTP/1.1')).toBe('err unknown command');
  await say(client, 'put_all a:0:{}', 'close');
});
