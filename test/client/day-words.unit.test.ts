import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { Strings } from '../../client/src/strings/strings.ts';
import { nearWhen, presets } from '../../client/src/views/later/times.ts';
import { timeToCome } from '../../client/src/views/moderation/restriction-words.ts';
import { listTime } from '../../client/src/views/rooms/list-time.ts';
import { textsIn } from '../../client/strings-plugin.ts';
import { inZone } from './in-zone.ts';

const hour = 3_600_000;

/** Sets the zone and the clock until the test ends. Formatters keep the zone in which they were made. */
function at(zone: string, time: string): { now: number; en: Strings } {
  inZone(zone);
  const now = Date.parse(time);
  vi.useFakeTimers({ toFake: ['Date'], now });
  onTestFinished(() => void vi.useRealTimers());
  return { now, en: new Strings({ lang: 'en', by: textsIn('en') }, ['en-GB']) };
}

/** The zone, the time, and the words for times that are this many hours later. */
const nights: [zone: string, time: string, later: Record<number, string>][] = [
  ['America/St_Johns', '2026-12-31T23:30-03:30', { 0.25: 'today, 23:45', 1: 'tomorrow, 00:30' }],
  ['Pacific/Apia', '2028-02-28T23:30+13:00', { 1: 'tomorrow, 00:30', 25: 'Wednesday 1 March, 00:30' }],
  ['Asia/Kathmandu', '2027-01-01T00:05+05:45', { 23: 'today, 23:05', 24: 'tomorrow, 00:05' }],
  // The night is an hour shorter.
  ['America/St_Johns', '2027-03-13T23:30-03:30', { 23: 'tomorrow, 23:30', 24: 'Monday 15 March, 00:30' }],
  // The day is an hour longer.
  ['America/St_Johns', '2027-11-07T00:05-02:30', { 24: 'today, 23:05', 25: 'tomorrow, 00:05' }],
  // This day begins at 1:00.
  ['Africa/Cairo', '2027-04-29T23:30+02:00', { 1: 'tomorrow, 01:30', 24: 'Saturday 1 May, 00:30' }],
];

describe.each(nights)('in %s at %s', (zone, time, later) => {
  test.each(Object.entries(later))('names the time %s hours later', (hours, words) => {
    const { now, en } = at(zone, time);
    const then = now + Number(hours) * hour;
    expect(timeToCome(then, en)).toBe(words);
    if (!/\d [A-Z]/.test(words)) expect(nearWhen(then, now, en).toLowerCase()).toBe(words);
    // At that time, this one is today or yesterday.
    const day = en.day(now, then);
    expect([day, listTime(now, en, then)]).toEqual(
      words.startsWith('today')
        ? ['Today', time.slice(11, 16)]
        : words.startsWith('tomorrow')
          ? ['Yesterday', 'Yesterday']
          : [expect.not.stringMatching(/day$/), expect.stringMatching(/^[A-Z]../)],
    );
  });
});

test.each([
  ['America/St_Johns', '2027-03-13T23:30-03:30', ['Tomorrow, 00:30', 'Tomorrow, 09:00', 'Mon 15 Mar, 09:00']],
  [
    'Pacific/Apia',
    '2026-12-31T23:30+13:00',
    ['Tomorrow, 00:30', 'Tomorrow, 09:00', 'Mon, 4 Jan 2027, 09:00'],
  ],
  ['Africa/Cairo', '2027-04-29T23:30+02:00', ['Tomorrow, 01:30', 'Tomorrow, 09:00', 'Mon 3 May, 09:00']],
])('proposes times in the last hour of a day in %s', (zone, time, words) => {
  const { now, en } = at(zone, time);
  expect(presets(now).map((then) => nearWhen(then, now, en))).toEqual(words);
});
