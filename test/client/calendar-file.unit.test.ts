import { expect, test } from 'vitest';
import { calendarFile } from '../../client/src/text/calendar-file.ts';

const start = Date.UTC(2027, 0, 2, 3, 4, 5, 678);

test('writes an event as iCalendar, with text that cannot add lines', () => {
  const title = 'Party; bring: a, b\\c\nEND:VEVENT\r\nX:1\u0007';
  const event = { id: 'a-1', title, start, end: start + 1000, place: 'Hall' };
  expect(calendarFile(event, 0).split('\r\n')).toEqual([
    'BEGIN:VCALENDAR',
    'VERSION:2.0',
    'PRODID:-//php-chat//EN',
    'BEGIN:VEVENT',
    'UID:a-1',
    'DTSTAMP:19700101T000000Z',
    'DTSTART:20270102T030405Z',
    'DTEND:20270102T030406Z',
    'SUMMARY:Party\\; bring: a\\, b\\\\c\\nEND:VEVENT\\nX:1 ',
    'LOCATION:Hall',
    'END:VEVENT',
    'END:VCALENDAR',
    '',
  ]);
});

test('folds lines of over 75 octets between characters', () => {
  const title = '🌳ü'.repeat(40);
  const file = calendarFile({ id: 'a', title, start }, 0);
  for (const line of file.split('\r\n'))
    expect(new TextEncoder().encode(line).length).toBeLessThanOrEqual(75);
  expect(file.replaceAll('\r\n ', '')).toContain(`SUMMARY:${title}\r\n`);
  expect(file).not.toContain('DTEND');
});
