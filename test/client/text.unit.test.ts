import fc from 'fast-check';
import type { ComponentChildren } from 'preact';
import { describe, expect, test } from 'vitest';
import { onlyEmoji } from '../../client/src/text/emoji.ts';
import { blocks, type Inline, plain } from '../../client/src/text/format.ts';
import { blank, cleaned, codePoints } from '../../client/src/text/paste.ts';
import { snippet } from '../../client/src/text/snippet.ts';
import { formatted } from '../../client/src/views/messages/formatted.tsx';
import { hue, initials } from '../../server/wire/avatar.ts';
import { isBlank } from '../../server/wire/blank.ts';
import { links } from '../../server/wire/links.ts';
import { size } from '../guarantees/size.ts';
import { anyText } from '../helpers/any-text.ts';
import { expectCpuBelow, tenMillionBytes } from '../helpers/cpu.ts';

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
  ])('finds the links in %j', (text, expected) => expect(urls(text)).toEqual(expected));

  test('completes addresses without a scheme', () => {
    const hrefs = links('www.a.example/x and bob@a.example').map((piece) =>
      typeof piece === 'string' ? piece : piece.href,
    );
    expect(hrefs).toEqual(['https://www.a.example/x', ' and ', 'mailto:bob@a.example']);
  });

  test('shows the ASCII form of a look-alike host', () => {
    expect(links('https://аpple.example')[0]).toMatchObject({ host: 'xn--pple-43d.example' });
  });

  test.each([
    ['https://аpple.example/а', 'https://xn--pple-43d.example/а'],
    ['https://bank.example。evil.example', 'https://bank.example.evil.example'],
    ['https://bank.exampleノlogin.evil.example', 'https://bank.xn--examplelogin-ki5k.evil.example'],
    ['http://%65vil.example:81/x', 'http://evil.example:81/x'],
    ['https://0x7f.1/', 'https://127.0.0.1/'],
    ['https://ｂａｎｋ.example', 'https://bank.example'],
    ['https://bαnk.example', 'https://xn--bnk-oxc.example'],
    ['https://раураӏ.example', 'https://xn--80aa0cbo65f.example'],
    ['https://dıscuss.example', 'https://xn--dscuss-p9a.example'],
    ['https://xn--pple-43d.example', 'https://xn--pple-43d.example'],
    ['WWW.аpple.example/x', 'www.xn--pple-43d.example/x'],
    ['mailto:bob@аpple.example?subject=a', 'mailto:bob@xn--pple-43d.example?subject=a'],
    ['bob@аpple.example', 'bob@xn--pple-43d.example'],
    ['mailto:bob@аpple.example?cc=ann@b.example', 'mailto:bob@xn--pple-43d.example?cc=ann@b.example'],
    ['mailto:bob@b.example,ann@аpple.example', 'mailto:bob@b.example,ann@xn--pple-43d.example'],
    ['mailto:?to=bob%40аpple.example&cc=a@b.example', 'mailto:?to=bob%40xn--pple-43d.example&cc=a@b.example'],
  ])('shows the host of %s in ASCII', (text, shown) => {
    expect(plain(`see ${text} .`)).toBe(`see ${shown} .`);
    expect(textOf(formatted(text, 100, false))).toBe(shown);
  });

  // A capital I looks like a small L.
  test.each([
    ['https://paypaI.example/I', 'https://paypai.example/I'],
    ['HTTPS://BÜCHER.example', 'HTTPS://bücher.example'],
    ['www.paypaI.example', 'www.paypai.example'],
    ['Bob@paypaI.example', 'Bob@paypai.example'],
  ])('shows the host of %s in small letters', (text, shown) => {
    expect(plain(`see ${text} .`)).toBe(`see ${shown} .`);
  });

  test.each([
    'HTTPS://a.example:8443/ä?q=ö#ü',
    'www.bücher.example',
    'https://español.example/',
    'https://пример.example',
    'https://ком.рф',
    'https://例え.example',
    'https://한국.example',
    'https://[::1]:80/',
    'bob@bücher.example',
  ])('shows %s as it was typed', (text) => expect(plain(text)).toBe(text));

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
/**
 * Returns each block: a paragraph as its text, and code, a quotation or a list as an array that starts with its marker.
 */
