import { expect, test } from 'vitest';
import { ClientSubscriptions, Subscriptions } from '../src/subscriptions.ts';

/** Starts a subscription. The test settles its read of the state. */
function begin() {
  const subscriptions = new Subscriptions(10);
  const pushed: string[] = [];
  const own = new ClientSubscriptions(subscriptions, (event) => pushed.push(event));
  const read = Promise.withResolvers<{ revision: number } | null>();
  const reply = own.subscribe('id', () => read.promise);
  return { subscriptions, own, pushed, read, reply };
}

test('sends the events during the read after the reply, except those that the read state includes', async () => {
  const { subscriptions, own, pushed, read, reply } = begin();
  subscriptions.publish('id', { kind: 'changed', revision: 5 });
  subscriptions.publish('id', { kind: 'changed', revision: 6 });
  subscriptions.publish('id', { kind: 'destroyed' });
  read.resolve({ revision: 5 });
  expect(await reply).toBe(5);
  // Between the read and the reply.
  subscriptions.publish('id', { kind: 'changed', revision: 7 });
  expect(pushed).toEqual([]);
  own.sendQueued();
  expect(pushed).toEqual(['event changed id 6', 'event destroyed id', 'event changed id 7']);
  subscriptions.publish('id', { kind: 'expired' });
  expect(pushed.at(-1)).toBe('event expired id');
});

test('does not report the end of a session that was already gone when it was read', async () => {
  const { subscriptions, own, pushed, read, reply } = begin();
  subscriptions.publish('id', { kind: 'destroyed' });
  read.resolve(null);
  expect(await reply).toBeNull();
  own.sendQueued();
  expect(pushed).toEqual([]);
  subscriptions.publish('id', { kind: 'changed', revision: 8 });
  expect(pushed).toEqual(['event changed id 8']);
});

test('leaves no subscription after a failed read', async () => {
  const { subscriptions, own, pushed, read, reply } = begin();
  read.reject(new Error('the container fails'));
  await expect(reply).rejects.toThrow(/fails/);
  own.sendQueued();
  expect(own.hasAny).toBe(false);
  subscriptions.publish('id', { kind: 'changed', revision: 9 });
  expect(pushed).toEqual([]);
});

test('keeps the first subscription if the read of a second one fails', async () => {
  const { subscriptions, own, pushed, read, reply } = begin();
  read.resolve({ revision: 5 });
  await reply;
  own.sendQueued();
  const again = own.subscribe('id', async () => {
    subscriptions.publish('id', { kind: 'changed', revision: 6 });
    throw new Error('the container fails');
  });
  await expect(again).rejects.toThrow(/fails/);
  expect(pushed).toEqual([]);
  own.sendQueued();
  subscriptions.publish('id', { kind: 'destroyed' });
  expect(pushed).toEqual(['event changed id 6', 'event destroyed id']);
});

test('limits the subscriptions of all connections together, and counts a repeated one once', async () => {
  const subscriptions = new Subscriptions(2);
  const [one, two] = [
    new ClientSubscriptions(subscriptions, () => {}),
    new ClientSubscriptions(subscriptions, () => {}),
  ];
  const none = async () => null;
  expect(await one.subscribe('a', none)).toBeNull();
  expect(await one.subscribe('a', none)).toBeNull();
  expect(await two.subscribe('a', none)).toBeNull();
  expect(await two.subscribe('b', none)).toBeUndefined();
  one.clear();
  expect(await two.subscribe('b', none)).toBeNull();
});
