import { expect, test } from 'vitest';
import { cursorOf, decodeCursor } from '../../../server/chat/cursor.ts';

test('a cursor comes back as it was made', () => {
  expect(decodeCursor(cursorOf(['Zoë 👋', 'u-1']), ['string', 'string'])).toEqual(['Zoë 👋', 'u-1']);
  expect(decodeCursor(cursorOf([-1_700_000_000_000, 'u-1']), ['number', 'string'])).toEqual([
    -1_700_000_000_000,
    'u-1',
  ]);
  expect(decodeCursor(cursorOf([0]), ['count'])).toEqual([0]);
});

test.each([
  ['1.5', 'number'],
  ['1e300', 'number'],
  ['9007199254740992', 'number'],
  ['"1"', 'number'],
  ['1.5', 'count'],
  ['1e300', 'count'],
  ['-1', 'count'],
  ['null', 'count'],
  ['"a\\u0000"', 'string'],
  ['"\\ud800"', 'string'],
  ['1', 'string'],
] as const)('one that holds %s as its %s is none of this server’s', (part, type) => {
  const cursor = Buffer.from(`[${part}]`).toString('base64url');
  expect(() => decodeCursor(cursor, [type])).toThrow(expect.objectContaining({ code: 'bad_request' }));
});
