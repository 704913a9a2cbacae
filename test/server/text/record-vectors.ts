/**
 * Records test vectors from random texts: their links and formats, which all languages must find. Run with
 * `node test/server/text/record-vectors.ts`.
 */
import { writeFileSync } from 'node:fs';
import fc from 'fast-check';
import { textParts } from '../../helpers/text-parts.ts';
import { recorded } from './recorded.ts';

const TEXTS = 1500;
const SEED = 14;

/** Parts of hosts and paths that browsers change. */
const addressParts = [
  ...[
    'https://',
    'http://',
    'www.',
    'bob@',
    'a',
    'B',
    '.',
    '.example',
    '/',
    '?',
    '#',
    ':80',
    ':443',
    ':8080',
    '..',
    '%2e',
  ],
  ...[
    'I',
    'ß',
    'é',
    'ı',
    'а',
    'б',
    '例',
    'か',
    '한',
    'א',
    'ب',
    '٣',
    '1',
    '0x7f',
    '-',
    '_',
    '·',
    'xn--',
    '[::1]',
    '\u0301',
  ],
  ...[
    '|',
    '^',
    '{',
    '}',
    "'",
    '’',
    '・',
    '\u200c',
    'क्',
    '𝒜',
    'ﬁ',
    '&',
    '=',
    '@',
    '\\',
    '😀',
    ' ',
    '(',
    ')',
    ',',
    '',
  ],
];
/** Signs of formats, and what may stand next to them. */
const formatParts = [
  ...[
    '*',
    '**',
    '***',
    '_',
    '__',
    '`',
    '``',
    '```',
    '\\',
    '\\\\',
    '\n',
    '\n\n',
    ' ',
    '> ',
    '>',
    '- ',
    '1. ',
    '2. ',
    '7. ',
    '1\\. ',
  ],
  ...[
    'a',
    'B',
    '1',
    'の',
    'ع',
    'क',
    '्',
    '(',
    ')',
    '「',
    '」',
    '“',
    '”',
    '"',
    '.',
    ',',
    ':',
    '/',
    '~',
    '=',
    '€',
    '😀',
    '𝒜',
    '\r',
  ],
  ...['php\n', 'https://a.b/_', '\u2028', '\u200b'],
];
const sample = (parts: readonly string[], minLength: number, maxLength: number) =>
  fc.sample(fc.array(fc.constantFrom(...parts), { minLength, maxLength, size: 'max' }), {
    numRuns: TEXTS,
    seed: SEED,
  });
/** Keeps control, invisible and right-to-left characters readable. */
const escaped = (json: string) =>
  json.replace(/[\p{C}\p{DI}\p{Z}\p{M}\p{sc=Arab}\p{sc=Hebr}]/gu, (character) =>
    character === ' '
      ? character
      : character.replace(/./gsu, (one) =>
          [...one.split('')].map((unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`).join(''),
        ),
  );

const texts = [
  ...sample(textParts, 2, 14),
  ...sample(addressParts, 1, 12).map((parts) => ['https://', ...parts]),
  ...sample(formatParts, 2, 20),
].map((parts) => parts.join(''));
const lines = [...new Set(texts)].map((text) => escaped(JSON.stringify([text, recorded(text)])));
writeFileSync(
  new URL('../../vectors/text/recorded.json', import.meta.url),
  `[{ "about": "random texts", "cases": [\n${lines.join(',\n')}\n]}]\n`,
);
