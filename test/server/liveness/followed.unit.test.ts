import { expect, onTestFinished, test, vi } from 'vitest';
import { Lifetimes } from '../../../server/liveness/liveness.ts';
import type { LiveSession, SessionReader } from '../../../server/session/read-session.ts';
import { type Followed, StoreError, type Watcher } from '../../../server/session/store.ts';
import type { Look } from '../../../server/session/verdict.ts';

const interval = 20;
const session = (id: string): LiveSession => ({
  id,
  user: { id: '1', name: 'Ann' },
  bytes: Buffer.from('Ann'),
});
const gone: Look = { state: 'nobody', reason: 'there is no such session', kind: 'gone' };
const rounds = (count: number) => new Promise((resolve) => setTimeout(resolve, count * interval));

/** Lifetimes with a reader that tells of the sessions that it was told to follow, as far as the test says. */
function site() {
  let watcher: Watcher | undefined;
  const looked: string[] = [];
  const followed = new Map<string, { since: number | undefined }>();
  const answers = { look: async (): Promise<Look | null> => null };
  const follow = (id: string): Followed => {
    const one = { since: undefined, end: () => followed.delete(id) };
    followed.set(id, one);
    return one;
  };
  const reader = {
    lifetime: undefined,
    changed: (id: string) => {
      looked.push(id);
      return answers.look();
    },
    remaining: async () => null,
    watch: (given: Watcher) => {
      watcher = given;
      return Object.assign(() => {}, { follow });
    },
  } as unknown as SessionReader;
  const told = { ended: [] as string[], gaveUp: 0, store: [] as boolean[] };
  const lifetimes = new Lifetimes(reader, {
    interval,
    grace: 10 * interval,
    onLook: () => {},
    onEnd: () => {},
    onStore: (silent) => told.store.push(silent === null),
    onUnreadable: () => {},
    onWatch: () => {},
  });
  lifetimes.start();
  onTestFinished(() => lifetimes.stop());
  const hold = (id: string) => {
    const one = lifetimes.hold(session(id), {
      end(reason) {
        told.ended.push(reason);
        one.release();
      },
      giveUp() {
        told.gaveUp++;
        one.release();
      },
      rename: () => {},
    });
    return one;
  };
  /** How often sessions are looked at in so many rounds. */
  const looksIn = async (count: number) => {
    const before = looked.length;
    await rounds(count);
    return looked.length - before;
  };
  const certain = (id: string) => {
    const one = followed.get(id);
    if (one !== undefined) one.since = performance.now();
  };
  const uncertain = (id: string) => {
    const one = followed.get(id);
    if (one !== undefined) one.since = undefined;
  };
  return {
    answers,
    looked,
    followed,
    told,
    hold,
    looksIn,
    certain,
    uncertain,
    hint: (id: string) => watcher?.changed({ id }),
  };
}

test('one that the store follows is looked at once more, and then only when it is told to', async () => {
  const { answers, looked, told, hold, looksIn, certain, hint } = site();
  hold('one');
  await vi.waitFor(() => expect(looked.length).toBeGreaterThan(2));
  certain('one');
  const before = looked.length;
  await vi.waitFor(() => expect(looked.length).toBeGreaterThan(before));
  await rounds(2);
  expect(await looksIn(10)).toBe(0);
  answers.look = async () => gone;
  hint('one');
  await vi.waitFor(() => expect(told.ended).toEqual(['logout']));
});

test('as soon as that is not certain any more, it is looked at again and again; and others all the time', async () => {
  const { looked, hold, looksIn, certain, uncertain } = site();
  hold('one');
  hold('other');
  certain('one');
  await rounds(3);
  looked.length = 0;
  await rounds(5);
  expect(new Set(looked)).toEqual(new Set(['other']));
  uncertain('one');
  await vi.waitFor(() => expect(looked.filter((id) => id === 'one').length).toBeGreaterThan(2));
  certain('one');
  await rounds(3);
  looked.length = 0;
  expect(await looksIn(5)).toBeGreaterThan(0);
  expect(looked).not.toContain('one');
});

test('a look that got no answer is done again until there is one', async () => {
  const { answers, told, hold, looksIn, certain, hint } = site();
  hold('one');
  certain('one');
  await rounds(3);
  answers.look = () => Promise.reject(new StoreError('silent'));
  hint('one');
  await vi.waitFor(() => expect(told.store).toEqual([false]));
  expect(await looksIn(5)).toBeGreaterThan(2);
  answers.look = async () => null;
  await vi.waitFor(() => expect(told.store).toEqual([false, true]));
  await rounds(2);
  expect(await looksIn(5)).toBe(0);
});

test('the time of grace begins when nothing is certain any more', async () => {
  const { answers, told, hold, looksIn, certain, uncertain } = site();
  hold('one');
  certain('one');
  await rounds(3);
  // Longer than the time of grace.
  expect(await looksIn(15)).toBe(0);
  answers.look = () => Promise.reject(new StoreError('silent'));
  const began = performance.now();
  uncertain('one');
  await vi.waitFor(() => expect(told.store).toEqual([false]));
  expect(told.gaveUp).toBe(0);
  await vi.waitFor(() => expect(told.gaveUp).toBe(1));
  expect(performance.now() - began).toBeGreaterThan(8 * interval);
});

test('nobody follows what has no connections left', () => {
  const { followed, hold } = site();
  const [first, second] = [hold('one'), hold('one')];
  expect([...followed.keys()]).toEqual(['one']);
  first.release();
  expect(followed.size).toBe(1);
  second.release();
  expect(followed.size).toBe(0);
});
