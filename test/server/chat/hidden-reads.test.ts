import { expect, onTestFinished, test } from 'vitest';
import { mayUpload } from '../../../server/chat/messages/files.ts';
import { methods } from '../../../server/history/history.ts';
import type { Answers, RequestName } from '../../../server/wire/events.ts';
import { askedDirectly } from '../../helpers/asked-directly.ts';
import { openChatOver } from '../../helpers/chat-over-history.ts';
import { roomsOf } from '../../helpers/rooms-of.ts';

/** The reads add to the response time, so a difference would reveal who is online. */
test('reads the same data for online and offline users', async () => {
  const reads: string[] = [];
  const { chat, history, close } = await openChatOver((stored) => ({
    read: methods((query, input) => {
      reads.push(query);
      return stored.read[query](input);
    }),
  }));
  onTestFinished(close);
  const connect = askedDirectly(chat);
  const { ask } = await connect('ann');
  await connect('here');
  const room = 'u-den';
  await roomsOf(history).den(room, ['ann', 'here', 'away', 'none']);
  const readsFor = async (event: RequestName, payload: object) => {
    reads.length = 0;
    await ask(event, { room, ...payload } as never);
    return [...reads].sort();
  };
  for (const [event, more] of [
    ['room:role', { role: 'member' }],
    ['room:role', { role: 'owner' }],
    ['room:mute', { seconds: 60 }],
    ['room:mute', { seconds: 0 }],
    ['room:ban', { seconds: 0 }],
    ['user:about', {}],
  ] as const) {
    const [here, away] = [
      await readsFor(event, { user: 'here', ...more }),
      await readsFor(event, { user: 'away', ...more }),
    ];
    expect([event, here]).toEqual([event, away]);
  }
  const uploads = [];
  for (const user of ['here', 'away']) {
    const answer = await ask('direct:open', { user });
    const { id } = (answer.data as Answers['direct:open']).room;
    reads.length = 0;
    await mayUpload(chat, { id: 'ann', name: 'Ann', roles: [], rooms: [] }, id);
    uploads.push([...reads].sort());
  }
  expect(uploads[0]).toEqual(uploads[1]);
});
