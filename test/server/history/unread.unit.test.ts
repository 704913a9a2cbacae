import { expect, test } from 'vitest';
import { lastInRoom, shownAfter, withDeleted, withMessage } from '../../../server/history/history.ts';

const roomOf = (kinds: string) =>
  [...kinds].reduce(
    (room, kind, n) =>
      withMessage(room, { seq: n + 1, ...(kind === 't' ? { threadOnly: true as const } : {}) }),
    { lastSeq: 0 } as Parameters<typeof withMessage>[0],
  );

const threadOnlyAfter = (room: ReturnType<typeof roomOf>, seq: number) =>
  room.lastSeq - seq - shownAfter(room, seq);

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

test('counts messages that are neither deleted nor shown only in a thread', () => {
  let room: Parameters<typeof withDeleted>[0] & Parameters<typeof shownAfter>[0] = {
    ...roomOf('mtmmmtm'),
    firstSeq: 1,
  };
  const remove = (...seqs: number[]) => {
    for (const seq of seqs)
      room = withDeleted(room, [{ seq, ...([2, 6].includes(seq) ? { threadOnly: true as const } : {}) }]);
    return [0, 3, 6].map((seq) => shownAfter(room, seq));
  };
  expect(remove()).toEqual([5, 3, 1]);
  expect(remove(4, 4, 2)).toEqual([4, 2, 1]);
  expect(remove(3, 7)).toEqual([2, 1, 0]);
  expect(remove(5, 1)).toEqual([0, 0, 0]);
  expect(room.deleted).toEqual([
    [1, 1],
    [3, 3],
    [7, 1],
  ]);
});

test('forgets deleted messages that expired, and where the oldest of many are', () => {
  const room: Parameters<typeof withDeleted>[0] & Parameters<typeof shownAfter>[0] = {
    ...roomOf('m'.repeat(1000)),
    firstSeq: 301,
  };
  const odd = Array.from({ length: 500 }, (_, n) => ({ seq: 2 * n + 1 }));
  const deleted = withDeleted(room, odd);
  expect(deleted.deleted).toHaveLength(100);
  expect([shownAfter(deleted, 900), shownAfter(deleted, 0)]).toEqual([50, 900]);
  expect(withDeleted(room, odd.slice(0, 150))).toEqual(room);
});
