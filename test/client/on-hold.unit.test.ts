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

/** A pending edit of this message. */
function edit(id: string, seq: number): Held {
  const { clientId: _, ...withoutClientId } = held(id, 99, { seq });
  return withoutClientId;
}

const message = (seq: number): Entry => ({
  key: `message ${seq}`,
  user: ben,
  text: '',
  sentAt: 10 * seq,
  message: { seq } as Message,
});
const unsent: Entry = {
  key: 'unsent',
  user: ann,
  text: '',
  sentAt: 1,
  unsent: {} as Entry['unsent'] & {},
};

function start() {
  const requests: ((answer: { held: Held[]; next?: string }) => Promise<void>)[] = [];
  const request = () => {
    const { promise, resolve } = Promise.withResolvers<{ held: Held[] }>();
    requests.push(async (answer) => {
      resolve(answer);
      // Code that waits for the response runs first.
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
    onHold.among(room, [...list]).map(({ key, held }) => held?.id ?? key);
  return { onHold, requests, chat, timeline, summary, shown };
}

test('shows pending messages at their time until they are approved', async () => {
  const { onHold, requests, timeline, shown } = start();
  expect(shown([message(1)])).toEqual(['message 1']);
  await requests[0]?.({ held: [edit('edit', 2), held('late', 35), held('early', 5)], next: 'more' });
  await requests[1]?.({ held: [held('middle', 15), edit('unseen', 9), held('own', 15, { user: ann })] });
  expect(shown([message(1), message(2), message(3), unsent])).toEqual([
    'early',
    ...['message 1', 'middle', 'message 2', 'edit', 'message 3', 'late'],
    'unsent',
  ]);
  timeline.complete = false;
  timeline.attached = false;
  expect(shown([message(1), message(2)])).toEqual(['message 1', 'middle', 'message 2', 'edit']);
  const approved = { ...message(2), key: '2/middle' };
  expect(shown([message(1), approved])).toEqual(['message 1', '2/middle', 'edit']);
  onHold.held({ id: 'middle', room: 'lobby', is: 'approved' });
  expect(shown([message(1), message(2)])).toEqual(['message 1', 'message 2', 'edit']);
  expect(requests).toHaveLength(2);
});

test('keeps changes received while the list is loading', async () => {
  const { onHold, requests, shown } = start();
  shown([]);
  onHold.held({ id: 'new', room: 'lobby', is: 'held', held: held('new', 2) });
  onHold.held({ id: 'decided', room: 'lobby', is: 'rejected' });
  await requests[0]?.({ held: [held('decided', 1), held('known', 1)] });
  expect(shown([])).toEqual(['known', 'new']);
});

test('shows pending messages only to a logged-in moderator', async () => {
  const { onHold, requests, chat, summary, shown } = start();
  shown([]);
  await requests[0]?.({ held: [held('one', 1)] });
  summary.may = [];
  expect(shown([])).toEqual([]);
  summary.may = ['moderate'];
  shown([]);
  await requests[1]?.({ held: [held('two', 1)] });
  expect(shown([])).toEqual(['two']);
  onHold.silent();
  expect(shown([])).toEqual(['two']);
  chat.me = undefined;
  onHold.silent();
  expect(shown([])).toEqual([]);
});
