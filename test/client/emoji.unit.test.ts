import { brotliCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { emoji } from '../../client/emoji-plugin.ts';
import { emojiAsked } from '../../client/src/text/asked.ts';
import { toned } from '../../client/src/text/tone.ts';

const load = emoji().load as (id: string) => string;
const moduleOf = (name: string) => load(`\0virtual:emoji/${name}`);
const dataOf = (name: string) => JSON.parse(moduleOf(name).replace('export default ', ''));

test('each emoji of the grid has words in en, fr and zh, and a user loads at most 40 KB for the grid', () => {
  const tabs = dataOf('all') as string[];
  const all = tabs.flatMap((tab) => tab.split(' '));
  expect(tabs).toHaveLength(7);
  expect(all.length).toBeGreaterThan(1800);
  expect(new Set(all).size).toBe(all.length);
  expect(all.filter((emoji) => !/^\p{RGI_Emoji}$/v.test(emoji))).toEqual([]);
  const size = (name: string) => brotliCompressSync(moduleOf(name)).length;
  const inEnglish = size('all') + size('words-en');
  for (const lang of ['en', 'fr', 'zh']) {
    const words = dataOf(`words-${lang}`) as string;
    expect(words.split('\n')).toHaveLength(all.length);
    const both = lang === 'en' ? 0 : size(`words-${lang}`);
    expect(inEnglish + both).toBeLessThanOrEqual(40 * 1024);
  }
});

test('a skin tone applies to all people of an emoji', () => {
  const medium = '\u{1f3fd}';
  expect(toned('👋', medium)).toBe('👋🏽');
  expect(toned('🧑‍🤝‍🧑', medium)).toBe('🧑🏽‍🤝‍🧑🏽');
  expect(toned('✌️', medium)).toBe('✌🏽');
  expect(toned('🚀', medium)).toBeUndefined();
});

test('a colon at the start of a word and two letters suggest emoji', () => {
  const findQuery = (text: string) => emojiAsked(text, text.length);
  expect(findQuery(':ro')).toEqual({ at: 0, query: 'ro' });
  expect(findQuery('well :thumbs_u')).toEqual({ at: 5, query: 'thumbs_u' });
  expect(findQuery('🚀\n:été')).toEqual({ at: 3, query: 'été' });
  for (const text of [':r', ': ro', 'at 10:30', 'a:ro', ':)', ':ro ', `:${'r'.repeat(30)}`, '::ro'])
    expect(findQuery(text), text).toBeUndefined();
});