const shapes = (text: string) =>
  blocks(text).map((block) => {
    if (block.kind === 'code') return ['`', block.text];
    if (block.kind === 'list') return [block.start ?? '-', ...block.items.map(shape)];
    return block.kind === 'quote' ? ['>', shape(block.inline)] : shape(block.inline);
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
  test('includes a backslash inside a link', () => {
    const [block] = blocks('\\*https://a.b/x\\_y\\* **www.a.b/\\-c** https://\\*');
    expect(block).toMatchObject({
      inline: [
        '*',
        { text: 'https://a.b/x\\_y' },
        '* ',
        { mark: 'strong', inline: [{ text: 'www.a.b/\\-c' }] },
        ' https://*',
      ],
    });
  });

  test.each<[string, unknown[]]>([
    ['no code', ['no code']],
    ['', ['']],
    ['call `f()` and `g`', ['call <f()> and <g>']],
    ['before\n```\n  a\n\n  b\n```\nafter', ['before', ['`', '  a\n\n  b'], 'after']],
    ['```php\n<?php\n```', [['`', '<?php']]],
    ['in ```one line``` of text', ['in ', ['`', 'one line'], ' of text']],
    [
      '```a```\n```b```',
      [
        ['`', 'a'],
        ['`', 'b'],
      ],
    ],
    ['`https://a.example` https://a.example', ['<https://a.example> https://a.example']],
    ['a ` b', ['a ` b']],
    ['`a\nb`', ['`a\nb`']],
    ['`` ` ``', ['`` ` ``']],
    ['```\nnot closed', ['```\nnot closed']],
    ['``````', ['``````']],
    ['```\n\n```', ['```\n\n```']],
  ])('formats code: %j', (text, expected) => expect(shapes(text)).toEqual(expected));

  test.each([
    ['**bold** and *italic* and _italic_', '[bold] and {italic} and {italic}'],
    ['**two\nlines**', '[two\nlines]'],
    ['***both***, **bold *both***, *italic **both***', '{[both]}, [bold {both}], {italic [both]}'],
    ['**`code`, https://a.example/_x_**', '[<code>, https://a.example/_x_]'],
    ['*https://a.example/* and _https://a.example/_', '{https://a.example/} and {https://a.example/}'],
    ['(**bold**), “_italic_”!', '([bold]), “{italic}”!'],
    ['这是**粗体**字', '这是[粗体]字'],
    ['snake_case_name 2*3*4 x**2 + y**2 __init__', 'snake_case_name 2*3*4 x**2 + y**2 __init__'],
    ['5 * 3 * 2, a * b*, *a *', '5 * 3 * 2, a * b*, *a *'],
    ['**not closed, *nor this', '**not closed, *nor this'],
    ['*a **b* c**', '{a **b} c**'],
    ['**one\n\ntwo**', '**one\n\ntwo**'],
    ['** ** **** * *', '** ** **** * *'],
    ['_**_', '{**}'],
    ['*1 _2 **3** 2_ 1*', '{1 {2 [3] 2} 1}'],
    ['_0 *1 _2 **3** 2_ 1* 0_', '_0 {1 {2 [3] 2} 1} 0_'],
    ['\\*plain\\* \\_ \\` \\\\ C:\\new', '*plain* _ ` \\ C:\\new'],
    ['\\`**not code**`', '`[not code]`'],
    ['**<img src=x onerror=alert(1)>**', '[<img src=x onerror=alert(1)>]'],
  ])('formats bold and italic: %j', (text, expected) => expect(shapes(text)).toEqual([expected]));

  test.each<[string, unknown[]]>([
    ['> a **b**\n> c', [['>', 'a [b]\nc']]],
    ['> a\n>\n> b\n>', [['>', 'a\n\nb']]],
    ['said:\n> a\nyes', ['said:', ['>', 'a'], 'yes']],
    ['>_< >a\n>', ['>_< >a\n>']],
    ['to do:\n\n- a\n- *b*\n\nthat is all\n\nreally', ['to do:', ['-', 'a', '{b}'], 'that is all\n\nreally']],
    ['1. a\n2. b', [[1, 'a', 'b']]],
    ['1. a\n1. b\n1. c', [[1, 'a', 'b', 'c']]],
    [
      '1. yes\n3. no',
      [
        [1, 'yes'],
        [3, 'no'],
      ],
    ],
    [
      '- a\n1. b\n> c\n- d',
      [
        ['-', 'a'],
        [1, 'b'],
        ['>', 'c'],
        ['-', 'd'],
      ],
    ],
    ['-a\n -b\n- \n1.b\n1234. c', ['-a\n -b\n- \n1.b\n1234. c']],
    ['\\- a\n1\\. b\n\\> c', ['- a\n1. b\n> c']],
    [
      '- a\n```\n- b\n```\n- c',
      [
        ['-', 'a'],
        ['`', '- b'],
        ['-', 'c'],
      ],
    ],
    ['> > a', [['>', '> a']]],
    ['\n\na\n\n', ['\n\na\n\n']],
  ])('formats quotations and lists: %j', (text, expected) => expect(shapes(text)).toEqual(expected));

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
])('returns the initials of %s', (name, expected) => expect(initials(name)).toBe(expected));

test('derives the hue from the FNV-1a hash of the ID, like every client', () => {
  // 32-bit FNV-1a: "" is 0x811c9dc5, "a" is 0xe40c292c, "foobar" is 0xbf9cf968.
  expect([hue(''), hue('a'), hue('foobar')]).toEqual(['h5', 'h4', 'h0']);
});

describe('typed and pasted text', () => {
  test('is cleaned when pasted', () => {
    expect(cleaned('a\r\nb\rc\u0000\u0007\td\uD800')).toBe('a\nb\nc\td\uFFFD');
  });
  test('counts code points as characters', () => expect(codePoints('a👍🏽李')).toBe(4));
  test.each([
    ['', true],
    [' \n\t\u200B\u00A0\u2060', true],
    ['\u3000x', false],
  ])('detects blank text: %j', (text, expected) => expect(blank(text)).toBe(expected));
  test('considers the same characters blank as the server', () => {
    const all = Array.from({ length: 0x110000 }, (_, code) => String.fromCodePoint(code));
    expect(all.filter((text) => blank(text) !== isBlank(text))).toEqual([]);
  });
});
