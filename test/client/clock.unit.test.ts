import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Clock } from '../../client/src/connection/clock.ts';

const HOUR = 3_600_000;
const SERVER = Date.UTC(2026, 6, 15, 12);

/** The computer's clock, and the steady one, which stops while the computer sleeps. */
let computer: number;
let steady: number;
beforeEach(() => {
  [computer, steady] = [SERVER, 1000.5];
  vi.spyOn(Date, 'now').mockImplementation(() => computer);
  vi.spyOn(performance, 'now').mockImplementation(() => steady);
});
afterEach(() => vi.restoreAllMocks());

const pass = (ms: number) => {
  computer += ms;
  steady += ms;
};

/** Connects on a computer whose clock is ahead by so many milliseconds. */
function connected(ahead: number): Clock {
  computer += ahead;
  const clock = new Clock();
  clock.set(SERVER);
  return clock;
}

test.each([0, 3 * HOUR, -24 * HOUR, -20 * 365 * 24 * HOUR])(
  'shows the server’s time on a computer whose clock is ahead by %i ms',
  (ahead) => {
    const clock = connected(ahead);
    pass(HOUR);
    expect(clock.now).toBe(SERVER + HOUR);
  },
);

test('shows the computer’s time before the first connection', () => {
  expect(new Clock().now).toBe(SERVER);
});

test('goes on if the computer’s clock is set back while the page is open', () => {
  const clock = connected(3 * HOUR);
  computer -= 3 * HOUR;
  pass(5000);
  expect(clock.now).toBe(SERVER + 5000);
  expect(Number.isInteger(clock.now)).toBe(true);
});

test('counts the time in which the computer slept', () => {
  const clock = connected(-3 * HOUR);
  computer += 8 * HOUR;
  expect(clock.now).toBe(SERVER + 8 * HOUR);
  // The connection did not survive, so the server sends its time again.
  clock.set(SERVER + 8 * HOUR + 7);
  clock.awake();
  expect(clock.now).toBe(SERVER + 8 * HOUR + 7);
});

test('takes a jump forward that the connection survives for a correction of the computer’s clock', () => {
  const clock = connected(-24 * HOUR);
  computer += 24 * HOUR;
  pass(2000);
  // Until it is known that the computer did not sleep, the time in which it may have slept counts.
  expect(clock.now).toBe(SERVER + 24 * HOUR + 2000);
  clock.awake();
  expect(clock.now).toBe(SERVER + 2000);
});

test('counts a short sleep, which a connection survives', () => {
  const clock = connected(0);
  computer += 40_000;
  expect(clock.now).toBe(SERVER + 40_000);
  clock.awake();
  expect(clock.now).toBe(SERVER + 40_000);
});

/** Files that read the computer's clock, with the reason why they do not need the server's time. */
const own: Record<string, string> = {
  'connection/clock.ts': 'derives the server’s time',
  'connection/origin-probe.ts': 'converts an HTTP date to a duration, without a connection',
  'connection/tickets.ts': 'compares with the time at which the ticket was fetched',
  'connection/guest-pass.ts': 'forgets a guest after 30 days, before a connection',
  'element/login-header.ts': 'reads the time that guest-pass.ts stored',
  'element/unread.ts': 'measures seconds on pages without a connection',
  'chat/notifications.ts': 'measures visits of this browser, before a connection',
  'views/people/portraits.ts': 'retries a failed picture after some time',
  'views/rooms/room-pictures.ts': 'retries a failed picture after some time',
  'views/voice/recording.ts': 'names a file',
  'moderate/overview-page.tsx': 'asks for the time zone',
};

test('only the listed files of the client read the computer’s clock', () => {
  const folder = fileURLToPath(new URL('../../client/src', import.meta.url));
  const files = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) =>
    /\.tsx?$/.test(name),
  );
  const reading = files.filter((name) =>
    /\bDate\.now\b|\bnew Date(\(\)|\b(?!\())|\bDate\(\)|Temporal\.Now/.test(
      readFileSync(join(folder, name), 'utf8').replace(/^\s*(\/\/|\*|\/\*).*$/gm, ''),
    ),
  );
  expect(reading.sort()).toEqual(Object.keys(own).sort());
});
