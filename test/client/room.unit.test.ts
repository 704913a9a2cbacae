import { describe, expect, test } from 'vitest';
import { Room } from '../../client/src/store/room.ts';
import type { Message, Pin, RoomSummary } from '../../server/wire/events.ts';

const me = { id: '1', name: 'Alice' };
const bob = { id: '2', name: 'Bob' };
const summary = (more: Partial<RoomSummary> = {}): RoomSummary => ({
  id: 'lobby',
  name: 'lobby',
  kind: 'public',
  member: true,
  members: 2,
  may: ['send'],
  notify: 'all',
  write: 'all',
  head: 10,
  lastSeq: 10,
  readSeq: 10,
  unread: 0,
  mentions: 0,
  ...more,
});
const message = (seq: number, user = bob): Message => ({
  id: `${seq}`,
  room: 'lobby',
  seq,
  rev: seq,
  clientId: `${seq}`,
  user,
  text: '',
  sentAt: 0,
});

describe('unread', () => {
  test("counts messages of others, and the user's own message marks all as read", () => {
    const room = new Room(summary());
    room.note(message(11), me);
    room.note(message(12), me);
    expect(room.unread).toBe(2);
    room.note(message(13, me), me);
    expect(room.unread).toBe(0);
    room.note(message(14), me);
    room.note(message(12), me);
    expect(room.unread).toBe(1);
    expect(room.markRead()).toBe(true);
    expect(room.markRead()).toBe(false);
    expect(room.unread).toBe(0);
  });

  test('counts no deleted messages, in joined rooms and others', () => {
    const deleted = (seq: number, more: Partial<Message> = {}) => ({
      ...message(seq),
      rev: 20 + seq,
      deletedAt: 1,
      ...more,
    });
    const room = new Room(summary({ head: 21, lastSeq: 20, unread: 6, threadOnly: 2, deleted: [[12, 2]] }));
    expect(room.unread).toBe(6);
    room.note(deleted(14), me);
    room.note(deleted(14), me);
    expect(room.unread).toBe(5);
    // Neither was counted before.
    room.note(deleted(9), me);
    room.note(deleted(15, { threadOnly: true }), me);
    expect(room.unread).toBe(5);
    const activity = { room: 'lobby', name: 'lobby', members: 2, head: 50, lastSeq: 22, threadOnly: 2 };
    room.activity({
      ...activity,
      deleted: [
        [12, 3],
        [18, 2],
      ],
    });
    expect(room.unread).toBe(5);
    room.activity({ ...activity, head: 20, deleted: [] });
    expect(room.unread).toBe(5);
    room.update(summary({ head: 51, lastSeq: 22, readSeq: 19, unread: 3 }));
    expect(room.unread).toBe(3);
  });

  test('counts no deleted messages after the read marker moved back', () => {
    const room = new Room(summary({ head: 11 }));
    const messages = [message(9), { ...message(10), rev: 11, deletedAt: 1 }];
    room.timeline.joined({ room: room.summary, messages, complete: false } as never, undefined);
    room.unreadAfter(8, 0);
    expect(room.unread).toBe(1);
  });

  test('keeps a read marker that the server has not received yet', () => {
    const room = new Room(summary());
    room.note(message(12), me);
    room.markRead();
    room.update(summary({ lastSeq: 13, readSeq: 10, unread: 3 }));
    expect(room.unread).toBe(1);
    room.update(summary({ lastSeq: 5, readSeq: 5 }));
    expect(room.unread).toBe(0);
  });

  test('applies a marker moved back on another device unless this client read further', () => {
    const room = new Room(summary());
    room.update(summary({ readSeq: 7 }));
    expect(room.unread).toBe(3);
    room.readUpTo(9);
    room.update(summary({ readSeq: 7 }));
    expect(room.unread).toBe(1);
    room.unreadAfter(4, 0);
    room.keptUnread = true;
    expect(room.markRead()).toBe(false);
    room.note(message(11, me), me);
    expect(room.unread).toBe(0);
  });

  test('is empty for a user who is not a member', () => {
    expect(new Room(summary({ member: false, readSeq: 0 })).unread).toBe(0);
  });
});

test('lists each present user once, even if changes overlap', () => {
  const room = new Room(summary());
  room.joined = true;
  room.present = [me];
  room.presence({ room: 'lobby', joined: [bob], left: [], count: 2 });
  room.presence({ room: 'lobby', joined: [{ ...bob, name: 'Robert' }], left: [], count: 2 });
  expect(room.present).toEqual([me, { id: '2', name: 'Robert' }]);
  room.presence({ room: 'lobby', joined: [], left: ['2', '3'], count: 1 });
  expect(room.present).toEqual([me]);
});

test('drops the pins of expired messages, and keeps that of the first stored one', () => {
  const room = new Room(summary());
  for (const seq of [3, 4, 5]) room.pin(seq, { seq } as Pin);
  room.activity({ room: 'lobby', name: 'lobby', members: 2, head: 11, lastSeq: 10, firstSeq: 4 });
  expect(room.pins.map(({ seq }) => seq)).toEqual([5, 4]);
});

test.each<[string, Partial<RoomSummary>, boolean]>([
  ['a room', {}, true],
  ['a direct room', { kind: 'direct' }, false],
  ['a question', { kind: 'private', question: { state: 'open', asker: bob } }, false],
])('knows whether %s can have replies that are only in their thread', (_, more, has) => {
  expect(new Room(summary(more)).hasThreadOnly).toBe(has);
});
