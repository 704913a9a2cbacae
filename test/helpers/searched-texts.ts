import { expect } from 'vitest';
import type { History } from '../../server/history/history.ts';

/** Texts, and queries that find them although they are typed differently: see docs/text.md, Equal texts. */
export const searchedTexts: readonly (readonly [text: string, query: string])[] = [
  ['한국어'.normalize('NFD'), '한국어'],
  ['tiếng Việt', 'tiếng Việt'.normalize('NFD')],
  ['mein Résumé', 'resume'],
  ['nach İzmir', 'izmir'],
  ['die Straße', 'STRASSE'],
  ['ｆｕｌｌ　ｗｉｄｔｈ', 'full width'],
  ['ﾊﾟｿｺﾝ', 'パソコン'],
  ['it won’t', "won't"],
  ['der „Klub“', '"klub"'],
  ['nur 10\u00a0km', '10 km'],
  ['Donau\u00addampf', 'donaudampf'],
  ['w Łodzi', 'lodzi'],
  ['Новогодняя ёлка', 'елка'],
  ['السلام مُحَمَّد', 'محمد'],
];

/** Texts and queries that do not find them, because their marks make other letters. */
export const otherTexts: readonly (readonly [text: string, query: string])[] = [
  ['かき', 'がき'],
  ['мой', 'мои'],
  ['กิน', 'กนิ'],
  ['किताब', 'कताब'],
];

/** Searches a room in which these texts are the only messages. */
export async function expectSearches({ read }: History, room: string): Promise<void> {
  const search = { rooms: [room], everyPublic: false, limit: 9 };
  for (const [text, query] of searchedTexts)
    expect(await read.search({ ...search, query })).toMatchObject({ messages: [{ text }] });
  for (const [, query] of otherTexts)
    expect(await read.search({ ...search, query })).toEqual({ messages: [] });
}
