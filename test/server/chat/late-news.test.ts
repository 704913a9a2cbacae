import { randomUUID } from 'node:crypto';
import { expect, onTestFinished, test } from 'vitest';
import { connectUser } from '../../../server/chat/connected-users.ts';
import type { openChat } from '../../../server/chat/open-chat.ts';
import { totalsOfUser } from '../../../server/chat/summary.ts';
import { maxPendingOfUser, methods, sources } from '../../../server/history/history.ts';
import { ConcurrencyLimit } from '../../../server/limits/by-key.ts';
import type { Answers, Held } from '../../../server/wire/events.ts';
import { askedDirectly } from '../../helpers/asked-directly.ts';
import { newClientId } from '../../helpers/chat-client.ts';
import { openChatOver } from '../../helpers/chat-over-history.ts';

/** Opens a chat that receives changes of another server only at its own next read or write. */
async function lateChat(over: Partial<Parameters<typeof openChat>[0]> = {}) {
  const late: (() => void)[] = [];
  const other = { writes: false };
  const hear = () => {
    for (const deliver of late.splice(0)) deliver();
  };
  const opened = await openChatOver(
    (stored) => ({
      write: methods(async (op, input, asker) => {
        const answer = await stored.write[op](input, asker);
        if (!other.writes) hear();
        return answer;
      }),
      read: methods(async (query, input) => {
        const answer = await stored.read[query](input);
        if (!other.writes) hear();
        return answer;
      }),
      onChange: (listener) =>
        stored.onChange((change) => {
          if (other.writes) late.push(() => listener(change));
          else listener(change);
        }),
      async current() {
        if (!other.writes) hear();
      },
    }),
    // Reports may still be announced after the test.
    () => ({ onAsideFailure() {}, ...over }),
  );
  onTestFinished(opened.close);
  return { ...opened, other };
}

test('does not serve a user whose site ban arrives late', async () => {
  const { chat, history, other } = await lateChat();
  const ben = { id: 'ben', name: 'Ben', roles: [], rooms: [] };
  const totals = () => totalsOfUser(history, chat.directory, new ConcurrencyLimit(1), ben);
  await connectUser(chat, 'c-1', ben);
  expect(await totals()).toEqual({ unread: 0, mentions: 0 });
  other.writes = true;
  await history.write.setBan({ user: ben.id, ban: {} });
  other.writes = false;
  expect(await totals()).toBeNull();
  other.writes = true;
  await history.write.setBan({ user: 'cat', ban: {} });
  other.writes = false;
  await connectUser(chat, 'c-2', { ...ben, id: 'cat' });
  expect(chat.directory.banOf('cat')).toEqual({});
});

