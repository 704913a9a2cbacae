import { expect, test } from 'vitest';
import { lastInRoom, threadOnlyAfter, withMessage } from '../../../server/history/history.ts';

const roomOf = (kinds: string) =>
  [...kinds].reduce(
    (room, kind, n) =>
      withMessage(room, { seq: n + 1, ...(kind === 't' ? { threadOnly: true as const } : {}) }),
    { lastSeq: 0 } as Parameters<typeof withMessage>[0],
  );

test('knows which of the newest messages are shown only in a thread', () => {
  expect(lastInRoom(roomOf(''))).toBe(0);
  expect(lastInRoom(roomOf('m'))).toBe(1);
  const room = roomOf('mtmttmtt');
  expect(lastInRoom(room)).toBe(6);
  expect([0, 1, 2, 3, 4, 5, 6, 7, 8].map((seq) => threadOnlyAfter(room, seq))).toEqual([
    5, 5, 4, 4, 3, 2, 2, 1, 0,
  ]);
  expect(threadOnlyAfter(roomOf('mmm'), 0)).toBe(0);
});

test('counts all messages that are shown only in a thread, and forgets where the oldest are', () => {
  const room = roomOf('mt'.repeat(300));
  expect(room.threadOnly?.total).toBe(300);
  expect(room.threadOnly?.runs.length).toBeLessThan(300);
  expect(threadOnlyAfter(room, 500)).toBe(50);
  expect(threadOnlyAfter(room, 0)).toBe(room.threadOnly?.runs.length);
  // A thread that only grows needs no more space.
  expect(roomOf('t'.repeat(300)).threadOnly).toEqual({ total: 300, runs: [[1, 300]] });
});
