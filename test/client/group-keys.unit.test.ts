import { expect, test } from 'vitest';
import type { Entry } from '../../client/src/store/entries.ts';
import { GroupKeys } from '../../client/src/views/messages/group-keys.ts';

const group = (...keys: string[]) =>
  keys.map((key) => ({ key, user: { id: 'a', name: 'A' }, text: key, sentAt: 0 }) satisfies Entry);

test('keeps the key of a group while messages are added or removed', () => {
  const keys = new GroupKeys();
  const [first] = keys.name([group('b')]);
  expect(keys.name([group('a', 'b')])).toEqual([first]);
  expect(keys.name([group('a', 'c')])).toEqual([first]);
});

test('keeps the key for the first part of a split group and creates another', () => {
  const keys = new GroupKeys();
  const [first] = keys.name([group('a', 'b')]);
  const split = keys.name([group('a'), group('x'), group('b')]);
  expect(split[0]).toBe(first);
  expect(new Set(split).size).toBe(3);
});

test('does not give a returning message the key of another group', () => {
  const keys = new GroupKeys();
  const [first] = keys.name([group('a', 'b')]);
  expect(keys.name([group('b')])).toEqual([first]);
  const both = keys.name([group('a'), group('b')]);
  expect(both[1]).toBe(first);
  expect(both[0]).not.toBe(first);
});
