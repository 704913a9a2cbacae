import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import {
  type CheckResult,
  type Login,
  type Logins,
  SessionBusyError,
  StoreError,
  UnsettledError,
  type Watcher,
} from '../../../packages/php-session/src/login.ts';
import type { Subscriber } from '../../../server/liveness/checked-login.ts';
import { Liveness } from '../../../server/liveness/liveness.ts';
import type { EndReason } from '../../../server/wire/events.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const interval = 1000;
const grace = 10_000;
const wait = (milliseconds: number) => vi.advanceTimersByTimeAsync(milliseconds);

const login = (handle = 'a', user: Login['user'] = { id: '1', name: 'Ann' }): Login => ({
  handle,
  user,
  state: {},
});
const user = (name: string, id = '1'): CheckResult => ({ state: 'user', login: login('a', { id, name }) });
const checkResult = (state: 'nobody' | 'empty' | 'invalid'): CheckResult => ({
  state,
  reason: state,
  kind: state,
});
const nobody = checkResult('nobody');
const silent = () => Promise.reject(new StoreError('silent'));

/** Liveness of logins whose store answers are set by the test, with the results. */
function site(options: { lifetime?: number; keepalive?: boolean; closesSlowly?: boolean } = {}) {
  const requests = { checks: [] as string[], at: new Set<number>(), ttls: 0, touched: [] as number[] };
  const answers = {
    check: async (): Promise<CheckResult | null> => null,
    ttl: async (): Promise<number | null> => 1_440_000,
  };
  const followed = new Map<string, { since: number | undefined }>();
  const watchers = new Map<string, Watcher>();
  const logins = {
    lifetime: options.lifetime,
    check: (logins: readonly Login[]) =>
      logins.map(({ handle }) => {
        requests.checks.push(handle);
        requests.at.add(performance.now());
        return answers.check();
      }),
    ttl: () => {
      requests.ttls++;
      return answers.ttl();
    },
    renew: async (_: Login, seconds: number) => void requests.touched.push(seconds),
    watch: () => ({
      add({ handle }: Login, watcher: Watcher) {
        const follow = { since: undefined, end: () => followed.delete(handle) };
        followed.set(handle, follow);
        watchers.set(handle, watcher);
        return follow;
      },
      end() {},
    }),
  } as unknown as Logins;
  const results = {
    ended: [] as EndReason[],
    unconfirmed: 0,
    unconfirmedFor: [] as string[],
    identities: [] as Login['user'][],
    store: [] as (string | null)[],
    failures: [] as string[],
  };
  const liveness = new Liveness(logins, {
    interval,
    grace,
    keepalive: options.keepalive ?? false,
    onCheck: () => {},
    onEnd: () => {},
    onUnconfirmed: ({ message }) => results.unconfirmedFor.push(message),
    onStore: (failure) => results.store.push(failure?.message ?? null),
    onUnreadable: () => {},
    onNotifications: () => {},
    onKeepaliveFailure: ({ message }) => results.failures.push(message),
  });
  const subscribe = (checkedLogin = login()) => {
    const subscriber: Subscriber = {
      ended(reason) {
        results.ended.push(reason);
        subscription.end();
      },
      unconfirmed() {
        // The transport is still open at the first call only.
        const wasOpen = results.unconfirmed++ === 0;
        if (!options.closesSlowly) subscription.end();
        return wasOpen;
      },
      changed: (identity) => results.identities.push(identity),
    };
    const checked = liveness.subscribe(checkedLogin, subscriber);
    const subscription = { end: () => checked.unsubscribe(subscriber), written: () => checked.written() };
    return subscription;
  };
  /** Sets the results of the following checks. The last one repeats. */
  const willSee = (...verdicts: (CheckResult | null | Error)[]) => {
    answers.check = async () => {
      const verdict = verdicts.length > 1 ? verdicts.shift() : verdicts[0];
      if (verdict instanceof Error) throw verdict;
      return verdict ?? null;
    };
  };
  /** Delays the next check until the returned function is called with its result. */
  const hold = () => {
    const { promise, resolve } = Promise.withResolvers<CheckResult | null>();
    answers.check = () => {
      answers.check = async () => null;
      return promise;
    };
    return resolve;
  };
  return {
    answers,
    requests,
    followed,
    hold,
    liveness,
    notify: (handle = 'a') => watchers.get(handle)?.notified(),
    opened: (handle = 'a') => watchers.get(handle)?.opened(),
    results,
    subscribe,
    willSee,
    /** Returns the number of checks that start within this time. */
    async checksIn(milliseconds: number) {
      const before = requests.checks.length;
      await wait(milliseconds);
      return requests.checks.length - before;
    },
  };
}

