import fc from 'fast-check';
import type { ComponentChildren } from 'preact';
import { describe, expect, test } from 'vitest';
import { onlyEmoji } from '../../client/src/text/emoji.ts';
import { cleaned, codePoints } from '../../client/src/text/paste.ts';
import { snippet } from '../../client/src/text/snippet.ts';
import { formatted } from '../../client/src/views/messages/formatted.tsx';
import { isBlank } from '../../server/text/blank.ts';
import { blocks, plain } from '../../server/text/format.ts';
import { links } from '../../server/text/links.ts';
import { hue } from '../../server/wire/avatar.ts';
import { size } from '../guarantees/size.ts';
import { anyText } from '../helpers/any-text.ts';
import { expectCpuBelow, tenMillionBytes } from '../helpers/cpu.ts';

const urls = (text: string) =>
  links(text).flatMap((piece) => (typeof piece === 'string' ? [] : [piece.text]));

describe('links', () => {
  test('completes addresses without a scheme', () => {
    const hrefs = links('www.a.example/x and bob@a.example').map((piece) =>
      typeof piece === 'string' ? piece : piece.href,
    );
    expect(hrefs).toEqual(['https://www.a.example/x', ' and ', 'mailto:bob@a.example']);
  });

  test('shows the ASCII form of a look-alike host', () => {
    expect(links('https://аpple.example')[0]).toMatchObject({ host: 'xn--pple-43d.example' });
  });

  test('ignores a host beyond the maximum length without parsing it', () => {
    const signs = Array.from({ length: 4000 }, (_, n) =>
      String.fromCodePoint(0x4e00 + ((n * 7919) % 20_000)),
    );
    const text = signs.join('');
    for (const start of ['https://', 'http:\\\\/', 'www.a.']) expect(urls(`${start}${text}`)).toEqual([]);
    expect(urls(`https://${encodeURIComponent(text)}`)).toEqual([]);
    expect(urls(`https://a.example/${text}`)).toHaveLength(1);
    expectCpuBelow(tenMillionBytes(), () => links(`https://${text}`));
  });

  test('ends a link at a direction override', () => {
    expect(urls('https://a.example/\u202Egpj.exe')).toEqual(['https://a.example/']);
  });

  test('keeps any text unchanged and links only http, https and mailto', () => {
    const word = fc.oneof(anyText(), fc.constantFrom('https://', 'mailto:', ' ', ').', 'javascript:'));
    fc.assert(
      fc.property(fc.array(word), (words) => {
        const pieces = links(words.join(''));
        expect(pieces.map((piece) => (typeof piece === 'string' ? piece : piece.text)).join('')).toBe(
          words.join(''),
        );
        const addresses = pieces.flatMap((piece) => (typeof piece === 'string' ? [] : [piece.href]));
        expect(addresses.filter((href) => !/^(?:https?|mailto):/.test(href))).toEqual([]);
      }),
    );
  });
});

/** Counts the elements and texts that Preact creates. */
const nodes = (content: ComponentChildren): number => {
  if (Array.isArray(content)) return content.reduce((sum, part) => sum + nodes(part), 0);
  if (typeof content === 'string') return 1;
  if (content == null || typeof content !== 'object' || !('props' in content)) return 0;
  return 1 + nodes(content.props.children);
};
const textOf = (content: ComponentChildren): string => {
  if (Array.isArray(content)) return content.map(textOf).join('');
  if (typeof content === 'string') return content;
  return content != null && typeof content === 'object' && 'props' in content
    ? textOf(content.props.children)
    : '';
};

