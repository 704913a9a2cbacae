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
const seen = (state: 'nobody' | 'empty' | 'invalid'): CheckResult => ({ state, reason: state, kind: state });
const nobody = seen('nobody');
const silent = () => Promise.reject(new StoreError('silent'));

/** Liveness with logins whose answers the test gives, and the results. */
function site(options: { lifetime?: number; keepalive?: boolean } = {}) {
  const asked = { checks: [] as string[], at: new Set<number>(), ttls: 0, touched: [] as number[] };
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
        asked.checks.push(handle);
        asked.at.add(performance.now());
        return answers.check();
      }),
    ttl: () => {
      asked.ttls++;
      return answers.ttl();
    },
    renew: async (_: Login, seconds: number) => void asked.touched.push(seconds),
    watch: () => ({
      add({ handle }: Login, watcher: Watcher) {
        const one = { since: undefined, end: () => followed.delete(handle) };
        followed.set(handle, one);
        watchers.set(handle, watcher);
        return one;
      },
      end() {},
    }),
  } as unknown as Logins;
  const seen = {
    ended: [] as EndReason[],
    unconfirmed: 0,
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
    onStore: (failure) => seen.store.push(failure?.message ?? null),
    onUnreadable: () => {},
    onNotifications: () => {},
    onKeepaliveFailure: ({ message }) => seen.failures.push(message),
  });
  const subscribe = (one = login()) => {
    const subscriber: Subscriber = {
      ended(reason) {
        seen.ended.push(reason);
        subscription.end();
      },
      unconfirmed() {
        seen.unconfirmed++;
        subscription.end();
      },
      changed: (identity) => seen.identities.push(identity),
    };
    const checked = liveness.subscribe(one, subscriber);
    const subscription = { end: () => checked.unsubscribe(subscriber), written: () => checked.written() };
    return subscription;
  };
  /** The results of the following checks, in order; the last one from then on. */
  const willSee = (...verdicts: (CheckResult | null | Error)[]) => {
    answers.check = async () => {
      const verdict = verdicts.length > 1 ? verdicts.shift() : verdicts[0];
      if (verdict instanceof Error) throw verdict;
      return verdict ?? null;
    };
  };
  /** The next check waits for its answer. */
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
    asked,
    followed,
    hold,
    liveness,
    notify: (handle = 'a') => watchers.get(handle)?.notified(),
    opened: (handle = 'a') => watchers.get(handle)?.opened(),
    seen,
    subscribe,
    willSee,
    /** The number of checks that start within this time. */
    async checksIn(milliseconds: number) {
      const before = asked.checks.length;
      await wait(milliseconds);
      return asked.checks.length - before;
    },
  };
}

