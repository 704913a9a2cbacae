import { describe, expect, test } from 'vitest';
import { decodeJson } from '../src/formats/json.ts';
import { decodePhpSerialize } from '../src/formats/php-serialize.ts';
import type { PhpValue } from '../src/formats/value.ts';
import { follow, parsePath, pathText } from '../src/path.ts';

const json = (text: string) => decodeJson(Buffer.from(text));
/** A session in which `s` is this string. */
const holding = (text: string | Buffer) => {
  const bytes = Buffer.from(text);
  return decodePhpSerialize(
    Buffer.concat([Buffer.from(`a:1:{s:1:"s";s:${bytes.length}:"`), bytes, Buffer.from('";}')]),
  );
};
const at = (session: string, path: string) => follow(json(session), parsePath(path));

describe('a path', () => {
  test.each([
    ['user_id', '{"user_id":7}'],
    ['app.user.id', '{"app":{"user":{"id":7}}}'],
    ['users.0.id', '{"users":[{"id":7}]}'],
    ['a key of blanks and bars| .x', '{"a key of blanks and bars| ":{"x":7}}'],
    ['app\\.v2.id', '{"app.v2":{"id":7}}'],
    ['wow\\!.id', '{"wow!":{"id":7}}'],
    ['w!o!w.id', '{"w!o!w":{"id":7}}'],
    ['star\\*', '{"star*":7}'],
    ['App\\User.id', '{"App\\\\User":{"id":7}}'],
    ['App\\\\User.id', '{"App\\\\User":{"id":7}}'],
    ['end\\', '{"end\\\\":7}'],
    ['end\\\\.id', '{"end\\\\":{"id":7}}'],
    ['DW*.user', '{"x":1,"DW0f3a":{"user":7},"dw":2}'],
    ['DW*', '{"DW":7}'],
  ])('finds the value: %s', (path, session) => {
    expect(at(session, path)).toEqual({ value: 7 });
  });

  test.each(['', '.', 'a..b', '.a', 'a.', '!', 'a.!', '*', 'a.*.b', 'a!!!!!', 'a!.b!.c!!!'])(
    'is rejected: %j',
    (path) => {
      expect(() => parsePath(path)).toThrow(TypeError);
    },
  );

  test.each(['user_id', 'a.0.b', 'app\\.v2.id', 'a!.b!!.c', 'DW*.x', 'a*!', 'wow\\!', 'star\\*', 'a\\\\b'])(
    'is written as it was parsed: %s',
    (path) => {
      expect(pathText(parsePath(path))).toBe(path);
    },
  );
});

describe('reports a problem by the path alone', () => {
  const session = '{"app":{"user":{"secret":1},"list":[1,2],"text":"abc","none":null}}';
  test.each([
    ['user_id', 'user_id is not in the session'],
    ['DW*.auth', 'DW* is not in the session'],
    ['app.user.id', 'app.user.id is not in the session, though app.user is'],
    ['app.v\\.2', 'app.v\\.2 is not in the session, though app is'],
    ['app.list.2', 'app.list.2 is not in the session, though app.list is'],
    ['app.list.length', 'app.list.length is not in the session, though app.list is'],
    ['app.text.0', 'app.text.0 is not in the session, though app.text is'],
    ['app.text.length', 'app.text.length is not in the session, though app.text is'],
    ['app.none.id', 'app.none.id is not in the session, though app.none is'],
    ['app.none!.id', 'app.none is empty'],
    ['app.constructor.name', 'app.constructor is not in the session, though app is'],
  ])('if a key is missing: %s', (path, absent) => {
    expect(at(session, path)).toEqual({ absent });
  });

  test.each([
    ['app!.id', 'app is not a string, so it cannot be decoded'],
    ['app.list!.0', 'app.list is not a string, so it cannot be decoded'],
    ['app.text!.0', 'app.text is a string, but not a serialized one'],
  ])('if a value cannot be decoded: %s', (path, wrong) => {
    expect(at(session, path)).toEqual({ wrong });
  });

  test('if a wildcard fits several keys, because visitors might add one', () => {
    expect(at('{"DW1":{"user":1},"DW2":{"user":2}}', 'DW*.user')).toEqual({ wrong: 'DW* fits several keys' });
  });

  test('if only a key __proto__ contains the value, unless the path names it', () => {
    for (const session of ['{"__proto__":{"user":1}}', '{"a":1,"__proto__":{"DW1":1}}']) {
      expect(at(session, 'user')).toHaveProperty('absent');
      expect(at(session, 'DW*')).toHaveProperty('absent');
    }
    expect(at('{"__proto__":{"user":1}}', '__proto__.user')).toEqual({ value: 1 });
  });
});

