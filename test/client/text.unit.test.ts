import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { hue, initials } from '../../client/src/text/avatar.ts';
import { parts } from '../../client/src/text/code.ts';
import { onlyEmoji } from '../../client/src/text/emoji.ts';
import { links } from '../../client/src/text/links.ts';
import { blank, cleaned, codePoints } from '../../client/src/text/paste.ts';

const urls = (text: string) =>
  links(text).flatMap((piece) => (typeof piece === 'string' ? [] : [piece.text]));

describe('links', () => {
  test.each([
    ['see https://a.example/x.', ['https://a.example/x']],
    ['(https://a.example/x)', ['https://a.example/x']],
    ['https://a.example/wiki/A_(b)', ['https://a.example/wiki/A_(b)']],
    ['见 https://a.example/路，好', ['https://a.example/路，好']],
    ['mailto:bob@site.example!', ['mailto:bob@site.example']],
    ['HTTP://A.EXAMPLE and http://b.example', ['HTTP://A.EXAMPLE', 'http://b.example']],
    ['javascript:alert(1) data:text/html,x vbscript:x file:///etc/passwd ftp://x.example', []],
    ['https:// http://[ nothing', []],
    ['https://bank.example@a.example/ https://bank.example:1@a.example', []],
    ['xhttps://a.example', []],
    ['https://a.example/<script>', ['https://a.example/']],
    ['Docs: www.php.example/session, or WWW.A.EXAMPLE.', ['www.php.example/session', 'WWW.A.EXAMPLE']],
    ['ask help@orchard.example.', ['help@orchard.example']],
    ['(first.last+tag@mail.a.example)', ['first.last+tag@mail.a.example']],
    ['www. www.x wwww.a.example awww.a.example @alice a@b x@', []],
    ['www.bank.example@a.example/', []],
  ])('%j', (text, expected) => expect(urls(text)).toEqual(expected));

  test('where addresses without a scheme lead', () => {
    const hrefs = links('www.a.example/x and bob@a.example').map((piece) =>
      typeof piece === 'string' ? piece : piece.href,
    );
    expect(hrefs).toEqual(['https://www.a.example/x', ' and ', 'mailto:bob@a.example']);
  });

  test('a look-alike host shows itself in ASCII', () => {
    expect(links('https://аpple.example')[0]).toMatchObject({ host: 'xn--pple-43d.example' });
  });

  test('a direction override ends a link', () => {
    expect(urls('https://a.example/\u202Egpj.exe')).toEqual(['https://a.example/']);
  });

  test('the text stays the same, whatever it is, and every link is http, https or mailto', () => {
    const word = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.constantFrom('https://', 'mailto:', ' ', ').', 'javascript:'),
    );
    fc.assert(
      fc.property(fc.array(word), (words) => {
        const pieces = links(words.join(''));
        expect(pieces.map((piece) => (typeof piece === 'string' ? piece : piece.text)).join('')).toBe(
          words.join(''),
        );
        for (const piece of pieces) {
          if (typeof piece !== 'string') expect(piece.href).toMatch(/^(?:https?|mailto):/);
        }
      }),
    );
  });

  test('a long run of one sign takes no long time', () => {
    const before = process.threadCpuUsage();
    for (const sign of [')', 'a', 'a.', 'a@', 'www.', '@', '-', '`', '```', '`a'])
      parts(`https://a${sign.repeat(4000)} ${sign.repeat(4000)}`);
    expect(process.threadCpuUsage(before).user).toBeLessThan(500_000);
  });
});

describe('code', () => {
  /** Paragraphs as they are, code in angle brackets. */
  const shape = (text: string) =>
    parts(text).map((part) =>
      part.kind === 'code'
        ? [part.text]
        : part.inline
            .map((piece) =>
              typeof piece === 'string' ? piece : 'code' in piece ? `<${piece.code}>` : piece.text,
            )
            .join(''),
    );

  test.each<[string, (string | [string])[]]>([
    ['no code', ['no code']],
    ['', ['']],
    ['call `f()` and `g`', ['call <f()> and <g>']],
    ['before\n```\n  a\n\n  b\n```\nafter', ['before', ['  a\n\n  b'], 'after']],
    ['```php\n<?php\n```', [['<?php']]],
    ['in ```one line``` of text', ['in ', ['one line'], ' of text']],
    ['```a```\n```b```', [['a'], ['b']]],
    ['`https://a.example` https://a.example', ['<https://a.example> https://a.example']],
    ['a ` b', ['a ` b']],
    ['`a\nb`', ['`a\nb`']],
    ['`` ` ``', ['`` ` ``']],
    ['```\nnot closed', ['```\nnot closed']],
    ['``````', ['``````']],
    ['```\n\n```', ['```\n\n```']],
  ])('%j', (text, expected) => expect(shape(text)).toEqual(expected));
});

test.each([
  ['👍', true],
  ['👩‍👩‍👧‍👦 🇨🇭 👍🏽', true],
  ['🎉🎉🎉🎉', false],
  ['ok 👍', false],
  ['1', false],
  ['#', false],
  ['', false],
])('only emoji: %s', (text, expected) => expect(onlyEmoji(text)).toBe(expected));

test.each([
  ['Alice Moreau', 'AM'],
  ['alice', 'A'],
  ['Jean-Luc Picard', 'JP'],
  ['Anna Maria von Berg', 'AB'],
  ['李伟', '李'],
  ['يوسف', 'ي'],
  ['👩‍🚀 Ada', '👩‍🚀A'],
  ['"?"', '"'],
  [`z${'\u030a'.repeat(60)} ada`, 'Z\u030a\u030a\u030aA'],
  ['हिन्दी', 'हि'],
  ['', ''],
])('initials of %s', (name, expected) => expect(initials(name)).toBe(expected));

test('the hue is FNV-1a of the id, as in every client', () => {
  // 32-bit FNV-1a: "" is 0x811c9dc5, "a" 0xe40c292c, "foobar" 0xbf9cf968.
  expect([hue(''), hue('a'), hue('foobar')]).toEqual([5, 4, 0]);
});

describe('what is typed and pasted', () => {
  test('pasted text', () => {
    expect(cleaned('a\r\nb\rc\u0000\u0007\td\uD800')).toBe('a\nb\nc\td\uFFFD');
  });
  test('characters are code points', () => expect(codePoints('a👍🏽李')).toBe(4));
  test.each([
    ['', true],
    [' \n\t\u200B\u00A0\u2060', true],
    ['\u3000x', false],
  ])('blank: %j', (text, expected) => expect(blank(text)).toBe(expected));
});
