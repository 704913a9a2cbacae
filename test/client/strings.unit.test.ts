import { expect, test } from 'vitest';
import all from '../../client/src/strings.json';
import { Strings } from '../../client/src/strings.ts';

test('the language: exact, by its base, else English', () => {
  expect(['fr-CH', 'zh-TW', 'zh', 'en-GB', 'de', ''].map((tag) => new Strings(tag).lang)).toEqual([
    'fr',
    'zh-Hans',
    'zh-Hans',
    'en',
    'en',
    'en',
  ]);
});

test('times follow the reader’s region where it is of the same language', () => {
  expect(new Strings('en', ['de-CH', 'en-GB']).locale).toBe('en-GB');
  expect(new Strings('fr', ['en-GB']).locale).toBe('fr');
});

test('plural forms', () => {
  const [en, fr, zh] = [new Strings('en'), new Strings('fr'), new Strings('zh-Hans')];
  expect([0, 1, 2].map((n) => en.count('timeline.jump', n))).toEqual([
    '0 new messages',
    '1 new message',
    '2 new messages',
  ]);
  expect([0, 1, 2].map((n) => fr.count('timeline.jump', n))).toEqual([
    '0 nouveau message',
    '1 nouveau message',
    '2 nouveaux messages',
  ]);
  expect(zh.count('timeline.jump', 1)).toBe('1 条新消息');
  expect(en.count('ended.kept', 1, { name: 'Alice' })).toBe('1 unsent message waits for you, Alice.');
});

test('a value with braces or a dollar sign stays what it is', () => {
  expect(new Strings('en').text('say.message', { name: '{text}', text: '$& {name}' })).toBe(
    '{text}: $& {name}',
  );
});

test('days', () => {
  const en = new Strings('en', ['en-GB']);
  const now = new Date(2026, 2, 29, 0, 30).getTime(); // the clocks change on this day in Europe
  expect(en.day(now, now)).toBe('Today');
  expect(en.day(new Date(2026, 2, 28, 23).getTime(), now)).toBe('Yesterday');
  expect(en.day(new Date(2026, 0, 2).getTime(), now)).toBe('Friday 2 January');
  expect(en.day(new Date(2025, 0, 2).getTime(), now)).toMatch(/2 January 2025/);
});

test('every text is there in every language, with the same values', () => {
  const names = (text: string) => [...text.matchAll(/\{\w+\}/g)].map(String).sort();
  for (const [key, texts] of Object.entries<Record<string, string>>(all)) {
    for (const lang of key.endsWith('.one') ? ['en', 'fr'] : ['en', 'fr', 'zh-Hans']) {
      expect(texts[lang], `${key} in ${lang}`).toBeTruthy();
      expect(names(texts[lang] ?? ''), `${key} in ${lang}`).toEqual(names(texts.en ?? ''));
    }
  }
});