describe('a check', () => {
  test('comes once in an interval for all connections of a session, and at once when the store notifies', async () => {
    const { asked, checksIn, notify, subscribe } = site();
    subscribe();
    subscribe();
    expect(await checksIn(5.5 * interval)).toBe(5);
    notify();
    expect(asked.checks.length).toBe(6);
  });

  test('comes 50 and 250 ms after PHP has opened the session', async () => {
    const { checksIn, opened, subscribe } = site();
    subscribe();
    opened();
    expect([await checksIn(49), await checksIn(1), await checksIn(199), await checksIn(1)]).toEqual([
      0, 1, 0, 1,
    ]);
  });

  test('of what was notified during a check follows that one, once', async () => {
    const { asked, checksIn, hold, notify, seen, subscribe, willSee } = site();
    subscribe();
    const answer = hold();
    notify();
    for (let n = 0; n < 3; n++) notify();
    expect(asked.checks.length).toBe(1);
    willSee(nobody);
    answer(null);
    expect(await checksIn(5)).toBe(1);
    expect(seen.ended).toEqual(['logout']);
  });

  test('of what was notified while the TTL was asked for comes at once', async () => {
    const { answers, asked, notify, seen, subscribe, willSee } = site();
    answers.ttl = () => new Promise(() => {});
    subscribe();
    notify();
    await wait(0);
    expect(asked.ttls).toBe(1);
    answers.ttl = async () => null;
    willSee(nobody);
    notify();
    await wait(5);
    expect(seen.ended).toEqual(['logout']);
  });

  test('comes no more often than every 5 ms, however much is notified', async () => {
    const { asked, notify, subscribe } = site();
    subscribe();
    for (let n = 0; n < 100; n++) {
      for (let m = 0; m < 10; m++) notify();
      await wait(1);
    }
    expect(asked.checks.length).toBeGreaterThan(15);
    expect(asked.checks.length).toBeLessThanOrEqual(21);
  });

  test('is made by one timer for all sessions that are due soon, and by none when nobody is connected', async () => {
    const { asked, checksIn, liveness, subscribe } = site();
    expect(vi.getTimerCount()).toBe(0);
    const subscriptions = [];
    for (let n = 0; n < 90; n++) {
      subscriptions.push(subscribe(login(`s${n}`)));
      await wait(1);
    }
    // Until the TTLs were requested too.
    await wait(50);
    expect(vi.getTimerCount()).toBe(1);
    await wait(interval);
    expect(asked.checks.length).toBe(90);
    expect(asked.at.size).toBe(1);
    for (const one of subscriptions) one.end();
    expect(vi.getTimerCount()).toBe(0);
    expect(await checksIn(5 * interval)).toBe(0);
    subscribe();
    liveness.stop();
    expect(await checksIn(5 * interval)).toBe(0);
  });

  test('may show the login by another handle: after its end a new connection is checked', async () => {
    const { asked, checksIn, followed, subscribe, willSee } = site();
    const first = subscribe(login('a'));
    willSee({ state: 'user', login: login('b') });
    await wait(1.5 * interval);
    first.end();
    expect(followed.size).toBe(0);
    for (const handle of ['a', 'b']) subscribe(login(handle));
    asked.checks.length = 0;
    expect(await checksIn(interval)).toBe(2);
    expect(asked.checks.sort()).toEqual(['a', 'b']);
  });

  test('of thousands of sessions is spread over the interval: each has one in it, and at most 500 begin at once', async () => {
    const { asked, checksIn, subscribe } = site();
    for (let n = 0; n < 4000; n++) subscribe(login(`s${n}`));
    await wait(2 * interval);
    asked.checks.length = 0;
    for (let n = 0; n < 10; n++) expect(await checksIn(100)).toBeLessThanOrEqual(500);
    expect(new Set(asked.checks).size).toBe(4000);
    expect(asked.checks.length).toBe(4000);
  });
});

describe('what a check leads to', () => {
  test.each<[string, (CheckResult | null | Error)[], EndReason[]]>([
    ['nobody: logout', [nobody], ['logout']],
    ['another user: user_changed', [user('Ben', '2')], ['user_changed']],
    ['empty twice: logout', [seen('empty')], ['logout']],
    ['unreadable twice: invalid', [seen('invalid')], ['invalid']],
    ['unreadable, then empty: logout', [seen('invalid'), seen('empty')], ['logout']],
    ['empty, then nobody: logout', [seen('empty'), nobody], ['logout']],
    ['empty, then as before: it goes on', [seen('empty'), null], []],
    ['unreadable, then with another name: it goes on', [seen('invalid'), user('Anna')], []],
    [
      'empty, no answer, then empty once: it goes on',
      [seen('empty'), new StoreError('silent'), seen('empty'), null],
      [],
    ],
    ['empty, as before, then empty once: it goes on', [seen('empty'), null, seen('empty'), null], []],
  ])('%s', async (_, verdicts, ended) => {
    const { notify, seen, subscribe, willSee } = site();
    subscribe();
    willSee(...verdicts);
    for (let n = 0; n < 4; n++) {
      notify();
      await wait(150);
    }
    expect(seen.ended).toEqual(ended);
  });

  test('an empty record is read again after 100 ms, whatever is notified meanwhile', async () => {
    const { checksIn, notify, seen: what, subscribe, willSee } = site();
    subscribe();
    willSee(seen('empty'));
    notify();
    await wait(50);
    notify();
    expect(await checksIn(49)).toBe(0);
    expect(what.ended).toEqual([]);
    expect(await checksIn(1)).toBe(1);
    expect(what.ended).toEqual(['logout']);
  });

  test('what was notified while it was read again is checked after that', async () => {
    const { checksIn, hold, notify, seen: what, subscribe, willSee } = site();
    subscribe();
    willSee(seen('empty'));
    notify();
    await wait(50);
    const answer = hold();
    await wait(50);
    notify();
    willSee(nobody);
    answer(null);
    expect(await checksIn(5)).toBe(1);
    expect(what.ended).toEqual(['logout']);
  });

  test('an empty record that a check saw is read again too when something was notified during that check', async () => {
    const { hold, notify, seen: what, subscribe, willSee } = site();
    subscribe();
    const answer = hold();
    notify();
    notify();
    willSee(seen('empty'));
    answer(seen('empty'));
    await wait(100);
    expect(what.ended).toEqual(['logout']);
  });

  test('after the end there is no check and nothing is called, whatever comes', async () => {
    const { checksIn, hold, liveness, notify, opened, seen, subscribe } = site();
    subscribe();
    subscribe();
    const answer = hold();
    notify();
    liveness.kick('1');
    expect(seen.ended).toEqual(['kicked', 'kicked']);
    answer(nobody);
    notify();
    opened();
    expect(await checksIn(2 * interval)).toBe(0);
    expect(seen).toMatchObject({ ended: ['kicked', 'kicked'], identities: [], store: [] });
  });

  test('a login whose end is known ends then, although its store is silent', async () => {
    const { answers, seen, subscribe } = site();
    subscribe({ ...login(), ends: Date.now() + 2.5 * interval });
    answers.check = silent;
    await wait(2 * interval);
    expect(seen.ended).toEqual([]);
    await wait(interval);
    expect(seen).toMatchObject({ ended: ['expired'], unconfirmed: 0 });
  });
});

