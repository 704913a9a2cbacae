import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { MailPauses } from '../../../server/mail/pauses.ts';

const minute = 60_000;
const now = Date.parse('2030-05-06T12:00Z');
beforeEach(() => void vi.setSystemTime(now));
afterEach(() => void vi.useRealTimers());

/** Pauses after mails to these addresses broke the connection. */
function afterFailuresOf(...addresses: string[]): MailPauses {
  const pauses = new MailPauses();
  const started = addresses.map((address) => [address, address.split('@')[1] ?? ''] as const);
  for (const [, domain] of started) expect(pauses.start(domain)).toBeUndefined();
  for (const [user, domain] of started) pauses.end(user, domain, 'broken');
  return pauses;
}

test('pauses mails to a domain for a minute after three of its recipients in a row broke the connection', () => {
  const pauses = afterFailuresOf('a@x.example', 'b@x.example', 'c@x.example');
  expect(pauses.start('x.example')).toBe(now + minute);
  expect(pauses.start('y.example')).toBeUndefined();
  expect(pauses.until).toBe(0);
});

test('does not pause a domain for the failures of one recipient', () => {
  const pauses = afterFailuresOf('a@x.example', 'a@x.example', 'a@x.example');
  expect(pauses.start('x.example')).toBeUndefined();
});

test('tries one mail to a failing domain after each pause, and all mails once one was sent', () => {
  const pauses = afterFailuresOf('a@x.example', 'b@x.example', 'c@x.example');
  vi.setSystemTime(now + minute);
  expect(pauses.start('x.example')).toBeUndefined();
  expect(pauses.start('x.example')).toBe(now + 2 * minute);
  vi.setSystemTime(now + 1.5 * minute);
  pauses.end('d', 'x.example', 'lost');
  expect(pauses.start('x.example')).toBe(now + 2.5 * minute);
  vi.setSystemTime(now + 2.5 * minute);
  expect(pauses.start('x.example')).toBeUndefined();
  pauses.end('e', 'x.example', 'sent');
  expect(pauses.start('x.example')).toBeUndefined();
});

test('pauses all mails if recipients of three domains in a row break the connection', () => {
  const pauses = afterFailuresOf('a@one.example', 'b@two.example');
  pauses.end('c', 'good.example', 'sent');
  for (const domain of ['one.example', 'a.two.example', 'b.two.example']) pauses.end('d', domain, 'broken');
  expect(pauses.start('good.example')).toBeUndefined();
  pauses.end('e', 'three.example', 'lost');
  expect(pauses.until).toBe(now + minute);
  expect(pauses.start('good.example')).toBe(now + minute);
});

test('pauses all mails if the mail server is down', () => {
  const pauses = new MailPauses();
  pauses.end('a', 'x.example', 'down');
  expect(pauses.start('y.example')).toBe(now + minute);
});
