import { describe, expect, test } from 'vitest';
import { roomName } from '../../../server/wire/events.ts';
import { decodeJson } from '../src/formats/json.ts';
import { PhpBytes } from '../src/formats/value.ts';
import { findUser } from '../src/identity.ts';
import { parsePath } from '../src/path.ts';

const who = (json: string) =>
  findUser(decodeJson(Buffer.from(json)), { id: ['user_id'], name: ['firstname'] });

describe('the user of a JSON session', () => {
  test.each([
    ['an integer', '{"user_id":42,"firstname":"Ann"}', '42', 'Ann'],
    ['a string', '{"user_id":"ann","firstname":"Ann"}', 'ann', 'Ann'],
    ['no name: the ID', '{"user_id":42}', '42', '42'],
    ['a name that is not a text: the ID', '{"user_id":42,"firstname":["x"]}', '42', '42'],
    ['2^63-1 exactly', '{"user_id":9223372036854775807}', '9223372036854775807', '9223372036854775807'],
    ['2^53+1 exactly', '{"user_id":9007199254740993}', '9007199254740993', '9007199254740993'],
    ['the last of equal keys', '{"user_id":1,"user_id":2}', '2', '2'],
    ['Chinese', '{"user_id":7,"firstname":"\\u5f20\\u4f1f"}', '7', '张伟'],
    ['a name with control characters', '{"user_id":7,"firstname":"A\\u0000\\nB"}', '7', 'AB'],
    ['a name with ends of lines', '{"user_id":7,"firstname":"A\\u2028\\u2029B"}', '7', 'AB'],
    [
      'a name that changes the text direction',
      '{"user_id":7,"firstname":"Bob \\u202eecilA"}',
      '7',
      'Bob ecilA',
    ],
    ['letters without a width', '{"user_id":7,"firstname":"\\u200b\\ufeffAl\\u00adice"}', '7', 'Alice'],
    [
      'marks of annotations and fillers',
      '{"user_id":7,"firstname":"Al\\ufff9\\ufffbi\\u3164\\u034fce"}',
      '7',
      'Alice',
    ],
    [
      'a name with an emoji of several code points',
      '{"user_id":7,"firstname":"👩\\u200d🚀"}',
      '7',
      '👩\u200d🚀',
    ],
    ['64 emoji', `{"user_id":"${'😀'.repeat(64)}"}`, '😀'.repeat(64), '😀'.repeat(64)],
    ['| and ; elsewhere', '{"bio":"user_id|i:1;\\"}","user_id":7}', '7', '7'],
    ['a long name is cut', `{"user_id":1,"firstname":"${'x'.repeat(65)}"}`, '1', 'x'.repeat(64)],
  ])('%s', (_, json, id, name) => {
    expect(who(json)).toEqual({ state: 'user', user: { id, name }, proof: [] });
  });

  test.each([
    ['blanks', ' \u00a0\u3000'],
    ['characters without a width', '\u200b\u200d\ufeff\u2060'],
    ['control characters', '\u0000\u0007\n\u0085'],
    ['marks of direction', '\u202e\u200f\u2066\u061c'],
    ['invisible letters', '\u3164\u115f\uffa0\u2800'],
    ['variation selectors and tags', '\ufe0f\u{e0041}\u{e0100}\u034f'],
  ])('replaces a name that has only %s', (_, name) => {
    expect(who(JSON.stringify({ user_id: 7, firstname: name }))).toMatchObject({
      user: { id: '7', name: '7' },
    });
    const session = decodeJson(Buffer.from(JSON.stringify({ user_id: 7, rooms: { kitchen: name } })));
    expect(findUser(session, { id: ['user_id'], name: ['none'], groups: ['rooms'] })).toMatchObject({
      user: { groups: [{ id: 'kitchen', name: 'kitchen' }] },
    });
    expect(roomName.safeParse(name).success).toBe(false);
    const allowed = name.replace(/[\p{Cc}\u202a-\u202e\u2066-\u2069]/gu, '');
    expect(roomName.safeParse(`${allowed}A`).success).toBe(true);
  });

  test.each([
    ['no field', '{}'],
    ['PHP’s empty session', '[]'],
    ['null', '{"user_id":null}'],
    ['false', '{"user_id":false}'],
    ['0', '{"user_id":0}'],
    ['"0"', '{"user_id":"0"}'],
    ['""', '{"user_id":""}'],
    ['[]', '{"user_id":[]}'],
    ['0.0, which is empty in PHP too', '{"user_id":0.0}'],
    ['a list', '[1,2]'],
    ['-0, which is an integer in PHP', '{"user_id":-0}'],
    ['only under __proto__', '{"__proto__":{"user_id":1}}'],
    ['next to a key __proto__', '{"user_id":0,"cart":{"__proto__":1},"__proto__":[]}'],
  ])('finds nobody: %s', (_, json) => {
    expect(who(json)).toHaveProperty('state', 'nobody');
  });

  test.each([
    ['true', '{"user_id":true}'],
    ['a list', '{"user_id":[1]}'],
    ['an object', '{"user_id":{"a":1}}'],
    ['a float', '{"user_id":1.0}'],
    ['a float with an exponent', '{"user_id":1e3}'],
    ['a negative number', '{"user_id":-1}'],
    ['more than 64 bits, a float in PHP', '{"user_id":92233720368547758080}'],
    ['65 characters', `{"user_id":"${'a'.repeat(65)}"}`],
    ['a control character', '{"user_id":"a\\u0007"}'],
    ['an end of a line', '{"user_id":"a\\u2028b"}'],
    ['only invisible characters', '{"user_id":" \\u200b"}'],
    ['a replacement character', '{"user_id":"M\\ufffdller"}'],
  ])('reports the ID as invalid: %s', (_, json) => {
    expect(who(json)).toHaveProperty('state', 'invalid');
  });

  test.each([
    ['{}', 'app is not in the session'],
    ['{"app":[]}', 'app.user is not in the session, though app is'],
    ['{"app":{"user":{"geheim":"geheim"}}}', 'app.user.id is not in the session, though app.user is'],
    ['{"app":{"user":{"id":""}}}', 'app.user.id is empty'],
    ['{"app":{"user":"geheim"}}', 'app.user.id is not in the session, though app.user is'],
  ])('names the missing part of the path: %s', (json, reason) => {
    const paths = { id: parsePath('app.user.id'), name: parsePath('app.name') };
    expect(findUser(decodeJson(Buffer.from(json)), paths)).toMatchObject({
      state: 'nobody',
      reason: `the session has no logged-in user: ${reason}`,
    });
  });

  describe('with a second path that must not be empty', () => {
    const paths = { id: parsePath('user_id'), name: parsePath('firstname'), require: parsePath('app!.in') };
    const loggedIn = (json: string) => findUser(decodeJson(Buffer.from(json)), paths);

    test.each([
      ['"x"', 's:1:"x";'],
      ['true', 'b:1;'],
      ['an array', 'a:1:{i:0;i:1;}'],
    ])('finds the user if the value is %s', (_, value) => {
      expect(loggedIn(JSON.stringify({ user_id: 7, app: `in|${value}` }))).toMatchObject({
        user: { id: '7', name: '7' },
      });
    });

    test.each([
      ['absent', { user_id: 7 }, 'app is not in the session'],
      ['empty in the middle', { user_id: 7, app: '' }, 'app is empty'],
      [
        'absent in the serialized string',
        { user_id: 7, app: 'x|i:1;' },
        'app!.in is not in the session, though app! is',
      ],
      ['false', { user_id: 7, app: 'in|b:0;' }, 'app!.in is empty'],
      ['present, but the user ID is absent', { app: 'in|b:1;' }, 'user_id is not in the session'],
    ])('finds no user if the value is %s', (_, session, reason) => {
      expect(loggedIn(JSON.stringify(session))).toMatchObject({
        state: 'nobody',
        reason: `the session has no logged-in user: ${reason}`,
      });
    });

    test('reports a session as invalid, not logged out, if the path does not fit', () => {
      expect(loggedIn('{"user_id":7,"app":"geheim"}')).toMatchObject({
        state: 'invalid',
        reason: 'app is a string, but not a serialized one',
      });
    });
  });

  test.each([
    ['{"user_id":3}', 'nobody'],
    ['{"user_id":"3"}', 'nobody'],
    ['{"user_id":"guest"}', 'nobody'],
    ['{"user_id":33}', 'user'],
    ['{"user_id":"Guest"}', 'user'],
  ])('treats guest IDs exactly: %s is %s', (json, outcome) => {
    const paths = { id: ['user_id'], name: ['firstname'], nobody: ['3', 'guest'] };
    expect(findUser(decodeJson(Buffer.from(json)), paths)).toHaveProperty('state', outcome);
  });

  test('adds roles from the options admins and moderators to the roles in the session', () => {
    const paths = {
      id: ['user_id'],
      name: ['firstname'],
      roles: ['role'],
      admins: ['3', 'Eve'],
      moderators: ['3', '4'],
    };
    for (const [session, roles] of [
      ['{"user_id":3}', ['admin', 'moderator']],
      ['{"user_id":"4","role":"admin"}', ['admin', 'moderator']],
      ['{"user_id":"eve"}', undefined],
      ['{"user_id":33}', undefined],
    ] as const) {
      const found = findUser(decodeJson(Buffer.from(session)), paths);
      expect('user' in found && found.user.roles, session).toEqual(roles);
    }
    // With `typed`, the case of the IDs does not count.
    const typed = findUser(decodeJson(Buffer.from('{"user_id":"EVE"}')), { ...paths, typed: true });
    expect(typed).toMatchObject({ user: { id: 'eve', roles: ['admin'] } });
  });

  test('gives users with a listed role of the site the role team', () => {
    const paths = { id: ['user_id'], name: ['name'], roles: ['roles'], team: ['shop_manager', '5', 'Größe'] };
    for (const [session, roles] of [
      ['{"user_id":3,"roles":["customer","shop_manager"]}', ['team']],
      ['{"user_id":3,"roles":"shop_manager"}', ['team']],
      ['{"user_id":3,"roles":{"a":"admin","b":5}}', ['admin', 'team']],
      ['{"user_id":3,"roles":["team","Shop_Manager","50",null,true,["shop_manager"]]}', undefined],
      ['{"user_id":3}', undefined],
    ] as const) {
      const found = findUser(decodeJson(Buffer.from(session)), paths);
      expect('user' in found && found.user.roles, session).toEqual(roles);
    }
    const session = { user_id: 3, roles: new PhpBytes(Buffer.from('Gr\xf6\xdfe', 'latin1')) };
    expect(findUser(session, { ...paths, charset: 'windows-1252' })).toMatchObject({
      user: { roles: ['team'] },
    });
  });

  test('uses the ID as the name if the name cannot be found', () => {
    const session = decodeJson(Buffer.from('{"user_id":7,"token":"not serialized","DW1":1,"DW2":2}'));
    for (const name of ['token!.name', 'DW*.name', 'token.name']) {
      expect(findUser(session, { id: ['user_id'], name: parsePath(name) })).toMatchObject({
        user: { id: '7', name: '7' },
      });
    }
  });

  test('does not repeat the content of a session in an error', () => {
    expect(() => who('{"user_id":1,"password":secret}')).toThrow(/^expected a value at byte 24$/);
  });
});