test('hides later changes from a moderator whose removal arrives late', async () => {
  const { chat, history, other } = await lateChat();
  const { ask } = await askedDirectly(chat)('ben');
  const at = Date.now();
  const [ann, cat] = [
    { id: 'ann', name: 'Ann' },
    { id: 'cat', name: 'Cat' },
  ];

  // Ben still moderates another room.
  await ask('room:create', { kind: 'private', name: 'Own', clientId: 'own' });

  /** Creates a room that Ben moderates, with two reports and a pending message. */
  async function make() {
    const clientId = newClientId();
    const made = { kind: 'private', name: 'Den', by: ann, clientId, most: 0, at } as const;
    const { id: room } = (await history.write.createRoom({ id: `u-${clientId}`, ...made })).room;
    const users = ['ben', 'cat', 'dan'].map((user) => ({ id: user }));
    const join = () => history.write.addMembers({ room, users, source: 'people', mayReturn: true, at });
    await join();
    const say = async (text: string, user = ann) => {
      const message = { room, clientId: newClientId(), user, text, sentAt: at, asMember: true };
      return (await history.write.send(message)).message.seq;
    };
    const report = async (seq: number) => {
      await history.write.report({ room, seq, by: 'cat', reason: 'spam', at });
      return (await history.read.reportsOf({ room, seq, limit: 1 }))[0]?.id as string;
    };
    const hold = async (text: string) => {
      const waits = { room, clientId: newClientId(), user: cat, text, sentAt: at, asMember: true };
      const done = await history.write.hold({ ...waits, why: 'all' });
      return 'held' in done ? done.held.id : '';
    };
    const rude = await say('rude');
    const [closed, open] = [await report(rude), await report(await say('spam'))];
    const place = { room, closed, open, waiting: await hold('may I'), own: '', since: 0 };
    /** Another server removes Ben, and then stores messages, an edit and reports in the room. */
    async function remove(n: number) {
      const role = { room, user: 'ben', role: 'moderator', actor: 'ann' } as const;
      await Promise.all([join(), history.write.setRole(role)]);
      await ask('room:join', { room });
      other.writes = true;
      place.own = await report(await say('of Ben', { id: 'ben', name: 'Ben' }));
      const closing = { room, seq: rude, id: closed, others: [], by: 'ann', done: 'nothing', at } as const;
      const removal = { room, sources: 4, by: 'people', cause: 'removed', actor: 'ann', at } as const;
      const [, , , , since] = await Promise.all([
        history.write.closeReport(closing),
        history.write.removeMembers({ ...removal, users: ['ben'] }),
        history.write.removeMembers({ ...removal, users: ['dan'] }),
        history.write.edit({ room, seq: rude, user: 'ann', text: 'the code is quincunx', at }),
        say('said since 1'),
        say('said since 2'),
      ]);
      place.since = since;
      for (const seq of [since, since + 1]) await report(seq);
      // The number of pending messages of a user is limited.
      if (n < 8) await Promise.all(['waits since 1', 'waits since 2'].map(hold));
      return place;
    }
    return { remove };
  }

  type Place = Awaited<ReturnType<Awaited<ReturnType<typeof make>>['remove']>>;
  const noRoom = { ok: false, error: { code: 'unknown_room' } };
  const noMessage = { ok: false, error: { code: 'unknown_message' } };
  const cases: [string, (place: Place) => object, object][] = [
    ['report:close', ({ closed: id }) => ({ id, done: 'nothing' }), noMessage],
    ['report:close', ({ open: id }) => ({ id, done: 'nothing' }), noMessage],
    ['report:close', ({ own: id }) => ({ id, done: 'nothing' }), noMessage],
    ['held:approve', ({ waiting: id }) => ({ id }), noMessage],
    ['held:reject', ({ waiting: id }) => ({ id }), noMessage],
    ['message:search', () => ({ query: 'said since', limit: 1 }), { ok: true, data: { messages: [] } }],
    ['report:list', () => ({ limit: 1 }), { ok: true, data: { reports: [] } }],
    ['held:list', () => ({ limit: 1 }), { ok: true, data: { held: [] } }],
    ...(['message:delete', 'message:unpreview'] as const).flatMap((event) => [
      both(event, ({ room, since: seq }) => ({ room, seq })),
      both(event, ({ room, since }) => ({ room, seq: since + 9 })),
    ]),
    both('message:react', ({ room, since: seq }) => ({ room, seq, emoji: '👍', on: true })),
    both('message:react', ({ room, since }) => ({ room, seq: since + 9, emoji: '👍', on: true })),
    both('thread:follow', ({ room, since: thread }) => ({ room, thread, following: true })),
    both('thread:follow', ({ room, since }) => ({ room, thread: since + 9, following: true })),
    both('room:remove', ({ room }) => ({ room, user: 'dan' })),
    both('room:role', ({ room }) => ({ room, user: 'dan', role: 'member' })),
    ...(['message:reactions', 'message:seen', 'thread:get'] as const).flatMap((event) =>
      [0, 9].map((more) =>
        both(event, ({ room, since }) => {
          const seq = since + more;
          return event === 'thread:get' ? { room, thread: seq } : { room, seq, emoji: '👍' };
        }),
      ),
    ),
    both('room:update', ({ room }) => ({ room, topic: 'mine' })),
    both('room:mute', ({ room }) => ({ room, user: 'dan' })),
    both('room:ban', ({ room }) => ({ room, user: 'dan' })),
    both('room:invite', ({ room }) => ({ room, users: ['eve'] })),
    both('room:notify', ({ room }) => ({ room, notify: 'all' })),
    both('room:arrange', ({ room }) => ({ room, favourite: 1 })),
    both('invite:create', ({ room }) => ({ room })),
    both('invite:revoke', ({ room }) => ({ room, id: 'none' })),
    both('message:pin', ({ room, since: seq }) => ({ room, seq })),
    both('message:unpin', ({ room, since: seq }) => ({ room, seq })),
    both('message:edit', ({ room, since: seq }) => ({ room, seq, text: 'mine' })),
    both('message:report', ({ room, since: seq }) => ({ room, seq, reason: 'spam' })),
    both('read:mark', ({ room, since: seq }) => ({ room, seq })),
  ];
  function both(event: string, payload: (place: Place) => object): (typeof cases)[number] {
    return [event, payload, noRoom];
  }
  const answers: unknown[] = [];
  let den = await make();
  for (const [n, [event, payload]] of cases.entries()) {
    // The first cases use up reports or pending messages, so each gets a new room.
    if (n < 6) den = await make();
    const place = await den.remove(n);
    other.writes = false;
    const { ok, data, error } = await ask(event, payload(place));
    answers.push([event, ok ? { ok, data } : { ok, error: { code: error?.code } }]);
  }
  expect(answers).toEqual(cases.map(([event, , answer]) => [event, answer]));
});

