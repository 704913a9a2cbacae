import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import type { History, Reads } from '../../../server/history/history.ts';
import { openSqliteHistory } from '../../../server/history/sqlite/sqlite.ts';
import { Notifier } from '../../../server/notify/notifier.ts';
import { unreadOf } from '../../../server/notify/unread.ts';
import { emptyHistory } from '../../helpers/chat-server.ts';

const ann = { id: 'ann', name: 'Ann' };
const room = { by: ann, most: 0, at: 1 };
const hour = 60 * 60_000;
let folder: Awaited<ReturnType<typeof emptyHistory>>;
let history: History;
beforeAll(async () => {
  folder = await emptyHistory();
  history = await openSqliteHistory({
    path: folder.path,
    onFailure: (error) => {
      throw error;
    },
  });
  await history.write.arrive({ user: ann, at: 1 });
  await history.write.createRoom({ ...room, id: 'hall', kind: 'public', name: 'Hall', clientId: 'h' });
});
afterAll(async () => {
  await history.close();
  folder.remove();
});

/** Lets Ann mention a user who is not a member of the hall, `ago` milliseconds ago. @returns the time of the message */
async function named(user: string, ago: number): Promise<number> {
  const sentAt = Date.now() - ago;
  const mentions = [{ user, start: 0, length: 1 }];
  await history.write.send({
    room: 'hall',
    clientId: `${user} ${ago}`,
    user: ann,
    text: 'x',
    mentions,
    sentAt,
    asMember: false,
  });
  return sentAt;
}

const unread = async (user: string, notified: number[] = []) => {
  const found = await unreadOf(
    history,
    { banOf: () => null } as unknown as Parameters<typeof unreadOf>[1],
    user,
    { notified: notified.map((at) => ({ room: 'hall', at })) },
  );
  return found?.rooms.map(({ unread, mentions, since }) => ({ unread, mentions, since }));
};

test('returns nothing for a user whom another server has just banned', async () => {
  await history.write.arrive({ user: { id: 'eve', name: 'Eve' }, at: 1 });
  await named('eve', hour);
  expect(await unread('eve')).toHaveLength(1);
  let ban: object | null = null;
  const directory = { banOf: () => ban } as unknown as Parameters<typeof unreadOf>[1];
  const read = Object.assign(Object.create(history.read) as History['read'], {
    async user(input: Reads['user']['in']) {
      const user = await history.read.user(input);
      ban = {};
      return user;
    },
  });
  expect(await unreadOf({ read }, directory, 'eve', { notified: [] })).toBeUndefined();
});

test('omits a room that the user has not joined unless it has a mention since the last notification', async () => {
  await history.write.arrive({ user: { id: 'ben', name: 'Ben' }, at: 1 });
  const first = await named('ben', 5 * hour);
  expect(await unread('ben')).toEqual([{ unread: 1, mentions: 1, since: first }]);
  expect(await unread('ben', [first - 1])).toHaveLength(1);
  expect(await unread('ben', [first])).toEqual([]);
  const second = await named('ben', hour);
  expect(await unread('ben', [first])).toEqual([{ unread: 2, mentions: 2, since: first }]);
  expect(await unread('ben', [second + 1])).toEqual([]);
});

test('ignores mentions older than three days outside the user’s rooms', async () => {
  await history.write.arrive({ user: { id: 'cat', name: 'Cat' }, at: 1 });
  await named('cat', 73 * hour);
  expect(await unread('cat')).toEqual([]);
  const at = await named('cat', 71 * hour);
  expect(await unread('cat')).toEqual([{ unread: 1, mentions: 1, since: at }]);
});

test('leaves out all rooms of a guest but questions', async () => {
  const id = `g-${'0'.repeat(32)}`;
  await history.write.arrive({ user: { id, name: 'Guest Ida' }, at: 1 });
  await named(id, hour);
  expect(await unread(id)).toEqual([]);
});

test('returns nothing for a user who has never connected', async () => {
  await history.write.createRoom({ ...room, id: 'den', kind: 'private', name: 'Den', clientId: 'd' });
  const at = Date.now() - hour;
  const users = [{ id: 'dan', name: 'Dan' }];
  await history.write.addMembers({ room: 'den', users, source: 'people', mayReturn: false, at });
  const sentAt = await named('dan', hour);
  const message = { room: 'den', clientId: 'in the den', user: ann, text: 'x', asMember: true };
  await history.write.send({ ...message, sentAt });
  expect(await unread('dan')).toBeUndefined();
  await history.write.arrive({ user: { id: 'dan', name: 'Dan' }, at: 1 });
  expect(await unread('dan')).toHaveLength(2);
});

test('counts at most 100 messages and mentions of a room', async () => {
  await history.write.arrive({ user: { id: 'flo', name: 'Flo' }, at: 1 });
  const since = await named('flo', 2 * hour);
  for (let n = 0; n < 100; n++) await named('flo', hour - n);
  expect(await unread('flo')).toEqual([{ unread: 100, mentions: 100, since }]);
});

