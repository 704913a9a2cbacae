import { expect, test } from 'vitest';
import { cursorOf, decodeCursor } from '../../../server/chat/cursor.ts';
import { memberKey } from '../../../server/history/records/text-keys.ts';
import { folded } from '../../../server/text/folding.ts';
import { requests } from '../../../server/wire/events.ts';

test('decodes a cursor to its original values', () => {
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
] as const)('rejects a cursor that contains %s instead of a %s', (part, type) => {
  const cursor = Buffer.from(`[${part}]`).toString('base64url');
  expect(() => decodeCursor(cursor, [type])).toThrow(expect.objectContaining({ code: 'bad_request' }));
});

// U+FDFA has the longest keys, because it is a compatibility form of 18 characters.
test.each(['\ufdfa', '\u{10ffff}', '㌖', '"', 'ΐ'])(
  'accepts cursors that contain a long name of %j',
  (character) => {
    const id = '\u{1d4b3}'.repeat(64);
    const name = character.repeat(64);
    for (const isShown of [true, false]) {
      const cursor = cursorOf([memberKey({ id, name }, isShown), id]);
      expect(requests['room:members'].parse({ room: 'lobby', cursor })).toMatchObject({ cursor });
    }
    const cursor = cursorOf([1, folded(character.repeat(80)), 'u'.repeat(64)]);
    expect(requests['room:list'].parse({ member: false, cursor })).toMatchObject({ cursor });
  },
);
