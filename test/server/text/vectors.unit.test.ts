import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { isBlank } from '../../../server/text/blank.ts';
import { blocks, type Inline, plain } from '../../../server/text/format.ts';
import { links } from '../../../server/text/links.ts';

/** Returns the cases of a file of vectors, by the name of their group. */
function vectors<T>(name: string): { about: string; cases: readonly T[] }[] {
  return JSON.parse(readFileSync(new URL(`../../vectors/text/${name}.json`, import.meta.url), 'utf8'));
}

/** Writes pieces as text: code in angle brackets, bold in square ones, italic in braces. */
const shape = (inline: readonly Inline[]): string =>
  inline
    .map((piece) => {
      if (typeof piece === 'string') return piece;
      if ('code' in piece) return `<${piece.code}>`;
      if (!('mark' in piece)) return piece.text;
      const inside = shape(piece.inline);
      return piece.mark === 'strong' ? `[${inside}]` : `{${inside}}`;
    })
    .join('');
const shapes = (text: string) =>
  blocks(text).map((block) => {
    if (block.kind === 'code') return ['`', block.text];
    if (block.kind === 'list') return [block.start ?? '-', ...block.items.map(shape)];
    return block.kind === 'quote' ? ['>', shape(block.inline)] : shape(block.inline);
  });

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
