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
  'requests the blocked users again after %s on the same connection',
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

/** Starts with requests that the test answers. */
function start() {
  const requests: PromiseWithResolvers<unknown>[] = [];
  const chat = {
    me: { id: '1', name: 'Alice' },
    rooms: new Map(),
    followers: new Set<Follower>(),
    tasks: new Tasks(),
    request: () => {
      const answer = Promise.withResolvers<unknown>();
      requests.push(answer);
      return answer.promise;
    },
  };
  const blocking = new BlockedPeople({ chat, changed: () => {} } as unknown as Context);
  chat.followers.add(blocking);
  const room = new Room({ id: 'r' } as RoomSummary);
  const announced: number[] = [];
  const arrive = (seq: number, id: string) =>
    blocking.announce(room, { seq, user: { id, name: id }, text: '' }, () => announced.push(seq));
  return { chat, blocking, room, requests, announced, arrive };
}

const bobIsBlocked = { users: [{ id: 'bob', name: 'Bob' }] };

test('announces the messages of users who are not blocked once the list of blocked users is loaded', async () => {
  const { blocking, room, requests, announced, arrive } = start();
  arrive(1, 'bob');
  arrive(2, 'carol');
  arrive(3, 'carol');
  // Message 3 is deleted before the response.
  blocking.outdated(room, 3);
  expect(announced).toEqual([]);
  requests[0]?.resolve(bobIsBlocked);
  await expect.poll(() => announced).toEqual([2]);
  arrive(4, 'bob');
  arrive(5, 'carol');
  expect(announced).toEqual([2, 5]);
});

test('keeps blocked users’ messages unread in a room marked as unread, and requests them once', async () => {
  const room = new Room({ id: 'r', member: true, lastSeq: 4, readSeq: 2 } as RoomSummary);
  room.keptUnread = true;
  const requests: string[] = [];
  const chat = {
    me: { id: '1', name: 'Alice' },
    rooms: new Map([['r', room]]),
    followers: new Set<Follower>(),
    tasks: new Tasks(),
    connection: { state: { kind: 'ready' } },
    unreadIn: ({ unread }: Room) => unread,
    readUpTo: (target: Room, seq: number) => target.readUpTo(seq),
    request: async (name: string) => {
      requests.push(name);
      const messages = [3, 4].map((seq) => ({ seq, hidden: true }));
      return name === 'user:blocked' ? bobIsBlocked : { messages };
    },
  };
  const blocking = new BlockedPeople({ chat, changed: () => {} } as unknown as Context);
  chat.followers.add(blocking);
  await expect.poll(() => blocking.has('bob')).toBe(true);
  for (let drawing = 0; drawing < 3; drawing++) {
    blocking.settle();
    // Code that waits for the response continues in later ticks.
    await new Promise((done) => setImmediate(done));
  }
  expect(requests).toEqual(['user:blocked', 'message:history']);
  expect(room.unread).toBe(2);
});

test('announces messages on a new connection only after loading the blocked users again', async () => {
  const { chat, blocking, requests, announced, arrive } = start();
  requests[0]?.resolve({ users: [] });
  arrive(1, 'bob');
  await expect.poll(() => announced).toEqual([1]);
  chat.tasks.restart();
  blocking.ready();
  arrive(2, 'bob');
  arrive(3, 'carol');
  expect(announced).toEqual([1]);
  requests[1]?.resolve(bobIsBlocked);
  await expect.poll(() => announced).toEqual([1, 3]);
});

test('announces the newest hundred waiting messages if the blocked users cannot be loaded', async () => {
  const { requests, announced, arrive } = start();
  for (let seq = 1; seq <= 101; seq++) arrive(seq, 'bob');
  requests[0]?.reject(new RequestError('unknown_event'));
  await expect.poll(() => announced).toHaveLength(100);
  expect(announced[0]).toBe(2);
  arrive(102, 'carol');
  expect(announced.at(-1)).toBe(102);
});
