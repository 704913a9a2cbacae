import { expect, test } from 'vitest';
import {
  countedKey,
  formsOf,
  languagesIn,
  missingTexts,
  neededKeys,
  pluginLocales,
  textFolders,
  textsIn,
} from '../../scripts/missing-texts.ts';

test('mails, the Android app and the WordPress plugin have the languages of the client', () => {
  const [ofClient = [], ...others] = textFolders.map(languagesIn);
  expect(ofClient.length).toBeGreaterThan(2);
  for (const each of others) expect(each).toEqual(ofClient);
  const start = (tag: string) => tag.slice(0, 2);
  expect(['en', ...pluginLocales].map(start).sort()).toEqual(ofClient.map(start).sort());
});

test('English has all texts; texts that other languages lack are listed here, and rejected by `npm run release`', () => {
  const missing = missingTexts();
  if (missing.length > 0) console.log(`Texts that are not translated:\n${missing.join('\n')}`);
  expect(missing.filter((line) => /\((.*, )?en[,)]/.test(line))).toEqual([]);
});

const files = textFolders.flatMap((folder) => languagesIn(folder).map((lang) => [folder, lang] as const));

test.each(files)(
  'the keys of %s/%s.json are those of English, in the plural forms of the language',
  (folder, lang) => {
    const needed = neededKeys(lang, textsIn(folder, 'en'));
    expect(Object.keys(textsIn(folder, lang)).filter((key) => !needed.has(key))).toEqual([]);
  },
);

test.each(files)('the texts of %s/%s.json have the placeholders of English', (folder, lang) => {
  const english = textsIn(folder, 'en');
  const values = (text = '') => [...text.matchAll(/\{\w+\}/g)].map(String).sort();
  for (const [key, text] of Object.entries(textsIn(folder, lang))) {
    expect(text, key).not.toBe('');
    const counted = countedKey(key, english);
    if (counted === undefined) {
      expect(values(text), key).toEqual(values(english[key]));
      continue;
    }
    const withoutNumber = (each?: string) => values(each).filter((value) => value !== '{n}');
    expect(withoutNumber(text), key).toEqual(withoutNumber(english[`${counted}.other`]));
    // A form that covers several numbers must contain the number. The texts are not shown for 0 in most languages.
    const numbers = formsOf(lang).get(key.slice(counted.length + 1)) ?? [];
    const isForOne = numbers.length > 0 && numbers.filter((n) => n !== 0).length <= 1;
    if (!isForOne) expect(text, key).toContain('{n}');
  }
});
