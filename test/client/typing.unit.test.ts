import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { OwnTyping } from '../../client/src/chat/typing.ts';
import type { Connection } from '../../client/src/connection/connection.ts';
import { OthersTyping } from '../../client/src/views/messages/typing.tsx';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

describe('others', () => {
  const heard = (typing: OthersTyping, id: string, on = true) =>
    typing.typing({ room: 'r', user: { id, name: `User ${id}` }, typing: on });
  const ids = (typing: OthersTyping) => typing.in('r').map(({ id }) => id);

  test('stand in the order in which they began, however often they are heard of', () => {
    const typing = new OthersTyping(() => {});
    for (const id of ['2', '3', '2']) heard(typing, id);
    expect(ids(typing)).toEqual(['2', '3']);
  });

  test('go 6 s after the last that was heard of them, and at once when they stop', () => {
    const changed = vi.fn();
    const typing = new OthersTyping(changed);
    for (const id of ['2', '3', '4']) heard(typing, id);
    vi.advanceTimersByTime(4000);
    heard(typing, '2');
    heard(typing, '4', false);
    expect(ids(typing)).toEqual(['2', '3']);
    changed.mockClear();
    vi.advanceTimersByTime(2000);
    expect(ids(typing)).toEqual(['2']);
    expect(changed).toHaveBeenCalledOnce();
    vi.advanceTimersByTime(4000);
    expect(ids(typing)).toEqual([]);
  });
});

describe('oneself', () => {
  function start() {
    const told: [room: string, typing: boolean][] = [];
    const connection = {
      state: { kind: 'ready' },
      request: async (_: string, { room, typing }: { room: string; typing: boolean }) =>
        void told.push([room, typing]),
    };
    return { told, typing: new OwnTyping(connection as unknown as Connection) };
  }

  test('is sent every 3 s at most, and withdrawn 5 s after the last letter', () => {
    const { told, typing } = start();
    for (let tenths = 0; tenths < 70; tenths++) {
      typing.typed('r');
      vi.advanceTimersByTime(100);
    }
    expect(told).toEqual([
      ['r', true],
      ['r', true],
      ['r', true],
    ]);
    vi.advanceTimersByTime(4800);
    expect(told).toHaveLength(3);
    vi.advanceTimersByTime(200);
    expect(told.slice(3)).toEqual([['r', false]]);
    vi.advanceTimersByTime(60_000);
    expect(told).toHaveLength(4);
  });

  test('is taken back once, when it is sent or the room is another', () => {
    const { told, typing } = start();
    typing.typed('a');
    typing.typed('b');
    typing.stop();
    typing.stop();
    expect(told).toEqual([
      ['a', true],
      ['a', false],
      ['b', true],
      ['b', false],
    ]);
  });

  test('is not sent for a closed connection', () => {
    const { told, typing } = start();
    typing.typed('r');
    typing.forget();
    vi.advanceTimersByTime(60_000);
    typing.stop();
    expect(told).toEqual([['r', true]]);
  });
});