describe('a check', () => {
  test('comes once in an interval for all connections of a session, and on a notification', async () => {
    const { requests, checksIn, notify, subscribe } = site();
    subscribe();
    subscribe();
    expect(await checksIn(5.5 * interval)).toBe(5);
    notify();
    expect(requests.checks.length).toBe(6);
  });

  test('comes 50 and 250 ms after PHP opens the session', async () => {
    const { checksIn, opened, subscribe } = site();
    subscribe();
    opened();
    expect([await checksIn(49), await checksIn(1), await checksIn(199), await checksIn(1)]).toEqual([
      0, 1, 0, 1,
    ]);
  });

  test('follows once if the store notifies during a check', async () => {
    const { requests, checksIn, hold, notify, results, subscribe, willSee } = site();
    subscribe();
    const answer = hold();
    notify();
    for (let n = 0; n < 3; n++) notify();
    expect(requests.checks.length).toBe(1);
    willSee(nobody);
    answer(null);
    expect(await checksIn(5)).toBe(1);
    expect(results.ended).toEqual(['logout']);
  });

  test('follows at once if the store notifies during a TTL query', async () => {
    const { answers, requests, notify, results, subscribe, willSee } = site();
    answers.ttl = () => new Promise(() => {});
    subscribe();
    notify();
    await wait(0);
    expect(requests.ttls).toBe(1);
    answers.ttl = async () => null;
    willSee(nobody);
    notify();
    await wait(5);
    expect(results.ended).toEqual(['logout']);
  });

  test('comes at most every 5 ms, however many notifications arrive', async () => {
    const { requests, notify, subscribe } = site();
    subscribe();
    for (let n = 0; n < 100; n++) {
      for (let m = 0; m < 10; m++) notify();
      await wait(1);
    }
    expect(requests.checks.length).toBeGreaterThan(15);
    expect(requests.checks.length).toBeLessThanOrEqual(21);
  });

  test('shares one timer with all sessions that are due soon', async () => {
    const { requests, checksIn, liveness, subscribe } = site();
    expect(vi.getTimerCount()).toBe(0);
    const subscriptions = [];
    for (let n = 0; n < 90; n++) {
      subscriptions.push(subscribe(login(`s${n}`)));
      await wait(1);
    }
    // Wait for the TTL queries too.
    await wait(50);
    expect(vi.getTimerCount()).toBe(1);
    await wait(interval);
    expect(requests.checks.length).toBe(90);
    expect(requests.at.size).toBe(1);
    for (const subscription of subscriptions) subscription.end();
    expect(vi.getTimerCount()).toBe(0);
    expect(await checksIn(5 * interval)).toBe(0);
    subscribe();
    liveness.stop();
    expect(await checksIn(5 * interval)).toBe(0);
  });

  test('includes a new connection after the login got another handle', async () => {
    const { requests, checksIn, followed, subscribe, willSee } = site();
    const first = subscribe(login('a'));
    willSee({ state: 'user', login: login('b') });
    await wait(1.5 * interval);
    first.end();
    expect(followed.size).toBe(0);
    for (const handle of ['a', 'b']) subscribe(login(handle));
    requests.checks.length = 0;
    expect(await checksIn(interval)).toBe(2);
    expect(requests.checks.sort()).toEqual(['a', 'b']);
  });

  test('is spread over the interval for thousands of sessions, at most 500 at once', async () => {
    const { requests, checksIn, subscribe } = site();
    for (let n = 0; n < 4000; n++) subscribe(login(`s${n}`));
    await wait(2 * interval);
    requests.checks.length = 0;
    for (let n = 0; n < 10; n++) expect(await checksIn(100)).toBeLessThanOrEqual(500);
    expect(new Set(requests.checks).size).toBe(4000);
    expect(requests.checks.length).toBe(4000);
  });
});