test('hides a room from site moderators when its change from public to private arrives late', async () => {
  const { chat, history, other } = await lateChat();
  const at = Date.now();
  const user = { id: 'ann', name: 'Ann' };
  const made = { id: 'team', name: 'Team' } as const;
  const message = { room: made.id, user, text: 'hello', sentAt: at, asMember: false };
  const { ask } = await askedDirectly(chat)('boss', ['admin']);
  const counted = () => ask('moderate:rooms', { rooms: [made.id] });
  await history.write.putRoom({ ...made, kind: 'public', at });
  expect(await counted()).toMatchObject({ data: { rooms: [{ room: made.id, messages: 0 }] } });
  other.writes = true;
  await history.write.deleteRoom({ room: made.id });
  await history.write.putRoom({ ...made, kind: 'private', at: at + 1 });
  const add = { room: made.id, users: [user], source: 'api', mayReturn: true, at } as const;
  await history.write.addMembers(add);
  await history.write.send({ ...message, clientId: newClientId(), asMember: true });
  other.writes = false;
  expect(await counted()).toEqual({ ok: true, data: { rooms: [] } });
});

test('rejects repeated requests of a user whose removal arrives late', async () => {
  const hold = { mode: 'off', hasWord: (text: string) => text.includes('pallets') } as const;
  const { chat, history, other } = await lateChat({ hold });
  const connect = askedDirectly(chat);
  const [ann, ben] = [await connect('ann'), await connect('ben')];
  const { room: own } = (await ben.ask('room:create', { kind: 'private', name: 'Own', clientId: 'own' }))
    .data as Answers['room:create'];
  await ben.ask('room:join', { room: own.id });
  await ben.ask('message:send', { room: own.id, text: 'copied', clientId: 'copied' });
  const sent = { text: 'hello', clientId: 'sent' };
  const waiting = { text: 'pallets', clientId: 'waiting' };
  const forwarded = { from: { room: own.id, seq: 1 }, clientId: 'forwarded' };
  const cases = [
    ['message:send', sent],
    ['message:send', waiting],
    ['message:send', { ...sent, text: 'another' }],
    ['message:forward', forwarded],
  ] as const;
  const refused = ['nothing', 'leaves', 'may not write'] as const;
  const answers: unknown[] = [];
  for (const [event, payload] of cases) {
    for (const why of refused) {
      const made = { kind: 'private', name: 'Den', members: ['ben'], clientId: newClientId() };
      const { room } = (await ann.ask('room:create', made)).data as Answers['room:create'];
      const { id } = room;
      await ben.ask('room:join', { room: id });
      expect(await ben.ask('message:send', { room: id, ...sent })).toMatchObject({ ok: true });
      const { held } = (await ben.ask('message:send', { room: id, ...waiting })).data as { held: Held };
      await ben.ask('message:forward', { room: id, ...forwarded });
      if (why === 'leaves') await ben.ask('room:leave', { room: id });
      if (why === 'may not write') await ann.ask('room:update', { room: id, write: 'moderators' });
      other.writes = true;
      const how = { sources: sources.people, by: 'people', cause: 'removed', at: 1 } as const;
      await history.write.removeMembers({ room: id, users: ['ben'], ...how });
      await history.write.rejectPending({ room: id, id: held.id, by: 'ann', reason: 'no', at: 1 });
      await history.write.delete({ room: id, seq: 1, user: 'ann', moderator: true, at: 1 });
      other.writes = false;
      const { error, data } = await ben.ask(event, { room: id, ...payload });
      answers.push([event, payload, why, error?.code ?? data]);
    }
  }
  expect(answers).toEqual(
    cases.flatMap(([event, payload]) => refused.map((why) => [event, payload, why, 'unknown_room'])),
  );
});

