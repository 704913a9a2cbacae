import { expect, test } from 'vitest';
import { RoomMembers } from '../../client/src/chat/room-members.ts';
import { Tasks } from '../../client/src/connection/tasks.ts';
import type { RoomMember } from '../../server/wire/events.ts';
import { answeredByTest, roomOf } from './room-requests.ts';

const ann: RoomMember = { user: { id: '1', name: 'Ann' }, role: 'member', present: true };
const ben: RoomMember = { user: { id: '2', name: 'Ben' }, role: 'member', present: false };

/** Starts the members of a room with requests that the test answers. */
function start(tasks = new Tasks(), id = 'r') {
  const { requests, connection } = answeredByTest<'room:members'>();
  const people = new RoomMembers(connection, tasks, roomOf(id), () => {});
  people.ready();
  const answer = (at: number, ...members: RoomMember[]) =>
    requests[at]?.answer({ members, count: members.length });
  const ids = (present: boolean) => people.list(present, 'en').map(({ user }) => user.id);
  const found = () => people.found?.map(({ user }) => user.id);
  return { requests, answer, people, ids, found };
}

test('uses the response to the later of two concurrent requests', async () => {
  const { requests, answer, people, ids } = start();
  people.presence({ room: 'r', joined: [], left: [], count: 2, partial: true });
  expect(requests).toHaveLength(4);
  await answer(2, ann);
  await answer(3, ben);
  await answer(0, ben);
  await answer(1);
  expect(ids(true)).toEqual(['1']);
  expect(ids(false)).toEqual(['2']);
});

test('repeats a search on a reload and keeps its results until the response', async () => {
  const { requests, answer, people, found } = start();
  void people.find('b');
  await answer(2, ann);
  expect(found()).toEqual(['1']);
  people.members({ room: 'r', changed: [], count: 2, partial: true });
  expect(found()).toEqual(['1']);
  expect(requests[5]?.payload).toMatchObject({ query: 'b' });
  await answer(5, ben);
  expect(found()).toEqual(['2']);
});

test('continues a search whose page ends before the first match', async () => {
  const { requests, answer, people, found } = start();
  void people.find('b');
  await requests[2]?.answer({ members: [], count: 90_000, next: 'there' });
  expect(found()).toBeUndefined();
  expect(requests[3]?.payload).toMatchObject({ query: 'b', cursor: 'there' });
  await answer(3, ben);
  expect(found()).toEqual(['2']);
});

test('uses the later response if a search is repeated before the first response', async () => {
  const { answer, people, found } = start();
  void people.find('b');
  people.ready();
  await answer(5, ben);
  await answer(2, ann);
  expect(found()).toEqual(['2']);
});

test('does not override events received after a request with its response', async () => {
  const { answer, people, ids } = start();
  const gone = { user: { id: '3', name: 'Cat' }, gone: true } as const;
  // Ben comes online, and Cat is removed.
  people.presence({ room: 'r', joined: [ben.user], left: [], count: 2 });
  people.members({ room: 'r', changed: [gone], count: 2 });
  await answer(0, ann, { ...ben, user: gone.user, present: true });
  await answer(1, ben);
  expect([ids(true), ids(false)]).toEqual([['1', '2'], []]);
  // Responses to later requests are newer.
  people.ready();
  await answer(2, ann);
  await answer(3, ben);
  expect([ids(true), ids(false)]).toEqual([['1'], ['2']]);
});

test('adds details that events lack, even if the events are newer than the request', async () => {
  const { answer, people, ids } = start();
  const roles = () => people.list(true, 'en').map(({ role }) => role);
  // The events come before any response: Ann goes offline, and Ben comes online.
  people.presence({ room: 'r', joined: [ben.user], left: ['1'], count: 1 });
  await answer(0, ann);
  await answer(1, { ...ben, role: 'owner' });
  expect([ids(true), ids(false)]).toEqual([['2'], ['1']]);
  expect(roles()).toEqual(['owner']);
  // The role from the event is newer than the response.
  people.ready();
  people.members({ room: 'r', changed: [{ ...ben, role: 'moderator' }], count: 2 });
  people.presence({ room: 'r', joined: [ben.user], left: [], count: 2 });
  await answer(2);
  await answer(3, { ...ann, present: false }, { ...ben, role: 'owner' });
  expect([ids(true), ids(false)]).toEqual([['2'], ['1']]);
  expect(roles()).toEqual(['moderator']);
});

test('loads the members of a second room while the first is loading', async () => {
  const tasks = new Tasks();
  const [first, second] = [start(tasks, 'r'), start(tasks, 's')];
  void first.people.find('an');
  void second.people.find('an');
  expect(second.requests.map(({ payload }) => payload.room)).toEqual(['s', 's', 's']);
  await second.answer(1, ben);
  expect(second.ids(false)).toEqual(['2']);
});
