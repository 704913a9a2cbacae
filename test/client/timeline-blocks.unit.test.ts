import { expect, test } from 'vitest';
import { entries } from '../../client/src/store/entries.ts';
import { blocks } from '../../client/src/store/timeline-blocks.ts';
import type { Message } from '../../server/wire/events.ts';

const noon = new Date(2026, 2, 3, 12).getTime();
const minute = 60_000;
let seq = 0;
const message = (user: string, sentAt: number): Message => {
  seq++;
  return {
    id: `${seq}`,
    room: 'r',
    seq,
    rev: seq,
    clientId: `${seq}`,
    user: { id: user, name: user },
    text: '',
    sentAt,
  };
};

function shape(messages: Message[], newFrom?: number): string[] {
  return blocks(entries(messages, [], undefined), 'me', newFrom).map((block) =>
    block.kind === 'group' ? `${block.own ? 'own ' : ''}${block.entries.length}` : block.kind,
  );
}

test('groups adjacent messages of one author within five minutes', () => {
  expect(
    shape([message('a', noon), message('a', noon + 5 * minute), message('a', noon + 11 * minute)]),
  ).toEqual(['day', '2', '1']);
  expect(
    shape([message('a', noon), message('a', noon - minute), message('me', noon), message('a', noon)]),
  ).toEqual(['day', '2', 'own 1', '1']);
});

test('inserts a line wherever the local day changes', () => {
  const night = new Date(2026, 2, 3, 23, 59).getTime();
  expect(shape([message('a', night), message('a', night + 2 * minute)])).toEqual(['day', '1', 'day', '1']);
});

test('inserts the New line before the first unseen message of others, splitting a group', () => {
  const list = [message('a', noon), message('me', noon), message('a', noon), message('a', noon)];
  expect(shape(list, list[1]?.seq)).toEqual(['day', '1', 'own 1', 'new', '2']);
  expect(shape(list, list[3]?.seq)).toEqual(['day', '1', 'own 1', '1', 'new', '1']);
  expect(shape(list, 10_000)).toEqual(['day', '1', 'own 1', '2']);
});

test('inserts the notes after the newest message of their time, splitting a group', () => {
  seq = 0;
  const messages = [message('a', noon), message('a', noon), message('a', noon)];
  const notes = [
    { after: 2, line: 'first' },
    { after: 2, line: 'second' },
    { after: 9, line: 'later' },
  ];
  const list = blocks(entries(messages, [], undefined), 'me', undefined, notes);
  expect(list.map((block) => (block.kind === 'note' ? block.note.line : block.kind))).toEqual([
    'day',
    'group',
    'first',
    'second',
    'group',
  ]);
});

test('keeps notes from before the first message above an unsent message', () => {
  const unsent = { clientId: 'c', room: 'r', text: 'hi', sentAt: noon };
  const list = blocks(entries([], [unsent], { id: 'me', name: 'Me' }), 'me', undefined, [
    { after: 0, line: 'joined' },
  ]);
  expect(list.map(({ kind }) => kind)).toEqual(['day', 'group']);
});
