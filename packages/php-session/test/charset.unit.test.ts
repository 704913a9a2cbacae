import { describe, expect, test } from 'vitest';
import { size, soak } from '../../../test/guarantees/size.ts';
import { PhpBytes } from '../src/formats/value.ts';
import { findUser } from '../src/identity.ts';

const multiByte = ['gbk', 'gb18030', 'big5', 'euc-jp', 'iso-2022-jp', 'shift_jis', 'euc-kr'];
/** All names of https://encoding.spec.whatwg.org/#names-and-labels except of UTF-8, UTF-16 and `replacement`. */
const charsets = [
  ...['ibm866', 'koi8-r', 'koi8-u', 'macintosh', 'x-mac-cyrillic', 'x-user-defined'],
  ...[2, 3, 4, 5, 6, 7, 8, '8-i', 10, 13, 14, 15, 16].map((part) => `iso-8859-${part}`),
  ...['windows-874', ...[0, 1, 2, 3, 4, 5, 6, 7, 8].map((page) => `windows-125${page}`)],
  ...multiByte,
];

const paths = { id: ['id'], name: ['id'] };
const find = (bytes: Buffer, charset: string) => findUser({ id: new PhpBytes(bytes) }, { ...paths, charset });

const bytes = Array.from({ length: 256 }, (_, byte) => byte);
const digits = bytes.slice(0x30, 0x3a);

/**
 * The first bytes of codes of two bytes: without soak only some, among them those of characters with several codes. With
 * soak also bytes that are characters.
 */
const leads = size(
  bytes,
  [0x80, 0x81, 0x87, 0xa1, 0xa2, 0xa4, 0xad, 0xc7, 0xed, 0xee, 0xf9, 0xfa, 0xfb, 0xfc, 0xfe],
);

/** All texts of one and two bytes, and the longer codes of the character set. Without soak, only codes with `leads`. */
function* textsOf(charset: string): Generator<number[]> {
  for (const a of bytes) yield [a];
  if (soak || multiByte.includes(charset)) for (const a of leads) for (const b of bytes) yield [a, b];
  // JIS X 0212. Some of its characters are also in JIS X 0208.
  if (charset === 'euc-jp') for (const b of leads) for (const c of leads) yield [0x8f, b, c];
  // The codes of four bytes for the first planes.
  if (charset === 'gb18030')
    for (const a of size([0x81, 0x82, 0x83, 0x84, 0x90, 0xe3, 0xfe], [0x81, 0x84, 0x90]))
      for (const b of size(digits, [0x30, 0x31, 0x39]))
        for (const c of bytes.slice(0x81, 0xff)) for (const d of digits) yield [a, b, c, d];
}

describe('gives no two byte strings the same ID', () => {
  test.each(charsets)('%s', (charset) => {
    const seen = new Map<string, string>();
    const equal: string[] = [];
    for (const text of textsOf(charset)) {
      const found = find(Buffer.from(text), charset);
      if (found.state !== 'user') continue;
      const hex = Buffer.from(text).toString('hex');
      const before = seen.get(found.user.id);
      if (before !== undefined) equal.push(`${before} and ${hex}`);
      seen.set(found.user.id, hex);
    }
    expect(equal).toEqual([]);
    expect(seen.size).toBeGreaterThan(90);
  });
});

test.each([
  ['shift_jis', 'fbfc8bb4', '髙橋', 'eee08bb4'],
  ['shift_jis', '8754', 'Ⅰ', 'fa4a'],
  ['euc-jp', 'a2e1', '≡', 'adf1'],
  ['big5', 'a451', '十', 'a2cc'],
  ['gbk', '80', '€', 'a2e3'],
  ['gb18030', 'a2e3', '€', '80'],
  ['iso-2022-jp', '616e6e', 'ann', '1b2842616e6e'],
])('in %s %s is %s, and %s is rejected', (charset, canonical, id, other) => {
  const admins = { ...paths, charset, admins: [id] };
  const of = (hex: string) => findUser({ id: new PhpBytes(Buffer.from(hex, 'hex')) }, admins);
  expect(of(canonical)).toMatchObject({ user: { id, roles: ['admin'] } });
  expect(of(other)).toMatchObject({
    state: 'invalid',
    reason: `id is not in the canonical form of ${charset} (charset): the same text in other bytes could be the id of another user`,
  });
});
