import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { sessionClients } from '../helpers/session-client.ts';
import { type SessionServer, startSessionServer } from '../helpers/session-server.ts';
import { type Conversations, conversations } from './conversations.ts';

let server: SessionServer;
beforeAll(async () => {
  server = await startSessionServer();
});
afterAll(() => server.stop());

const connect = sessionClients(() => server);

let ids = 0;
/** The conversation with an unused ID. */
function fresh(name: string): Conversations[string] {
  const id = `c${++ids}`;
  return (conversations[name] ?? []).map(([line, reply]) => [line.replaceAll('@', id), reply]);
}
const names = Object.keys(conversations);

test.each(names)('%s: answered line by line', async (name) => {
  const client = await connect();
  for (const [line, reply] of fresh(name)) {
    const answer = await client.ask(line);
    if (typeof reply === 'string') expect(`${line} → ${answer}`).toBe(`${line} → ${reply}`);
    else expect(answer).toMatch(reply);
  }
});

describe.each([
  ['byte by byte', 1],
  ['in pieces of 7', 7],
  ['all at once', Number.POSITIVE_INFINITY],
])('%s', (_, piece) => {
  test.each(names)('%s: answered in order, after a half-close too', async (name) => {
    const client = await connect();
    const lines = fresh(name);
    const text = lines.map(([line]) => `${line}\r\n`).join('');
    for (let at = 0; at < text.length; at += piece) client.send(text.slice(at, at + piece));
    client.socket.end();
    const answers = (await client.rest()).split('\r\n');
    expect(answers.pop()).toBe('');
    expect(answers).toHaveLength(lines.length);
    for (const [n, [line, reply]] of lines.entries()) {
      if (typeof reply === 'string') expect(`${line} → ${answers[n]}`).toBe(`${line} → ${reply}`);
      else expect(answers[n]).toMatch(reply);
    }
  });
});

test('a line may end with LF alone, and an unfinished line at the end of the connection is not run', async () => {
  const client = await connect();
  client.send('open lf\nput a b\nclose\nopen lf\nput a c\nclo');
  client.socket.end();
  expect(await client.rest()).toBe('ok\r\nok\r\nok\r\nok\r\nok\r\n');
  expect(await (await connect()).ask('peek lf')).toBe('ok a:1:{s:1:"a";s:1:"b";}');
});

test('20,000 commands in one piece are answered in order', async () => {
  const client = await connect();
  const count = 10_000;
  client.send('new\r\n');
  await client.line();
  let text = '';
  for (let n = 0; n < count; n++) text += `put n ${n}\r\nget n\r\n`;
  client.send(text);
  client.socket.end();
  const expected = Array.from({ length: count }, (_, n) => `ok\r\nok ${n}\r\n`).join('');
  expect(await client.rest()).toBe(expected);
});

test('an open ends the session before it, without saving', async () => {
  // In HTTP_SessionServer the close wrote the data of Y over X.
  const client = await connect();
  for (const line of ['open X', 'put who X', 'close', 'open Y', 'put who Y', 'close']) {
    expect(await client.ask(line)).toBe('ok');
  }
  for (const line of ['open X', 'put who lost', 'open Y r', 'close'])
    expect(await client.ask(line)).toBe('ok');
  expect(await client.ask('peek X')).toBe('ok a:1:{s:3:"who";s:1:"X";}');
  expect(await client.ask('peek Y')).toBe('ok a:1:{s:3:"who";s:1:"Y";}');
});

test('a value with a line feed is refused by get, and get_all and peek escape it', async () => {
  const [writer, old] = [await connect(), await connect()];
  for (const line of ['encoding percent', 'open feed', 'put k a%0Aok%20b', 'close']) {
    expect(await writer.ask(line)).toBe('ok');
  }
  expect(await old.ask('open feed r')).toBe('ok');
  expect(await old.ask('get k')).toBe('err Value cannot be sent');
  expect(await old.ask('get_all')).toBe('ok a:1:{s:1:"k";S:6:"a\\0aok b";}');
  expect(await old.ask('peek feed')).toBe('ok a:1:{s:1:"k";S:6:"a\\0aok b";}');
});
