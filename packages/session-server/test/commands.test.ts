import { expect, test } from 'vitest';
import { say, sharedSessionServer } from '../../../test/helpers/session-server-here.ts';
import { type Conversations, conversations } from './conversations.ts';

const { connect } = sharedSessionServer();

let ids = 0;
/** The conversation with an unused ID. */
function fresh(name: string): Conversations[string] {
  const id = `c${++ids}`;
  return (conversations[name] ?? []).map(([line, reply]) => [line.replaceAll('@', id), reply]);
}
function expectReply(line: string, answer: string | undefined, reply: string | RegExp): void {
  if (typeof reply === 'string') expect(`${line} → ${answer}`).toBe(`${line} → ${reply}`);
  else expect(answer).toMatch(reply);
}

test.each(Object.keys(conversations))('answers line by line: %s', async (name) => {
  const client = await connect();
  for (const [line, reply] of fresh(name)) expectReply(line, await client.ask(line), reply);
});

test.each(Object.keys(conversations))(
  'answers pieces of 7 bytes in order, also after a half-close: %s',
  async (name) => {
    const client = await connect();
    const lines = fresh(name);
    const text = lines.map(([line]) => `${line}\r\n`).join('');
    for (let at = 0; at < text.length; at += 7) client.send(text.slice(at, at + 7));
    client.socket.end();
    const answers = (await client.rest()).split('\r\n');
    expect(answers.pop()).toBe('');
    expect(answers).toHaveLength(lines.length);
    for (const [n, [line, reply]] of lines.entries()) expectReply(line, answers[n], reply);
  },
);

test('runs a command when its line ends, with LF or CRLF', async () => {
  const client = await connect();
  client.send('open lf\nput a b\nclose\nopen lf\nput a c\nclo');
  client.socket.end();
  expect(await client.rest()).toBe('ok\r\nok\r\nok\r\nok\r\nok\r\n');
  expect(await (await connect()).ask('peek lf')).toBe('ok a:1:{s:1:"a";s:1:"b";}');
});

test('answers 2,000 commands in one piece in order', async () => {
  const client = await connect();
  await say(client, 'new');
  const numbers = Array.from({ length: 1000 }, (_, n) => n);
  client.send(numbers.map((n) => `put n ${n}\r\nget n\r\n`).join(''));
  client.socket.end();
  expect(await client.rest()).toBe(numbers.map((n) => `ok\r\nok ${n}\r\n`).join(''));
});

test('ends the previous session at an open, without saving it', async () => {
  // In HTTP_SessionServer the close wrote the data of Y over X.
  const client = await connect();
  await say(client, 'open X', 'put who X', 'close', 'open Y', 'put who Y', 'close');
  await say(client, 'open X', 'put who lost', 'open Y r', 'close');
  expect(await client.ask('peek X')).toBe('ok a:1:{s:3:"who";s:1:"X";}');
  expect(await client.ask('peek Y')).toBe('ok a:1:{s:3:"who";s:1:"Y";}');
});

test('escapes a value with a line feed or rejects the command', async () => {
  const [writer, old] = [await connect(), await connect()];
  await say(writer, 'encoding percent', 'open feed', 'put k a%0Aok%20b', 'close');
  await say(old, 'open feed r');
  expect(await old.ask('get k')).toBe('err Value cannot be sent');
  for (const line of ['get_all', 'peek feed'])
    expect(await old.ask(line)).toBe('ok a:1:{s:1:"k";S:6:"a\\0aok b";}');
});
