import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { isBlank } from '../../../server/text/blank.ts';
import { plain } from '../../../server/text/format.ts';
import { links } from '../../../server/text/links.ts';
import { recorded } from './recorded.ts';
import { shapes } from './shapes.ts';

/** Returns the cases of a file of vectors, by the name of their group. */
function vectors<T>(name: string): { about: string; cases: readonly T[] }[] {
  return JSON.parse(readFileSync(new URL(`../../vectors/text/${name}.json`, import.meta.url), 'utf8'));
}

describe.each(vectors<[string, string[]]>('links'))('links: $about', ({ cases }) => {
  test.each(cases)('%j', (text, expected) => {
    expect(links(text).flatMap((piece) => (typeof piece === 'string' ? [] : [piece.text]))).toEqual(expected);
  });
});

describe.each(vectors<[string, string]>('hosts'))('hosts: $about', ({ cases }) => {
  test.each(cases)('%j', (text, expected) => expect(plain(`see ${text} .`)).toBe(`see ${expected} .`));
});

describe.each(vectors<[string, unknown[]]>('formats'))('formats: $about', ({ cases }) => {
  test.each(cases)('%j', (text, expected) => expect(shapes(text)).toEqual(expected));
});

describe.each(vectors<[string, boolean]>('blank'))('blank: $about', ({ cases }) => {
  test.each(cases)('%j', (text, expected) => expect(isBlank(text)).toBe(expected));
});

// The same texts show that Java parses like TypeScript.
test.each(vectors<[string, unknown]>('recorded'))('has current recorded texts', ({ cases }) => {
  expect(cases.map(([text]) => recorded(text))).toEqual(cases.map(([, expected]) => expected));
});
