import { expect, test } from 'vitest';
import { Work } from '../../../server/history/engine/work.ts';
import { contentOf } from '../../../server/history/messages/posting.ts';
import type { RoomRow } from '../../../server/history/records/room.ts';
import { loadedMessages } from '../../../server/history/rows/messages.ts';
import { emptyRoom } from '../../../server/history/rows/room-changes.ts';
import { subjects } from '../../../server/history/subjects.ts';

const ann = { id: 'ann', name: 'Ann' };

/** Returns the content of a reply in a room with one message. */
function reply(over: Partial<RoomRow>) {
  const row: RoomRow = { ...emptyRoom('room', 'private', 'Room', 0), head: 1, lastSeq: 1, ...over };
  const work = new Work(subjects, new Uint8Array(32));
  const loaded = { num: undefined, row, stored: undefined, parts: new Map() };
  work.rooms.set('room', loaded);
  const message = { id: 'm', room: 'room', seq: 1, rev: 1, clientId: 'c', user: ann, text: 'x', sentAt: 0 };
  loadedMessages(loaded).set(1, { row: { message, digest: '' }, state: 'stored' } as never);
  const input = { room: 'room', user: ann, text: 'y', replyTo: 1, threadOnly: true as const };
  return contentOf(work, row, input, { free: true });
}

test.each<[string, Partial<RoomRow>, true | undefined]>([
  ['a private room', {}, true],
  ['a direct room', { kind: 'direct', pair: ['ann', 'ben'] }, undefined],
  // Guests follow no threads, so that they would not be notified of the answer.
  ['a question', { question: { team: 'team', openedAt: 1, lastAt: 1 } }, undefined],
])('keeps or drops threadOnly in %s', (_, over, threadOnly) => {
  const content = reply(over);
  expect(content).toMatchObject({ replyTo: 1, thread: 1 });
  expect(content.threadOnly).toBe(threadOnly);
});