test('answers the batched reaction of a removed user with `unknown_room`', async () => {
  const { chat, history, other } = await lateChat();
  const connect = askedDirectly(chat);
  const [ann, ben] = [await connect('ann'), await connect('ben')];
  const made = { kind: 'private', name: 'Den', members: ['ben'], clientId: 'den' };
  const { room } = (await ann.ask('room:create', made)).data as Answers['room:create'];
  for (const user of [ann, ben]) await user.ask('room:join', { room: room.id });
  await ann.ask('message:send', { room: room.id, text: 'hello', clientId: 'hello' });
  other.writes = true;
  const how = { sources: sources.people, by: 'people', cause: 'removed', at: 1 } as const;
  await history.write.removeMembers({ room: room.id, users: ['ben'], ...how });
  await history.write.delete({ room: room.id, seq: 1, user: 'ann', moderator: false, at: 1 });
  const reaction = { room: room.id, seq: 1, emoji: '👍', on: true };
  const responses = [ann, ben].map((user) => user.ask('message:react', reaction));
  other.writes = false;
  expect((await Promise.all(responses)).map(({ error }) => error?.code)).toEqual([
    'unknown_message',
    'unknown_room',
  ]);
});

test('does not apply mutes and bans of a deleted room to a new room with the same ID', async () => {
  const { chat, history, other } = await lateChat();
  const at = Date.now();
  const made = { id: 'team', kind: 'private', name: 'Team' } as const;
  const add = {
    room: made.id,
    users: [{ id: 'ben' }, { id: 'cat' }],
    source: 'api',
    mayReturn: true,
  } as const;
  await history.write.putRoom({ ...made, at });
  await history.write.addMembers({ ...add, at });
  for (const [user, kind] of [['ben', 'muted'] as const, ['cat', 'banned'] as const]) {
    const restriction = { by: 'ann' };
    await history.write.restrict({ room: made.id, user, kind, restriction, actor: 'ann', at });
  }
  other.writes = true;
  await history.write.deleteRoom({ room: made.id });
  await history.write.putRoom({ ...made, at: at + 1 });
  await history.write.addMembers({ ...add, at: at + 1 });
  other.writes = false;
  // The chat reads the new room before it receives the deletion of the old one.
  const { ask } = await askedDirectly(chat)('ben');
  expect(chat.directory.restrictions.on('cat')).toEqual([]);
  expect(await ask('room:join', { room: made.id })).toMatchObject({ ok: true });
  const sent = { room: made.id, text: 'hello', clientId: newClientId() };
  expect(await ask('message:send', sent)).toMatchObject({ ok: true });
});

