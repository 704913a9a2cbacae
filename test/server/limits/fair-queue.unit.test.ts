import { describe, expect, onTestFinished, test, vi } from 'vitest';
import { FairQueue, FairTurns, TaskTimes, WaitedTooLong } from '../../../server/limits/fair-queue.ts';

test('lets users take turns, however many tasks each has', () => {
  const waiting = new FairQueue<string>();
  for (const task of ['a1', 'a2', 'a3', 'b1', 'b2', 'b3', 'c1']) waiting.add(task.charAt(0), task);
  expect(waiting.remove('a', 'a2')).toBe(true);
  expect(waiting.remove('a', 'a2')).toBe(false);
  const order: (string | undefined)[] = [];
  for (let n = 0; n < 4; n++) order.push(waiting.next());
  waiting.add('c', 'c2');
  for (let n = 0; n < 4; n++) order.push(waiting.next());
  expect(order).toEqual(['a1', 'b1', 'c1', 'a3', 'b2', 'c2', 'b3', undefined]);
});

test('drops the newest task of the user with the most tasks', () => {
  const waiting = new FairQueue<string>();
  for (const task of ['a1', 'b1', 'b2', 'c1', 'b3', 'a2']) waiting.add(task.charAt(0), task);
  expect([waiting.dropLast(), waiting.dropLast(), waiting.size]).toEqual(['b3', 'a2', 4]);
  expect([waiting.next((user) => user !== 'a'), waiting.size]).toEqual(['b1', 3]);
});

test('starts with the user whose tasks took the least time', () => {
  const waiting = new FairQueue<string>();
  waiting.count('a', 10_000);
  waiting.count('b', 9000);
  for (const task of ['a1', 'b1', 'c1', 'c2']) waiting.add(task.charAt(0), task);
  const order = Array.from({ length: 4 }, () => waiting.next());
  expect(order).toEqual(['c1', 'c2', 'b1', 'a1']);
});

/** Runs tasks in turn. Each user whose task ended adds the next one. @returns the users whose tasks started */
function served(
  waiting: FairQueue<string>,
  users: readonly string[],
  count: number,
  ms: (user: string) => number,
) {
  for (const user of users) waiting.add(user, user);
  return Array.from({ length: count }, () => {
    const user = waiting.next() as string;
    waiting.count(user, ms(user));
    waiting.add(user, user);
    return user;
  });
}

const fresh = Array.from({ length: 50 }, (_, n) => `fresh ${n}`);

test.each([
  ['many', 100, 10],
  ['long', 1, 5000],
])('lets a user with %s earlier tasks wait for one task of each other user', (_, tasks, tookMs) => {
  const waiting = new FairQueue<string>();
  served(waiting, ['used'], tasks, () => tookMs);
  waiting.remove('used', 'used');
  served(waiting, fresh, 500, () => 10);
  waiting.add('used', 'used');
  for (let round = 0; round < 3; round++) {
    const before = served(waiting, [], 100, () => 10).indexOf('used');
    expect(before).toBeGreaterThanOrEqual(0);
    expect(before).toBeLessThanOrEqual(fresh.length);
  }
});

test('lets a user with earlier tasks wait for one task of each user who comes later', () => {
  const waiting = new FairQueue<string>();
  served(waiting, ['used'], 100, () => 10);
  expect(served(waiting, fresh, 100, () => 10).indexOf('used')).toBeLessThanOrEqual(fresh.length);
});

test('gives users no credit for the time without tasks', () => {
  const waiting = new FairQueue<string>();
  served(waiting, ['a', 'b'], 200, () => 10);
  const order = served(waiting, ['fresh'], 30, () => 10);
  for (const user of ['a', 'b', 'fresh']) expect(order.filter((one) => one === user)).toHaveLength(10);
});

test('starts tasks that continue a turn first, and counts their time', () => {
  const waiting = new FairQueue<string>();
  for (const task of ['a1', 'b1', 'c1']) waiting.add(task.charAt(0), task);
  expect(waiting.next()).toBe('a1');
  waiting.count('a', 10);
  for (const task of ['a2', 'a3']) waiting.add('a', task, true);
  waiting.add('a', 'a4');
  waiting.remove('a', 'a3');
  expect(waiting.next()).toBe('a2');
  waiting.count('a', 10);
  expect([waiting.next(), waiting.next(), waiting.next()]).toEqual(['b1', 'c1', 'a4']);
});

