import { describe, expect, test } from 'vitest';
import {
  type PhpFormat,
  phpFormats,
  phpReads,
  phpSessions,
  type Written,
} from '../../../test/helpers/php-sessions.ts';
import { formats } from '../src/formats/formats.ts';
import { guessFormat } from '../src/formats/guess.ts';
import { findUser } from '../src/identity.ts';
import { parsePath } from '../src/path.ts';

/** The user that a PHP session has at a path. */
const who = (format: PhpFormat, bytes: Buffer, path: string) =>
  findUser(formats[format](bytes), { id: parsePath(path), name: [] });
const user = (id: string) => ({ user: { id, name: id } });

describe.each(phpFormats)('%s, as PHP writes it', (format) => {
  const sessions = phpSessions(format);
  const bytesOf = (start: string) => (sessions.find(({ name }) => name.startsWith(start)) as Written).bytes;

  test('ignores text in a session that looks like another user', () => {
    const found = findUser(formats[format](bytesOf('what looks')), { id: ['user_id'], name: ['firstname'] });
    expect(found).toMatchObject({ user: { id: '7', name: '7' } });
  });

  test('follows a path through objects, but not into a prototype', () => {
    for (const [name, path, found] of [
      ['objects', 'cart.secret', { user: { id: 'x|;' } }],
      ['objects', 'cart.list.1', { user: { id: '2' } }],
      ['objects', 'cart', { state: 'invalid', reason: expect.anything() }],
      ['every scalar', 'exact', { user: { id: '9007199254740993' } }],
      ['every scalar', 'float', { state: 'invalid', reason: expect.anything() }],
      ['every scalar', 'binary', { state: 'invalid', reason: expect.anything() }],
      ['a user', 'constructor', { state: 'nobody', reason: expect.anything() }],
      ['a user', 'toString.name', { state: 'nobody', reason: expect.anything() }],
    ] as const)
      expect(who(format, bytesOf(name), path), path).toMatchObject(found);
  });

  test('is recognised in every session', () => {
    const stored = sessions.filter(({ bytes }) => bytes.length > 0);
    expect(stored.length).toBeGreaterThan(8);
    for (const { name, bytes } of stored)
      expect([name, guessFormat(bytes)]).toEqual([
        name,
        expect.objectContaining({ looks: format, option: `format=${format}` }),
      ]);
  });
});

/** The visitor's input has `id` 1. The user has 666, in an object that is in two places. */
const form = '"list" => [1], "form" => (object) ["id" => 1]';
const twice = '$user = (object) ["id" => 666]; $_SESSION =';

describe('a value that occurs several times, compared with PHP', () => {
  test('reads an object after an object that occurs three times', () => {
    const code = `$one = new stdClass; ${twice} ["cart" => [$one, $one, $one], "user" => $user, ${form}, "me" => $user];`;
    for (const { format, bytes, read } of phpReads(code, '$_SESSION["me"]->id')) {
      expect(read).toBe(666);
      expect(who(format, bytes, 'me.id'), format).toMatchObject(user('666'));
      expect(who(format, bytes, 'form.id'), format).toMatchObject(user('1'));
    }
  });

  test('reads an object that is a PHP reference', () => {
    const code = `${twice} ["a" => &$user, "b" => &$user, "user_id" => 7];`;
    for (const { format, bytes, read } of phpReads(code, '[$_SESSION["a"]->id, $_SESSION["b"]->id]')) {
      expect(read).toEqual([666, 666]);
      expect(who(format, bytes, 'a.id'), format).toMatchObject(user('666'));
      expect(who(format, bytes, 'b.id'), format).toMatchObject(user('666'));
      expect(who(format, bytes, 'user_id'), format).toMatchObject(user('7'));
    }
  });

  const old = `class Old implements Serializable {
    function serialize() { return serialize([1, 2]); }
    function unserialize($data) { unserialize($data); }
  }`;
  const behindOld = (me: string) =>
    `${old} ${twice} ["old" => new Old, "user" => $user, ${form}, "id" => 7, "me" => ${me}];`;
  const serialized = phpFormats.slice(0, 3);

  test('rejects a repeated object after a Serializable object, because only the class knows its number', () => {
    for (const { format, bytes, read } of phpReads(behindOld('$user'), '$_SESSION["me"]->id', serialized)) {
      expect(read).toBe(666);
      expect(() => formats[format](bytes)).toThrow(/^expected a reference to an earlier value at byte \d+$/);
    }
    // Only the reference cannot be read.
    for (const { format, bytes } of phpReads(behindOld('1'), '1', serialized)) {
      expect(who(format, bytes, 'id'), format).toMatchObject(user('7'));
      expect(who(format, bytes, 'user.id'), format).toMatchObject(user('666'));
      expect(who(format, bytes, 'old.user'), format).toHaveProperty('state', 'invalid');
    }
  });

  test('reads a repeated object after a Serializable object in igbinary and msgpack', () => {
    const code = `${old} ${twice} ["old" => new Old, "user" => $user, ${form}, "me" => $user];`;
    for (const { format, bytes, read } of phpReads(code, '$_SESSION["me"]->id', ['igbinary', 'msgpack'])) {
      expect(read).toBe(666);
      expect(who(format, bytes, 'me.id'), format).toMatchObject(user('666'));
    }
  });

  test('rejects a repeated object among more than eight variables in msgpack, where PHP reads freed memory', () => {
    const others = Array.from({ length: 8 }, (_, n) => `"v${n}" => ${n}`).join(', ');
    const code = `${twice} ["cart" => ["a" => 1], "user" => $user, ${others}, "me" => $user];`;
    for (const { bytes } of phpReads(code, '1', ['msgpack']))
      expect(() => formats.msgpack(bytes)).toThrow(/^expected a reference to an earlier value/);
  });
});

