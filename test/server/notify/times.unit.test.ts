import { expect, test } from 'vitest';
import { nextDaily, quietUntil } from '../../../server/notify/times.ts';

const zone = 'Europe/Berlin';
const at = (time: string) => Date.parse(time);
const end = (quiet: { from: string; to: string }, time: string) => {
  const found = quietUntil({ ...quiet, zone }, at(time));
  return found === undefined ? undefined : new Date(found).toISOString();
};

test.each([
  ['in the evening', '2026-11-23T22:30:00+01:00', '2026-11-24T06:00:00.000Z'],
  ['in the morning', '2026-11-24T06:59:00+01:00', '2026-11-24T06:00:00.000Z'],
  ['at their end', '2026-11-24T07:00:00+01:00', undefined],
  ['by day', '2026-11-23T12:00:00+01:00', undefined],
])('computes the end of quiet hours across midnight: %s', (_, time, until) => {
  expect(end({ from: '22:00', to: '07:00' }, time)).toBe(until);
});

test('computes the end of quiet hours within a day', () => {
  expect(end({ from: '13:00', to: '14:30' }, '2026-07-01T13:00:00+02:00')).toBe('2026-07-01T12:30:00.000Z');
  expect(end({ from: '13:00', to: '14:30' }, '2026-07-01T12:59:00+02:00')).toBeUndefined();
  expect(end({ from: '13:00', to: '13:00' }, '2026-07-01T13:00:00+02:00')).toBeUndefined();
});

test('ends quiet hours correctly on days with a missing or repeated hour', () => {
  // The clock goes from 2:00 to 3:00 on 29 March, and from 3:00 back to 2:00 on 25 October.
  expect(end({ from: '23:00', to: '02:30' }, '2026-03-29T01:59:00+01:00')).toBe('2026-03-29T01:30:00.000Z');
  expect(end({ from: '23:00', to: '02:30' }, '2026-10-25T02:29:00+02:00')).toBe('2026-10-25T01:30:00.000Z');
  expect(end({ from: '02:30', to: '04:00' }, '2026-10-25T02:31:00+02:00')).toBe('2026-10-25T03:00:00.000Z');
});

test('sends daily mails at 9:00 in the user’s time zone', () => {
  expect(new Date(nextDaily(zone, at('2026-11-23T08:59:00+01:00'))).toISOString()).toBe(
    '2026-11-23T08:00:00.000Z',
  );
  expect(new Date(nextDaily(zone, at('2026-11-23T09:00:00+01:00'))).toISOString()).toBe(
    '2026-11-24T08:00:00.000Z',
  );
  expect(new Date(nextDaily(zone, at('2026-03-28T12:00:00+01:00'))).toISOString()).toBe(
    '2026-03-29T07:00:00.000Z',
  );
});
