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

test('a room that is reset while it is being joined is joined once more, without the earlier state', async () => {
  const asked: { payload: RequestOf<'room:join'>; resolve(answer: Answers['room:join']): void }[] = [];
  const connection = {
    request: (_: string, payload: RequestOf<'room:join'>) => {
      const { promise, resolve } = Promise.withResolvers<Answers['room:join']>();
      asked.push({ payload, resolve });
      return promise;
    },
  };
  const port = { arrived() {}, joined() {}, gone() {}, loaded() {}, changed() {} };
  const sync = new RoomSync(connection as unknown as Connection, new Tasks(), port);
  const room = new Room(summary);
  const joining = sync.join(room);
  await sync.rejoin(room);
  asked[0]?.resolve(answer(1, 'Bob'));
  await expect.poll(() => asked.length).toBe(2);
  expect(asked[1]?.payload).toEqual({ room: 'lobby' });
  asked[1]?.resolve(answer(2, 'Deleted user'));
  await joining;
  expect(room.timeline.get(1)?.user.name).toBe('Deleted user');
  expect(asked).toHaveLength(2);
});
