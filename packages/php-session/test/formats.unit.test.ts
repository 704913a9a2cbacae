import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { size } from '../../../test/guarantees/size.ts';
import { expectCpuBelow, tenMillionBytes } from '../../../test/helpers/cpu.ts';
import { type FormatName, formats } from '../src/formats/formats.ts';
import { FormatError, PhpFloat, type PhpValue } from '../src/formats/value.ts';

const runs = size(50_000, 300);

/** Any bytes must be decoded or rejected with a FormatError. */
function decodeOrRefuse(format: FormatName, bytes: Buffer): void {
  try {
    formats[format](bytes);
  } catch (error) {
    if (!(error instanceof FormatError)) throw error;
  }
}

/** Ten times what the slowest case needs on a busy machine. Quadratic time would be a thousand times more. */
const linear = () => 500 * tenMillionBytes();

const hex = (text: string) => Buffer.from(text.replaceAll(' ', ''), 'hex');
const seeds: Record<FormatName, Buffer> = {
  php: Buffer.from(
    'user_id|i:7;o|O:4:"Cart":2:{s:5:"items";i:1;s:7:"\0Cart\0x";a:1:{i:0;d:0.5;}}r|R:2;e|E:6:"S:Hear";n|N;b|b:1;',
  ),
  php_binary: Buffer.from('\x07user_idi:7;\x01aa:2:{i:0;s:1:"x";i:1;R:3;}', 'latin1'),
  php_serialize: Buffer.from('a:2:{s:7:"user_id";i:7;s:1:"c";C:3:"Old":4:{a;}x}}'),
  json: Buffer.from('{"user_id":7,"list":[1,2.5,{"a":null}],"t":"\\u5f20"}'),
  igbinary: hex('00000002 1403 1107757365725f6964 0607 110161 25 110376616c 110162 25 0101'),
  msgpack: hex('83 c001 a7757365725f6964 07 a16f 83 c0 a143 a178 9201 02 a179 c0'),
};

describe.each(Object.keys(formats) as FormatName[])('%s', (format) => {
  test('decodes or rejects a session with random changes', () => {
    const change = fc.record({ at: fc.nat(200), drop: fc.nat(200), put: fc.uint8Array({ maxLength: 50 }) });
    fc.assert(
      fc.property(fc.array(change, { minLength: 1, maxLength: 4 }), (changes) => {
        let bytes = seeds[format];
        for (const { at, drop, put } of changes) {
          const from = at % (bytes.length + 1);
          bytes = Buffer.concat([bytes.subarray(0, from), put, bytes.subarray(from + drop)]);
        }
        decodeOrRefuse(format, bytes);
      }),
      { numRuns: runs },
    );
  });

  test('decodes the unchanged session', () => {
    expect(formats[format](seeds[format])).toMatchObject({ user_id: 7 });
  });
});

test('a name in bytes of php_serialize is not a variable for php', () => {
  const name = 'x|N;user_id|s:4:"boss";q|a:1:{i:0;s:0:"';
  const bytes = Buffer.from(`a:2:{s:7:"user_id";s:3:"mal";s:4:"name";s:${name.length}:"${name}";}`);
  expect(formats.php_serialize(bytes)).toMatchObject({ user_id: 'mal', name });
  expect(() => formats.php(bytes)).toThrow('expected a name at byte 0');
});

describe('the JSON decoder agrees with JSON.parse', () => {
  const plain = (value: PhpValue): unknown => {
    if (value instanceof PhpFloat) return value.value;
    if (typeof value === 'bigint') return Number(value);
    if (Array.isArray(value)) return value.map(plain);
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, plain(one as PhpValue)]));
  };
  const outcome = (decode: () => unknown) => {
    try {
      return JSON.stringify(decode());
    } catch {
      return 'refused';
    }
  };
  const same = (text: string) => {
    expect(outcome(() => plain(formats.json(Buffer.from(text))))).toBe(outcome(() => JSON.parse(text)));
  };

  /**
   * After an object with the key `"\\"`, V8's JSON.parse in Node 26.10 reads the key `"\/"` as `"\\"`. So generated
   * keys have no backslash. A changed character still introduces escapes.
   */
  const stringUnit = fc
    .string({ unit: 'binary-ascii', minLength: 1, maxLength: 1 })
    .map((one) => one.replace('\\', 'é'));

  test('on valid JSON, and on JSON with one changed character', () => {
    const character = fc.constantFrom(...'{}[]",:\\0123456789.-+eE tfn/u\n\0');
    fc.assert(
      fc.property(fc.json({ maxDepth: 6, stringUnit }), fc.nat(), character, (text, at, put) => {
        same(text);
        const from = at % (text.length + 1);
        same(text.slice(0, from) + put + text.slice(from + 1));
      }),
      { numRuns: runs },
    );
  });

  test('on texts that may be numbers', () => {
    fc.assert(fc.property(fc.stringMatching(/^[-+0-9.eE]{1,8}$/), same), { numRuns: runs });
  });
});

