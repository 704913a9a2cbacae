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

/** Each request waits for its answer. */
function start() {
  const asked: PromiseWithResolvers<unknown>[] = [];
  const chat = {
    me: { id: '1', name: 'Alice' },
    rooms: new Map(),
    followers: new Set<Follower>(),
    tasks: new Tasks(),
    request: () => {
      const answer = Promise.withResolvers<unknown>();
      asked.push(answer);
      return answer.promise;
    },
  };
  const blocking = new BlockedPeople({ chat, changed: () => {} } as unknown as Context);
  chat.followers.add(blocking);
  const room = new Room({ id: 'r' } as RoomSummary);
  const told: number[] = [];
  const arrive = (seq: number, id: string) =>
    blocking.announce(room, { seq, user: { id, name: id }, text: '' }, () => told.push(seq));
  return { chat, blocking, room, asked, told, arrive };
}

const bobIsBlocked = { users: [{ id: 'bob', name: 'Bob' }] };

test('messages are announced once the blocked users are known, except those of blocked users', async () => {
  const { blocking, room, asked, told, arrive } = start();
  arrive(1, 'bob');
  arrive(2, 'carol');
  arrive(3, 'carol');
  // It is deleted meanwhile.
  blocking.outdated(room, 3);
  expect(told).toEqual([]);
  asked[0]?.resolve(bobIsBlocked);
  await vi.waitFor(() => expect(told).toEqual([2]));
  arrive(4, 'bob');
  arrive(5, 'carol');
  expect(told).toEqual([2, 5]);
});

test('messages of blocked people that were marked as unread stay so, and are asked for once', async () => {
  const room = new Room({ id: 'r', member: true, lastSeq: 4, readSeq: 2 } as RoomSummary);
  room.keptUnread = true;
  const asked: string[] = [];
  const chat = {
    me: { id: '1', name: 'Alice' },
    rooms: new Map([['r', room]]),
    followers: new Set<Follower>(),
    tasks: new Tasks(),
    connection: { state: { kind: 'ready' } },
    unreadIn: ({ unread }: Room) => unread,
    readUpTo: (one: Room, seq: number) => one.readUpTo(seq),
    request: async (name: string) => {
      asked.push(name);
      const messages = [3, 4].map((seq) => ({ seq, hidden: true }));
      return name === 'user:blocked' ? bobIsBlocked : { messages };
    },
  };
  const blocking = new BlockedPeople({ chat, changed: () => {} } as unknown as Context);
  chat.followers.add(blocking);
  await vi.waitFor(() => expect(blocking.has('bob')).toBe(true));
  for (let drawing = 0; drawing < 3; drawing++) {
    blocking.settle();
    // The code that waits for the answer continues in later turns.
    await new Promise((done) => setImmediate(done));
  }
  expect(asked).toEqual(['user:blocked', 'message:history']);
  expect(room.unread).toBe(2);
});

test('over a new connection a message is announced only when the blocked people of then are known', async () => {
  const { chat, blocking, asked, told, arrive } = start();
  asked[0]?.resolve({ users: [] });
  arrive(1, 'bob');
  await vi.waitFor(() => expect(told).toEqual([1]));
  chat.tasks.restart();
  blocking.ready();
  arrive(2, 'bob');
  arrive(3, 'carol');
  expect(told).toEqual([1]);
  asked[1]?.resolve(bobIsBlocked);
  await vi.waitFor(() => expect(told).toEqual([1, 3]));
});

test('where the server refuses to say who is blocked, the newest hundred messages that wait are announced', async () => {
  const { asked, told, arrive } = start();
  for (let seq = 1; seq <= 101; seq++) arrive(seq, 'bob');
  asked[0]?.reject(new RequestError('unknown_event'));
  await vi.waitFor(() => expect(told).toHaveLength(100));
  expect(told[0]).toBe(2);
  arrive(102, 'carol');
  expect(told.at(-1)).toBe(102);
});