describe('a checked session', () => {
  test.each<[string, (CheckResult | null | Error)[], EndReason[]]>([
    ['without a user: logout', [nobody], ['logout']],
    ['with another user: user_changed', [user('Ben', '2')], ['user_changed']],
    ['empty twice: logout', [checkResult('empty')], ['logout']],
    ['unreadable twice: invalid', [checkResult('invalid')], ['invalid']],
    ['unreadable, then empty: logout', [checkResult('invalid'), checkResult('empty')], ['logout']],
    ['empty, then without a user: logout', [checkResult('empty'), nobody], ['logout']],
    ['empty, then unchanged: stays open', [checkResult('empty'), null], []],
    ['unreadable, then with another name: stays open', [checkResult('invalid'), user('Anna')], []],
    [
      'empty, without an answer, then empty once: stays open',
      [checkResult('empty'), new StoreError('silent'), checkResult('empty'), null],
      [],
    ],
    [
      'empty, unchanged, then empty once: stays open',
      [checkResult('empty'), null, checkResult('empty'), null],
      [],
    ],
  ])('%s', async (_, verdicts, ended) => {
    const { notify, results, subscribe, willSee } = site();
    subscribe();
    willSee(...verdicts);
    for (let n = 0; n < 4; n++) {
      notify();
      await wait(150);
    }
    expect(results.ended).toEqual(ended);
  });

  test('that is empty is read again after 500 ms, despite notifications', async () => {
    const { checksIn, notify, results, subscribe, willSee } = site();
    subscribe();
    willSee(checkResult('empty'));
    notify();
    await wait(50);
    notify();
    expect(await checksIn(449)).toBe(0);
    expect(results.ended).toEqual([]);
    expect(await checksIn(1)).toBe(1);
    expect(results.ended).toEqual(['logout']);
  });

  test('is checked again after a notification during the second read', async () => {
    const { checksIn, hold, notify, results, subscribe, willSee } = site();
    subscribe();
    willSee(checkResult('empty'));
    notify();
    await wait(50);
    const answer = hold();
    await wait(450);
    notify();
    willSee(nobody);
    answer(null);
    expect(await checksIn(5)).toBe(1);
    expect(results.ended).toEqual(['logout']);
  });

  test('that is empty is read again even if the store notified during the check', async () => {
    const { hold, notify, results, subscribe, willSee } = site();
    subscribe();
    const answer = hold();
    notify();
    notify();
    willSee(checkResult('empty'));
    answer(checkResult('empty'));
    await wait(500);
    expect(results.ended).toEqual(['logout']);
  });

  test('is not checked or changed after its end', async () => {
    const { checksIn, hold, liveness, notify, opened, results, subscribe } = site();
    subscribe();
    subscribe();
    const answer = hold();
    notify();
    liveness.kick('1');
    expect(results.ended).toEqual(['kicked', 'kicked']);
    answer(nobody);
    notify();
    opened();
    expect(await checksIn(2 * interval)).toBe(0);
    expect(results).toMatchObject({ ended: ['kicked', 'kicked'], identities: [], store: [] });
  });

  test('with a known end ends then, even if the store does not respond', async () => {
    const { answers, results, subscribe } = site();
    subscribe({ ...login(), ends: Date.now() + 2.5 * interval });
    answers.check = silent;
    await wait(2 * interval);
    expect(results.ended).toEqual([]);
    await wait(interval);
    expect(results).toMatchObject({ ended: ['expired'], unconfirmed: 0 });
  });
});

