import { expect, onTestFinished, test } from 'vitest';
import type { Room } from '../../../server/chat/model.ts';
import type { Order, OrderAnswer, OtherServers } from '../../../server/chat/other-servers.ts';
import { join } from '../../../server/chat/rooms.ts';
import { lookUp } from '../../../server/chat/site.ts';
import { Servers } from '../../../server/cluster/servers.ts';
import { methods, sources } from '../../../server/history/history.ts';
import { RequestError } from '../../../server/wire/errors.ts';
import type { EventPayload, User } from '../../../server/wire/events.ts';
import { openChatOver } from '../../helpers/chat-over-history.ts';
import { carryOutErasures } from '../../helpers/erasures.ts';

/** Other servers that say nothing by themselves. */
const silent: Omit<OtherServers, 'isConnected' | 'orderOthers'> = {
  own: { name: 'here', run: { version: '1.0.0', since: 0 } },
  states: () => [],
  presentIn: () => new Map(),
  seenChanged() {},
  typing() {},
};

test('a server that cannot tell the others closes, pushes and counts here, and says whether to try again', async () => {
  const ignore = () => {};
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
      others = new Servers({
        self: 'other',
        version: '1.0.0',
        history,
        onSilence: ignore,
        onSameName: ignore,
        onFailure: ignore,
      });
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
  await chat.directory.connect('c1', { id: '7', name: 'Ann', roles: [], rooms: [] });
  pushed.length = 0;

  expect(await lookUp(chat, '7')).toMatchObject({ connections: 1 });
  const order = { is: 'push', name: 'order', data: 4711 } as const;
  expect(await chat.everywhere('7', order)).toBe(1);
  expect(pushed).toEqual([[['c1'], 'push', { name: 'order', data: 4711 }]]);
  // Nobody has got it, so the site may push it again.
  await expect(chat.everywhere('8', order)).rejects.toMatchObject({ code: 'storage_unavailable' });
  await expect(chat.everywhere('7', { is: 'kick' })).rejects.toMatchObject({ code: 'storage_unavailable' });
  expect(kicked).toEqual(['7']);
  expect([...(chat.directory.person('7')?.connections ?? [])].map((one) => one.ended)).toEqual([true]);
});

test('a user who loses a room while the other servers are asked whether it is shown there gets no mention', async () => {
  const ignore = () => {};
  const told: string[] = [];
  const toldCat: string[] = [];
  const asked: ((answer: OrderAnswer) => void)[] = [];
  const { chat, history, close } = await openChatOver(
    () => ({}),
    () => ({
      publisher: {
        toRoom: ignore,
        toConnections: (ids: readonly string[], event: string) => {
          if (ids.includes('c7')) told.push(event);
          if (ids.includes('c9')) toldCat.push(event);
        },
        join: ignore,
        leave: ignore,
      },
      others: {
        ...silent,
        isConnected: () => true,
        orderOthers: () => new Promise<OrderAnswer>((resolve) => asked.push(resolve)),
      },
    }),
  );
  onTestFinished(close);
  const [ann, ben] = [
    { id: '7', name: 'Ann' },
    { id: '8', name: 'Ben' },
  ];
  await chat.directory.connect('c7', { ...ann, roles: [], rooms: [] });
  await chat.directory.connect('c9', { id: '9', name: 'Cat', roles: [], rooms: [] });
  const [room, at] = ['u-den', Date.now()];
  const make = { id: room, kind: 'private', name: 'Den', by: ben, clientId: 'den', most: 0, at } as const;
  await history.write.createRoom(make);
  const add = { room, users: [{ id: ann.id }, { id: '9' }], source: 'people', mayReturn: true, at } as const;
  await history.write.addMembers(add);
  const mention = async (clientId: string) => {
    told.length = 0;
    toldCat.length = 0;
    const mentions = [ann.id, '9'].map((user, start) => ({ user, start, length: 1 }));
    await history.write.send({
      room,
      clientId,
      user: ben,
      text: 'xx',
      mentions,
      sentAt: at,
      asMember: true,
    });
    return asked.pop() as (answer: OrderAnswer) => void;
  };
  (await mention('one'))({ count: 0 });
  await expect.poll(() => told).toContain('mention');
  const answer = await mention('two');
  const how = { sources: sources.people, by: 'people', cause: 'removed', at } as const;
  await history.write.removeMembers({ room, users: [ann.id], ...how });
  answer({ count: 0 });
  await expect.poll(() => toldCat).toContain('mention');
  expect(told).toContain('room:removed');
  expect(told).not.toContain('mention');
});

