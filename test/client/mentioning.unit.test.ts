import { describe, expect, test } from 'vitest';
import { personAsked } from '../../client/src/text/asked.ts';
import { mentionsIn } from '../../client/src/text/mentioning.ts';
import type { Named } from '../../client/src/views/context.ts';
import { named } from '../../client/src/views/messages/named.tsx';
import type { Message } from '../../server/wire/events.ts';

describe('the @ for which people are listed', () => {
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
  ])('%j', (text, query) => {
    expect(personAsked(text, text.length)?.query).toBe(query);
  });

  test('stands before the caret', () => {
    expect(personAsked('a @bob c', 5)).toEqual({ at: 2, query: 'bo' });
  });
});

describe('the users whom a text mentions', () => {
  const bob = { user: '2', label: '@Bob' };
  const bobby = { user: '3', label: '@Bobby' };

  test('in characters, by their places, whatever was chosen first', () => {
    expect(mentionsIn('👋🏽 @Bobby, @Bob', [bob, bobby])).toEqual([
      { user: '3', start: 3, length: 6 },
      { user: '2', start: 11, length: 4 },
    ]);
  });

  test('no name that was removed, is part of a word, or was typed by hand', () => {
    expect(mentionsIn('@Bob', [])).toEqual([]);
    expect(mentionsIn('@Bobs', [bob])).toEqual([]);
    expect(mentionsIn('hello', [bob])).toEqual([]);
    expect(mentionsIn('@Bob and @Bob', [bob])).toHaveLength(1);
  });

  test('two users with the same name, in the order in which they were chosen', () => {
    expect(mentionsIn('@Bob @Bob', [bob, { ...bob, user: '9' }]).map(({ user }) => user)).toEqual(['2', '9']);
  });

  test('twenty at most', () => {
    expect(mentionsIn('@Bob '.repeat(30), Array(30).fill(bob))).toHaveLength(20);
  });
});

test('a mention shows the current name of its user', () => {
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
  // An id that nobody has is the sender's own choice, and a name has one line.
  const nobody = { user: { id: 'buy pallets', name: 'buy pallets' }, start: 7, length: 1 };
  expect(words(message('Thanks x', [nobody]))).toBe('Thanks x');
  for (const text of ['a\nb', 'x'.repeat(66)])
    expect(words(message(text, [{ ...alice, start: 0, length: text.length }]))).toBe(text);
  // Text that could be taken for a mention is shown as it is.
  expect(message('\ufdd0 @Alice', [{ ...alice, start: 2 }])).toBeUndefined();
});
