import { afterEach, expect, test, vi } from 'vitest';
import type { Chat } from '../../client/src/chat/chat.ts';
import { RequestError } from '../../client/src/connection/connection-state.ts';
import { Tasks } from '../../client/src/connection/tasks.ts';
import { Room } from '../../client/src/store/room.ts';
import { Picks } from '../../client/src/views/messages/picks.ts';
import type { RoomSummary } from '../../server/wire/events.ts';
import { memoryStorage, storeIn } from './memory-storage.ts';

afterEach(() => vi.useRealTimers());

/** Starts with Bob chosen in a room and in its thread. The test defines the members. */
function start(...answers: (readonly string[] | RequestError)[]) {
  vi.useFakeTimers();
  const store = storeIn(memoryStorage(), 'https://chat.example', '1');
  const request = async () => {
    const answer = answers.shift() ?? [];
    if (answer instanceof RequestError) throw answer;
    return { members: answer.map((id) => ({ user: { id } })) };
  };
  const room = new Room({ id: 'r' } as RoomSummary);
  const picks = new Picks({ store, request, tasks: new Tasks() } as unknown as Chat);
  const places = [{ room }, { room, thread: { number: 1 } }];
  for (const place of places) picks.add(place, { user: 'bob', label: '@Bob' });
  const found = async (ms: number) => {
    await vi.advanceTimersByTimeAsync(ms);
    return places.flatMap((place) => picks.in(place).map(({ user }) => user));
  };
  picks.reset(room);
  return found;
}

test('keeps chosen users who are still members after a reset, and drops others', async () => {
  expect(await start(['bobby', 'bob'])(0)).toEqual(['bob', 'bob']);
  expect(await start(['bobby'])(0)).toEqual([]);
});

test.each(['offline', 'timeout', 'unknown_room'] as const)(
  'keeps the chosen users after %s',
  async (code) => {
    expect(await start(new RequestError(code))(60_000)).toEqual(['bob', 'bob']);
  },
);

test.each(['rate_limited', 'storage_unavailable'] as const)(
  'requests the members again after %s',
  async (code) => {
    const found = start(new RequestError(code));
    expect(await found(0)).toEqual(['bob', 'bob']);
    expect(await found(1000)).toEqual([]);
  },
);