test('treats bytes after the session, such as padding, like PHP', () => {
  const padded = 'session_decode(session_encode() . "\\0\\0"); return $_SESSION["id"] ?? null;';
  for (const { format, bytes, read } of phpReads(
    '$_SESSION = ["id" => 7];',
    `(function () { ${padded} })()`,
  )) {
    const stored = Buffer.concat([bytes, Buffer.alloc(2)]);
    expect(read, format).toBe(format === 'php' || format === 'php_binary' ? null : 7);
    if (read === null) expect(() => formats[format](stored)).toThrow(/^expected/);
    else expect(who(format, stored, 'id'), format).toMatchObject(user('7'));
  }
});

describe('a deeply nested value', () => {
  const nested = (levels: number, format: PhpFormat) => {
    const code = `for ($deep = 1, $n = 0; $n < ${levels}; $n++) $deep = [$deep]; $_SESSION = ["deep" => $deep, "id" => 7];`;
    const [found] = phpReads(code, '$_SESSION["id"] ?? null', [format]);
    return found as { bytes: Buffer; read: unknown };
  };

  test.each([
    ['php', 4096, 'unserialize_max_depth'],
    // Its first level is the session itself.
    ['php_serialize', 4095, 'unserialize_max_depth'],
    ['msgpack', 1023, 'ext-msgpack'],
  ] as const)('is read to the same depth as in PHP: %s', (format, levels, limit) => {
    const { bytes, read } = nested(levels, format);
    expect(read).toBe(7);
    expect(who(format, bytes, 'id')).toMatchObject(user('7'));
    const deeper = nested(levels + 1, format);
    expect(deeper.read).toBeNull();
    expect(() => formats[format](deeper.bytes)).toThrow(
      expect.objectContaining({ explanation: expect.stringContaining(limit) }),
    );
  });

  test('is read at any depth in igbinary', () => {
    const { bytes, read } = nested(20_000, 'igbinary');
    expect(read).toBe(7);
    expect(who('igbinary', bytes, 'id')).toMatchObject(user('7'));
  });
});

