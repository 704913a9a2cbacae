import { describe, expect, test } from 'vitest';
import { formats } from '../../../server/session/formats/formats.ts';
import { identify } from '../../../server/session/identity.ts';
import { parsePath } from '../../../server/session/path.ts';
import { phpReads, phpSessions, type Written } from '../../helpers/php-sessions.ts';

const native = ['php', 'php_binary', 'php_serialize', 'igbinary', 'msgpack'] as const;

describe.each(native)('%s, as PHP writes it', (format) => {
  const sessions = phpSessions(format);
  test('a visitor who can write into a session does not become another user', () => {
    const { bytes } = sessions.find(({ name }) => name.startsWith('what looks')) as Written;
    expect(identify(formats[format](bytes), { id: ['user_id'], name: ['firstname'] })).toEqual({
      user: { id: '7', name: '7' },
    });
  });

  test('a path leads through objects, and nothing is found in a prototype', () => {
    const of = (name: string, path: string[]) => {
      const { bytes } = sessions.find((session) => session.name === name) as Written;
      return identify(formats[format](bytes), { id: path, name: [] });
    };
    expect(of('objects', ['cart', 'secret'])).toMatchObject({ user: { id: 'x|;' } });
    expect(of('objects', ['cart', 'list', '1'])).toMatchObject({ user: { id: '2' } });
    expect(of('objects', ['cart'])).toHaveProperty('invalid');
    expect(of('every scalar', ['exact'])).toMatchObject({ user: { id: '9007199254740993' } });
    expect(of('every scalar', ['float'])).toHaveProperty('invalid');
    expect(of('every scalar', ['binary'])).toHaveProperty('invalid');
    expect(of('a user', ['constructor'])).toHaveProperty('nobody');
    expect(of('a user', ['toString', 'name'])).toHaveProperty('nobody');
  });
});

/** The user that a PHP session has at a path. */
const who = (format: (typeof native)[number], bytes: Buffer, path: string) =>
  identify(formats[format](bytes), { id: parsePath(path), name: [] });
const user = (id: string) => ({ user: { id, name: id } });

/** The visitor's input has `id` 1; the user, whose object is in two places, has 666. */
const form = '"list" => [1], "form" => (object) ["id" => 1]';
const twice = '$user = (object) ["id" => 666]; $_SESSION =';

describe('a value that lies in several places, as PHP itself reads it', () => {
  test.each(native)('%s: an object after one that is in three places', (format) => {
    const code = `$one = new stdClass; ${twice} ["cart" => [$one, $one, $one], "user" => $user, ${form}, "me" => $user];`;
    const { bytes, read } = phpReads(format, code, '$_SESSION["me"]->id');
    expect(read).toBe(666);
    expect(who(format, bytes, 'me.id')).toEqual(user('666'));
    expect(who(format, bytes, 'form.id')).toEqual(user('1'));
  });

  test.each(native)('%s: an object that is a PHP reference, too', (format) => {
    const { bytes, read } = phpReads(
      format,
      `${twice} ["a" => &$user, "b" => &$user, "user_id" => 7];`,
      '[$_SESSION["a"]->id, $_SESSION["b"]->id]',
    );
    expect(read).toEqual([666, 666]);
    expect(who(format, bytes, 'a.id')).toEqual(user('666'));
    expect(who(format, bytes, 'b.id')).toEqual(user('666'));
    expect(who(format, bytes, 'user_id')).toEqual(user('7'));
  });

  const old = `class Old implements Serializable {
    function serialize() { return serialize([1, 2]); }
    function unserialize($data) { unserialize($data); }
  }`;

  test.each(['php', 'php_binary', 'php_serialize'] as const)(
    '%s: one behind a class with Serializable is refused, since nobody but the class knows its number',
    (format) => {
      const code = (me: string) =>
        `${old} ${twice} ["old" => new Old, "user" => $user, ${form}, "id" => 7, "me" => ${me}];`;
      const { bytes, read } = phpReads(format, code('$user'), '$_SESSION["me"]->id');
      expect(read).toBe(666);
      expect(() => formats[format](bytes)).toThrow(/^expected a reference to an earlier value at byte \d+$/);
      // Only the reference cannot be read.
      const without = phpReads(format, code('1'), '$_SESSION["id"]');
      expect(who(format, without.bytes, 'id')).toEqual(user('7'));
      expect(who(format, without.bytes, 'user.id')).toEqual(user('666'));
      expect(who(format, without.bytes, 'old.user')).toHaveProperty('invalid');
    },
  );

  test.each(['igbinary', 'msgpack'] as const)('%s: one behind a class with Serializable', (format) => {
    const code = `${old} ${twice} ["old" => new Old, "user" => $user, ${form}, "me" => $user];`;
    const { bytes, read } = phpReads(format, code, '$_SESSION["me"]->id');
    expect(read).toBe(666);
    expect(who(format, bytes, 'me.id')).toEqual(user('666'));
  });

  test('msgpack: one of more than eight variables is refused, since PHP reads freed memory there', () => {
    const others = Array.from({ length: 8 }, (_, n) => `"v${n}" => ${n}`).join(', ');
    const { bytes } = phpReads(
      'msgpack',
      `${twice} ["cart" => ["a" => 1], "user" => $user, ${others}, "me" => $user];`,
      '1',
    );
    expect(() => formats.msgpack(bytes)).toThrow(/^expected a reference to an earlier value/);
  });
});

