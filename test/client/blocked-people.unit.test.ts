import { afterEach, expect, test, vi } from 'vitest';
import type { Follower } from '../../client/src/chat/chat-listener.ts';
import { RequestError } from '../../client/src/connection/connection-state.ts';
import { Tasks } from '../../client/src/connection/tasks.ts';
import type { Context } from '../../client/src/views/context.ts';
import { BlockedPeople } from '../../client/src/views/moderation/blocked-people.tsx';

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
