import { expect, test } from 'vitest';
import {
  countMentions,
  noMentions,
  stillUnread,
  withMention,
  withoutMention,
} from '../../../server/chat/messages/unread-mentions.ts';
import type { UnreadMentions } from '../../../server/history/history.ts';

const nobody: ReadonlySet<string> = new Set();
const of = (...mentions: [author: string, seq: number][]) =>
  mentions.reduce<UnreadMentions>((all, [author, seq]) => withMention(all, author, seq, nobody), noMentions);

test('counts mentions by author, without blocked users and expired messages', () => {
  const mentions = of(['ann', 5], ['ben', 3], ['ann', 1], ['ben', 7]);
  expect(mentions).toEqual(
    new Map([
      ['ann', [1, 5]],
      ['ben', [3, 7]],
    ]),
  );
  expect(countMentions(mentions, nobody, 1)).toBe(4);
  expect(countMentions(mentions, new Set(['ben', 'eve']), 1)).toBe(2);
  expect(countMentions(mentions, new Set(['ben']), 2)).toBe(1);
});

test('removes mentions that are read, removed by an edit or deleted', () => {
  const mentions = of(['ann', 1], ['ann', 5], ['ben', 3]);
  expect(stillUnread(mentions, 0)).toBe(mentions);
  expect(stillUnread(mentions, 3)).toEqual(new Map([['ann', [5]]]));
  expect(stillUnread(mentions, 5)).toBe(noMentions);
  expect(withoutMention(mentions, 3)).toEqual(new Map([['ann', [1, 5]]]));
  expect(withoutMention(mentions, 4)).toBe(mentions);
  // The history returns a new map for each room of a connecting user.
  expect(stillUnread(new Map(), 0)).toBe(noMentions);
});

test('keeps the newest 1,000 mentions', () => {
  let mentions: UnreadMentions = of(['ann', 1], ['ben', 2]);
  for (let seq = 3; seq <= 1001; seq++) mentions = withMention(mentions, 'ann', seq, nobody);
  expect(countMentions(mentions, nobody, 1)).toBe(1000);
  expect([mentions.get('ann')?.[0], mentions.get('ben')]).toEqual([3, [2]]);
  expect(withMention(mentions, 'ben', 1002, nobody).get('ben')).toEqual([1002]);
});

test('keeps mentions by others despite many mentions by blocked users', () => {
  const blocked = new Set(['eve']);
  let mentions: UnreadMentions = of(['ann', 1], ['ben', 2]);
  for (let seq = 3; seq <= 2000; seq++) mentions = withMention(mentions, 'eve', seq, blocked);
  expect([countMentions(mentions, blocked, 1), countMentions(mentions, nobody, 1)]).toEqual([2, 1000]);
  expect([mentions.get('eve')?.[0], mentions.get('eve')?.at(-1)]).toEqual([1003, 2000]);
  for (let seq = 2001; seq <= 3001; seq++) mentions = withMention(mentions, 'ann', seq, blocked);
  expect(mentions).toEqual(new Map([['ann', Array.from({ length: 1000 }, (_, n) => n + 2002)]]));
});
