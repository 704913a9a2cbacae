import { expect, test, vi } from 'vitest';
import { Thread } from '../../client/src/chat/thread.ts';
import { Tasks } from '../../client/src/connection/tasks.ts';
import { Room } from '../../client/src/store/room.ts';
import type { Answers, Message, RoomSummary } from '../../server/wire/events.ts';

const message = (seq: number): Message => ({
  ...{ id: `${seq}`, room: 'lobby', seq, rev: seq, clientId: `${seq}`, user: { id: '2', name: 'Bob' } },
  ...{ text: '', sentAt: 0, ...(seq === 1 ? {} : { thread: 1 }) },
});

test.each([
  ['continues the list if they begin with the newest reply that it had', [4, 6], [2, 4, 6]],
  ['starts the list again if replies in between may be missing', [6, 8], [6, 8]],
])('after a reconnect with newer replies, %s', async (_, later, expected) => {
  const summary = { id: 'lobby', name: 'lobby', kind: 'public', member: true, lastSeq: 6 } as RoomSummary;
  let page = [2, 4];
  const request = async (): Promise<Answers['thread:get']> => {
    const counts = { thread: 1, replies: 9, new: 0 } as unknown as Answers['thread:get']['thread'];
    return {
      ...{ root: message(1), thread: counts, following: false },
      ...{ messages: page.map(message), complete: false },
    };
  };
  const changed = vi.fn();
  const port = { connection: { request }, tasks: new Tasks(), me: () => '1', changed };
  const thread = new Thread(new Room(summary), 1, port as never);
  const seqs = () => thread.timeline.list().map(({ seq }) => seq);
  await thread.load();
  expect(seqs()).toEqual([2, 4]);
  thread.silent();
  page = later;
  thread.ready();
  await expect.poll(() => changed).toHaveBeenCalledTimes(2);
  expect(seqs()).toEqual(expected);
});