describe('a changed identity', () => {
  test('is passed to each connection, but a changed state alone is not', async () => {
    const { notify, results, subscribe, willSee } = site();
    subscribe();
    willSee(user('Ann'));
    notify();
    await wait(10);
    expect(results.identities).toEqual([]);
    // Not only the name is compared.
    const identity = { id: '1', name: 'Ann', roles: ['moderator' as const] };
    willSee({ state: 'user', login: login('a', identity) });
    notify();
    await wait(10);
    expect(results.identities).toEqual([identity]);
  });

  test('is passed to a connection that read the session before the change', async () => {
    const { requests, notify, results, subscribe, willSee } = site();
    subscribe();
    willSee(user('Anna'));
    notify();
    await wait(10);
    willSee(null);
    const before = requests.checks.length;
    subscribe();
    expect(results.identities.map(({ name }) => name)).toEqual(['Anna', 'Anna']);
    // The connection may also know a newer session, so it is checked.
    expect(requests.checks.length).toBe(before + 1);
  });
});

describe('a store that does not respond', () => {
  test('closes connections as unconfirmed only after the grace time', async () => {
    const { results, subscribe, answers } = site();
    subscribe();
    await wait(interval);
    answers.check = silent;
    await wait(grace - 1);
    expect(results).toMatchObject({ ended: [], unconfirmed: 0 });
    await wait(interval);
    expect(results).toMatchObject({ ended: [], unconfirmed: 1 });
  });

  test('reports a connection that closes slowly only once as unconfirmed', async () => {
    const { results, subscribe, answers } = site({ closesSlowly: true });
    subscribe();
    answers.check = silent;
    await wait(grace + 3 * interval);
    expect(results.unconfirmed).toBeGreaterThan(1);
    expect(results.unconfirmedFor).toEqual(['silent']);
  });

  test('is reported once, and so is its recovery', async () => {
    const { results, subscribe, answers } = site();
    subscribe();
    answers.check = silent;
    await wait(3 * interval);
    expect(results.store).toEqual(['silent']);
    answers.check = async () => null;
    await wait(3 * interval);
    expect(results.store).toEqual(['silent', null]);
  });

  test('is reported once while its other servers answer', async () => {
    const { requests, results, subscribe, answers } = site();
    for (const handle of ['a', 'b']) subscribe(login(handle));
    answers.check = () => (requests.checks.at(-1) === 'a' ? silent() : Promise.resolve(null));
    await wait(3 * interval);
    expect(results.store).toEqual(['silent']);
  });

  test.each<[string, (subscription: { end(): void }) => unknown]>([
    ['disconnected', (subscription) => subscription.end()],
    ['were closed after the grace time', () => wait(grace)],
  ])('recovers even if the affected connections %s', async (_, leave) => {
    const { results, subscribe, answers } = site();
    const subscription = subscribe();
    answers.check = silent;
    await wait(interval);
    await leave(subscription);
    answers.check = async () => null;
    subscribe(login('b'));
    await wait(interval);
    expect(results.store).toEqual(['silent', null]);
  });

  test('is not reported for a single busy session', async () => {
    const { results, subscribe, willSee } = site();
    subscribe();
    willSee(new SessionBusyError('busy'));
    await wait(3 * interval);
    expect(results).toMatchObject({ store: [], ended: [], unconfirmed: 0 });
  });

  test.each([
    ['a session that is being written', new UnsettledError('written', []), false],
    ['a notified session that is being written', new UnsettledError('written', []), true],
    ['a session notified during a check without an answer', new StoreError('silent'), true],
  ])('delays the next check by 250 ms for %s', async (_, failure, notified) => {
    const { checksIn, notify, subscribe, willSee } = site();
    subscribe();
    willSee(failure, null);
    notify();
    if (notified) notify();
    expect([await checksIn(249), await checksIn(1), await checksIn(300)]).toEqual([0, 1, 0]);
  });

  test('does not delay the check on a notification while the session is being written', async () => {
    const { requests, checksIn, notify, subscribe, willSee } = site();
    subscribe();
    willSee(new UnsettledError('written', []), null);
    notify();
    await wait(50);
    notify();
    expect(requests.checks.length).toBe(2);
    expect(await checksIn(300)).toBe(0);
  });
});

