import { expect, onTestFinished, test } from 'vitest';
import { connectUser } from '../../../server/chat/connected-users.ts';
import type { Room } from '../../../server/chat/model.ts';
import type { OrderAnswer, OtherServers } from '../../../server/chat/other-servers.ts';
import { join } from '../../../server/chat/rooms.ts';
import { lookUp } from '../../../server/chat/site.ts';
import { Servers } from '../../../server/cluster/servers.ts';
import { methods } from '../../../server/history/history.ts';
import { RequestError } from '../../../server/wire/errors.ts';
import type { EventPayload } from '../../../server/wire/events.ts';
import { openChatOver } from '../../helpers/chat-over-history.ts';
import { carryOutErasures } from '../../helpers/erasures.ts';
import { nameOf, roomsOf } from '../../helpers/rooms-of.ts';

const ignore = () => {};
interface SentEvent {
  ids: readonly string[];
  event: string;
  payload: unknown;
}

/** Opens a chat next to other servers that send nothing themselves, and records what its connections receive. */
async function openWithOthers(others: Pick<OtherServers, 'isConnected' | 'orderOthers'>) {
  const sent: SentEvent[] = [];
  const { chat, history, close } = await openChatOver(
    () => ({}),
    () => ({
      publisher: {
        toRoom: ignore,
        toConnections: (ids, event, payload) => void sent.push({ ids, event, payload }),
        join: ignore,
        leave: ignore,
      },
      others: {
        own: { name: 'here', run: { version: '1.0.0', since: 0 } },
        states: () => [],
        presentIn: () => new Map(),
        seenChanged() {},
        typing() {},
        reads() {},
        ...others,
      },
    }),
  );
  onTestFinished(close);
  const connect = (id: string) => connectUser(chat, `c${id}`, { ...nameOf(id), roles: [], rooms: [] });
  const mentions = () => sent.filter(({ event, ids }) => event === 'mention' && ids.length > 0);
  return { chat, history, sent, mentions, connect, ...roomsOf(history) };
}
const room = 'u-den';
const named = (...users: string[]) => users.map((user, start) => ({ user, start, length: 1 }));

test('runs commands locally if the other servers are unreachable', async () => {
  const kicked: string[] = [];
  const pushed: unknown[] = [];
  let others: Servers | undefined;
  const { chat, close } = await openChatOver(
    (stored) => ({
      // Like a database that can be read, but not written.
      write: methods((op, input, asker) =>
        op === 'broadcast'
          ? Promise.reject(new RequestError('storage_unavailable'))
          : stored.write[op](input, asker),
      ),
    }),
    (history) => {
      const on = { onSilence: ignore, onSameName: ignore, onFailure: ignore };
      others = new Servers({ self: 'other', version: '1.0.0', history, ...on });
      return {
        publisher: {
          toRoom: ignore,
          toConnections: (...what) => pushed.push(what),
          join: ignore,
          leave: ignore,
        },
        kick: async (user) => void kicked.push(user),
        others,
      };
    },
  );
  onTestFinished(async () => {
    await others?.close();
    await close();
  });
  others?.open(chat.here);
  await connectUser(chat, 'c1', { id: '7', name: 'Ann', roles: [], rooms: [] });
  pushed.length = 0;

  expect(await lookUp(chat, '7')).toMatchObject({ connections: 1 });
  const order = { is: 'push', name: 'order', data: 4711 } as const;
  expect(await chat.everywhere('7', order)).toBe(1);
  expect(pushed).toEqual([[['c1'], 'push', { name: 'order', data: 4711 }]]);
  // No connection received the push, so the site may retry it.
  await expect(chat.everywhere('8', order)).rejects.toMatchObject({ code: 'storage_unavailable' });
  await expect(chat.everywhere('7', { is: 'kick' })).rejects.toMatchObject({ code: 'storage_unavailable' });
  expect(kicked).toEqual(['7']);
  expect([...(chat.directory.person('7')?.connections ?? [])].map((connection) => connection.ended)).toEqual([
    true,
  ]);
});

