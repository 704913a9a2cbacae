import { expect, onTestFinished, test, vi } from 'vitest';

test('requests the count each minute, but for five minutes not again after a failure', async () => {
  vi.useFakeTimers();
  onTestFinished(() => {
    vi.useRealTimers();
    vi.unstubAllGlobals();
  });
  const target = { addEventListener() {} };
  vi.stubGlobal('document', { ...target, hidden: false, baseURI: 'https://site.example/' });
  vi.stubGlobal('addEventListener', () => {});
  vi.stubGlobal('location', new URL('https://site.example/'));
  vi.stubGlobal('isSecureContext', true);
  vi.stubGlobal('navigator', {
    locks: { request: (_: string, __: object, task: (lock: object) => unknown) => task({}) },
  });
  vi.stubGlobal(
    'BroadcastChannel',
    class {
      postMessage() {}
      close() {}
    },
  );
  // The module reads the location when it is loaded.
  const { Unread } = await import('../../client/src/element/unread.ts');
  let isUp = true;
  const fetched = vi.fn(async () => (isUp ? Response.json({ unread: 3 }) : Response.error()));
  vi.stubGlobal('fetch', fetched);
  const element = { getAttribute: (name: string) => (name === 'server' ? 'https://chat.example/' : null) };
  let count = -1;
  const stop = Unread.of(element as unknown as Element).watch((unread) => {
    count = unread;
  });
  onTestFinished(stop);
  const minute = 60_000;
  const requestsWithin = async (ms: number) => {
    fetched.mockClear();
    await vi.advanceTimersByTimeAsync(ms);
    return fetched.mock.calls.length;
  };
  expect(await requestsWithin(2.5 * minute)).toBe(3);
  expect(count).toBe(3);
  isUp = false;
  expect(await requestsWithin(minute)).toBe(1);
  isUp = true;
  expect(await requestsWithin(5 * minute)).toBe(0);
  expect(count).toBe(3);
  expect(await requestsWithin(2 * minute)).toBe(2);
  // The user sets the clock back.
  const setBack = () => vi.setSystemTime(Date.now() - 24 * 60 * minute);
  setBack();
  expect(await requestsWithin(minute)).toBe(1);
  isUp = false;
  expect(await requestsWithin(minute)).toBe(1);
  isUp = true;
  setBack();
  expect(await requestsWithin(minute)).toBe(1);
});
