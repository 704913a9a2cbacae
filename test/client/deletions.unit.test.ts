import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { Clock } from '../../client/src/connection/clock.ts';
import type { Context } from '../../client/src/views/context.ts';
import { Deletions } from '../../client/src/views/messages/deletions.ts';
import type { Message } from '../../server/wire/events.ts';
import { memoryStorage, storeIn } from './memory-storage.ts';

beforeEach(() => {
  vi.useFakeTimers();
  vi.stubGlobal('document', new EventTarget());
});
afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
});

const undoMs = 6000;

test('a deletion is sent once it cannot be undone any longer, not by an earlier connection', async () => {
  const sent: number[] = [];
  const chat = {
    connection: { state: { kind: 'ready' } },
    clock: new Clock(),
    deleting: new Map(),
    store: storeIn(memoryStorage(), 'server', '1'),
    delete: async ({ seq }: { seq: number }) => void sent.push(seq),
  };
  const strings = { text: (key: string) => key };
  const deletions = new Deletions({ chat, strings, toast() {}, changed() {} } as unknown as Context);
  deletions.begin({ id: 'a', room: 'lobby', seq: 1 } as Message);
  deletions.ready();
  await vi.advanceTimersByTimeAsync(undoMs - 1);
  expect(sent).toEqual([]);
  await vi.advanceTimersByTimeAsync(1);
  expect(sent).toEqual([1]);
  deletions.begin({ id: 'b', room: 'lobby', seq: 2 } as Message);
  chat.connection.state.kind = 'connecting';
  await vi.advanceTimersByTimeAsync(undoMs);
  expect(sent).toEqual([1]);
  chat.connection.state.kind = 'ready';
  deletions.ready();
  expect(sent).toEqual([1, 2]);
});
