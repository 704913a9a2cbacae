import { afterEach, beforeEach, expect, test } from 'vitest';
import { fromField, toField } from '../../client/src/views/controls/date-fields.ts';
import { presets } from '../../client/src/views/later/times.ts';

let zone: string | undefined;
beforeEach(() => {
  zone = process.env.TZ;
  process.env.TZ = 'Europe/Berlin';
});
afterEach(() => {
  if (zone === undefined) delete process.env.TZ;
  else process.env.TZ = zone;
});

const at = (text: string) => new Date(text).getTime();
const local = (now: string) => presets(at(now)).map(toField);

test('proposes times of the day in the time zone of the user', () => {
  expect(local('2026-06-03T10:20:00')).toEqual([
    '2026-06-03T11:20',
    '2026-06-03T18:00',
    '2026-06-04T09:00',
    '2026-06-08T09:00',
  ]);
});

test('proposes no evening that is about to begin, and Monday only if it is not tomorrow', () => {
  expect(local('2026-06-07T17:30:00')).toEqual(['2026-06-07T18:30', '2026-06-08T09:00']);
  expect(local('2026-06-08T10:00:00').at(-1)).toBe('2026-06-15T09:00');
});

test('keeps the hour of the day when the clocks change in between', () => {
  // In the night to 29 March 2026 the clocks skip an hour, and in the night to 25 October they repeat one.
  expect(presets(at('2026-03-28T12:00:00')).map((time) => new Date(time).toISOString())).toContain(
    '2026-03-29T07:00:00.000Z',
  );
  expect(presets(at('2026-10-24T12:00:00')).map((time) => new Date(time).toISOString())).toContain(
    '2026-10-25T08:00:00.000Z',
  );
});

test('reads the value of the field back as the same minute, also beyond a change of the clocks', () => {
  for (const time of ['2026-06-03T11:20', '2026-12-24T18:05', '2027-01-01T00:00'])
    expect(toField(fromField(time) ?? 0)).toBe(time);
  expect(fromField('')).toBeUndefined();
  // This minute does not exist.
  expect(toField(fromField('2026-03-29T02:30') ?? 0)).toBe('2026-03-29T03:30');
});
