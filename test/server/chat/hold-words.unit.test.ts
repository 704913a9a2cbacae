import { expect, test } from 'vitest';
import { holdSettings } from '../../../server/chat/moderation/hold-settings.ts';

const finder = (...words: string[]) => {
  const settings = holdSettings({ mode: 'off', words });
  return (text: string) => settings?.hasWord(text) ?? false;
};

test.each([
  ['pallets', 'cheap Pállets!', true],
  // The capital of this mark is a letter.
  ['pallets', 'pa\u0345llets', true],
  ['pallets', '\u037apallets', true],
  ['ᾳ', 'ᾼ', true],
  ['pallets', 'cheap p*all*e\u200bts', true],
  ['pallets', 'pal\ufff9le\ufffat\ufffbs', true],
  ['pallets', 'p\u00ada\u2060l\u{e0061}l\u3164e\u0085t\u20e3s', true],
  ['pallets', 'pal\\_le\\*ts', true],
  ['pallets', 'hi```pallets```now', true],
  ['pallets', 'hi`pal\\lets`now', true],
  ['pallets', 'buy**pallets**now', true],
  ['pallets', 'buy_p*al*lets_now', true],
  ['pallets', 'x\ue000pallets\u009fx', true],
  ['buy now', 'buy```now```', true],
  ['buy now', 'buy_now', true],
  ['buy now', 'buy **now**', true],
  ['buy now', 'b**u**y * `now`', true],
  ['buy now', 'buy\u3164now', true],
  // Clients show these signs of quotations and lists as lines.
  ['buy now', '> buy\n> now', true],
  ['buy now', '> buy\n>\n>  now', true],
  ['buy now', '- buy\n- now', true],
  ['buy now', 'buy > now', false],
  ['buy now', 'buynow', false],
  ['snake_case', 'a snake_case', true],
  ['snake_case', '**snakecase**', true],
  ['μαλακας', 'ΜΑΛΑΚΑΣ’α', true],
  ['μαλακας', 'μαλακασ', true],
  ['sıktı', 'SIKTI', true],
  ['heiße Ware', 'HEISSE WARE', true],
  ['heiße Ware', 'HEI\u1e9eE WARE', true],
  ['كلب', 'كـلـب', true],
  // A browser shows these as “pallets” or “buy now”.
  ['pallets', 'https://%70allets.example', true],
  ['pallets', 'https://%EF%BD%90%61llets.example', true],
  ['pallets', 'https://p%C2%ADallets.example', true],
  ['pallets', 'hi \u202estellap\u202c x', true],
  ['pallets', 'pal\u202estel\u202c', true],
  ['pallets', '\u200flets\u200fpal', true],
  ['pallets', '\u200flets\u2066pal\u2069', true],
  ['pallets', 'hi\n\u2067lets\u200fpal\u2069 x', true],
  ['buy now', '\u200fnow \u200fbuy', true],
  ['שלום', '\u202dםולש', true],
  ['pallets', 'call \u202d+49 30 1234\u202c today', false],
  ['pallets', 'see \u2068Ann\u2069, let\u200e’s go', false],
  ['pallets', '\u202e1234\nstellap', false],
  ['pallets', 'palletsize', false],
  ['pallets', 'mypallets', false],
  ['pallets', '東pallets', false],
  ['東京', '私は東京都です', true],
  ['buy now', 'so BUY NOW, all', true],
  ['buy now', 'buy  \n now', true],
  ['buy now', 'buy\u00a0now', true],
  ['buy now', 'buy nowhere', false],
  ['$$$', 'a$$$b', true],
  ['$$$', '$$', false],
])('finds %s in “%s”: %s', (word, text, wanted) => {
  expect(finder(word)(text)).toBe(wanted);
});

test('finds whole words among listed words with a common prefix', () => {
  const has = finder('new', 'new car', 'new cars for', 'newest');
  for (const text of ['new', 'a new carport', 'new cars for', 'the newest'])
    expect(has(text), text).toBe(true);
  for (const text of ['news', 'newer cars for', 'new']) expect(has(text), text).toBe(text === 'new');
});

test('finds one of a thousand words in a long text', () => {
  const alphabet = 'abcdefghijklmnopqrstuvwxyz';
  const at = (n: number) => alphabet[n % 26] as string;
  const words = Array.from(
    { length: 1000 },
    (_, n) => at(n) + at(Math.floor(n / 26)) + at(n * 7) + at(n * 11 + 3) + at(n * 5),
  );
  const has = finder(...words.map((word) => `${word}ing`));
  const letters = `ā ${[...alphabet].join(' ')} `.repeat(76);
  for (let n = 0; n < 20; n++) expect(has(letters + n)).toBe(false);
  expect(has(`${letters} ${words[999]}ing`)).toBe(true);
});
