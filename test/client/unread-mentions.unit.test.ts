import { expect, test } from 'vitest';
import { Room } from '../../client/src/store/room.ts';
import type { Context } from '../../client/src/views/context.ts';
import { UnreadMentions } from '../../client/src/views/messages/unread-mentions.ts';
import type { Message, RoomSummary } from '../../server/wire/events.ts';

/** The open room, with requests that the test answers. */
function start(viewing: boolean) {
  const me = { id: '1', name: 'Alice' };
  const room = new Room({ id: 'r', readSeq: 4 } as RoomSummary);
  const asked: PromiseWithResolvers<Room>[] = [];
  const fetch = () => {
    const answer = Promise.withResolvers<Room>();
    asked.push(answer);
    return answer.promise;
  };
  const chat = { me, rooms: new Map([['r', room]]), current: room, shown: { viewing }, list: { fetch } };
  const mentions = new UnreadMentions({ chat, changed: () => {} } as unknown as Context);
  const named: Partial<Message> = { mentions: [{ user: me, start: 0, length: 6 }] };
  const come = (seq: number, message = named) =>
    mentions.message({ room: 'r', seq, ...message } as unknown as Message);
  // Code that waits for it continues in later turns.
  const later = () => new Promise((done) => setImmediate(done));
  return { asked, come, room, later };
}

test('a mention that is read as it arrives, or was read before, causes no request', () => {
  const inSight = start(true);
  inSight.come(5);
  expect(inSight.asked).toHaveLength(0);
  const { asked, come } = start(false);
  come(4);
  expect(asked).toHaveLength(0);
  come(5);
  expect(asked).toHaveLength(1);
});

test('a reply causes a request, because the reader may follow its thread', () => {
  const { asked, come } = start(false);
  come(5, {});
  expect(asked).toHaveLength(0);
  come(6, { thread: 1 });
  expect(asked).toHaveLength(1);
});

test('mentions that arrive during a request cause one more, whether it was answered or not', async () => {
  const { asked, come, room, later } = start(false);
  for (let seq = 5; seq < 10; seq++) come(seq);
  expect(asked).toHaveLength(1);
  asked[0]?.resolve(room);
  await later();
  expect(asked).toHaveLength(2);
  come(10);
  asked[1]?.reject(new Error());
  await later();
  expect(asked).toHaveLength(3);
  asked[2]?.resolve(room);
  await later();
  expect(asked).toHaveLength(3);
  come(11);
  expect(asked).toHaveLength(4);
});