test.each(native)('%s: bytes behind the session, such as a padding, count as they do for PHP', (format) => {
  const { bytes, read } = phpReads(
    format,
    '$_SESSION = ["id" => 7];',
    '(function () { session_decode(session_encode() . "\\0\\0"); return $_SESSION["id"] ?? null; })()',
  );
  const padded = Buffer.concat([bytes, Buffer.alloc(2)]);
  if (read === null) expect(() => formats[format](padded)).toThrow(/^expected/);
  else expect(who(format, padded, 'id')).toEqual(user('7'));
  expect(read).toBe(format === 'php' || format === 'php_binary' ? null : 7);
});

describe('a value in many levels', () => {
  test.each([
    ['php', 4096, 'unserialize_max_depth'],
    ['php_binary', 4096, 'unserialize_max_depth'],
    // Its first level is the session itself.
    ['php_serialize', 4095, 'unserialize_max_depth'],
    ['msgpack', 1023, 'ext-msgpack'],
  ] as const)(
    '%s: read in as many levels as PHP reads, and one more is named as the reason',
    (format, levels, limit) => {
      const at = (n: number) =>
        phpReads(
          format,
          `for ($deep = 1, $n = 0; $n < ${n}; $n++) $deep = [$deep]; $_SESSION = ["deep" => $deep, "id" => 7];`,
          '$_SESSION["id"] ?? null',
        );
      const { bytes, read } = at(levels);
      expect(read).toBe(7);
      expect(who(format, bytes, 'id')).toEqual(user('7'));
      const deeper = at(levels + 1);
      expect(deeper.read).toBeNull();
      expect(() => formats[format](deeper.bytes)).toThrow(
        expect.objectContaining({ explanation: expect.stringContaining(limit) }),
      );
    },
  );

  test('igbinary: in any number', () => {
    const code =
      'for ($deep = 1, $n = 0; $n < 20000; $n++) $deep = [$deep]; $_SESSION = ["deep" => $deep, "id" => 7];';
    const { bytes, read } = phpReads('igbinary', code, '$_SESSION["id"]');
    expect(read).toBe(7);
    expect(who('igbinary', bytes, 'id')).toEqual(user('7'));
  });
});

