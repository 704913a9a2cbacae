import { expect, test } from 'vitest';
import { Tasks } from '../../client/src/connection/tasks.ts';
import type { Entry } from '../../client/src/store/entries.ts';
import type { Room } from '../../client/src/store/room.ts';
import type { Context } from '../../client/src/views/context.ts';
import { OnHold } from '../../client/src/views/moderation/on-hold.tsx';
import type { Held, Message } from '../../server/wire/events.ts';

const [ann, ben] = [
  { id: '1', name: 'Ann' },
  { id: '2', name: 'Ben' },
];

function held(id: string, at: number, over: Partial<Held> = {}): Held {
  return { id, room: 'lobby', user: ben, clientId: id, why: 'all', text: id, at, ...over };
}

/** An edit of that message. */
function edit(id: string, seq: number): Held {
  const { clientId: _, ...one } = held(id, 99, { seq });
  return one;
}

const message = (seq: number): Entry => ({
  key: `message ${seq}`,
  user: ben,
  text: '',
  sentAt: 10 * seq,
  message: { seq } as Message,
});
const pending: Entry = {
  key: 'pending',
  user: ann,
  text: '',
  sentAt: 1,
  pending: {} as Entry['pending'] & {},
};

function start() {
  const asked: ((answer: { held: Held[]; next?: string }) => Promise<void>)[] = [];
  const request = () => {
    const { promise, resolve } = Promise.withResolvers<{ held: Held[] }>();
    asked.push(async (answer) => {
      resolve(answer);
      // Code that waits for the answer goes on before this does.
      for (let n = 0; n < 4; n++) await promise;
    });
    return promise;
  };
  const timeline = { complete: true, attached: true };
  const summary = { may: ['moderate'] };
  const room = { id: 'lobby', summary, timeline } as unknown as Room;
  const chat = {
    me: ann as typeof ann | undefined,
    rooms: new Map([['lobby', room]]),
    tasks: new Tasks(),
    request,
  };
  const onHold = new OnHold({ chat, changed: () => {} } as unknown as Context);
  const shown = (list: readonly Entry[]) =>
    onHold.among(room, [...list]).map(({ key, waits }) => waits?.id ?? key);
  return { onHold, asked, chat, timeline, summary, shown };
}

test('pending messages appear where they were sent until they are approved', async () => {
  const { onHold, asked, timeline, shown } = start();
  expect(shown([message(1)])).toEqual(['message 1']);
  await asked[0]?.({ held: [edit('edit', 2), held('late', 35), held('early', 5)], next: 'more' });
  await asked[1]?.({ held: [held('middle', 15), edit('unseen', 9), held('own', 15, { user: ann })] });
  expect(shown([message(1), message(2), message(3), pending])).toEqual([
    'early',
    ...['message 1', 'middle', 'message 2', 'edit', 'message 3', 'late'],
    'pending',
  ]);
  timeline.complete = false;
  timeline.attached = false;
  expect(shown([message(1), message(2)])).toEqual(['message 1', 'middle', 'message 2', 'edit']);
  const approved = { ...message(2), key: '2/middle' };
  expect(shown([message(1), approved])).toEqual(['message 1', '2/middle', 'edit']);
  onHold.held({ id: 'middle', room: 'lobby', is: 'approved' });
  expect(shown([message(1), message(2)])).toEqual(['message 1', 'message 2', 'edit']);
  expect(asked).toHaveLength(2);
});

test('what changes while the list is read counts more than the list', async () => {
  const { onHold, asked, shown } = start();
  shown([]);
  onHold.held({ id: 'new', room: 'lobby', is: 'held', held: held('new', 2) });
  onHold.held({ id: 'decided', room: 'lobby', is: 'rejected' });
  await asked[0]?.({ held: [held('decided', 1), held('known', 1)] });
  expect(shown([])).toEqual(['known', 'new']);
});

test('only a logged-in moderator sees pending messages', async () => {
  const { onHold, asked, chat, summary, shown } = start();
  shown([]);
  await asked[0]?.({ held: [held('one', 1)] });
  summary.may = [];
  expect(shown([])).toEqual([]);
  summary.may = ['moderate'];
  shown([]);
  await asked[1]?.({ held: [held('two', 1)] });
  expect(shown([])).toEqual(['two']);
  onHold.silent();
  expect(shown([])).toEqual(['two']);
  chat.me = undefined;
  onHold.silent();
  expect(shown([])).toEqual([]);
});
