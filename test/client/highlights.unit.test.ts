import { expect, test } from 'vitest';
import { highlights } from '../../client/src/views/catch-up/highlights.ts';
import type { Message } from '../../server/wire/events.ts';

const bob = { id: '2', name: 'Bob' };
const message = (seq: number, more: Partial<Message> | string = {}): Message => ({
  ...({ seq, rev: seq, user: bob, text: `message ${seq}` } as Message),
  ...(typeof more === 'string' ? { text: more } : more),
});
const found = (messages: readonly Message[]) =>
  highlights(messages, '1').map(({ reason, message: { seq } }) => `${reason} ${seq}`);
const named = (id: string) => ({ mentions: [{ user: { id, name: '' }, start: 0, length: 1 }] });
const liked = (...counts: number[]) => ({
  reactions: counts.map((count, n) => ({ emoji: `${n}`, count, users: [] })),
});

test('finds mentions of the reader and of everybody', () => {
  expect(found([message(1, named('1')), message(2, named('3')), message(3, named('*'))])).toEqual([
    'mention 1',
    'mention 3',
  ]);
});

test('finds questions that nobody replied to, in any script, but not in links, blocks of code or quotations', () => {
  expect(
    found([
      message(1, 'Who comes?'),
      message(2, 'Who goes?'),
      message(3, { text: 'me', replyTo: 2 }),
      message(4, 'https://example.com/?q=1 and https://example.com/a?b'),
      message(5, 'no question'),
      message(6, '```\nwhat?\n```'),
      message(7, '> what?\n\nyes'),
      message(8, '何時ですか？'),
      message(9, 'متى؟'),
    ]),
  ).toEqual(['question 1', 'question 8', 'question 9']);
});

test('finds the messages with the most reactions, without votes', () => {
  const poll = { options: ['a', 'b'] };
  expect(
    found([
      message(1, liked(1)),
      message(2, liked(1, 1)),
      message(3, liked(9)),
      message(4, liked(2)),
      message(5, liked(1, 4)),
      message(6, { poll, ...liked(50) }),
    ]),
  ).toEqual(['poll 6', 'reactions 2', 'reactions 3', 'reactions 5']);
});

test('finds the newest pictures and videos, and no other files', () => {
  const file = (more: object) => ({ files: [{ id: 'f', name: 'f', type: 't', size: 1, ...more }] });
  const size = { width: 1, height: 1 };
  expect(
    found([
      message(1, file({})),
      message(2, file({ image: { ...size, blur: '' } })),
      message(3, file({ video: size })),
      message(4, file({ image: { ...size, blur: '' } })),
      message(5, file({ image: { ...size, blur: '' } })),
    ]),
  ).toEqual(['pictures 3', 'pictures 4', 'pictures 5']);
});

test('leaves out own, deleted and hidden messages, and shows each message once', () => {
  const me = { id: '1', name: 'Alice' };
  expect(
    found([
      message(1, { text: 'who?', user: me }),
      message(2, { text: 'who?', deletedAt: 1 }),
      message(3, { text: 'who?', hidden: true }),
      message(4, { text: '@Alice, who?', ...named('1'), ...liked(3) }),
    ]),
  ).toEqual(['mention 4']);
});
