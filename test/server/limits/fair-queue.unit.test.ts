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

test('starts with the user whose tasks took the least time recently', () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  onTestFinished(() => void vi.useRealTimers());
  const waiting = new FairQueue<string>();
  const order = (...tasks: string[]) => {
    for (const task of tasks) waiting.add(task.charAt(0), task);
    return tasks.map(() => waiting.next());
  };
  waiting.count('a', 10_000);
  waiting.count('b', 9000);
  expect(order('a1', 'b1', 'c1', 'c2')).toEqual(['c1', 'c2', 'b1', 'a1']);
  vi.advanceTimersByTime(5 * 60_000);
  waiting.count('c', 4600);
  expect(order('a1', 'b1', 'c1')).toEqual(['b1', 'c1', 'a1']);
  vi.advanceTimersByTime(24 * 3_600_000);
  waiting.count('c', 1);
  expect(order('c1', 'a1', 'b1')).toEqual(['a1', 'b1', 'c1']);
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
});