describe('an identity that changes', () => {
  test('is passed to each connection when its value is another one, not when only the state is', async () => {
    const { notify, seen, subscribe, willSee } = site();
    subscribe();
    willSee(user('Ann'));
    notify();
    await wait(10);
    expect(seen.identities).toEqual([]);
    // The parts of an identity besides its name.
    const identity = { id: '1', name: 'Ann', roles: ['moderator' as const] };
    willSee({ state: 'user', login: login('a', identity) });
    notify();
    await wait(10);
    expect(seen.identities).toEqual([identity]);
  });

  test('is passed to a connection that has read the session before it changed', async () => {
    const { asked, notify, seen, subscribe, willSee } = site();
    subscribe();
    willSee(user('Anna'));
    notify();
    await wait(10);
    willSee(null);
    const before = asked.checks.length;
    subscribe();
    expect(seen.identities.map(({ name }) => name)).toEqual(['Anna', 'Anna']);
    // Or one that has read it after the change that is not known here.
    expect(asked.checks.length).toBe(before + 1);
  });
});

describe('a store that is silent', () => {
  test('closes connections as unconfirmed only after the grace time', async () => {
    const { seen, subscribe, answers } = site();
    subscribe();
    await wait(interval);
    answers.check = silent;
    await wait(grace - 1);
    expect(seen).toMatchObject({ ended: [], unconfirmed: 0 });
    await wait(interval);
    expect(seen).toMatchObject({ ended: [], unconfirmed: 1 });
  });

  test('is reported once, and once when it answers again', async () => {
    const { seen, subscribe, answers } = site();
    subscribe();
    answers.check = silent;
    await wait(3 * interval);
    expect(seen.store).toEqual(['silent']);
    answers.check = async () => null;
    await wait(3 * interval);
    expect(seen.store).toEqual(['silent', null]);
  });

  test('is reported once while others of its servers answer', async () => {
    const { asked, seen, subscribe, answers } = site();
    for (const handle of ['a', 'b']) subscribe(login(handle));
    answers.check = () => (asked.checks.at(-1) === 'a' ? silent() : Promise.resolve(null));
    await wait(3 * interval);
    expect(seen.store).toEqual(['silent']);
  });

  test.each<[string, (subscription: { end(): void }) => unknown]>([
    ['have gone', (subscription) => subscription.end()],
    ['were closed after the time of grace', () => wait(grace)],
  ])('answers again also when those whom it concerned %s', async (_, leave) => {
    const { seen, subscribe, answers } = site();
    const one = subscribe();
    answers.check = silent;
    await wait(interval);
    await leave(one);
    answers.check = async () => null;
    subscribe(login('b'));
    await wait(interval);
    expect(seen.store).toEqual(['silent', null]);
  });

  test('is not what one session means that cannot be read', async () => {
    const { seen, subscribe, willSee } = site();
    subscribe();
    willSee(new SessionBusyError('busy'));
    await wait(3 * interval);
    expect(seen).toMatchObject({ store: [], ended: [], unconfirmed: 0 });
  });

  test.each([
    ['a session that is being written again and again is checked', new UnsettledError('written', []), false],
    ['one that was notified meanwhile too is checked', new UnsettledError('written', []), true],
    ['what was notified during a check without an answer is checked', new StoreError('silent'), true],
  ])('%s again after 250 ms', async (_, failure, notified) => {
    const { checksIn, notify, subscribe, willSee } = site();
    subscribe();
    willSee(failure, null);
    notify();
    if (notified) notify();
    expect([await checksIn(249), await checksIn(1), await checksIn(300)]).toEqual([0, 1, 0]);
  });

  test('a session that is being written is checked at once when that is notified', async () => {
    const { asked, checksIn, notify, subscribe, willSee } = site();
    subscribe();
    willSee(new UnsettledError('written', []), null);
    notify();
    await wait(50);
    notify();
    expect(asked.checks.length).toBe(2);
    expect(await checksIn(300)).toBe(0);
  });
});

