import { describe, expect, test } from 'vitest';
import { personAsked } from '../../client/src/text/asked.ts';
import { mentionsIn } from '../../client/src/text/mentioning.ts';
import type { Named } from '../../client/src/views/context.ts';
import { named } from '../../client/src/views/messages/named.tsx';
import type { Message } from '../../server/wire/events.ts';

describe('finding the @ before the caret', () => {
  test.each<[text: string, query: string | undefined]>([
    ['@', ''],
    ['@bo', 'bo'],
    ['hello @Bob Ke', 'Bob Ke'],
    ['one\n@two', 'two'],
    ['mail bob@example.org', undefined],
    ['thanks (@bo', 'bo'],
    ['“@bo', 'bo'],
    ['https://example.org/@bo', undefined],
    ['@bob\n', undefined],
    ['at noon @ ', undefined],
    ['at noon @ the shed', undefined],
    ['@one @', ''],
    [`@${'x'.repeat(60)}`, undefined],
    [`${'x'.repeat(41)}@b`, undefined],
    ['', undefined],
    ['你好@bo', 'bo'],
    ['こんにちは＠bo', 'bo'],
    ['สวัสดี@bo', 'bo'],
    ['＠bo', 'bo'],
    ['한국@bo', undefined],
    ['ok＠bo', undefined],
  ])('returns the query for %j', (text, query) => {
    expect(personAsked(text, text.length)?.query).toBe(query);
  });

  test('returns the position of the @', () => {
    expect(personAsked('a @bob c', 5)).toEqual({ at: 2, query: 'bo' });
  });
});

describe('finding the mentions in a text', () => {
  const bob = { user: '2', label: '@Bob' };
  const bobby = { user: '3', label: '@Bobby' };

  test('returns them in text order, regardless of the order of choice', () => {
    expect(mentionsIn('👋🏽 @Bobby, @Bob', [bob, bobby])).toEqual([
      { user: '3', start: 3, length: 6 },
      { user: '2', start: 11, length: 4 },
    ]);
  });

  test('ignores removed names, parts of words and names typed manually', () => {
    expect(mentionsIn('@Bob', [])).toEqual([]);
    expect(mentionsIn('@Bobs', [bob])).toEqual([]);
    expect(mentionsIn('hello', [bob])).toEqual([]);
    expect(mentionsIn('@Bob and @Bob', [bob])).toHaveLength(1);
  });

  test('finds names next to letters of scripts without blanks', () => {
    expect(mentionsIn('你好@小明你好', [{ user: '4', label: '@小明' }])).toEqual([
      { user: '4', start: 2, length: 3 },
    ]);
    expect(mentionsIn('@Bobさん', [bob])).toEqual([{ user: '2', start: 0, length: 4 }]);
  });

  test('assigns equal names to users in the order of choice', () => {
    expect(mentionsIn('@Bob @Bob', [bob, { ...bob, user: '9' }]).map(({ user }) => user)).toEqual(['2', '9']);
  });

  test('finds the user who was chosen after another one of this name was removed', () => {
    const [wrong, right] = [bob, { ...bob, user: '9', replaces: true }];
    expect(mentionsIn('@Bob', [wrong, bobby, right]).map(({ user }) => user)).toEqual(['9']);
    expect(mentionsIn('@Bob @Bobby', [wrong, bobby, right]).map(({ user }) => user)).toEqual(['9', '3']);
  });

  test('returns at most twenty', () => {
    expect(mentionsIn('@Bob '.repeat(30), Array(30).fill(bob))).toHaveLength(20);
  });
});

test('shows the current name of a mentioned user', () => {
  const message = (text: string, mentions: Message['mentions'] = []) => {
    const user = { id: '2', name: 'Bob' };
    const stored = { id: 'm', room: 'r', seq: 1, rev: 1, clientId: 'c', user, text, sentAt: 0, mentions };
    return named({ key: 'k', user, text, sentAt: 0, message: stored }, '1');
  };
  const words = (mentioning: Named | undefined) => mentioning?.say(mentioning.marked, true);
  const alice = { user: { id: '1', name: 'Alicia' }, start: 3, length: 6 };
  const all = { user: { id: '*', name: '*' }, start: 13, length: 5 };
  const shown = message('👋🏽 @Alice and @room', [alice, all]);
  expect(shown?.toMe).toBe(true);
  expect(words(shown)).toBe('👋🏽 @Alicia and @room');
  expect(shown?.say('nothing')).toBe('nothing');
  expect(message('x @Carol', [{ user: { id: '3', name: 'C' }, start: 2, length: 6 }])?.toMe).toBe(false);
  // The sender may have invented an unknown ID, and a name must fit one line.
  const nobody = { user: { id: 'buy pallets', name: 'buy pallets' }, start: 7, length: 1 };
  expect(words(message('Thanks x', [nobody]))).toBe('Thanks x');
  for (const text of ['a\nb', 'x'.repeat(66)])
    expect(words(message(text, [{ ...alice, start: 0, length: text.length }]))).toBe(text);
  // Text that could be confused with a mention is not replaced.
  expect(message('\ufdd0 @Alice', [{ ...alice, start: 2 }])).toBeUndefined();
});