describe('a path to one of several similar keys', () => {
  test.each(['"é" => 1, "\\xe9" => 666', '"\\xe9" => 666, "é" => 1', '"é" => 1, "\\xc3" => 666'])(
    'distinguishes UTF-8 from ISO 8859-1: %s',
    (keys) => {
      for (const { format, bytes, read } of phpReads(
        `$_SESSION = ["app" => [${keys}], ${keys}];`,
        '$_SESSION["é"]',
      )) {
        expect(read).toBe(1);
        expect(who(format, bytes, 'é'), format).toMatchObject(user('1'));
        expect(who(format, bytes, 'app.é'), format).toMatchObject(user('1'));
        expect(who(format, bytes, 'app.Ã'), format).toHaveProperty('state', 'nobody');
      }
    },
  );

  test('is invalid if its wildcard fits two keys, one of which is not UTF-8', () => {
    for (const { format, bytes } of phpReads(
      '$_SESSION = ["DWé" => 1, "DWé\\xff" => 666, "x\\xff" => 7];',
      '1',
    )) {
      expect(who(format, bytes, 'DWé*'), format).toMatchObject({
        state: 'invalid',
        reason: 'DWé* fits several keys',
      });
      expect(who(format, bytes, 'x*'), format).toMatchObject(user('7'));
    }
  });

  test('is invalid for private properties of one name in a class and its parent', () => {
    const classes = `class Account { private $id = 666; }
      class User extends Account { private $id = 1; protected $name = 7; public $open = 8; }`;
    const read = '(fn () => $this->id)->call($_SESSION["user"])';
    for (const found of phpReads(`${classes} $_SESSION["user"] = new User;`, read)) {
      const { format, bytes } = found;
      expect(found.read).toBe(1);
      expect(who(format, bytes, 'user.id'), format).toMatchObject({
        state: 'invalid',
        reason: 'user.id fits several keys',
      });
      // Only the path must be readable.
      expect(who(format, bytes, 'user.name'), format).toMatchObject(user('7'));
      expect(who(format, bytes, 'user.open'), format).toMatchObject(user('8'));
    }
  });

  test('finds a property that __sleep() names twice', () => {
    const named = `class Sleepy { public $a; public $id = 7; function __sleep() { return ["a", "id", "a", "id"]; } }
      $user = (object) ["id" => 666]; $one = new Sleepy; $one->a = [$user]; $_SESSION = ["one" => $one, "me" => 8];`;
    const expression = '[$_SESSION["one"]->id, $_SESSION["one"]->a[0]->id, $_SESSION["me"]]';
    for (const { format, bytes, read } of phpReads(named, expression)) {
      expect(read).toEqual([7, 666, 8]);
      expect(who(format, bytes, 'one.id'), format).toMatchObject(user('7'));
      expect(who(format, bytes, 'one.a.0.id'), format).toMatchObject(user('666'));
      expect(who(format, bytes, 'me'), format).toMatchObject(user('8'));
    }
  });

  test('finds a variable with an integer as its name only if PHP does', () => {
    for (const { format, bytes, read } of phpReads(
      '$_SESSION = ["a" => 1, 5 => 666, "05" => 7];',
      '$_SESSION[5] ?? null',
    )) {
      expect(read, format).toBe(format === 'php_serialize' ? 666 : null);
      expect(who(format, bytes, '5'), format).toMatchObject(
        format === 'php_serialize'
          ? user('666')
          : { state: 'nobody', reason: 'the session has no logged-in user: 5 is not in the session' },
      );
      expect(who(format, bytes, '05'), format).toMatchObject(user('7'));
    }
  });
});

test('treats the key __proto__ like any other key', () => {
  const code =
    '$_SESSION = ["app" => ["__proto__" => ["id" => 1]], "__proto__" => ["user_id" => 1, "id" => 7]];';
  for (const { format, bytes } of phpReads(code, '1')) {
    expect(who(format, bytes, 'user_id'), format).toHaveProperty('state', 'nobody');
    expect(who(format, bytes, 'app.id'), format).toHaveProperty('state', 'nobody');
    expect(who(format, bytes, '__proto__.id'), format).toMatchObject(user('7'));
  }
});

test('ignores a typed property that was never set in igbinary', () => {
  const code = 'class App { public string $late; public int $id = 7; } $_SESSION["app"] = new App;';
  for (const { bytes } of phpReads(code, '1', ['igbinary'])) {
    expect(who('igbinary', bytes, 'app.id')).toMatchObject(user('7'));
    expect(who('igbinary', bytes, 'app.late')).toHaveProperty('state', 'nobody');
  }
});

test('reads an enum case by its name only, because the session does not hold its value', () => {
  const code = 'enum Role: string { case Admin = "7"; } $_SESSION["role"] = Role::Admin;';
  for (const { format, bytes } of phpReads(code, '1', phpFormats.slice(0, 4))) {
    expect(who(format, bytes, 'role.name'), format).toMatchObject(user('Admin'));
    expect(who(format, bytes, 'role.value'), format).toMatchObject({
      state: 'invalid',
      reason: 'role.value lies in an enum case or in an object that serializes itself',
    });
  }
});
