import { afterEach, expect, test, vi } from 'vitest';
import type { Follower } from '../../client/src/chat/chat-listener.ts';
import { RequestError } from '../../client/src/connection/connection-state.ts';
import { Tasks } from '../../client/src/connection/tasks.ts';
import { Room } from '../../client/src/store/room.ts';
import type { Context } from '../../client/src/views/context.ts';
import { BlockedPeople } from '../../client/src/views/moderation/blocked-people.tsx';
import type { RoomSummary } from '../../server/wire/events.ts';

afterEach(() => {
  vi.useRealTimers();
});

test.each(['rate_limited', 'storage_unavailable', 'internal'] as const)(
  'the blocked people are asked for again after %s, over the same connection',
  async (code) => {
    vi.useFakeTimers();
    let answer = (): unknown => {
      throw new RequestError(code);
    };
    const chat = {
      me: { id: '1', name: 'Alice' },
      rooms: new Map(),
      followers: new Set<Follower>(),
      tasks: new Tasks(),
      request: async () => answer(),
    };
    const blocking = new BlockedPeople({ chat, changed: () => {} } as unknown as Context);
    chat.followers.add(blocking);
    await vi.advanceTimersByTimeAsync(0);
    answer = () => ({ users: [{ id: '2', name: 'Bob' }] });
    await vi.runAllTimersAsync();
    expect(blocking.has('2')).toBe(true);
  },
);

test('a message that comes before the blocked people are known is announced only then, and none of theirs', async () => {
  let answer = (_data: unknown) => {};
  const chat = {
    me: { id: '1', name: 'Alice' },
    rooms: new Map(),
    followers: new Set<Follower>(),
    tasks: new Tasks(),
    request: () =>
      new Promise((resolve) => {
        answer = resolve;
      }),
  };
  const blocking = new BlockedPeople({ chat, changed: () => {} } as unknown as Context);
  chat.followers.add(blocking);
  const room = new Room({ id: 'r' } as RoomSummary);
  const told: number[] = [];
  const arrive = (seq: number, id: string) =>
    blocking.announce(room, { seq, user: { id, name: id }, text: '' }, () => told.push(seq));
  arrive(1, 'bob');
  arrive(2, 'carol');
  arrive(3, 'carol');
  // It is deleted meanwhile.
  blocking.outdated(room, 3);
  expect(told).toEqual([]);
  answer({ users: [{ id: 'bob', name: 'Bob' }] });
  await vi.waitFor(() => expect(told).toEqual([2]));
  arrive(4, 'bob');
  arrive(5, 'carol');
  expect(told).toEqual([2, 5]);
});