describe('a session that the store follows', () => {
  const followedSite = async () => {
    const one = site();
    one.subscribe();
    const follow = () => {
      for (const each of one.followed.values()) each.since = performance.now();
    };
    const lose = () => {
      for (const each of one.followed.values()) each.since = undefined;
    };
    return { ...one, follow, lose };
  };

  test('is checked once more, and then when that is notified, or once a minute', async () => {
    const { checksIn, follow, notify, seen, willSee } = await followedSite();
    expect(await checksIn(3 * interval)).toBe(3);
    follow();
    expect(await checksIn(50 * interval)).toBe(1);
    expect(await checksIn(20 * interval)).toBe(1);
    willSee(nobody);
    notify();
    await wait(0);
    expect(seen.ended).toEqual(['logout']);
  });

  test('is checked in each interval when that is not certain any more, and others always', async () => {
    const { asked, checksIn, follow, lose, subscribe } = await followedSite();
    follow();
    subscribe(login('other'));
    await wait(2 * interval);
    asked.checks.length = 0;
    await wait(5 * interval);
    expect(new Set(asked.checks)).toEqual(new Set(['other']));
    lose();
    expect(await checksIn(5 * interval)).toBe(10);
  });

  test('is checked until there is an answer', async () => {
    const { answers, checksIn, follow, notify } = await followedSite();
    follow();
    await wait(2 * interval);
    answers.check = silent;
    notify();
    expect(await checksIn(3 * interval)).toBe(3);
    answers.check = async () => null;
    expect(await checksIn(3 * interval)).toBe(1);
  });

  test('has its grace from when that is not certain any more', async () => {
    const { answers, follow, lose, seen } = await followedSite();
    follow();
    await wait(2 * grace);
    answers.check = silent;
    lose();
    await wait(grace - interval);
    expect(seen.unconfirmed).toBe(0);
    await wait(2 * interval);
    expect(seen.unconfirmed).toBe(1);
  });
});

describe('why nobody is logged in any more', () => {
  const minute = 60_000;
  test.each<[string, number | null, number | null | typeof silent, EndReason]>([
    ['the store has the record and says that it is over', 24 * minute, 0, 'expired'],
    ['the store has the record, and it is not over', 2500, 600, 'logout'],
    ['it is gone when its TTL had run out', 2500, null, 'expired'],
    ['it is gone when its TTL had run out, and the store has fallen silent', 2500, silent, 'expired'],
    ['it is gone before its TTL had run out', 24 * minute, null, 'logout'],
    ['it is gone, and had no end', Number.POSITIVE_INFINITY, null, 'logout'],
    ['it is gone, and the store has never told a TTL', null, null, 'logout'],
  ])('%s', async (_, before, then, reason) => {
    const { answers, notify, seen, subscribe, willSee } = site();
    const expires = performance.now() + (before ?? 0);
    answers.ttl = async () => before && expires - performance.now();
    subscribe();
    await wait(1500);
    willSee(nobody);
    answers.ttl = typeof then === 'function' ? then : async () => then;
    notify();
    await wait(0);
    expect(seen.ended).toEqual([reason]);
  });

  test('it expired between a check and the question for its TTL: expired', async () => {
    const { answers, notify, seen, subscribe, willSee } = site();
    answers.ttl = async () => 2500;
    subscribe();
    await wait(50);
    answers.ttl = async () => null;
    await wait(2.5 * interval);
    willSee(nobody);
    notify();
    await wait(0);
    expect(seen.ended).toEqual(['expired']);
  });

  test.each<[string, number, EndReason]>([
    ['after', 31 * minute, 'expired'],
    ['before', 20 * minute, 'logout'],
  ])('the store tells no TTL, and it is gone %s lifetime= since PHP used it', async (_, gone, reason) => {
    const { answers, notify, seen, subscribe, willSee } = site({ lifetime: 24 * minute });
    answers.ttl = async () => null;
    subscribe();
    await wait(5 * minute);
    notify();
    await wait(gone - 5 * minute);
    willSee(nobody);
    await wait(interval);
    expect(seen.ended).toEqual([reason]);
  });

  test('PHP has renewed it without a notification, and it is gone after the end that was first seen: logout', async () => {
    const { answers, seen, subscribe, willSee } = site();
    answers.ttl = async () => 20_000;
    subscribe();
    await wait(10_000);
    answers.ttl = async () => 24 * minute;
    await wait(15_000);
    willSee(nobody);
    answers.ttl = async () => null;
    await wait(interval);
    expect(seen.ended).toEqual(['logout']);
  });

  test('the TTL is read 50 ms after the first connection, after each change and once a minute', async () => {
    const { asked, notify, subscribe, willSee } = site();
    subscribe();
    await wait(30);
    subscribe(login('another')).end();
    expect(asked.ttls).toBe(0);
    await wait(20);
    expect(asked.ttls).toBe(1);
    await wait(30.5 * interval);
    expect(asked.ttls).toBe(1);
    notify();
    await wait(0);
    expect(asked.ttls).toBe(2);
    await wait(5.5 * minute);
    expect(asked.ttls).toBe(7);
    willSee(user('Anna'), null);
    await wait(interval);
    expect(asked.ttls).toBe(8);
  });
});