test.each(['answer', 'fail to'] as const)(
  'a message that changes before the other servers %s is not told as it was',
  async (how) => {
    const ignore = () => {};
    const told: string[] = [];
    const asked: (() => void)[] = [];
    const { chat, history, close } = await openChatOver(
      () => ({}),
      () => ({
        publisher: {
          toRoom: ignore,
          toConnections: (ids: readonly string[], event: string, payload: unknown) => {
            if (event === 'mention' && ids.length > 0)
              told.push((payload as EventPayload<'mention'>).message.text);
          },
          join: ignore,
          leave: ignore,
        },
        others: {
          ...silent,
          isConnected: () => true,
          orderOthers: () =>
            new Promise<OrderAnswer>((resolve, reject) =>
              asked.push(() => (how === 'answer' ? resolve({ count: 0 }) : reject(new Error('no answer')))),
            ),
        },
      }),
    );
    onTestFinished(close);
    const [ann, ben, cat] = ['Ann', 'Ben', 'Cat'].map((name) => ({ id: name.toLowerCase(), name })) as [
      User,
      User,
      User,
    ];
    await chat.directory.connect('c7', { ...ann, roles: [], rooms: [] });
    const [room, at] = ['u-den', Date.now()];
    const make = { id: room, kind: 'private', name: 'Den', by: ben, clientId: 'den', most: 0, at } as const;
    await history.write.createRoom(make);
    const users = [{ id: ann.id }, { id: cat.id }];
    await history.write.addMembers({ room, users, source: 'people', mayReturn: true, at });
    const mentions = [{ user: ann.id, start: 0, length: 1 }];
    const send = async (user: User, text: string, over: { mentions?: typeof mentions; replyTo?: number }) => {
      const message = { room, clientId: text, user, text, sentAt: at, asMember: true, ...over };
      return (await history.write.send(message)).message.seq;
    };
    const edit = (seq: number, text: string, named: typeof mentions) =>
      history.write.edit({ room, seq, user: ben.id, text, mentions: named, at });
    const [deleted, unnamed] = [
      await send(ben, 'deleted', { mentions }),
      await send(ben, 'unnamed', { mentions }),
    ];
    await send(cat, 'erased', { mentions });
    const edited = await send(ben, 'edited', { mentions });
    expect(asked).toHaveLength(4);
    await history.write.delete({ room, seq: deleted, user: ben.id, moderator: false, at });
    await edit(unnamed, 'secret', []);
    await edit(edited, 'as it is now', mentions);
    await history.write.erase({ user: cat.id, messages: 'delete', at });
    await carryOutErasures(history);
    for (const one of asked) one();
    await expect.poll(() => told).toEqual(['as it is now']);
  },
);

test('the other servers are asked once about all users whom a message concerns', async () => {
  const ignore = () => {};
  const told: (readonly string[])[] = [];
  const asked: Order[] = [];
  const { chat, history, close } = await openChatOver(
    () => ({}),
    () => ({
      publisher: {
        toRoom: ignore,
        toConnections: (ids: readonly string[], event: string) => {
          if (event === 'mention' && ids.length > 0) told.push(ids);
        },
        join: ignore,
        leave: ignore,
      },
      others: {
        ...silent,
        isConnected: (user) => user !== '1',
        async orderOthers(_, order) {
          asked.push(order);
          return { count: 2, joined: ['3', '20'] };
        },
      },
    }),
  );
  onTestFinished(close);
  const users = Array.from({ length: 20 }, (_, n) => `${n + 1}`);
  for (const id of users) await chat.directory.connect(`c${id}`, { id, name: id, roles: [], rooms: [] });
  const [room, at, ben] = ['u-den', Date.now(), { id: 'ben', name: 'Ben' }];
  const make = { id: room, kind: 'private', name: 'Den', by: ben, clientId: 'den', most: 0, at } as const;
  await history.write.createRoom(make);
  const add = { room, users: users.map((id) => ({ id })), source: 'people', mayReturn: true, at } as const;
  await history.write.addMembers(add);
  await history.write.send({
    room,
    clientId: 'one',
    user: ben,
    text: 'x'.repeat(20),
    mentions: users.map((user, start) => ({ user, start, length: 1 })),
    sentAt: at,
    asMember: true,
  });
  const elsewhere = users.slice(1);
  await expect
    .poll(() => told)
    .toEqual([['c1'], elsewhere.filter((id) => id !== '3' && id !== '20').map((id) => `c${id}`)]);
  expect(asked).toEqual([{ is: 'joined', room, users: elsewhere }]);
});

test('a server says which of the users have joined a room, counts for one of an earlier version, and pushes nothing of a lost room', async () => {
  const { chat, close } = await openChatOver(
    () => ({}),
    () => ({ rooms: [{ name: 'lobby' }] }),
  );
  onTestFinished(close);
  const { directory, here } = chat;
  const connect = (id: string) => directory.connect(`c${id}`, { id, name: id, roles: [], rooms: [] });
  await join(chat, await connect('7'), directory.room('lobby') as Room, { room: 'lobby' });
  await connect('8');
  const order = { is: 'joined', room: 'lobby' } as const;
  expect(await here.obey('', { ...order, users: ['7', '8', '9'] })).toEqual({ count: 1, joined: ['7'] });
  const counts = await Promise.all(['7', '8'].map((user) => here.obey(user, order)));
  expect(counts).toMatchObject([{ count: 1 }, { count: 0 }]);
  // A push that says something of a room reaches nobody who has lost it meanwhile.
  const push = { is: 'push', name: 'deleted' } as const;
  const rooms = ['lobby', 'den', undefined].map((room) => ({ ...push, ...(room && { room }) }));
  const reached = await Promise.all(rooms.map((one) => here.obey('7', one)));
  expect(reached.map(({ count }) => count)).toEqual([1, 0, 1]);
});