test('serves short tasks more often than long ones', () => {
  const waiting = new FairQueue<string>();
  const order = served(waiting, ['long', 'short'], 300, (user) => (user === 'long' ? 1000 : 10));
  expect(order.filter((user) => user === 'long').length).toBeLessThan(100);
});

test('starts a task at once if the user waits behind tasks that may not start', () => {
  const waiting = new FairQueue<string>();
  served(waiting, ['a', 'b'], 20, () => 10);
  expect(waiting.next((user) => user === 'b')).toBe('b');
});

test('drops the tasks that match', () => {
  const waiting = new FairQueue<string>();
  for (const task of ['a1', 'a2', 'b1', 'b2']) waiting.add(task.charAt(0), task);
  expect(waiting.dropAll((task) => task.endsWith('1'))).toEqual(['a1', 'b1']);
  expect([waiting.size, waiting.dropAll(), waiting.size]).toEqual([2, ['a2', 'b2'], 0]);
});

test('counts the tasks of queues with the same times together', () => {
  const times = new TaskTimes();
  const [quick, slow] = [new FairQueue<string>(times), new FairQueue<string>(times)];
  for (const task of ['a1', 'a2', 'b1']) quick.add(task.charAt(0), task);
  slow.count('a', 1000);
  expect([quick.next(), quick.next(), quick.next()]).toEqual(['b1', 'a1', 'a2']);
});

test('counts tasks of less than a millisecond', () => {
  const waiting = new FairQueue<string>();
  for (let n = 0; n < 9; n++) waiting.count('a', 0.2);
  waiting.count('b', 0.5);
  for (const task of ['a1', 'b1']) waiting.add(task.charAt(0), task);
  expect([waiting.next(), waiting.next()]).toEqual(['b1', 'a1']);
});

describe('FairTurns', () => {
  test('runs the task of a user who used less time before those that waited longer', async () => {
    vi.useFakeTimers({ toFake: ['performance'] });
    onTestFinished(() => void vi.useRealTimers());
    const turns = new FairTurns(1);
    const started: string[] = [];
    const run = (user: string) =>
      turns.run(user, async () => {
        started.push(user);
        vi.advanceTimersByTime(10);
      });
    await Promise.all(['greedy', 'greedy', 'greedy', 'other', 'other'].map(run));
    expect(started).toEqual(['greedy', 'other', 'greedy', 'other', 'greedy']);
  });

  test('gives up a task that waits too long, and keeps the turn for the next', async () => {
    const turns = new FairTurns(1);
    const { promise, resolve } = Promise.withResolvers<void>();
    const first = turns.run('a', () => promise);
    await expect(turns.run('b', () => expect.unreachable(), 1)).rejects.toThrow(WaitedTooLong);
    const last = turns.run('c', async () => 'done', 60_000);
    resolve();
    expect([await first, await last]).toEqual([undefined, 'done']);
  });

  test('names the reason of a long wait: many users, or tasks that do not finish', async () => {
    const turns = new FairTurns(1);
    const gates = Array.from({ length: 2 }, () => Promise.withResolvers<void>());
    const tasks = gates.map(({ promise }, n) => turns.run(`user ${n}`, () => promise));
    const wait = () => turns.run('late', () => expect.unreachable(), 20);
    await expect(wait()).rejects.toMatchObject({ code: 'storage_unavailable' });
    const late = wait();
    gates[0]?.resolve();
    await expect(late).rejects.toMatchObject({ code: 'rate_limited', retryAfterMs: expect.any(Number) });
    gates[1]?.resolve();
    await Promise.all(tasks);
  });

  test('fails all tasks that wait', async () => {
    const turns = new FairTurns(1);
    const { promise, resolve } = Promise.withResolvers<void>();
    const first = turns.run('a', () => promise);
    const waiting = turns.run('b', () => expect.unreachable(), 60_000);
    turns.failWaiting(new Error('lost'));
    await expect(waiting).rejects.toThrow('lost');
    resolve();
    await first;
  });
});
