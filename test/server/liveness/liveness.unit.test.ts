import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { Lifetimes } from '../../../server/liveness/liveness.ts';
import { Keepalive } from '../../../server/liveness/ttl.ts';
import type { LiveSession, SessionReader } from '../../../server/session/read-session.ts';
import { SessionBusyError, StoreError, type Watcher } from '../../../server/session/store.ts';
import { UnsettledError } from '../../../server/session/unsettled.ts';
import type { Look } from '../../../server/session/verdict.ts';

const session: LiveSession = {
  id: 'a'.repeat(26),
  user: { id: '1', name: 'Ann' },
  bytes: Buffer.from('Ann'),
};
const gone: Look = { state: 'nobody', reason: 'there is no such session', kind: 'gone' };

/** A reader whose answers are set by the test, and lifetimes that look by themselves once in a long while only. */
function site(options: { lifetime?: number; interval?: number; grace?: number; keepalive?: boolean } = {}) {
  let watcher: Watcher | undefined;
  const calls = { looks: 0, touched: [] as number[] };
  const answers = {
    look: async (): Promise<Look | null> => null,
    remaining: async (): Promise<number | null> => 1_440_000,
  };
  const reader = {
    lifetime: options.lifetime,
    changed: () => {
      calls.looks++;
      return answers.look();
    },
    remaining: () => answers.remaining(),
    touch: async (_: string, seconds: number) => void calls.touched.push(seconds),
    watch: (given: Watcher) => {
      watcher = given;
      return () => {};
    },
  } as unknown as SessionReader;
  const told = { store: [] as (string | null)[], failures: [] as string[], ended: [] as string[], gaveUp: 0 };
  const names: string[] = [];
  const lifetimes = new Lifetimes(reader, {
    interval: options.interval ?? 60_000,
    grace: options.grace ?? 60_000,
    keepalive: options.keepalive
      ? new Keepalive(reader, ({ message }) => told.failures.push(message))
      : undefined,
    onLook: () => {},
    onEnd: () => {},
    onStore: (silent) => told.store.push(silent?.message ?? null),
    onUnreadable: () => {},
    onWatch: () => {},
  });
  lifetimes.start();
  onTestFinished(() => lifetimes.stop());
  const hold = (held: LiveSession = session) => {
    const one = lifetimes.hold(held, {
      end(reason) {
        told.ended.push(reason);
        one.release();
      },
      giveUp() {
        told.gaveUp++;
        one.release();
      },
      rename: ({ name }) => names.push(name),
    });
    return one;
  };
  const hint = () => watcher?.changed({ id: session.id });
  /** Has the session looked at, and waits until that has been seen through. */
  const look = async () => {
    const before = calls.looks;
    hint();
    await vi.waitFor(() => expect(calls.looks).toBeGreaterThan(before));
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { lifetimes, answers, calls, told, names, hold, hint, look };
}

describe('what the store tells leads to a look at once', () => {
  test('also while the life of the session is being asked for', async () => {
    const { answers, calls, told, hold, hint } = site();
    let answer = (_: number) => {};
    answers.remaining = () => new Promise((resolve) => (answer = resolve));
    hold();
    hint();
    await vi.waitFor(() => expect(calls.looks).toBe(1));
    await new Promise((resolve) => setImmediate(resolve));
    answers.look = async () => gone;
    answers.remaining = async () => null;
    hint();
    answer(1_440_000);
    await vi.waitFor(() => expect(told.ended).toEqual(['logout']));
  });

  test('but however much it tells, not all the time', async () => {
    const { calls, hold, hint } = site();
    hold();
    const began = performance.now();
    while (performance.now() - began < 100) {
      for (let n = 0; n < 1000; n++) hint();
      await new Promise((resolve) => setImmediate(resolve));
    }
    expect(calls.looks).toBeGreaterThan(1);
    expect(calls.looks).toBeLessThan(40);
  });
});

test('a second tab that has read the session before it changed is told the new name', async () => {
  const { answers, names, hold, look } = site();
  hold();
  const bytes = Buffer.from('Anna');
  answers.look = async () => ({ state: 'user', user: { id: '1', name: 'Anna' }, bytes });
  await look();
  await vi.waitFor(() => expect(names).toEqual(['Anna']));
  answers.look = async () => null;
  hold();
  expect(names).toEqual(['Anna', 'Anna']);
});

describe('the silence of the store', () => {
  const silent = () => Promise.reject(new StoreError('silent'));

  test('is over when somebody gets an answer, though nobody is left of those whom it concerned', async () => {
    const { answers, told, hold, look } = site({ grace: 50 });
    hold();
    answers.look = silent;
    await look();
    expect(told.store).toEqual(['silent']);
    await vi.waitFor(async () => {
      await look();
      expect(told.gaveUp).toBe(1);
    });
    answers.look = async () => null;
    hold();
    await look();
    expect(told.store).toEqual(['silent', null]);
  });

  test('is told once while there is somebody, and once when it is over', async () => {
    const { answers, told, hold, look } = site();
    hold();
    answers.look = silent;
    for (let n = 0; n < 3; n++) await look();
    expect(told.store).toEqual(['silent']);
    answers.look = async () => null;
    for (let n = 0; n < 3; n++) await look();
    expect(told.store).toEqual(['silent', null]);
  });

  test('is not what one session says that cannot be read', async () => {
    const { answers, told, hold, look } = site();
    hold();
    answers.look = () => Promise.reject(new SessionBusyError('busy'));
    await look();
    expect(told).toMatchObject({ store: [], ended: [], gaveUp: 0 });
  });

  test('nor does one wait for the next round that is being written: it is looked at again soon', async () => {
    const { answers, told, hold, look } = site();
    hold();
    answers.look = () => Promise.reject(new UnsettledError('being written', []));
    await look();
    answers.look = async () => gone;
    await vi.waitFor(() => expect(told.ended).toEqual(['logout']), 4000);
  });
});

describe('the reason why nobody is there any more', () => {
  const silent = () => Promise.reject(new StoreError('silent'));
  const cases: [string, number, number | null | typeof silent, string][] = [
    ['the store has the record and says that it is over', 1_440_000, 0, 'expired'],
    ['the store has the record, and its user was taken out shortly before its end', 900, 600, 'logout'],
    ['it is gone when its end had come', 900, null, 'expired'],
    ['it is gone before its time', 1_440_000, null, 'logout'],
    ['it is gone when its end had come, and the store has fallen silent', 900, silent, 'expired'],
  ];
  test.each(cases)('%s', async (_, known, now, reason) => {
    const { answers, told, hold, look } = site();
    hold();
    answers.remaining = async () => known;
    await look();
    answers.look = async () => gone;
    answers.remaining = typeof now === 'function' ? now : async () => now;
    await look();
    await vi.waitFor(() => expect(told.ended).toEqual([reason]));
  });
});

describe('keepalive', () => {
  test('as long as PHP lets it live, and only while somebody does something', async () => {
    const { answers, calls, hold, look } = site({ keepalive: true, lifetime: 1_440_000 });
    const one = hold();
    answers.remaining = async () => 300_000;
    await look();
    expect(calls.touched).toEqual([]);
    one.active();
    await look();
    await vi.waitFor(() => expect(calls.touched).toEqual([1440]));
    one.active();
    await look();
    expect(calls.touched).toHaveLength(1);
  });

  test.each([
    ['enough is left', 1_400_000],
    ['it has no end', Number.POSITIVE_INFINITY],
  ])('not when %s', async (_, left) => {
    const { answers, calls, hold, look } = site({ keepalive: true, lifetime: 1_440_000 });
    answers.remaining = async () => left;
    hold().active();
    await look();
    await look();
    expect(calls.touched).toEqual([]);
  });

  test('not when nobody knows how much is left: that is told', async () => {
    const { answers, calls, told, hold, look } = site({ keepalive: true, lifetime: 1_440_000 });
    answers.remaining = () => Promise.reject(new StoreError('not permitted'));
    hold().active();
    await look();
    await vi.waitFor(() => expect(told.failures).toEqual(['not permitted']));
    expect(calls.touched).toEqual([]);
  });

  test('what the site has shortened stays short, where the lifetime is not said', async () => {
    const { answers, calls, hold, look } = site({ keepalive: true });
    const one = hold();
    await look();
    answers.remaining = async () => 20_000;
    one.active();
    await look();
    expect(calls.touched).toEqual([]);
  });
});
