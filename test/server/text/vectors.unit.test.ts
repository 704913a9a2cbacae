import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { isBlank as isBlankName } from '../../../packages/php-session/src/visible-text.ts';
import { isBlank } from '../../../server/text/blank.ts';
import { findFolded, folded } from '../../../server/text/folding.ts';
import { plain } from '../../../server/text/format.ts';
import { links } from '../../../server/text/links.ts';
import { initials } from '../../../server/wire/avatar.ts';
import { oneVisible } from '../../../server/wire/values.ts';
import { recorded } from './recorded.ts';
import { shapes } from './shapes.ts';

/** Returns a file of vectors, by groups. */
function vectors<T>(name: string): (T & { about: string })[] {
  return JSON.parse(readFileSync(new URL(`../../vectors/text/${name}.json`, import.meta.url), 'utf8'));
}

interface Cases<T> {
  cases: readonly T[];
}

describe.each(vectors<Cases<[string, string[]]>>('links'))('links: $about', ({ cases }) => {
  test.each(cases)('%j', (text, expected) => {
    expect(links(text).flatMap((piece) => (typeof piece === 'string' ? [] : [piece.text]))).toEqual(expected);
  });
});

describe.each(vectors<Cases<[string, string]>>('hosts'))('hosts: $about', ({ cases }) => {
  test.each(cases)('%j', (text, expected) => expect(plain(`see ${text} .`)).toBe(`see ${expected} .`));
});

describe.each(vectors<Cases<[string, unknown[]]>>('formats'))('formats: $about', ({ cases }) => {
  test.each(cases)('%j', (text, expected) => expect(shapes(text)).toEqual(expected));
});

const page = readFileSync(new URL('../../../docs/text.md', import.meta.url), 'utf8');
const documented = new RegExp(/blank if it matches `\/(.*)\/u`/.exec(page)?.[1] ?? '(?!)', 'u');

describe.each(vectors<Cases<[string, boolean]>>('blank'))('blank: $about', ({ cases }) => {
  test.each(cases)('%j', (text, expected) => {
    const results = [isBlank(text), isBlankName(text), documented.test(text)];
    expect(results).toEqual(results.map(() => expected));
  });
});

test('the contracts know all blank characters below U+10000', () => {
  const characters = Array.from({ length: 0x10000 }, (_, code) => String.fromCharCode(code));
  const visible = new RegExp(`^${oneVisible}`, 'u');
  const known = characters.filter((one) => one.isWellFormed() && visible.test(one) === isBlank(one));
  expect(known).toEqual([]);
});

// The same texts show that Java parses like TypeScript.
test.each(vectors<Cases<[string, unknown]>>('recorded'))('has current recorded texts', ({ cases }) => {
  expect(cases.map(([text]) => recorded(text))).toEqual(cases.map(([, expected]) => expected));
});

describe.each(vectors<Cases<[string, string]>>('initials'))('initials: $about', ({ cases }) => {
  test.each(cases)('%j', (name, expected) => expect(initials(name)).toBe(expected));
});

interface Pairs {
  equal: readonly [string, string][];
  different: readonly [string, string][];
}

describe.each(vectors<Pairs>('equal'))('equal texts: $about', ({ equal, different }) => {
  if (equal.length > 0)
    test.each(equal)('%j = %j', (one, other) => {
      expect(folded(one)).toBe(folded(other));
      const text = `ß ${one}!`;
      const { start, end } = findFolded(text, other) ?? { start: 0, end: 0 };
      expect(folded(text.slice(start, end))).toBe(folded(other));
    });
  if (different.length > 0)
    test.each(different)('%j ≠ %j', (one, other) => expect(folded(one)).not.toBe(folded(other)));
});
