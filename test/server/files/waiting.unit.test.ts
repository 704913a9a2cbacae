import { expect, test } from 'vitest';
import { Waiting } from '../../../server/files/waiting.ts';

test('users take turns, however many tasks each of them has', () => {
  const waiting = new Waiting<string>();
  for (const task of ['a1', 'a2', 'a3', 'b1', 'b2', 'b3', 'c1']) waiting.add(task.charAt(0), task);
  expect(waiting.remove('a', 'a2')).toBe(true);
  expect(waiting.remove('a', 'a2')).toBe(false);
  const order: (string | undefined)[] = [];
  for (let n = 0; n < 4; n++) order.push(waiting.next());
  waiting.add('c', 'c2');
  for (let n = 0; n < 4; n++) order.push(waiting.next());
  expect(order).toEqual(['a1', 'b1', 'c1', 'a3', 'b2', 'c2', 'b3', undefined]);
});
