import { expect, test } from 'vitest';
import { RequestError } from '../../client/src/connection/connection-state.ts';
import type { Context } from '../../client/src/views/context.ts';
import { Submission } from '../../client/src/views/controls/submission.ts';

const context = {
  strings: { text: (key: string) => key },
  changed: () => {},
  chat: { connection: { state: { kind: 'ready' } } },
} as unknown as Context;
const pending = () => Promise.withResolvers<string>();

test('ignores a second request until the response to the first', async () => {
  const submission = new Submission(context);
  const { promise, resolve } = pending();
  const done: string[] = [];
  const first = submission.run(
    () => promise,
    (answer) => done.push(answer),
  );
  expect(submission.busy).toBe(true);
  await submission.run(
    async () => 'second',
    (answer) => done.push(answer),
  );
  resolve('first');
  await first;
  expect(done).toEqual(['first']);
  expect(submission.busy).toBe(false);
});

test('ignores the result of a cancelled request, which does not end the next', async () => {
  const submission = new Submission(context);
  const [early, refused, late] = [pending(), pending(), pending()];
  const done: string[] = [];
  const run = ({ promise }: typeof early) =>
    submission.run(
      () => promise,
      (answer) => done.push(answer),
    );
  const first = run(early);
  expect(submission.cancel()).toBe(true);
  const second = run(refused);
  submission.cancel();
  const third = run(late);
  early.resolve('early');
  refused.reject(new RequestError('internal'));
  await Promise.all([first, second]);
  expect(submission.busy).toBe(true);
  expect(submission.problem).toBeUndefined();
  late.resolve('late');
  await third;
  expect(done).toEqual(['late']);
  expect(submission.cancel()).toBe(false);
});

test('shows an error in words until the next attempt', async () => {
  const submission = new Submission(context);
  const refuse = async () => {
    throw new RequestError('unknown_room');
  };
  await submission.run(refuse, () => {});
  expect(submission.problem).toBe('error.unknown_room');
  expect(submission.busy).toBe(false);
  await submission.run(
    refuse,
    () => {},
    ({ code }) => `own words for ${code}`,
  );
  expect(submission.problem).toBe('own words for unknown_room');
  await submission.run(
    async () => {},
    () => {},
  );
  expect(submission.problem).toBeUndefined();
});

test('allows another attempt after a program error', async () => {
  const submission = new Submission(context);
  const fault = () => {
    throw new TypeError('fault');
  };
  await expect(submission.run(async () => fault(), fault)).rejects.toThrow('fault');
  expect(submission.busy).toBe(false);
  await expect(submission.run(async () => {}, fault)).rejects.toThrow('fault');
  expect(submission.busy).toBe(false);
});