test('finds a mention after more than 100 messages that do not count', async () => {
  const [hal, ida] = [
    { id: 'hal', name: 'Hal' },
    { id: 'ida', name: 'Ida' },
  ];
  for (const user of [hal, ida]) await history.write.arrive({ user, at: 1 });
  await history.write.block({ user: 'hal', other: 'ida', blocked: true, at: 1 });
  const send = (of: string, user: typeof ann, n: number, mentions: readonly string[] = []) =>
    history.write.send({
      ...{ room: of, clientId: `${n}`, user, text: 'x', sentAt: Date.now() - hour, asMember: true },
      mentions: mentions.map((id) => ({ user: id, start: 0, length: 1 })),
    });
  const many = Array.from({ length: 101 }, (_, n) => n);
  const write: Record<string, (of: string) => Promise<unknown>> = {
    blocked: (of) => Promise.all(many.map((n) => send(of, ida, n))),
    deleted: (of) =>
      Promise.all(
        many.map(async (n) => {
          const { seq } = (await send(of, ann, n)).message;
          await history.write.delete({ room: of, seq, user: 'ann', moderator: false, at: 1 });
        }),
      ),
    unread: (of) => Promise.all(many.map((n) => send(of, ann, n))),
    named: async (of) => {
      await Promise.all(many.map((n) => send(of, ann, n, ['hal'])));
      await history.write.setPreferences({ room: of, user: 'hal', set: { notify: 'mentions' } });
    },
  };
  for (const [of, before] of Object.entries(write)) {
    await history.write.createRoom({ ...room, id: of, kind: 'private', name: of, clientId: of });
    const users = [{ id: 'hal' }, { id: 'ida' }];
    await history.write.addMembers({ room: of, users, source: 'people', mayReturn: false, at: 1 });
    await before(of);
    await send(of, ann, 101, ['hal']);
  }
  const directory = { banOf: () => null } as unknown as Parameters<typeof unreadOf>[1];
  const found = await unreadOf(history, directory, 'hal', { notified: [] });
  const one = { unread: 1, mentions: 1, newest: 102 };
  expect(
    Object.fromEntries(
      (found?.rooms ?? []).map(({ room, unread, mentions, newest }) => [room, { unread, mentions, newest }]),
    ),
  ).toEqual({
    blocked: one,
    deleted: one,
    unread: { ...one, unread: 100 },
    named: { unread: 100, mentions: 100, newest: 102 },
  });
});

test('omits a room that the user loses during the read', async () => {
  await history.write.arrive({ user: { id: 'gus', name: 'Gus' }, at: 1 });
  await history.write.createRoom({ ...room, id: 'nook', kind: 'private', name: 'Nook', clientId: 'n' });
  const users = [{ id: 'gus', name: 'Gus' }];
  const add = { room: 'nook', users, source: 'people', mayReturn: true, at: 1 } as const;
  const message = { room: 'nook', clientId: 'nook', user: ann, text: 'x', asMember: true };
  for (const notify of ['all', 'mentions'] as const) {
    await history.write.addMembers(add);
    const mentions = [{ user: 'gus', start: 0, length: 1 }];
    const sent = await history.write.send({
      ...message,
      clientId: notify,
      mentions,
      sentAt: Date.now() - hour,
    });
    await history.write.setPreferences({ room: 'nook', user: 'gus', set: { notify } });
    expect(await unread('gus')).toHaveLength(1);
    const read = Object.assign(Object.create(history.read) as History['read'], {
      async messages(input: Reads['messages']['in']) {
        const how = { sources: 4, by: 'people', cause: 'removed', at: 1 } as const;
        await history.write.removeMembers({ room: 'nook', users: ['gus'], ...how });
        const { seq } = sent.message;
        await history.write.edit({ room: 'nook', seq, user: 'ann', text: 'the code is quincunx', at: 1 });
        return history.read.messages(input);
      },
    });
    const directory = { banOf: () => null } as unknown as Parameters<typeof unreadOf>[1];
    const found = await unreadOf({ read }, directory, 'gus', {
      ...{ notified: [], messagesOf: ['nook'] },
    });
    expect(found?.rooms).toEqual([]);
  }
});

test('contains no message that is deleted during the read', async () => {
  await history.write.arrive({ user: { id: 'kim', name: 'Kim' }, at: 1 });
  await history.write.createRoom({ ...room, id: 'barn', kind: 'private', name: 'Barn', clientId: 'b' });
  const users = [{ id: 'kim' }];
  await history.write.addMembers({ room: 'barn', users, source: 'people', mayReturn: false, at: 1 });
  const said = { room: 'barn', user: ann, text: 'x', asMember: true, sentAt: Date.now() - hour };
  for (const clientId of ['1', '2', '3']) await history.write.send({ ...said, clientId });
  const read = Object.assign(Object.create(history.read) as History['read'], {
    async messages(input: Reads['messages']['in']) {
      for (const seq of [1, 3])
        await history.write.delete({ room: 'barn', seq, user: 'ann', moderator: false, at: 1 });
      return history.read.messages(input);
    },
  });
  const directory = { banOf: () => null } as unknown as Parameters<typeof unreadOf>[1];
  const found = await unreadOf({ read }, directory, 'kim', { notified: [], messagesOf: ['barn'] });
  expect(found?.rooms).toMatchObject([{ room: 'barn', newest: 3, messages: [{ seq: 2 }] }]);
  expect(found?.rooms[0]).not.toHaveProperty('last', expect.anything());
});

