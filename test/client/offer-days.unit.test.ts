import { expect, test } from 'vitest';
import { shownOn } from '../../client/src/views/prefs/offer-days.ts';

test('the offer of notifications is shown on at most three days, and not after it is answered', () => {
  const first = shownOn('2026-11-19');
  expect(first).toEqual({ days: ['2026-11-19'] });
  expect(shownOn('2026-11-19', first)).toEqual(first);
  const third = { days: ['2026-11-19', '2026-11-20', '2026-11-23'] };
  expect(shownOn('2026-11-23', { days: third.days.slice(0, 2) })).toEqual(third);
  expect(shownOn('2026-11-23', third)).toEqual(third);
  expect(shownOn('2026-11-24', third)).toBeUndefined();
  expect(shownOn('2026-11-19', { days: [], over: true })).toBeUndefined();
});