describe('keys that could be taken for one another', () => {
  test.each(native)('%s: é in UTF-8 and in ISO 8859-1, whichever comes last', (format) => {
    for (const keys of ['"é" => 1, "\\xe9" => 666', '"\\xe9" => 666, "é" => 1', '"é" => 1, "\\xc3" => 666']) {
      const { bytes, read } = phpReads(
        format,
        `$_SESSION = ["app" => [${keys}], ${keys}];`,
        '$_SESSION["é"]',
      );
      expect(read).toBe(1);
      expect(who(format, bytes, 'é')).toEqual(user('1'));
      expect(who(format, bytes, 'app.é')).toEqual(user('1'));
      expect(who(format, bytes, 'app.Ã')).toHaveProperty('nobody');
    }
  });

  test.each(native)('%s: two keys that begin alike, one of them no UTF-8 further on', (format) => {
    const { bytes } = phpReads(format, '$_SESSION = ["DWé" => 1, "DWé\\xff" => 666, "x\\xff" => 7];', '1');
    expect(who(format, bytes, 'DWé*')).toEqual({ invalid: 'DWé* fits several keys' });
    expect(who(format, bytes, 'x*')).toEqual(user('7'));
  });

  const classes = `class Account { private $id = 666; }
    class User extends Account { private $id = 1; protected $name = 7; public $open = 8; }`;
  test.each(native)('%s: private properties of one name in a class and its parent', (format) => {
    const { bytes, read } = phpReads(
      format,
      `${classes} $_SESSION["user"] = new User;`,
      '(fn () => $this->id)->call($_SESSION["user"])',
    );
    expect(read).toBe(1);
    expect(who(format, bytes, 'user.id')).toEqual({ invalid: 'user.id fits several keys' });
    // Only the path must be readable.
    expect(who(format, bytes, 'user.name')).toEqual(user('7'));
    expect(who(format, bytes, 'user.open')).toEqual(user('8'));
  });

  test.each(native)('%s: a property that __sleep() names twice', (format) => {
    const named = `class Sleepy { public $a; public $id = 7; function __sleep() { return ["a", "id", "a", "id"]; } }
      $user = (object) ["id" => 666]; $one = new Sleepy; $one->a = [$user];`;
    const { bytes, read } = phpReads(
      format,
      `${named} $_SESSION = ["one" => $one, "me" => 8];`,
      '[$_SESSION["one"]->id, $_SESSION["one"]->a[0]->id, $_SESSION["me"]]',
    );
    expect(read).toEqual([7, 666, 8]);
    expect(who(format, bytes, 'one.id')).toEqual(user('7'));
    expect(who(format, bytes, 'one.a.0.id')).toEqual(user('666'));
    expect(who(format, bytes, 'me')).toEqual(user('8'));
  });

  test.each(native)('%s: an integer as the name of a variable, as PHP reads it', (format) => {
    const { bytes, read } = phpReads(
      format,
      '$_SESSION = ["a" => 1, 5 => 666, "05" => 7];',
      '$_SESSION[5] ?? null',
    );
    expect(read).toBe(format === 'php_serialize' ? 666 : null);
    expect(who(format, bytes, '5')).toEqual(
      format === 'php_serialize' ? user('666') : { nobody: 'nobody is logged in: 5 is not in the session' },
    );
    expect(who(format, bytes, '05')).toEqual(user('7'));
  });
});

test.each(native)('%s: a key __proto__ is one like any other', (format) => {
  const { bytes } = phpReads(
    format,
    '$_SESSION = ["app" => ["__proto__" => ["id" => 1]], "__proto__" => ["user_id" => 1, "id" => 7]];',
    '1',
  );
  expect(who(format, bytes, 'user_id')).toHaveProperty('nobody');
  expect(who(format, bytes, 'app.id')).toHaveProperty('nobody');
  expect(who(format, bytes, '__proto__.id')).toEqual(user('7'));
});

test('igbinary: a typed property that was never set', () => {
  const { bytes } = phpReads(
    'igbinary',
    'class App { public string $late; public int $id = 7; } $_SESSION["app"] = new App;',
    '1',
  );
  expect(who('igbinary', bytes, 'app.id')).toEqual(user('7'));
  expect(who('igbinary', bytes, 'app.late')).toHaveProperty('nobody');
});

test.each(['php', 'php_binary', 'php_serialize', 'igbinary'] as const)(
  '%s: the case of an enum by its name; its value is not in the session',
  (format) => {
    const { bytes } = phpReads(
      format,
      'enum Role: string { case Admin = "7"; } $_SESSION["role"] = Role::Admin;',
      '1',
    );
    expect(who(format, bytes, 'role.name')).toEqual(user('Admin'));
    expect(who(format, bytes, 'role.value')).toEqual({
      invalid: 'role.value lies in an enum case or in an object that serializes itself',
    });
  },
);
