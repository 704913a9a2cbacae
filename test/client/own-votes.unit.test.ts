import { expect, test } from 'vitest';
import { withChoice } from '../../client/src/store/own-votes.ts';
import type { Message, Reaction } from '../../server/wire/events.ts';

test('marks the own choice in an anonymous poll, and keeps other reactions', () => {
  const reactions: Reaction[] = [
    { emoji: '👍', count: 1, users: ['me'], mine: true },
    { emoji: '?1', count: 2, users: [], mine: true },
    { emoji: '?2', count: 1, users: [] },
  ];
  const message = { rev: 4, reactions } as unknown as Message;
  const marked = (choice: number[]) => withChoice(message, choice).reactions?.map(({ mine }) => mine);
  expect(marked([2])).toEqual([true, undefined, true]);
  expect(marked([])).toEqual([true, undefined, undefined]);
  expect(withChoice({ rev: 4 } as Message, [1])).toEqual({ rev: 4 });
});
