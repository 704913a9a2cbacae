import { expect, test } from 'vitest';
import type { Room } from '../../client/src/store/room.ts';
import type { Context } from '../../client/src/views/context.ts';
import { SeenLine } from '../../client/src/views/messages/seen-line.tsx';
import type { Message } from '../../server/wire/events.ts';

test('requests the read receipts of all rooms again after a block, dropping older responses', async () => {
  const ids = ['current', 'other', 'slow'];
  const rooms = new Map(
    ids.map((id) => {
      const summary = { member: true, seen: 'on', kind: 'private', members: 3 };
      return [id, { id, joined: true, summary } as unknown as Room];
    }),
  );
  const requests: { room: string; answer(): Promise<void> }[] = [];
  const request = (_: string, { room }: { room: string }) => {
    const { promise, resolve } = Promise.withResolvers<unknown>();
    requests.push({
      room,
      answer: async () => {
        resolve({ users: [{ id: '2', name: 'Bob' }], total: 2 });
        await promise;
      },
    });
    return promise;
  };
  const chat = { rooms, can: { seen: true }, current: rooms.get('current'), request };
  const lines = new SeenLine({ chat, changed: () => {} } as unknown as Context);
  const shown = () => ids.filter((room) => lines.of({ room, seq: 1 } as Message) !== undefined);
  expect(shown()).toEqual([]);
  await requests[0]?.answer();
  await requests[1]?.answer();
  expect(shown()).toEqual(['current', 'other']);
  lines.blocked();
  expect(shown()).toEqual([]);
  await requests[2]?.answer();
  expect(shown()).toEqual([]);
  expect(requests.map(({ room }) => room)).toEqual([...ids, ...ids]);
  for (const { answer } of requests.slice(3)) await answer();
  expect(shown()).toEqual(ids);
});
