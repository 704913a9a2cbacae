import { expect, test } from 'vitest';
import { RoomMembers } from '../../client/src/chat/room-members.ts';
import { Tasks } from '../../client/src/connection/tasks.ts';
import type { RoomMember } from '../../server/wire/events.ts';
import { answeredByTest, roomOf } from './room-requests.ts';

const ann: RoomMember = { user: { id: '1', name: 'Ann' }, role: 'member', present: true };
const ben: RoomMember = { user: { id: '2', name: 'Ben' }, role: 'member', present: false };

/** A room's people, over a connection whose answers the test gives. */
function start(tasks = new Tasks(), id = 'r') {
  const { asked, connection } = answeredByTest<'room:members'>();
  const people = new RoomMembers(connection, tasks, roomOf(id), () => {});
  people.ready();
  const answer = (at: number, ...members: RoomMember[]) =>
    asked[at]?.answer({ members, count: members.length });
  const ids = (present: boolean) => people.list(present, 'en').map(({ user }) => user.id);
  const found = () => people.found?.map(({ user }) => user.id);
  return { asked, answer, people, ids, found };
}

test('requested again while the first pages are under way: the later answers count', async () => {
  const { asked, answer, people, ids } = start();
  people.presence({ room: 'r', joined: [], left: [], count: 2, partial: true });
  expect(asked).toHaveLength(4);
  await answer(2, ann);
  await answer(3, ben);
  await answer(0, ben);
  await answer(1);
  expect(ids(true)).toEqual(['1']);
  expect(ids(false)).toEqual(['2']);
});

test('requested again, a search runs again, and its results stay visible meanwhile', async () => {
  const { asked, answer, people, found } = start();
  void people.find('b');
  await answer(2, ann);
  expect(found()).toEqual(['1']);
  people.members({ room: 'r', changed: [], count: 2, partial: true });
  expect(found()).toEqual(['1']);
  expect(asked[5]?.payload).toMatchObject({ query: 'b' });
  await answer(5, ben);
  expect(found()).toEqual(['2']);
});

test('requested again while the answer to a search is under way: the later answer counts', async () => {
  const { answer, people, found } = start();
  void people.find('b');
  people.ready();
  await answer(5, ben);
  await answer(2, ann);
  expect(found()).toEqual(['2']);
});

test('a response does not override events that came after its request', async () => {
  const { answer, people, ids } = start();
  const gone = { user: { id: '3', name: 'Cat' }, gone: true } as const;
  // Ben comes, and Cat is no member any more.
  people.presence({ room: 'r', joined: [ben.user], left: [], count: 2 });
  people.members({ room: 'r', changed: [gone], count: 2 });
  await answer(0, ann, { ...ben, user: gone.user, present: true });
  await answer(1, ben);
  expect([ids(true), ids(false)]).toEqual([['1', '2'], []]);
  // Answers to later questions are newer.
  people.ready();
  await answer(2, ann);
  await answer(3, ben);
  expect([ids(true), ids(false)]).toEqual([['1'], ['2']]);
});

test('a response adds what events do not say of users, even if they came after its request', async () => {
  const { answer, people, ids } = start();
  const roles = () => people.list(true, 'en').map(({ role }) => role);
  // Nobody is known yet: Ann goes, and Ben comes.
  people.presence({ room: 'r', joined: [ben.user], left: ['1'], count: 1 });
  await answer(0, ann);
  await answer(1, { ...ben, role: 'owner' });
  expect([ids(true), ids(false)]).toEqual([['2'], ['1']]);
  expect(roles()).toEqual(['owner']);
  // A role that an event has told is newer.
  people.ready();
  people.members({ room: 'r', changed: [{ ...ben, role: 'moderator' }], count: 2 });
  people.presence({ room: 'r', joined: [ben.user], left: [], count: 2 });
  await answer(2);
  await answer(3, { ...ann, present: false }, { ...ben, role: 'owner' });
  expect([ids(true), ids(false)]).toEqual([['2'], ['1']]);
  expect(roles()).toEqual(['moderator']);
});

test('another room is opened while the people of the first are awaited: both are asked for', async () => {
  const tasks = new Tasks();
  const [first, second] = [start(tasks, 'r'), start(tasks, 's')];
  void first.people.find('an');
  void second.people.find('an');
  expect(second.asked.map(({ payload }) => payload.room)).toEqual(['s', 's', 's']);
  await second.answer(1, ben);
  expect(second.ids(false)).toEqual(['2']);
});
