import { expect, test } from 'vitest';
import { FanOut } from '../../../server/connections/fan-out.ts';

test('encodes no event for a room that its last connection left or closed', () => {
  const fanOut = new FanOut();
  let encoded = 0;
  const send = () => {
    encoded = 0;
    const payload = { room: 'lobby', toJSON: () => void encoded++ };
    fanOut.toRoom('lobby', 'room:reset', payload);
    return encoded;
  };
  const conn = { readyState: 'closed' } as Parameters<FanOut['add']>[1];
  for (const id of ['a', 'b']) {
    fanOut.add(id, conn);
    fanOut.join(id, 'lobby');
  }
  expect(send()).toBe(1);
  fanOut.leave('a', 'lobby');
  expect(send()).toBe(1);
  fanOut.leave('b', 'lobby');
  expect(send()).toBe(0);
  fanOut.join('a', 'lobby');
  fanOut.remove('a');
  expect(send()).toBe(0);
});
