import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { blocks, type Inline } from '../../server/text/format.ts';
import { mayHaveLink } from '../../server/text/links.ts';
import { size } from '../guarantees/size.ts';

/** What the browser client makes clickable. */
function inBrowser(text: string): string[] {
  const linked = (inline: readonly Inline[]): string[] =>
    inline.flatMap((piece) => {
      if (typeof piece === 'string' || 'code' in piece) return [];
      return 'mark' in piece ? linked(piece.inline) : [piece.href];
    });
  return blocks(text).flatMap((block) => {
    if (block.kind === 'code') return [];
    return block.kind === 'list' ? block.items.flatMap(linked) : linked(block.inline);
  });
}

const texts = new URL('../../android/app/src/io/github/phpsessionchat/app/Texts.kt', import.meta.url);
const [, rule = ''] = /webAddress = Regex\("""(.+?)"""\)/.exec(readFileSync(texts, 'utf8')) ?? [];
/** What the Android app makes clickable. */
const inApp = (text: string) => text.match(new RegExp(rule, 'g')) ?? [];

/** Parts of addresses, and what may precede, end or split them. */
const parts = [
  ...['http', 'https', 'HTTPS', '://', ':', '/', '//', 'www.', 'WWW', '.', '..', '@', 'mailto:', 'evil'],
  ...[
    'example',
    'a',
    'É',
    '7',
    '-',
    '_',
    '__',
    '*',
    '**',
    '`',
    '```',
    '\\',
    '\\.',
    '\\\\',
    '>',
    '> ',
    '- ',
    '1. ',
  ],
  ...[
    '\n',
    '\n\n',
    ' ',
    '\t',
    '\u00a0',
    '\u3000',
    '(',
    ')',
    '[',
    ']',
    '<',
    '"',
    "'",
    ',',
    '!',
    '?',
    '#',
    '%',
    '+',
  ],
  ...['点', '击', 'の', 'ก', 'ע', 'ع', 'ا', 'क', '्', '。', '、', '」', '（', '：', '／', '．', '＠', 'ｗ'],
  ...['\u200b', '\u200d', '\u00ad', '\u2060', '\ufeff', '\ufff9', '\ufffb', '\u202e', '\u0301', '\u0338'],
  ...['\u037a', '\ufe70', '\u212a', '\u017f', '\u2488', '\u{e0061}', '\u007f', '\u0085', '\u3164', '😀'],
];

test('waits if the browser or the Android app makes a part of the text clickable', () => {
  let linked = 0;
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...parts), { minLength: 2, maxLength: 14 }), (some) => {
      const text = some.join('');
      const found = [...inBrowser(text), ...inApp(text)];
      if (found.length > 0) linked++;
      expect(found.length === 0 || mayHaveLink(text), JSON.stringify(text)).toBe(true);
    }),
    { numRuns: size(200_000, 20_000) },
  );
  expect(linked).toBeGreaterThan(size(1000, 100));
});

test.each([
  'see https://a.example',
  'Free prizes\\.www.evil.example/win',
  'visitehttp://evil.example',
  '点击http://evil.example',
  'https://bank.example@spam.example/',
  'ask bob@spam.example',
  'ａｓｋ ｂｏｂ＠ｓｐａｍ．ｅｘａｍｐｌｅ',
  'ht\u200btps://evil.example',
  'h**tt**ps://evil.example',
  'www\\.evil.example',
  'ww\ufff9w.evil.example',
  'evil.example/win',
  'evil.example:8080',
  'mailto:bob',
  'ftp://evil.example',
])('waits: %j', (text) => {
  expect(mayHaveLink(text)).toBe(true);
});

test.each([
  'see a.example',
  'and/or, e.g. this/that, 24.12./25.12., v1.2/3',
  'Thanks @bob.See you at 10:30. Index.php or Node.js?',
  'a www b, http, the http: header',
  '¯\\_(ツ)_/¯ C:\\temp',
])('does not wait: %j', (text) => {
  expect(mayHaveLink(text)).toBe(false);
});