describe('a serialized string inside a session', () => {
  test.each([
    ['serialize()', 'a:1:{s:4:"user";i:7;}', 's!.user'],
    ['a scalar', 'i:7;', 's!'],
    ['the format php', 'lang|s:2:"en";user|i:7;', 's!.user'],
    ['text in it that looks like another value', 'bio|s:13:"x";user|i:1;}";user|i:7;', 's!.user'],
    [
      'serialize() with text that looks like a session in it',
      'a:2:{s:1:"b";s:9:"|user|i:1";s:4:"user";i:7;}',
      's!.user',
    ],
    ['twice', 's:21:"a:1:{s:4:"user";i:7;}";', 's!!.user'],
    ['a string in a string', 'a:1:{s:1:"t";s:21:"a:1:{s:4:"user";i:7;}";}', 's!.t!.user'],
    [
      'with bytes that are not UTF-8',
      Buffer.from('a:2:{s:1:"x";s:1:"\xff";s:4:"user";i:7;}', 'latin1'),
      's!.user',
    ],
    ['an object', 'O:3:"App":1:{s:7:"\0*\0user";i:7;}', 's!.user'],
  ])('is decoded: %s', (_, text, path) => {
    expect(follow(holding(text), parsePath(path))).toEqual({ value: 7 });
  });

  test.each([
    ['cut off', 'a:1:{s:4:"user";i:7;', 20],
    ['with text after it', 'a:1:{s:4:"user";i:7;}x', 21],
    ['with a wrong length', 'a:1:{s:9:"user";i:7;}', 19],
    ['with a count that is too large', 'a:2000000000:{s:4:"user";i:7;}', 14],
    ['a session in the format php, cut off', 'x|i:5;user|i:7', 14],
  ])('is reported as damaged: %s', (_, text, at) => {
    const problem = new RegExp(
      `^s is a serialized string, but it is cut off or damaged, expected .* at byte ${at}$`,
    );
    expect(follow(holding(text), parsePath('s!.user'))).toEqual({ wrong: expect.stringMatching(problem) });
  });

  test.each([
    ['JSON', '{"user":7}'],
    ['bytes', Buffer.from([0xff, 0xfe])],
  ])('is not decoded if it is %s', (_, text) => {
    const wrong = 's is a string, but not a serialized one';
    expect(follow(holding(text), parsePath('s!.user'))).toEqual({ wrong });
  });

  test('is never read as the format php if serialize() wrote it', () => {
    expect(follow(holding('s:13:"user|s:3:"eve";'), parsePath('s!.s:13:"user'))).toHaveProperty('absent');
  });

  test('is decoded once for all paths through it', () => {
    const session = holding('a:1:{s:4:"user";a:1:{s:2:"id";i:7;}}');
    const [first, second] = [1, 2].map(() => follow(session, parsePath('s!.user')) as { value: PhpValue });
    expect(first?.value).toBe(second?.value);
  });

  test.each(['', '0'])('is empty like in PHP: %j', (text) => {
    expect(follow(holding(text), parsePath('s!.user'))).toEqual({ absent: 's is empty' });
  });
});