describe('keepalive', () => {
  const ttl = 1_440_000;

  test('for as long as PHP lets it live, and only when somebody has written', async () => {
    const { answers, asked, subscribe } = site({ keepalive: true, lifetime: ttl });
    answers.ttl = async () => 300_000;
    const one = subscribe();
    await wait(2 * interval);
    expect(asked.touched).toEqual([]);
    one.written();
    await wait(2 * interval);
    expect(asked.touched).toEqual([1440]);
    one.written();
    await wait(2 * interval);
    expect(asked.touched.length).toBe(1);
    await wait(60_000);
    one.written();
    await wait(2 * interval);
    expect(asked.touched.length).toBe(2);
  });

  test.each<[string, number | null, EndReason]>([
    ['a session that was renewed and is gone soon after: logout', 1200, 'logout'],
    ['a session that was gone when it was to be renewed: expired', null, 'expired'],
  ])('%s', async (_, left, reason) => {
    const { answers, notify, seen, subscribe, willSee } = site({ keepalive: true, lifetime: ttl });
    answers.ttl = async () => 2500;
    const one = subscribe();
    await wait(1.5 * interval);
    answers.ttl = async () => left;
    one.written();
    await wait(interval);
    willSee(nobody);
    answers.ttl = async () => null;
    notify();
    await wait(0);
    expect(seen.ended).toEqual([reason]);
  });

  test.each([
    ['it is off', false, 300_000],
    ['enough is left', true, 1_400_000],
    ['it has no end', true, Number.POSITIVE_INFINITY],
  ])('not when %s', async (_, keepalive, left) => {
    const { answers, asked, subscribe } = site({ keepalive, lifetime: ttl });
    answers.ttl = async () => left;
    subscribe().written();
    await wait(3 * interval);
    expect(asked.touched).toEqual([]);
  });

  test('not when the store refuses to tell the TTL: that is reported once, however long it lasts', async () => {
    const { answers, asked, seen, subscribe } = site({ keepalive: true, lifetime: ttl });
    answers.ttl = () => Promise.reject(new StoreError('not permitted'));
    const one = subscribe();
    for (let n = 0; n < 10; n++) {
      one.written();
      await wait(60_000);
    }
    expect(asked.ttls).toBeGreaterThanOrEqual(10);
    expect(seen).toMatchObject({ failures: ['not permitted'], ended: [], unconfirmed: 0 });
    expect(asked.touched).toEqual([]);
  });

  test('what the site has shortened stays short, where lifetime= is not given', async () => {
    const { answers, asked, notify, subscribe } = site({ keepalive: true });
    const one = subscribe();
    await wait(2 * interval);
    answers.ttl = async () => 20_000;
    notify();
    one.written();
    await wait(3 * interval);
    expect(asked.touched).toEqual([]);
  });
});
