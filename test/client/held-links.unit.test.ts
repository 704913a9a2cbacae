import fc from 'fast-check';
import { expect, test } from 'vitest';
import { linksIn } from '../../server/text/format.ts';
import { mayHaveLink } from '../../server/text/like-link.ts';
import { size } from '../guarantees/size.ts';
import { textParts } from '../helpers/text-parts.ts';

// The Android app links the same: test/vectors/text.
test('waits if clients make a part of the text clickable', () => {
  let linked = 0;
  fc.assert(
    fc.property(fc.array(fc.constantFrom(...textParts), { minLength: 2, maxLength: 14 }), (some) => {
      const text = some.join('');
      const found = linksIn(text);
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
