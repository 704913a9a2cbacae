import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { ChangedSummaries, maxPerTick } from '../../../server/chat/changed-summaries.ts';
import { type Connection, newRoom, type Person, type Room } from '../../../server/chat/model.ts';

const roomOf = (id: string): Room => newRoom({ id } as Room['record']);
function connectionTo(room: Room, id: string): Connection {
  const memberships = new Map([[room.record.id, { room }]]) as unknown as Person['memberships'];
  return { id, gone: false, person: { memberships } } as Connection;
}

test('sends the latest summary of a large room to at most 50 connections per tick', async () => {
  const sent: string[] = [];
  const summaries = new ChangedSummaries((_, { id }) => sent.push(id));
  const [large, small] = [roomOf('large'), roomOf('small')];
  const all = Array.from({ length: 3 * maxPerTick }, (_, n) => connectionTo(large, `${n}`));
  summaries.send(large, all);
  expect(sent).toHaveLength(maxPerTick);
  summaries.send(small, [connectionTo(small, 'one of the small')]);
  for (let n = 0; n < 5; n++) summaries.send(large, all);
  // The connection that waited longest is first. Connections that got an earlier summary get the latest one too.
  const sentBefore = [...sent];
  for (let turn = 0; turn < 5; turn++) {
    await nextTurn();
    expect(sent.length - sentBefore.length).toBeLessThanOrEqual((turn + 1) * maxPerTick);
  }
  expect(sent.slice(maxPerTick, 3 * maxPerTick)).toEqual(all.slice(maxPerTick).map(({ id }) => id));
  expect(sent.slice(3 * maxPerTick)).toEqual([
    ...all.slice(0, maxPerTick).map(({ id }) => id),
    'one of the small',
  ]);
});

test('skips closed connections and users who lost the room', async () => {
  const sent: string[] = [];
  const summaries = new ChangedSummaries((_, { id }) => sent.push(id));
  const room = roomOf('large');
  const all = Array.from({ length: maxPerTick + 3 }, (_, n) => connectionTo(room, `${n}`));
  summaries.send(room, all);
  const [lost, closed, stays] = all.slice(maxPerTick) as [Connection, Connection, Connection];
  lost.person.memberships.clear();
  closed.gone = true;
  await nextTurn();
  expect(sent.slice(maxPerTick)).toEqual([stays.id]);
});
