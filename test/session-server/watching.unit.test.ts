import { expect, test } from 'vitest';
import { Watches } from '../../session-server/watches.ts';
import { Watching } from '../../session-server/watching.ts';

/** A container answers when it likes; here, when the test says so. */
function begin() {
  const watches = new Watches(10);
  const pushed: string[] = [];
  const watching = new Watching(watches, (event) => pushed.push(event));
  const read = Promise.withResolvers<{ revision: number } | null>();
  const reply = watching.watch('id', () => read.promise);
  return { watches, watching, pushed, read, reply };
}

test('what happens while the state is read follows the reply, and only what is news to it', async () => {
  const { watches, watching, pushed, read, reply } = begin();
  watches.publish('id', { kind: 'changed', revision: 5 });
  watches.publish('id', { kind: 'changed', revision: 6 });
  watches.publish('id', { kind: 'destroyed' });
  read.resolve({ revision: 5 });
  expect(await reply).toBe(5);
  // Between the state and the reply.
  watches.publish('id', { kind: 'changed', revision: 7 });
  expect(pushed).toEqual([]);
  watching.replied();
  expect(pushed).toEqual(['event changed id 6', 'event destroyed id', 'event changed id 7']);
  watches.publish('id', { kind: 'expired' });
  expect(pushed.at(-1)).toBe('event expired id');
});

test('of a session that was already gone when it was read no end is told', async () => {
  const { watches, watching, pushed, read, reply } = begin();
  watches.publish('id', { kind: 'destroyed' });
  read.resolve(null);
  expect(await reply).toBeNull();
  watching.replied();
  expect(pushed).toEqual([]);
  watches.publish('id', { kind: 'changed', revision: 8 });
  expect(pushed).toEqual(['event changed id 8']);
});

test('a state that cannot be read leaves no watch behind', async () => {
  const { watches, watching, pushed, read, reply } = begin();
  read.reject(new Error('the container fails'));
  await expect(reply).rejects.toThrow(/fails/);
  watching.replied();
  expect(watching.any).toBe(false);
  watches.publish('id', { kind: 'changed', revision: 9 });
  expect(pushed).toEqual([]);
});

test('to watch once more what cannot be read leaves the first watch as it was', async () => {
  const { watches, watching, pushed, read, reply } = begin();
  read.resolve({ revision: 5 });
  await reply;
  watching.replied();
  const again = watching.watch('id', async () => {
    watches.publish('id', { kind: 'changed', revision: 6 });
    throw new Error('the container fails');
  });
  await expect(again).rejects.toThrow(/fails/);
  expect(pushed).toEqual([]);
  watching.replied();
  watches.publish('id', { kind: 'destroyed' });
  expect(pushed).toEqual(['event changed id 6', 'event destroyed id']);
});

test('there are so many watches in all', async () => {
  const watches = new Watches(2);
  const [one, two] = [new Watching(watches, () => {}), new Watching(watches, () => {})];
  const none = async () => null;
  expect(await one.watch('a', none)).toBeNull();
  expect(await one.watch('a', none)).toBeNull();
  expect(await two.watch('a', none)).toBeNull();
  expect(await two.watch('b', none)).toBeUndefined();
  one.end();
  expect(await two.watch('b', none)).toBeNull();
});
