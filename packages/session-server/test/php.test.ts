import { execFileSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { say, sharedSessionServer } from '../../../test/helpers/session-server-here.ts';

/** The output of a PHP program, each byte as one character. */
const php = (code: string, input = '') =>
  execFileSync('php', ['-n', '-d', 'display_errors=stderr', '-r', code], {
    input: Buffer.from(input, 'latin1'),
  }).toString('latin1');
/** Like utf8_encode() of PHP, which PEAR's client uses. */
const onTheWire = (bytes: string) => Buffer.from(bytes, 'utf8').toString('latin1');
const fromTheWire = (text: string) => Buffer.from(text, 'latin1').toString('utf8');

const { connect } = sharedSessionServer();
const { connect: connectToHelping } = sharedSessionServer({ SESSION_SERVER_HELP_PHP: 'on' });
const hello = async () => {
  const client = await connect();
  expect(await client.ask('hello 1 php')).toMatch(/^ok 1 /);
  return client;
};

const attack = 'x\r\nclose\r\nopen victim\r\nput  user|s:3:"bad";\r\nclose\r\n';
/** Sessions with line feeds, commands, text that looks like the end, bytes of all kinds, and objects. */
const sessions = {
  'a form field with commands': `form|s:${attack.length}:"${attack}";n|i:5;`,
  'line feeds everywhere': 'a|a:2:{s:2:"\n\n";s:1:"\n";i:0;s:5:"a";}\n";}n|N;b|b:1;',
  'text that is not ASCII': php(
    'session_id("x"); ini_set("session.save_path", sys_get_temp_dir()); @session_start(); $_SESSION = ["name" => "Zoë\\\\0a 👍\n", "list" => ["é" => "ü"]]; echo session_encode(); session_destroy();',
  ),
  'as php_serialize writes it': php(
    'echo serialize(["a" => "x\ny\\0a\\\\", "é|s:9:" => [1, "\r\n" => "|"], "n" => null, "f" => 0.1]);',
  ),
  'an object with private properties': php(
    'class A { private $p = "\n"; public $q = [1.5, true, "é"]; } echo "o|" . serialize(new A) . "e|" . serialize([new A, new ArrayObject([1])]);',
  ),
};

describe.each(Object.entries(sessions))('%s', (_, data) => {
  const lineFeedOrHigh = /[\n\x80-\xff]/;
  // `php_serialize` writes an array, and `php` name after name.
  const code = (text: string) =>
    /^a:\d/.test(text)
      ? `var_dump(unserialize(stream_get_contents(STDIN), ['allowed_classes' => false]));`
      : `ini_set('session.use_cookies', '0'); ini_set('session.cache_limiter', ''); session_id('y'); ini_set('session.save_path', sys_get_temp_dir()); @session_start(); session_decode(stream_get_contents(STDIN)); var_dump($_SESSION); session_destroy();`;

  test('reads the same in PHP after put and get', async () => {
    const asPhpReads = php(code(data), data);
    const replies = new Set<string>();
    const client = await hello();
    for (const piece of [Number.POSITIVE_INFINITY, 1]) {
      await say(client, 'new');
      const line = `put  ${onTheWire(data)}\r\n`;
      for (let at = 0; at < line.length; at += piece) client.send(line.slice(at, at + piece));
      expect(await client.line()).toBe('ok');
      const reply = (await client.ask('get ')).slice('ok '.length);
      // PEAR's client does not decode replies. Only names of variables and classes cannot be escaped.
      if (!/é\|s/.test(fromTheWire(data))) expect(reply).not.toMatch(lineFeedOrHigh);
      replies.add(reply);
    }
    for (const reply of replies) expect(php(code(data), fromTheWire(onTheWire(reply)))).toBe(asPhpReads);

    await say(client, 'open bytes', `put  ${onTheWire(data)}`, 'close');
    const reader = await connect();
    await say(reader, 'encoding percent', 'open bytes r');
    const kept = (await reader.ask('get')).slice('ok '.length);
    expect(kept.replaceAll(/%(..)/g, (_, hex) => String.fromCharCode(Number.parseInt(hex, 16)))).toBe(data);
  });
});

test('keeps line feeds and bytes above 127 in put_all and get_all', async () => {
  const client = await hello();
  const data = php('echo serialize(["a" => "x\ny", "é" => ["b\n" => "ü"], 5 => "\r\n", "" => ""]);');
  await client.ask('new');
  client.send(`put_all ${onTheWire(data)}\r\nget_all\r\n`);
  expect(await client.line()).toBe('ok');
  const reply = (await client.line()).slice('ok '.length);
  expect(reply).toMatch(/^[\0-\x7f]*$/);
  expect(php('echo serialize(unserialize(stream_get_contents(STDIN)));', reply)).toBe(data);
});

test('never takes a form field for a command', async () => {
  const owner = await connect();
  await say(owner, 'open victim', 'put  user|s:4:"Anna";', 'close');
  const field = `s:${attack.length}:"${attack}";`;
  for (const [put, refusal] of [
    [`put  form|${field}\r\n`, 'err Could not store value\r\n'],
    [`put_all a:1:{s:4:"form";${field}}\r\n`, 'err Could not store session data.\r\n'],
  ] as const) {
    for (const piece of [1, Number.POSITIVE_INFINITY]) {
      const [helped, set, plain] = [await hello(), await connectToHelping(), await connect()];
      for (const client of [helped, set, plain]) {
        await client.ask('new');
        for (let at = 0; at < put.length; at += piece) client.send(put.slice(at, at + piece));
        client.socket.end();
      }
      for (const client of [helped, set]) expect(await client.rest()).toBe('ok\r\n');
      // Without the help the put is refused, and the server does not run what follows it.
      expect(await plain.rest()).toBe(refusal);
    }
  }
  // The end of a string with bytes that are not UTF-8 cannot be found.
  const client = await hello();
  await client.ask('new');
  client.send(`put_all a:2:{s:1:"a";s:2:"\xe9";s:4:"form";${field}}\r\n`);
  expect(await client.rest()).toBe('err Could not store session data.\r\n');
  expect(await owner.ask('peek victim')).toBe('ok a:1:{s:0:"";s:16:"user|s:4:"Anna";";}');
});

test('rejects an invalid put without running what follows it', async () => {
  const owner = await connect();
  await say(owner, 'open victim', 'put  user|s:4:"Anna";', 'close');
  for (const text of [
    'nothing of the kind',
    'name|x:5:"ab',
    's:99:"ab',
    'a|s:2:"ab";b|i:5',
    'a:1:{i:0;N',
    '|',
    // A variable name from a visitor; the formats of php_binary and igbinary; the old form of an unset variable.
    `item_${attack}|i:1;`,
    `a|i:1;item_${attack}|i:1;`,
    `\x04form${attack}`,
    `\0\0\0\x02\x14\x01${attack}`,
    `!gone|${attack}`,
  ]) {
    const client = await hello();
    await client.ask('new');
    client.send(`put  ${text}\r\n`);
    expect(await client.rest()).toBe('err Could not store value\r\n');
  }
  expect(await owner.ask('peek victim')).toBe('ok a:1:{s:0:"";s:16:"user|s:4:"Anna";";}');
  // The check is for the empty key only; an empty session is valid.
  const client = await hello();
  await client.ask('new');
  expect(await client.ask('put k a|s:99:"ab')).toBe('ok');
  expect(await client.ask('get k')).toBe('ok a|s:99:"ab');
  for (const whole of ['', 'a|i:5;b|s:2:"ab";', 'a:1:{i:0;N;}']) {
    expect(await client.ask(`put  ${whole}`)).toBe('ok');
    expect(await client.ask('get ')).toBe(`ok ${whole}`);
  }
});
