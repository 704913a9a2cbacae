import { afterEach, expect, test, vi } from 'vitest';
import type { Chat } from '../../client/src/chat/chat.ts';
import { RequestError } from '../../client/src/connection/connection-state.ts';
import { Tasks } from '../../client/src/connection/tasks.ts';
import { Room } from '../../client/src/store/room.ts';
import { Picks } from '../../client/src/views/messages/picks.ts';
import type { RoomSummary } from '../../server/wire/events.ts';

afterEach(() => vi.useRealTimers());

/** Bob was chosen in a room whose members the test defines. */
function start(...answers: (readonly string[] | RequestError)[]) {
  vi.useFakeTimers();
  const kept = new Map<string, unknown>();
  const store = {
    get: (key: string) => kept.get(key),
    set: (key: string, value: unknown) => kept.set(key, value),
    delete: (key: string) => kept.delete(key),
  };
  const request = async () => {
    const answer = answers.shift() ?? [];
    if (answer instanceof RequestError) throw answer;
    return { members: answer.map((id) => ({ user: { id } })) };
  };
  const room = new Room({ id: 'r' } as RoomSummary);
  const picks = new Picks({ store, request, tasks: new Tasks() } as unknown as Chat);
  picks.add(room, { user: 'bob', label: '@Bob' });
  const found = async (ms: number) => {
    await vi.advanceTimersByTimeAsync(ms);
    return picks.in(room).map(({ user }) => user);
  };
  picks.reset(room);
  return found;
}

test('after a reset, chosen users who are still members stay chosen, and others are dropped', async () => {
  expect(await start(['bobby', 'bob'])(0)).toEqual(['bob']);
  expect(await start(['bobby'])(0)).toEqual([]);
});

test.each(['offline', 'timeout', 'unknown_room'] as const)(
  '%s says nothing of who is there',
  async (code) => {
    expect(await start(new RequestError(code))(60_000)).toEqual(['bob']);
  },
);

test.each(['rate_limited', 'storage_unavailable'] as const)('after %s it is asked again', async (code) => {
  const found = start(new RequestError(code));
  expect(await found(0)).toEqual(['bob']);
  expect(await found(1000)).toEqual([]);
});
