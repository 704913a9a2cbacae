import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { GuestPass } from '../../client/src/connection/guest-pass.ts';
import { memoryStorage, storeIn } from './memory-storage.ts';

const day = 24 * 60 * 60_000;
beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** A page of the same browser. */
const pages = () => {
  const storage = memoryStorage();
  return () => new GuestPass(storeIn(storage, 'server'));
};

test('keeps a guest for 30 days after each visit', () => {
  const open = pages();
  open().create('Zoe');
  const guest = open().auth(0);
  expect(guest).toMatchObject({ name: 'Zoe' });
  vi.advanceTimersByTime(20 * day);
  open().admitted(`g-${'0'.repeat(32)}`);
  vi.advanceTimersByTime(20 * day);
  expect(open().auth(0)).toEqual(guest);
  vi.advanceTimersByTime(11 * day);
  expect(open().auth(0)).toBeUndefined();
});
