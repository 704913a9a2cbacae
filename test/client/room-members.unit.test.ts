import { expect, test } from 'vitest';
import { RoomMembers } from '../../client/src/chat/room-members.ts';
import type { Connection, RequestOf } from '../../client/src/connection/connection.ts';
import { Tasks } from '../../client/src/connection/tasks.ts';
import { Room } from '../../client/src/store/room.ts';
import type { Answers, RoomMember, RoomSummary } from '../../server/wire/events.ts';

const ann: RoomMember = { user: { id: '1', name: 'Ann' }, role: 'member', present: true };
const ben: RoomMember = { user: { id: '2', name: 'Ben' }, role: 'member', present: false };

const room = (id: string) => {
  const summary: RoomSummary = {
    id,
    name: id,
    kind: 'public',
    member: true,
    members: 2,
    may: ['send'],
    notify: 'all',
    write: 'all',
    head: 0,
    lastSeq: 0,
    readSeq: 0,
    unread: 0,
    mentions: 0,
  };
  return new Room(summary);
};

/** A room's people, over a connection whose answers the test gives. */
function start(tasks = new Tasks(), id = 'r') {
  const asked: {
    payload: RequestOf<'room:members'>;
    answer(...members: RoomMember[]): Promise<void>;
  }[] = [];
  const connection = {
    state: { kind: 'ready' },
    request: (_: string, payload: RequestOf<'room:members'>) => {
      const { promise, resolve } = Promise.withResolvers<Answers['room:members']>();
      const answer = async (...members: RoomMember[]) => {
        resolve({ members, count: members.length });
        // Code that waits for it continues in later turns.
        await new Promise((done) => setImmediate(done));
      };
      asked.push({ payload, answer });
      return promise;
    },
  };
  const people = new RoomMembers(connection as unknown as Connection, tasks, room(id), () => {});
  people.ready();
  const ids = (present: boolean) => people.list(present, 'en').map(({ user }) => user.id);
  const found = () => people.found?.map(({ user }) => user.id);
  return { asked, people, ids, found };
}

test('requested again while the first pages are under way: the later answers count', async () => {
  const { asked, people, ids } = start();
  people.presence({ room: 'r', joined: [], left: [], count: 2, partial: true });
  expect(asked).toHaveLength(4);
  await asked[2]?.answer(ann);
  await asked[3]?.answer(ben);
  await asked[0]?.answer(ben);
  await asked[1]?.answer();
  expect(ids(true)).toEqual(['1']);
  expect(ids(false)).toEqual(['2']);
});

test('requested again, a search runs again, and its results stay visible meanwhile', async () => {
  const { asked, people, found } = start();
  void people.find('b');
  await asked[2]?.answer(ann);
  expect(found()).toEqual(['1']);
  people.members({ room: 'r', changed: [], count: 2, partial: true });
  expect(found()).toEqual(['1']);
  expect(asked[5]?.payload).toMatchObject({ query: 'b' });
  await asked[5]?.answer(ben);
  expect(found()).toEqual(['2']);
});

test('requested again while the answer to a search is under way: the later answer counts', async () => {
  const { asked, people, found } = start();
  void people.find('b');
  people.ready();
  await asked[5]?.answer(ben);
  await asked[2]?.answer(ann);
  expect(found()).toEqual(['2']);
});

test('an answer takes back nothing of what events have said since it was asked for', async () => {
  const { asked, people, ids } = start();
  const gone = { user: { id: '3', name: 'Cat' }, gone: true } as const;
  // Ben comes, and Cat is no member any more.
  people.presence({ room: 'r', joined: [ben.user], left: [], count: 2 });
  people.members({ room: 'r', changed: [gone], count: 2 });
  await asked[0]?.answer(ann, { ...ben, user: gone.user, present: true });
  await asked[1]?.answer(ben);
  expect([ids(true), ids(false)]).toEqual([['1', '2'], []]);
  // Answers to later questions are newer.
  people.ready();
  await asked[2]?.answer(ann);
  await asked[3]?.answer(ben);
  expect([ids(true), ids(false)]).toEqual([['1'], ['2']]);
});

test('of people whom events do not tell wholly, an answer that was asked for before them says the rest', async () => {
  const { asked, people, ids } = start();
  const roles = () => people.list(true, 'en').map(({ role }) => role);
  // Nobody is known yet: Ann goes, and Ben comes.
  people.presence({ room: 'r', joined: [ben.user], left: ['1'], count: 1 });
  await asked[0]?.answer(ann);
  await asked[1]?.answer({ ...ben, role: 'owner' });
  expect([ids(true), ids(false)]).toEqual([['2'], ['1']]);
  expect(roles()).toEqual(['owner']);
  // A role that an event has told is newer.
  people.ready();
  people.members({ room: 'r', changed: [{ ...ben, role: 'moderator' }], count: 2 });
  people.presence({ room: 'r', joined: [ben.user], left: [], count: 2 });
  await asked[2]?.answer();
  await asked[3]?.answer({ ...ann, present: false }, { ...ben, role: 'owner' });
  expect([ids(true), ids(false)]).toEqual([['2'], ['1']]);
  expect(roles()).toEqual(['moderator']);
});

test('another room is opened while the people of the first are awaited: both are asked for', async () => {
  const tasks = new Tasks();
  const [first, second] = [start(tasks, 'r'), start(tasks, 's')];
  void first.people.find('an');
  void second.people.find('an');
  expect(second.asked.map(({ payload }) => payload.room)).toEqual(['s', 's', 's']);
  await second.asked[1]?.answer(ben);
  expect(second.ids(false)).toEqual(['2']);
});
