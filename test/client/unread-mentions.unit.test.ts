import { expect, test } from 'vitest';
import { Room } from '../../client/src/store/room.ts';
import type { Context } from '../../client/src/views/context.ts';
import { UnreadMentions } from '../../client/src/views/messages/unread-mentions.ts';
import type { Message, RoomSummary } from '../../server/wire/events.ts';

/** Starts with an open room whose requests the test answers. */
function start(viewing: boolean) {
  const me = { id: '1', name: 'Alice' };
  const room = new Room({ id: 'r', readSeq: 4 } as RoomSummary);
  const requests: PromiseWithResolvers<Room>[] = [];
  const fetch = () => {
    const answer = Promise.withResolvers<Room>();
    requests.push(answer);
    return answer.promise;
  };
  const chat = { me, rooms: new Map([['r', room]]), current: room, shown: { viewing }, list: { fetch } };
  const mentions = new UnreadMentions({ chat, changed: () => {} } as unknown as Context);
  const named: Partial<Message> = { mentions: [{ user: me, start: 0, length: 6 }] };
  const come = (seq: number, message = named) =>
    mentions.message({ room: 'r', seq, ...message } as unknown as Message);
  // Code that waits for the response continues in later ticks.
  const later = () => new Promise((done) => setImmediate(done));
  return { requests, come, room, later };
}

test('does not request the room for a mention that is already read', () => {
  const inSight = start(true);
  inSight.come(5);
  expect(inSight.requests).toHaveLength(0);
  const { requests, come } = start(false);
  come(4);
  expect(requests).toHaveLength(0);
  come(5);
  expect(requests).toHaveLength(1);
});

test('requests the room after a reply, because the reader may follow its thread', () => {
  const { requests, come } = start(false);
  come(5, {});
  expect(requests).toHaveLength(0);
  come(6, { thread: 1 });
  expect(requests).toHaveLength(1);
});

test('requests the room once more for mentions received during a request, even if it fails', async () => {
  const { requests, come, room, later } = start(false);
  for (let seq = 5; seq < 10; seq++) come(seq);
  expect(requests).toHaveLength(1);
  requests[0]?.resolve(room);
  await later();
  expect(requests).toHaveLength(2);
  come(10);
  requests[1]?.reject(new Error());
  await later();
  expect(requests).toHaveLength(3);
  requests[2]?.resolve(room);
  await later();
  expect(requests).toHaveLength(3);
  come(11);
  expect(requests).toHaveLength(4);
});
