import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { atOnce, ChangedSummaries } from '../../../server/chat/changed-summaries.ts';
import { type Connection, newRoom, type Person, type Room } from '../../../server/chat/model.ts';

const roomOf = (id: string): Room => newRoom({ id } as Room['record']);
function connectionTo(room: Room, id: string): Connection {
  const memberships = new Map([[room.record.id, { room }]]) as unknown as Person['memberships'];
  return { id, gone: false, person: { memberships } } as Connection;
}

test('all connections of a large room get the latest change, a few in each tick', async () => {
  const told: string[] = [];
  const summaries = new ChangedSummaries((_, { id }) => told.push(id));
  const [large, small] = [roomOf('large'), roomOf('small')];
  const all = Array.from({ length: 3 * atOnce }, (_, n) => connectionTo(large, `${n}`));
  summaries.tell(large, all);
  expect(told).toHaveLength(atOnce);
  summaries.tell(small, [connectionTo(small, 'one of the small')]);
  for (let n = 0; n < 5; n++) summaries.tell(large, all);
  // The longest waiting connection is first; connections that got it before the last change get it again.
  const seen = [...told];
  for (let turn = 0; turn < 5; turn++) {
    await nextTurn();
    expect(told.length - seen.length).toBeLessThanOrEqual((turn + 1) * atOnce);
  }
  expect(told.slice(atOnce, 3 * atOnce)).toEqual(all.slice(atOnce).map(({ id }) => id));
  expect(told.slice(3 * atOnce)).toEqual([...all.slice(0, atOnce).map(({ id }) => id), 'one of the small']);
});

test('a connection that has lost the room meanwhile, or is gone, gets nothing', async () => {
  const told: string[] = [];
  const summaries = new ChangedSummaries((_, { id }) => told.push(id));
  const room = roomOf('large');
  const all = Array.from({ length: atOnce + 3 }, (_, n) => connectionTo(room, `${n}`));
  summaries.tell(room, all);
  const [lost, gone, stays] = all.slice(atOnce) as [Connection, Connection, Connection];
  lost.person.memberships.clear();
  gone.gone = true;
  await nextTurn();
  expect(told.slice(atOnce)).toEqual([stays.id]);
});
