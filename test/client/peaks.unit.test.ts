import { expect, test } from 'vitest';
import { digitsOf, peaksOf } from '../../client/src/views/voice/peaks.ts';
import { peaks } from '../../server/wire/events.ts';

test("encodes the loudness of any recording within the server's limits, scaled to its peak", () => {
  for (const length of [0, 1, 20, 45, 46, 47, 6000])
    expect(peaks.safeParse(peaksOf(Array.from({ length }, (_, n) => (n % 7) / 7))).success).toBe(true);
  const louder = Array.from({ length: 460 }, (_, n) => n / 920);
  expect(peaksOf(louder)).toMatch(/^1.*v$/);
  expect(peaksOf(louder).split('').sort().join('')).toBe(peaksOf(louder));
  // Silence is not scaled up.
  expect(peaksOf(Array.from({ length: 100 }, () => 0.01))).toBe('2'.repeat(46));
  expect(digitsOf([-1, 0, 0.5, 1, 2])).toBe('00gvv');
});