test.each<[FormatName, string, Buffer]>([
  ['php', 'a count that promises too much', Buffer.from('a|a:2000000000:{}')],
  ['php', 'a length beyond the end', Buffer.from('a|s:99:"x";')],
  ['php', 'a length that is too short by one', Buffer.from('a|s:2:"xyz";')],
  ['php', 'a negative length', Buffer.from('a|s:-1:"";')],
  ['php', '200,000 levels', Buffer.from(`a|${'a:1:{i:0;'.repeat(200_000)}`)],
  ['php', 'a reference to a missing value', Buffer.from('a|R:9;')],
  ['php', 'more than 64 bits', Buffer.from('a|i:9223372036854775808;')],
  ['php', 'a name without a value', Buffer.from('abc')],
  ['php', 'the same object again, where an array is', Buffer.from('a|a:1:{s:2:"id";i:7;}b|r:1;')],
  ['php', 'a reference to itself in the second value of a key', Buffer.from('a|a:2:{i:0;i:1;i:0;R:2;}')],
  ['php', 'half the name of a private property', Buffer.from('a|O:1:"A":1:{s:2:"\0x";i:7;}')],
  ['php', 'a length with a sign', Buffer.from('a|s:+1:"x";')],
  ['php', 'a class that no code can have', Buffer.from('a|O:3:"a b":0:{}')],
  [
    'php',
    'a reference after the data of a class that serializes itself',
    Buffer.from('a|C:1:"A":4:{i:1;}b|i:7;c|R:2;'),
  ],
  ['php_binary', 'a name of more than 127 bytes', Buffer.from('\x81a\x01bi:7;', 'latin1')],
  ['php_serialize', 'cut off', Buffer.from('a:1:{s:7:"user_id";i:')],
  ['igbinary', 'another version', hex('00000003 1400')],
  ['igbinary', 'a count that promises too much', hex('00000002 16ffffffff')],
  ['igbinary', 'wrappers without end', Buffer.concat([hex('00000002'), Buffer.alloc(100_000, 0x25)])],
  ['igbinary', 'an unknown string', hex('00000002 1401 0e09 00')],
  ['igbinary', 'a string that is an integer as a key', hex('00000002 1401 110161 1401 110135 0607')],
  ['igbinary', 'more than 64 bits', hex('00000002 1401 110161 20 8000000000000000')],
  ['igbinary', 'an object for a session', hex('00000002 170141 1401 110161 0607')],
  ['msgpack', 'a count that promises too much', hex('dfffffffff')],
  [
    'msgpack',
    'nested lists that each announce all remaining bytes',
    Buffer.concat([Buffer.from('dd000f0000'.repeat(60), 'hex'), Buffer.alloc(1_000_000, 0xc0)]),
  ],
  ['msgpack', 'a map as the key of a map, without end', Buffer.alloc(100_000, 0x81)],
  ['msgpack', 'markers without end', Buffer.from('81c0'.repeat(50_000), 'hex')],
  ['msgpack', 'the session within itself', hex('82 c001 a161 82c002 0001')],
  ['msgpack', 'an array within itself that is not a reference', hex('81 a161 81 a162 82c004 0002')],
  [
    'msgpack',
    'a part of the result of __serialize()',
    hex('82 a161 82 c0a141 c0 91 81a16207 a163 82c004 0004'),
  ],
  ['msgpack', 'an object for a session', hex('82 c0a141 a161 07')],
  ['json', 'php format', Buffer.from('user_id|i:7;')],
  ['json', 'truncated', Buffer.from('{"user_id":4')],
  ['json', 'not UTF-8', hex('7b22ff227d')],
  ['json', '200,000 levels', Buffer.from(`{"user_id":1,"a":${'['.repeat(200_000)}${']'.repeat(200_000)}}`)],
  ['json', 'a byte order mark', Buffer.from('\ufeff{}')],
  ['json', 'half a surrogate pair', Buffer.from('{"user_id":7,"a":"\\ud800"}')],
])('rejects %s with %s and names the position', (format, _, bytes) => {
  expect(() => formats[format](bytes)).toThrow(FormatError);
  expectCpuBelow(linear(), () => expect(() => formats[format](bytes)).toThrow(/at byte \d+/));
});

/** Repeats a text to this many bytes. */
const filled = (text: string, bytes: number) => text.repeat(Math.floor(bytes / text.length));
const wholeMegabyte = 1_000_000;

test.each<[FormatName, string, Buffer]>([
  ['php_serialize', 'entries of one key', Buffer.from(`a:90000:{${filled('i:0;i:1;', 720_000)}}`)],
  [
    'php_serialize',
    'entries of one key, each in another level',
    Buffer.from(`${filled('a:2:{i:0;i:1;i:0;', 17 * 4096)}i:1;${'}'.repeat(4096)}`),
  ],
  [
    'php_serialize',
    'references in the deepest of 4,096 levels',
    Buffer.from(
      `${'a:1:{i:0;'.repeat(4095)}a:50000:{${Array.from({ length: 50_000 }, (_, n) => `i:${n};R:1;`).join('')}}${'}'.repeat(4095)}`,
    ),
  ],
  ['php', 'a float of a megabyte', Buffer.from(`a|d:0.${filled('1', wholeMegabyte)};`)],
  ['php', 'digits without an end', Buffer.from(`a|d:${filled('1', wholeMegabyte)}x;`)],
  ['igbinary', 'levels', hex(`00000002 1401 110161 ${filled('14010600', 2 * wholeMegabyte)}`)],
  [
    'igbinary',
    'a private property of half a megabyte, in 20,000 entries',
    hex(
      `00000002 1401 110161 170143 154e20 130007a120 00${filled('78', 999_994)}0078 00 ${filled('0e0200', 6 * 19_999)}`,
    ),
  ],
  [
    'msgpack',
    'the result of __serialize() in 900 levels, with many lists in the last',
    hex(`81a161${'82c0a141c091'.repeat(500)}dd000e0000${'90'.repeat(0xe0000)}`),
  ],
  [
    'msgpack',
    'values before a second value for the same key, in 1,000 levels',
    hex(`82${'a16182'.repeat(1000)}a161dd000e0000${'90'.repeat(0xe0000)}${'a161c0'.repeat(1001)}`),
  ],
  ['json', 'levels', Buffer.from(filled('[', wholeMegabyte))],
])('decodes or rejects %s with %s in about linear time', (format, _, bytes) => {
  expectCpuBelow(linear(), () => decodeOrRefuse(format, bytes));
});