test('withholds a mention from a user who loses the room while other servers answer', async () => {
  const pending: ((answer: OrderAnswer) => void)[] = [];
  const { sent, connect, den, say, remove } = await openWithOthers({
    isConnected: () => true,
    orderOthers: () => new Promise<OrderAnswer>((resolve) => pending.push(resolve)),
  });
  for (const id of ['ann', 'cat']) await connect(id);
  await den(room, ['ben', 'ann', 'cat']);
  const mention = async () => {
    sent.length = 0;
    await say(room, 'ben', 'xx', { mentions: named('ann', 'cat') });
    return pending.pop() as (answer: OrderAnswer) => void;
  };
  const heardBy = (id: string) => sent.filter(({ ids }) => ids.includes(`c${id}`)).map(({ event }) => event);
  (await mention())({ count: 0 });
  await expect.poll(() => heardBy('ann')).toContain('mention');
  const answer = await mention();
  await remove(room, 'ann');
  answer({ count: 0 });
  await expect.poll(() => heardBy('cat')).toContain('mention');
  expect(heardBy('ann')).toContain('room:removed');
  expect(heardBy('ann')).not.toContain('mention');
});

test.each(['answer', 'fail'] as const)(
  'sends mentions only with the current text if a message changes before other servers %s',
  async (how) => {
    const pending: (() => void)[] = [];
    const { history, mentions, connect, den, say } = await openWithOthers({
      isConnected: () => true,
      orderOthers: () =>
        new Promise<OrderAnswer>((resolve, reject) =>
          pending.push(() => (how === 'answer' ? resolve({ count: 0 }) : reject(new Error('no answer')))),
        ),
    });
    await connect('ann');
    await den(room, ['ben', 'ann', 'cat']);
    const [at, ofAnn] = [Date.now(), { mentions: named('ann') }];
    const edit = (seq: number, text: string, over: object) =>
      history.write.edit({ room, seq, user: 'ben', text, mentions: [], at, ...over });
    const [deleted, unnamed] = [
      await say(room, 'ben', 'deleted', ofAnn),
      await say(room, 'ben', 'unnamed', ofAnn),
    ];
    await say(room, 'cat', 'erased', ofAnn);
    const edited = await say(room, 'ben', 'edited', ofAnn);
    expect(pending).toHaveLength(4);
    await history.write.delete({ room, seq: deleted, user: 'ben', moderator: false, at });
    await edit(unnamed, 'secret', {});
    await edit(edited, 'as it is now', ofAnn);
    await history.write.erase({ user: 'cat', messages: 'delete', at });
    await carryOutErasures(history);
    for (const answer of pending) answer();
    const texts = () => mentions().map(({ payload }) => (payload as EventPayload<'mention'>).message.text);
    await expect.poll(texts).toEqual(['as it is now']);
  },
);

test('tells other servers which users joined a room, also in the earlier format', async () => {
  const { chat, close } = await openChatOver(
    () => ({}),
    () => ({ rooms: [{ name: 'lobby' }] }),
  );
  onTestFinished(close);
  const { directory, here } = chat;
  const connect = (id: string) => connectUser(chat, `c${id}`, { id, name: id, roles: [], rooms: [] });
  await join(chat, await connect('7'), directory.room('lobby') as Room, { room: 'lobby' });
  await connect('8');
  const order = { is: 'joined', room: 'lobby' } as const;
  expect(await here.obey('', { ...order, users: ['7', '8', '9'] })).toEqual({ count: 1, joined: ['7'] });
  const counts = await Promise.all(['7', '8'].map((user) => here.obey(user, order)));
  expect(counts).toMatchObject([{ count: 1 }, { count: 0 }]);
  // A push about a room does not reach users who lost the room.
  const push = { is: 'push', name: 'deleted' } as const;
  const rooms = ['lobby', 'den', undefined].map((room) => ({ ...push, room: room || undefined }));
  const reached = await Promise.all(rooms.map((order) => here.obey('7', order)));
  expect(reached.map(({ count }) => count)).toEqual([1, 0, 1]);
});