describe('formatting', () => {
  test('returns the visible text from plain', () => {
    const text =
      '**Bold**, _italic_, `code`:\n- two\n- one\n3. three\n4. four\n> said\n```js\nx\n```\nhttps://a.example';
    expect(plain(text)).toBe('Bold, italic, code:\ntwo\none\n3. three\n4. four\nsaid\nx\nhttps://a.example');
  });

  test('keeps everything of a text except formatting characters', () => {
    const text = fc.array(
      fc.constantFrom(
        '*',
        '**',
        '_',
        '`',
        '```',
        '> ',
        '- ',
        '1. ',
        '\\',
        '\n',
        ' ',
        'a',
        'é',
        '字',
        'www.a.example/',
      ),
      { maxLength: 40 },
    );
    const letters = (from: string) => from.replace(/[^\p{L}]/gu, '');
    fc.assert(
      fc.property(text, (pieces) => {
        const written = pieces.join('');
        // The language after a fence is not shown.
        fc.pre(!/```[a-z]/u.test(written));
        expect(letters(plain(written))).toBe(letters(written));
      }),
      { numRuns: size(2000, 200) },
    );
  });

  test.each([
    '- a\n',
    '- a\n> a\n',
    '- a\n1. a\n',
    '1. a\n',
    '*a* ',
    '***a*** ',
    '`a` ',
    '```a``` ',
    'a@b.c ',
    '*_',
    '**a _b ',
    '\\*',
    '> a\n\n',
  ])('limits the nodes for %j and shows the same text', (unit) => {
    const text = unit.repeat(4000 / unit.length);
    const compact = (from: string) => from.replaceAll(/[\s\d.]/gu, '');
    const content = formatted(text, 250, ' (edited)');
    expect(nodes(content)).toBeLessThanOrEqual(260);
    expect(compact(textOf(content))).toBe(`${compact(plain(text))}(edited)`);
    const whole = formatted(text, Infinity, undefined);
    expect(compact(textOf(whole))).toBe(compact(plain(text)));
  });

  test('formats long repetitions of a few characters quickly', () => {
    const signs = [
      ')',
      'a',
      'a.',
      'a@',
      'www.',
      '@',
      '-',
      '`',
      '```',
      '`a',
      '*',
      '*a ',
      'a* ',
      '*a* ',
      '**',
      '**a ',
      '_',
      '_a *b ',
      '> ',
      '- a\n',
      '\\',
      '\\*',
      '’a',
      'https://a.b(',
      '\n',
    ];
    expectCpuBelow(100 * tenMillionBytes(), () => {
      for (const sign of signs) {
        const text = sign.repeat(10_000 / sign.length);
        for (const sample of [
          text,
          `https://a${text}`,
          `${'_a '.repeat(1000)}${'a* '.repeat(1000)}${text}`,
          `${'*a **b _c '.repeat(300)}x${' c_ b** a*'.repeat(300)}`,
        ])
          blocks(sample);
      }
    });
  });
});

test('marks a search hit in the visible text, without formatting characters', () => {
  const text = 'the **bold spanner**\nand `a *spanner`\n> quoted';
  expect(snippet(text, 'SPANNER ')).toEqual({
    before: 'the bold ',
    found: 'spanner',
    after: ' and a *spanner quoted',
  });
  const marked = (text: string, query: string) => snippet(text, query).found;
  expect(marked('Die Straße nach Łódź', 'STRASSE nach lodz')).toBe('Straße nach Łódź');
  expect(marked('mein R\u00e9sum\u00e9, jetzt', 'resume')).toBe('R\u00e9sum\u00e9');
  expect(marked(`mein ${'Résumé'.normalize('NFD')}, jetzt`, 'résumé')).toBe('Résumé'.normalize('NFD'));
  expect(marked('it … won’t', "... WON'T")).toBe('… won’t');
  expect(marked('Donau\u00addampf\u00adschiff', 'udampf')).toBe('u\u00addampf\u00ad');
  expect(marked('ﾊﾟｿｺﾝ を', 'パソコン')).toBe('ﾊﾟｿｺﾝ');
  expect(marked('한국어'.normalize('NFD'), '국')).toBe('국'.normalize('NFD'));
  // The server also searches the formatting characters.
  expect(snippet(text, '**bold')).toEqual({
    before: 'the bold spanner and a *spanner quoted',
    found: '',
    after: '',
  });
});

test.each([
  ['👍', true],
  ['👩‍👩‍👧‍👦 🇨🇭 👍🏽', true],
  ['🎉🎉🎉🎉', false],
  ['ok 👍', false],
  ['1', false],
  ['#', false],
  ['', false],
])('detects texts of 1 to 3 emoji: %s → %s', (text, expected) => expect(onlyEmoji(text)).toBe(expected));

test('derives the hue from the FNV-1a hash of the ID, like every client', () => {
  // 32-bit FNV-1a: "" is 0x811c9dc5, "a" is 0xe40c292c, "foobar" is 0xbf9cf968.
  expect([hue(''), hue('a'), hue('foobar')]).toEqual(['h5', 'h4', 'h0']);
});

describe('typed and pasted text', () => {
  test('is cleaned when pasted', () => {
    expect(cleaned('a\r\nb\rc\u0000\u0007\td\uD800')).toBe('a\nb\nc\td\uFFFD');
    // Line breaks of Word and PowerPoint, page breaks, and those of other systems.
    for (const end of ['\v', '\f', '\u0085', '\u2028', '\u2029']) expect(cleaned(`a${end}b`)).toBe('a\nb');
  });
  test('counts code points as characters', () => expect(codePoints('a👍🏽李')).toBe(4));
  test.each([
    ['', true],
    [' \n\t\u200B\u00A0\u2060', true],
    ['\u3000x', false],
  ])('detects blank text: %j', (text, expected) => expect(isBlank(text)).toBe(expected));
});
