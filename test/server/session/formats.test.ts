import { describe, expect, test } from 'vitest';
import { formats } from '../../../server/session/formats/formats.ts';
import { PhpBytes, PhpFloat, PhpObject, type PhpValue } from '../../../server/session/formats/value.ts';
import { identify } from '../../../server/session/identity.ts';
import { phpSessions, type Written } from '../../helpers/php-sessions.ts';

const native = ['php', 'php_binary', 'php_serialize', 'igbinary', 'msgpack'] as const;

/** The same words for the same values as the script has. */
function inWords(value: PhpValue, depth = 0): unknown {
  const inner = (record: object) =>
    Object.fromEntries(
      Object.entries(record).map(([key, one]) => [key, inWords(one as PhpValue, depth + 1)]),
    );
  if (depth > 6) return '…';
  if (typeof value === 'number' || typeof value === 'bigint') return { int: String(value) };
  if (value instanceof PhpFloat) {
    const bytes = Buffer.alloc(8);
    bytes.writeDoubleBE(value.value);
    return { float: bytes.toString('hex') };
  }
  if (value instanceof PhpBytes) return { bytes: value.bytes.toString('hex') };
  if (value instanceof PhpObject) return { object: value.className, properties: inner(value.properties) };
  return typeof value === 'object' && value !== null ? { array: inner(value) } : value;
}

/** PHP has made a list of what JSON shows as one; keys are keys all the same. */
const asRecords = (words: unknown): unknown =>
  Array.isArray(words)
    ? Object.fromEntries(words.map((one, n) => [n, asRecords(one)]))
    : typeof words === 'object' && words !== null
      ? Object.fromEntries(Object.entries(words).map(([key, one]) => [key, asRecords(one)]))
      : words;

describe.each(native)('%s, as PHP writes it', (format) => {
  const sessions = phpSessions(format);
  test.each(sessions.map((session) => [session.name, session] as const))('%s', (_, { bytes, holds }) => {
    expect(asRecords(inWords(formats[format](bytes)))).toEqual(asRecords(holds));
  });

  test('whoever can write into a session does not become another user', () => {
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
