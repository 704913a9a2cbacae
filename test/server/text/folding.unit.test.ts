import { expect, test } from 'vitest';
import { filterForm, maybeBlank } from '../../../server/text/filter.ts';
import { asTyped, findFolded, folded, typedFirst } from '../../../server/text/folding.ts';
import { size, soak } from '../../guarantees/size.ts';
import { expectCpuBelow, tenMillionBytes } from '../../helpers/cpu.ts';

/** Each character alone, and next to letters with which it may combine. */
function* characters(): Generator<string> {
  for (let code = 0; code < size(0x110000, 0x20000); code++) {
    if (code >= 0xd800 && code <= 0xdfff) continue;
    const character = String.fromCodePoint(code);
    // All of these have one meaning.
    if (!soak && code % 16 > 0 && /\p{Ideographic}|\p{Cn}/u.test(character)) continue;
    yield* [character, `a${character}`, `か${character}b`];
  }
}

test('folds all forms of a text to the same one, which is folded', () => {
  const wrong: string[] = [];
  for (const text of characters()) {
    const form = folded(text);
    const forms = [form, text.normalize('NFC'), text.normalize('NFD'), text.toLowerCase()];
    if (forms.some((one) => folded(one) !== form)) wrong.push(text);
  }
  expect(wrong).toEqual([]);
});

test('finds the first hit in whole letters, and none for a query that is not there', () => {
  expect(findFolded('Straße', 'ras')).toEqual({ start: 2, end: 5 });
  // Half of a letter is in the hit.
  expect(findFolded('Straße', 'tras')).toEqual({ start: 1, end: 5 });
  expect(findFolded('a  b\n\nc', 'B C')).toEqual({ start: 3, end: 7 });
  expect(findFolded('か', 'が')).toBeUndefined();
  expect(findFolded('a', '')).toBeUndefined();
});

test('does not fold vowel signs alone to the empty text, which every text contains', () => {
  expect(folded('\u064e')).not.toBe('');
  expect(folded('a').includes(folded('\u064e'))).toBe(false);
});

test('puts texts with the query as it was typed first', () => {
  const names = ['Résumé 1', 'resume 2', 'Resume 3', 'résumé 4'];
  const sorted = (query: string) =>
    typedFirst(names, query, (name) => name)
      .map((name) => name.at(-1))
      .join('');
  expect([sorted('RESUME'), sorted('résumé'), sorted('résumé'.normalize('NFD'))]).toEqual([
    '2314',
    '1423',
    '1423',
  ]);
});

test('filters texts in the folded form, without any marks', () => {
  const bare = (text: string) => filterForm(text).replaceAll(maybeBlank, '');
  for (const [one, other] of [
    ['Łódź', 'lodz'],
    ['Straße', 'STRASSE'],
    ['won’t', "won't"],
    ['が', 'か'],
    ['й', 'и'],
    ['co\u00ado**p**', 'coop'],
  ])
    expect(bare(one as string)).toBe(bare(other as string));
});

test.each([
  ['marks on one letter', 'a'.padEnd(100_000, '\u0301')],
  ['marks in another order than that of Unicode', 'a'.padEnd(100_000, '\u094d\u0338')],
  ['half-width voice marks between others', 'a'.padEnd(100_000, '\uff9e\u0338')],
  ['blanks between letters', 'ab ä'.repeat(25_000)],
  ['invisible characters', ' '.padEnd(100_000, '\u200b\u200d')],
  [
    'letters of which each has other marks',
    Array.from({ length: 30_000 }, (_, n) =>
      String.fromCodePoint(97 + (n % 26), 0x300 + (n % 64), 0x300 + ((n >> 6) % 64)),
    ).join(''),
  ],
])('folds %s in linear time', (_, text) => {
  for (const work of [folded, asTyped, filterForm, (text: string) => findFolded(text, 'zz')])
    expectCpuBelow(10 * tenMillionBytes(), () => work(text));
});