test('rejects requests that rely on rights in a deleted room with the same ID', async () => {
  const { chat, history, other } = await lateChat();
  const { ask } = await askedDirectly(chat)('ben');
  const [ann, madeAt] = [{ id: 'ann' }, Date.now()];
  /** Creates a room of three members, always with the same `access`. @returns an invite link to it */
  async function make(id: string, owner: string, at: number) {
    const users = [ann, { id: owner }, { id: 'dan' }];
    const message = { room: id, user: { ...ann, name: 'Ann' }, sentAt: at, asMember: true };
    const link = randomUUID();
    // In one transaction.
    await Promise.all([
      history.write.putRoom({ id, kind: 'private', name: 'Class', at }),
      history.write.addMembers({ room: id, users, source: 'people', mayReturn: true, at }),
      history.write.setRole({ room: id, user: owner, role: 'owner' }),
      history.write.send({ ...message, text: 'hello', clientId: 'hello' }),
      history.write.createInvite({ invite: { id: link, room: id, digest: id, by: 'ann', at } }),
    ]);
    return link;
  }
  const state = async (room: string) => ({
    room: await history.read.room({ room }),
    members: await history.read.membersOf({ room, users: ['ann', 'ben', 'cat', 'dan', 'eve'] }),
    invites: (await history.read.invites({ room })).map(({ id }) => id),
    pins: await history.read.pins({ room }),
    restricted: (await history.read.restrictions(null)).filter((restriction) => restriction.room === room),
  });
  const requests = [
    ['room:invite', { users: ['ben', 'eve'] }],
    ['room:ban', { user: 'dan' }],
    ['room:mute', { user: 'dan' }],
    ['room:remove', { user: 'dan' }],
    ['room:role', { user: 'dan', role: 'moderator' }],
    ['room:update', { name: 'Mine' }],
    ['room:delete', {}],
    ['message:pin', { seq: 1 }],
    ['invite:create', {}],
    ['invite:revoke', {}],
  ] as const;
  const answers: unknown[] = [];
  // The request is for the old room, even if Ben also owns the new one.
  for (const next of ['cat', 'ben']) {
    for (const [n, [event, payload]] of requests.entries()) {
      const room = `class-${next}-${n}`;
      await make(room, 'ben', madeAt);
      await ask('room:join', { room });
      const { access } = (await history.read.room({ room })) ?? {};
      other.writes = true;
      await history.write.deleteRoom({ room });
      const id = await make(room, next, madeAt + 1);
      const made = await state(room);
      expect(made.room?.access).toBe(access);
      other.writes = false;
      const { error } = await ask(event, { room, ...payload, ...(event === 'invite:revoke' ? { id } : {}) });
      answers.push([next, event, error?.code]);
      expect([event, await state(room)]).toEqual([event, made]);
    }
  }
  expect(answers).toEqual(
    ['cat', 'ben'].flatMap((next) => requests.map(([event]) => [next, event, 'unknown_room'])),
  );
});

test('holds messages of a moderator whose demotion arrives late', async () => {
  const hold = { mode: 'off', hasWord: (text: string) => text.includes('pallets') } as const;
  const { chat, history, other } = await lateChat({ hold });
  const connect = askedDirectly(chat);
  const [ann, ben] = [await connect('ann'), await connect('ben')];
  const make = async () => {
    const made = { kind: 'private', name: 'Den', members: ['ben'], clientId: newClientId() };
    const { room } = (await ann.ask('room:create', made)).data as Answers['room:create'];
    await ben.ask('room:join', { room: room.id });
    return room.id;
  };
  const say = (room: string, text: string) =>
    ben.ask('message:send', { room, text, clientId: newClientId() });
  // Fill the limit of pending messages, which does not apply to moderators.
  const elsewhere = await make();
  for (let n = 0; n < maxPendingOfUser; n++)
    expect(await say(elsewhere, 'pallets')).toHaveProperty('data.held');
  expect(await say(elsewhere, 'pallets')).toMatchObject({ error: { code: 'limit_reached' } });
  const { held } = (await ben.ask('held:list', { mine: true })).data as Answers['held:list'];
  const cases = [
    ['message:send', { text: 'more pallets' }, { data: { held: { why: 'words' } } }],
    ['message:edit', { seq: 1, text: 'more pallets' }, { data: { held: { why: 'words', seq: 1 } } }],
    ['message:forward', { from: 1 }, { error: { code: 'forbidden' } }],
  ] as const;
  const answers: unknown[] = [];
  for (const [event, payload] of cases) {
    const room = await make();
    const request = () => {
      const from = 'from' in payload ? { from: { room, seq: 1 } } : {};
      const id = event === 'message:edit' ? {} : { clientId: newClientId() };
      return ben.ask(event, { room, ...payload, ...from, ...id });
    };
    await ann.ask('room:role', { room, user: 'ben', role: 'moderator' });
    await say(room, 'pallets');
    expect([event, await request()]).toMatchObject([event, { data: { message: { room } } }]);
    await ben.ask('message:edit', { room, seq: 1, text: 'pallets' });
    await ben.ask('held:discard', { id: held.pop()?.id ?? '' });
    other.writes = true;
    await history.write.setRole({ room, user: 'ben', role: 'member' });
    other.writes = false;
    answers.push([event, await request()]);
  }
  expect(answers).toMatchObject(cases.map(([event, , answer]) => [event, answer]));
});
