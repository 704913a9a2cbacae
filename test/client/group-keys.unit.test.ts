import { expect, test } from 'vitest';
import type { Entry } from '../../client/src/store/entries.ts';
import { GroupKeys } from '../../client/src/views/messages/group-keys.ts';

const group = (...keys: string[]) =>
  keys.map((key) => ({ key, user: { id: 'a', name: 'A' }, text: key, sentAt: 0 }) satisfies Entry);

test('a group keeps its name while messages come in above and below, and others go', () => {
  const keys = new GroupKeys();
  const [first] = keys.name([group('b')]);
  expect(keys.name([group('a', 'b')])).toEqual([first]);
  expect(keys.name([group('a', 'c')])).toEqual([first]);
});

test('when a group is split, the first part keeps its key and the other gets a new one', () => {
  const keys = new GroupKeys();
  const [first] = keys.name([group('a', 'b')]);
  const split = keys.name([group('a'), group('x'), group('b')]);
  expect(split[0]).toBe(first);
  expect(new Set(split).size).toBe(3);
});

test('a message that comes back gets no name that another group has', () => {
  const keys = new GroupKeys();
  const [first] = keys.name([group('a', 'b')]);
  expect(keys.name([group('b')])).toEqual([first]);
  const both = keys.name([group('a'), group('b')]);
  expect(both[1]).toBe(first);
  expect(both[0]).not.toBe(first);
});