test('omits a private room that replaces a public room of the same ID during the read', async () => {
  await history.write.arrive({ user: { id: 'jan', name: 'Jan' }, at: 1 });
  const made = { ...room, id: 'loft', name: 'Loft' } as const;
  const sent = { room: 'loft', user: ann, asMember: true, sentAt: Date.now() - hour };
  const mentions = [{ user: 'jan', start: 0, length: 1 }];
  await history.write.createRoom({ ...made, kind: 'public', clientId: 'public' });
  await history.write.send({ ...sent, clientId: 'public', text: 'x', mentions });
  const directory = { banOf: () => null } as unknown as Parameters<typeof unreadOf>[1];
  const options = { notified: [], messagesOf: ['loft'] };
  expect((await unreadOf(history, directory, 'jan', options))?.rooms).toHaveLength(1);
  const read = Object.assign(Object.create(history.read) as History['read'], {
    async messages(input: Reads['messages']['in']) {
      await history.write.deleteRoom({ room: 'loft' });
      await history.write.createRoom({ ...made, kind: 'private', clientId: 'private', at: 2 });
      await history.write.send({ ...sent, clientId: 'private', text: 'the code is quincunx' });
      return history.read.messages(input);
    },
  });
  const found = await unreadOf({ read }, directory, 'jan', options);
  expect(found?.rooms).toEqual([]);
});

test('searches for mentions only in the room that a non-member opens', async () => {
  await history.write.arrive({ user: { id: 'lea', name: 'Lea' }, at: 1 });
  await named('lea', hour);
  await history.write.createRoom({ ...room, id: 'yard', kind: 'public', name: 'Yard', clientId: 'y' });
  const said = { room: 'yard', clientId: 'y', user: ann, text: 'x', asMember: true };
  await history.write.send({ ...said, sentAt: Date.now() });
  let all = 0;
  const read = Object.assign(Object.create(history.read) as History['read'], {
    namedOutside(input: Reads['namedOutside']['in']) {
      all++;
      return history.read.namedOutside(input);
    },
  });
  const unexpected = () => expect.unreachable();
  const notifier = new Notifier({
    ...{
      history: { ...history, read },
      defaults: { after: 0, zone: 'UTC', newMembers: true },
      events: false,
    },
    reachesNewMembers: true,
    ...{ onPushes() {}, onEvent() {}, onMail() {}, onQuiet() {}, onFailure: unexpected },
  });
  onTestFinished(() => notifier.close());
  const { lastSeq = 0 } = (await history.read.room({ room: 'hall' })) ?? {};
  await notifier.opened('lea', 'yard', 1);
  expect(await history.read.openedBy({ user: 'lea' })).toEqual([]);
  await notifier.opened('lea', 'hall', lastSeq);
  expect(await history.read.openedBy({ user: 'lea' })).toEqual([{ room: 'hall', readSeq: lastSeq }]);
  expect(all).toBe(0);
});

test('finds an older mention behind a thousand mentions that do not count', async () => {
  const [max, mia] = [
    { id: 'max', name: 'Max' },
    { id: 'mia', name: 'Mia' },
  ];
  for (const user of [max, mia]) await history.write.arrive({ user, at: 1 });
  await history.write.block({ user: 'max', other: 'mia', blocked: true, at: 1 });
  const since = await named('max', 2 * hour);
  const mentions = [{ user: 'max', start: 0, length: 1 }];
  const flood = (of: string, user: typeof ann) =>
    Array.from({ length: 250 }, (_, n) => {
      const said = { room: of, clientId: `${n}`, user, text: 'x', mentions, asMember: false };
      return history.write.send({ ...said, sentAt: Date.now() - hour });
    });
  const by: Record<string, typeof ann> = { banning: ann, blocking: mia, own: max, unwanted: ann };
  for (const [of, user] of Object.entries(by)) {
    await history.write.createRoom({ ...room, id: of, kind: 'public', name: of, clientId: of });
    if (of === 'unwanted') {
      await history.write.join({ room: of, user: max, at: 1 });
      await history.write.setPreferences({ room: of, user: 'max', set: { notify: 'none' } });
      const how = { sources: 7, by: 'people', cause: 'left', at: 1 } as const;
      await history.write.removeMembers({ room: of, users: ['max'], ...how });
    }
    await Promise.all(flood(of, user));
  }
  const ban = { room: 'banning', user: 'max', kind: 'banned', at: 1 } as const;
  await history.write.restrict({ ...ban, restriction: { by: 'ann' } });
  expect(await unread('max')).toEqual([{ unread: 1, mentions: 1, since }]);
});