describe('a followed session', () => {
  const followedSite = async () => {
    const base = site();
    base.subscribe();
    const follow = () => {
      for (const each of base.followed.values()) each.since = performance.now();
    };
    const lose = () => {
      for (const each of base.followed.values()) each.since = undefined;
    };
    return { ...base, follow, lose };
  };

  test('is checked once more, then on a notification or once a minute', async () => {
    const { checksIn, follow, notify, results, willSee } = await followedSite();
    expect(await checksIn(3 * interval)).toBe(3);
    follow();
    expect(await checksIn(50 * interval)).toBe(1);
    expect(await checksIn(20 * interval)).toBe(1);
    willSee(nobody);
    notify();
    await wait(0);
    expect(results.ended).toEqual(['logout']);
  });

  test('is checked in each interval once the store no longer follows it', async () => {
    const { requests, checksIn, follow, lose, subscribe } = await followedSite();
    follow();
    subscribe(login('other'));
    await wait(2 * interval);
    requests.checks.length = 0;
    await wait(5 * interval);
    expect(new Set(requests.checks)).toEqual(new Set(['other']));
    lose();
    expect(await checksIn(5 * interval)).toBe(10);
  });

  test('is checked until the store answers', async () => {
    const { answers, checksIn, follow, notify } = await followedSite();
    follow();
    await wait(2 * interval);
    answers.check = silent;
    notify();
    expect(await checksIn(3 * interval)).toBe(3);
    answers.check = async () => null;
    expect(await checksIn(3 * interval)).toBe(1);
  });

  test('has its grace time from when the store no longer follows it', async () => {
    const { answers, follow, lose, results } = await followedSite();
    follow();
    await wait(2 * grace);
    answers.check = silent;
    lose();
    await wait(grace - interval);
    expect(results.unconfirmed).toBe(0);
    await wait(2 * interval);
    expect(results.unconfirmed).toBe(1);
  });
});

describe('the end of a login', () => {
  const minute = 60_000;
  test.each<[string, number | null, number | null | typeof silent, EndReason]>([
    ['is expired if the store returns the record as expired', 24 * minute, 0, 'expired'],
    ['is logout if the record has not expired', 2500, 600, 'logout'],
    ['is expired if the record is gone after its TTL', 2500, null, 'expired'],
    ['is expired if the record is gone after its TTL and the store is silent', 2500, silent, 'expired'],
    ['is logout if the record is gone before its TTL ends', 24 * minute, null, 'logout'],
    ['is logout if the record is gone and had no end', Number.POSITIVE_INFINITY, null, 'logout'],
    ['is logout if the record is gone and the store never returned a TTL', null, null, 'logout'],
  ])('%s', async (_, before, then, reason) => {
    const { answers, notify, results, subscribe, willSee } = site();
    const expires = performance.now() + (before ?? 0);
    answers.ttl = async () => before && expires - performance.now();
    subscribe();
    await wait(1500);
    willSee(nobody);
    answers.ttl = typeof then === 'function' ? then : async () => then;
    notify();
    await wait(0);
    expect(results.ended).toEqual([reason]);
  });

  test('is expired if the record ended on time, though its TTL was answered late', async () => {
    const { answers, notify, results, subscribe, willSee } = site();
    answers.ttl = async () => {
      await new Promise((resolve) => setTimeout(resolve, 1600));
      return 3000;
    };
    subscribe();
    await wait(1600);
    answers.ttl = async () => null;
    await wait(900);
    willSee(nobody);
    notify();
    await wait(0);
    expect(results.ended).toEqual(['expired']);
  });

  test('is expired if the record expired between a check and the TTL query', async () => {
    const { answers, notify, results, subscribe, willSee } = site();
    answers.ttl = async () => 2500;
    subscribe();
    await wait(50);
    answers.ttl = async () => null;
    await wait(2.5 * interval);
    willSee(nobody);
    notify();
    await wait(0);
    expect(results.ended).toEqual(['expired']);
  });

  test.each<[string, number, EndReason]>([
    ['after', 31 * minute, 'expired'],
    ['before', 20 * minute, 'logout'],
  ])('depends on lifetime= without a TTL (record gone %s that time)', async (_, gone, reason) => {
    const { answers, notify, results, subscribe, willSee } = site({ lifetime: 24 * minute });
    answers.ttl = async () => null;
    subscribe();
    await wait(5 * minute);
    notify();
    await wait(gone - 5 * minute);
    willSee(nobody);
    await wait(interval);
    expect(results.ended).toEqual([reason]);
  });

  test('is logout if PHP renewed the session without a notification', async () => {
    const { answers, results, subscribe, willSee } = site();
    answers.ttl = async () => 20_000;
    subscribe();
    await wait(10_000);
    answers.ttl = async () => 24 * minute;
    await wait(15_000);
    willSee(nobody);
    answers.ttl = async () => null;
    await wait(interval);
    expect(results.ended).toEqual(['logout']);
  });

  test('reads the TTL 50 ms after the first connection, after each change and every minute', async () => {
    const { requests, notify, subscribe, willSee } = site();
    subscribe();
    await wait(30);
    subscribe(login('another')).end();
    expect(requests.ttls).toBe(0);
    await wait(20);
    expect(requests.ttls).toBe(1);
    await wait(30.5 * interval);
    expect(requests.ttls).toBe(1);
    notify();
    await wait(0);
    expect(requests.ttls).toBe(2);
    await wait(5.5 * minute);
    expect(requests.ttls).toBe(7);
    willSee(user('Anna'), null);
    await wait(interval);
    expect(requests.ttls).toBe(8);
  });
});

