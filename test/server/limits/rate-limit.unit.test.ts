import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { OpenLimit, RateLimit } from '../../../server/limits/by-key.ts';
import { dice } from '../../helpers/dice.ts';

beforeEach(() => vi.useFakeTimers({ toFake: ['performance'] }));
afterEach(() => vi.useRealTimers());

test('limits a sliding period instead of fixed periods', () => {
  const limit = new RateLimit({ count: 20, ms: 10_000 });
  expect(limit.take('a')).toBeNull();
  vi.advanceTimersByTime(9500);
  for (let n = 0; n < 19; n++) expect(limit.take('a')).toBeNull();
  vi.advanceTimersByTime(600);
  // The first request no longer counts, but the other 19 do.
  expect(limit.take('a')).toBeNull();
  expect(limit.take('a')).toBe(9400);
});

test.each([1, 2, 3])('keeps the rate in every period, and returns a sufficient delay (seed %i)', (seed) => {
  const roll = dice(seed);
  const rate = { count: 15, ms: 1000 };
  const limit = new RateLimit(rate);
  const through: { at: number; weight: number }[] = [];
  for (let n = 0; n < 3000; n++) {
    vi.advanceTimersByTime(roll(10) === 0 ? roll(1500) : roll(40));
    const weight = 1 + roll(3);
    const at = performance.now();
    const retryAfterMs = limit.take('a', weight, at);
    if (retryAfterMs === null) {
      through.push({ at, weight });
      const inPeriod = through.filter((request) => at - request.at < rate.ms);
      // The last request may weigh more than what is left.
      const before = inPeriod.slice(0, -1).reduce((sum, request) => sum + request.weight, 0);
      expect(before).toBeLessThan(rate.count);
      if (roll(5) === 0) {
        limit.giveBack('a', at, weight);
        through.pop();
      }
      continue;
    }
    // At most a hundredth of the period later than the exact time.
    const { length } = through;
    let from = length;
    for (let sum = 0; from > 0 && sum < rate.count; ) sum += through[--from]?.weight ?? 0;
    const exact = (through[from]?.at ?? 0) + rate.ms - at;
    expect(retryAfterMs).toBeGreaterThanOrEqual(Math.floor(exact));
    expect(retryAfterMs).toBeLessThanOrEqual(exact + rate.ms / 100 + 1);
    if (roll(4) === 0) {
      vi.advanceTimersByTime(retryAfterMs);
      const now = performance.now();
      expect(limit.take('a', 1, now)).toBeNull();
      through.push({ at: now, weight: 1 });
    }
  }
});

test('counts a cost that is added later until the period ends', () => {
  const limit = new RateLimit({ count: 5, ms: 1000 });
  limit.take('a');
  limit.add('a', 4);
  expect(limit.take('a')).toBe(1000);
  expect(limit.take('b')).toBeNull();
  vi.advanceTimersByTime(1000);
  limit.add('a', 10);
  expect(limit.take('a')).toBeNull();
});

test('frees a slot once, even if its holder releases it twice', () => {
  const limit = new OpenLimit(2);
  const [release] = [limit.take('a'), limit.take('a')];
  release?.();
  release?.();
  expect(limit.take('a')).not.toBeNull();
  expect(limit.take('a')).toBeNull();
});
