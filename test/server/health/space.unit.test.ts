import { expect, test } from 'vitest';
import { describeSpace } from '../../../server/health/space.ts';

const mb = 1024 * 1024;

test('warns of a disk with little space, and reports a full one as a problem', () => {
  const found = (free: number | undefined, failure?: string) =>
    describeSpace('history', '/data', free, failure)?.level;
  expect([200 * mb, undefined].map((free) => found(free))).toEqual([undefined, undefined]);
  expect(describeSpace('history', '/data', 200 * mb - 1)).toMatchObject({
    level: 'warning',
    text: 'The disk of the history, /data, has only 199 MB left.',
  });
  expect([found(0), found(200 * mb, 'a write failed'), found(undefined, 'a write failed')]).toEqual(
    Array(3).fill('problem'),
  );
});