describe('keepalive', () => {
  const ttl = 1_440_000;

  test('renews the session for as long as PHP lets it live, after the user writes', async () => {
    const { answers, requests, subscribe } = site({ keepalive: true, lifetime: ttl });
    answers.ttl = async () => 300_000;
    const subscription = subscribe();
    await wait(2 * interval);
    expect(requests.touched).toEqual([]);
    subscription.written();
    await wait(2 * interval);
    expect(requests.touched).toEqual([1440]);
    subscription.written();
    await wait(2 * interval);
    expect(requests.touched.length).toBe(1);
    await wait(60_000);
    subscription.written();
    await wait(2 * interval);
    expect(requests.touched.length).toBe(2);
  });

  test.each<[string, number | null, EndReason]>([
    ['ends a login as logout if the session is gone soon after its renewal', 1200, 'logout'],
    ['ends a login as expired if the session is gone at its renewal', null, 'expired'],
  ])('%s', async (_, left, reason) => {
    const { answers, notify, results, subscribe, willSee } = site({ keepalive: true, lifetime: ttl });
    answers.ttl = async () => 2500;
    const subscription = subscribe();
    await wait(1.5 * interval);
    answers.ttl = async () => left;
    subscription.written();
    await wait(interval);
    willSee(nobody);
    answers.ttl = async () => null;
    notify();
    await wait(0);
    expect(results.ended).toEqual([reason]);
  });

  test.each([
    ['keepalive is off', false, 300_000],
    ['most of the lifetime is left', true, 1_400_000],
    ['the session has no end', true, Number.POSITIVE_INFINITY],
  ])('does not renew the session if %s', async (_, keepalive, left) => {
    const { answers, requests, subscribe } = site({ keepalive, lifetime: ttl });
    answers.ttl = async () => left;
    subscribe().written();
    await wait(3 * interval);
    expect(requests.touched).toEqual([]);
  });

  test('does not renew the session if the store refuses the TTL, and reports that once', async () => {
    const { answers, requests, results, subscribe } = site({ keepalive: true, lifetime: ttl });
    answers.ttl = () => Promise.reject(new StoreError('not permitted'));
    const subscription = subscribe();
    for (let n = 0; n < 10; n++) {
      subscription.written();
      await wait(60_000);
    }
    expect(requests.ttls).toBeGreaterThanOrEqual(10);
    expect(results).toMatchObject({ failures: ['not permitted'], ended: [], unconfirmed: 0 });
    expect(requests.touched).toEqual([]);
  });

  test('does not extend a TTL that the site shortened, without lifetime=', async () => {
    const { answers, requests, notify, subscribe } = site({ keepalive: true });
    const subscription = subscribe();
    await wait(2 * interval);
    answers.ttl = async () => 20_000;
    notify();
    subscription.written();
    await wait(3 * interval);
    expect(requests.touched).toEqual([]);
  });
});
