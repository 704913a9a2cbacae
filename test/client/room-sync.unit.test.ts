import { expect, test } from 'vitest';
import { RoomSync } from '../../client/src/chat/room-sync.ts';
import type { Connection, RequestOf } from '../../client/src/connection/connection.ts';
import { Tasks } from '../../client/src/connection/tasks.ts';
import { Room } from '../../client/src/store/room.ts';
import type { Answers, Message, RoomSummary } from '../../server/wire/events.ts';

const summary: RoomSummary = {
  id: 'lobby',
  name: 'lobby',
  kind: 'public',
  member: true,
  members: 2,
  may: ['send'],
  notify: 'all',
  write: 'all',
  head: 1,
  lastSeq: 1,
  readSeq: 0,
  unread: 1,
  mentions: 0,
};
const message = (name: string): Message => ({
  id: '1',
  room: 'lobby',
  seq: 1,
  rev: 1,
  clientId: '1',
  user: { id: '2', name },
  text: 'hello',
  sentAt: 0,
});
const answer = (head: number, name: string): Answers['room:join'] => ({
  room: { ...summary, head },
  messages: [message(name)],
  complete: true,
  present: [],
  presentCount: 0,
});

test('joins a room again without the earlier state if it is reset during the join', async () => {
  const requests: { payload: RequestOf<'room:join'>; resolve(answer: Answers['room:join']): void }[] = [];
  const connection = {
    request: (_: string, payload: RequestOf<'room:join'>) => {
      const { promise, resolve } = Promise.withResolvers<Answers['room:join']>();
      requests.push({ payload, resolve });
      return promise;
    },
  };
  const port = { arrived() {}, joined() {}, gone() {}, loaded() {}, changed() {} };
  const sync = new RoomSync(connection as unknown as Connection, new Tasks(), port);
  const room = new Room(summary);
  const joining = sync.join(room);
  await sync.rejoin(room);
  requests[0]?.resolve(answer(1, 'Bob'));
  await expect.poll(() => requests.length).toBe(2);
  expect(requests[1]?.payload).toEqual({ room: 'lobby' });
  requests[1]?.resolve(answer(2, 'Deleted user'));
  await joining;
  expect(room.timeline.get(1)?.user.name).toBe('Deleted user');
  expect(requests).toHaveLength(2);
});
