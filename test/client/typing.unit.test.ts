import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { OwnTyping } from '../../client/src/chat/typing.ts';
import type { Connection } from '../../client/src/connection/connection.ts';
import { OthersTyping } from '../../client/src/views/messages/typing.tsx';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('other users', () => {
  const receive = (typing: OthersTyping, id: string, on = true) =>
    typing.typing({ room: 'r', user: { id, name: `User ${id}` }, typing: on });
  const ids = (typing: OthersTyping) => typing.in('r').map(({ id }) => id);

  test('appear in the order in which they began to type', () => {
    const typing = new OthersTyping(() => {});
    for (const id of ['2', '3', '2']) receive(typing, id);
    expect(ids(typing)).toEqual(['2', '3']);
  });

  test('disappear 6 s after their last event or when they stop', () => {
    const changed = vi.fn();
    const typing = new OthersTyping(changed);
    for (const id of ['2', '3', '4']) receive(typing, id);
    vi.advanceTimersByTime(4000);
    receive(typing, '2');
    receive(typing, '4', false);
    expect(ids(typing)).toEqual(['2', '3']);
    changed.mockClear();
    vi.advanceTimersByTime(2000);
    expect(ids(typing)).toEqual(['2']);
    expect(changed).toHaveBeenCalledOnce();
    vi.advanceTimersByTime(4000);
    expect(ids(typing)).toEqual([]);
  });
});

describe('the user', () => {
  function start() {
    const sent: [room: string, typing: boolean][] = [];
    const connection = {
      state: { kind: 'ready' },
      request: async (_: string, { room, typing }: { room: string; typing: boolean }) =>
        void sent.push([room, typing]),
    };
    return { sent, typing: new OwnTyping(connection as unknown as Connection) };
  }

  test('is reported as typing at most every 3 s, until 5 s after the last key', () => {
    const { sent, typing } = start();
    for (let tenths = 0; tenths < 70; tenths++) {
      typing.typed('r');
      vi.advanceTimersByTime(100);
    }
    expect(sent).toEqual([
      ['r', true],
      ['r', true],
      ['r', true],
    ]);
    vi.advanceTimersByTime(4800);
    expect(sent).toHaveLength(3);
    vi.advanceTimersByTime(200);
    expect(sent.slice(3)).toEqual([['r', false]]);
    vi.advanceTimersByTime(60_000);
    expect(sent).toHaveLength(4);
  });

  test('is reported as stopped once, after sending or in another room', () => {
    const { sent, typing } = start();
    typing.typed('a');
    typing.typed('b');
    typing.stop();
    typing.stop();
    expect(sent).toEqual([
      ['a', true],
      ['a', false],
      ['b', true],
      ['b', false],
    ]);
  });

  test('is not reported on a closed connection', () => {
    const { sent, typing } = start();
    typing.typed('r');
    typing.forget();
    vi.advanceTimersByTime(60_000);
    typing.stop();
    expect(sent).toEqual([['r', true]]);
  });
});
