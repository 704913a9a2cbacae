import { expect, onTestFinished, test } from 'vitest';
import { createInvite } from '../../../server/chat/invites.ts';
import type { Room } from '../../../server/chat/model.ts';
import { type History, methods, type Reads, sources, type Writes } from '../../../server/history/history.ts';
import { Drain } from '../../../server/requests/drain.ts';
import { requestErrors } from '../../../server/wire/errors.ts';
import type { Answers, SiteRole } from '../../../server/wire/events.ts';
import { askedDirectly } from '../../helpers/asked-directly.ts';
import { newClientId } from '../../helpers/chat-client.ts';
import { openChatOver } from '../../helpers/chat-over-history.ts';

test('the ban of a user deletes no message in a room that the moderator has left, nor in one that was made again', async () => {
  let meanwhile: (() => Promise<unknown>) | undefined;
  const { chat, history, close } = await openChatOver((stored) => ({
    read: methods(async (query, input) => {
      const answer = await stored.read[query](input);
      // The last that is read before the messages are deleted.
      if (query === 'heldBy') await meanwhile?.();
      return answer;
    }),
  }));
  onTestFinished(close);
  const connect = askedDirectly(chat);
  const boss = await connect('boss', ['admin']);
  await connect('rude');
  const at = Date.now();
  const people = [{ id: 'boss' }, { id: 'rude' }, { id: 'zoe' }];
  const make = async (id: string) => {
    await history.write.putRoom({ id, kind: 'private', name: id, at });
    await history.write.addMembers({ room: id, users: people, source: 'api', mayReturn: true, at });
  };
  const say = (room: string, user: string) =>
    history.write.send({
      ...{ room, clientId: newClientId(), user: { id: user, name: `Name of ${user}` } },
      ...{ text: 'hello', sentAt: at, asMember: true },
    });
  for (const room of ['left', 'again', 'kept']) {
    await make(room);
    await say(room, 'rude');
  }
  meanwhile = async () => {
    await history.write.removeMembers({
      ...{ room: 'left', users: ['boss'], sources: 7 },
      ...{ by: 'api', cause: 'removed', at },
    });
    await history.write.deleteRoom({ room: 'again' });
    await make('again');
    await say('again', 'zoe');
  };
  const answer = await boss.ask('moderate:ban', { user: 'rude', messages: 'delete' });
  expect(answer).toMatchObject({ ok: true, data: { deleted: 1 } });
  const places = ['left', 'again', 'kept'].map((room) => ({ room, seq: 1 }));
  const texts = (await history.read.messages({ places })).map(({ room, text }) => `${room}: ${text}`);
  expect(texts.sort()).toEqual(['again: hello', 'kept: ', 'left: hello']);
});

test('a ban deletes what was just being stored, and nothing is carried out of what the user had asked for behind it', async () => {
  const drain = new Drain();
  let held: Promise<void> | undefined;
  let isHeld = false;
  const { chat, history, close } = await openChatOver(
    (stored) => ({
      write: methods(async (op, input, asker) => {
        if (op === 'send' && held !== undefined) {
          isHeld = true;
          await held;
        }
        return stored.write[op](input, asker);
      }),
    }),
    () => ({ kick: (user) => drain.changesOf(user) }),
  );
  onTestFinished(close);
  const connect = askedDirectly(chat, drain);
  const boss = await connect('boss', ['admin']);
  const rude = await connect('rude');
  const at = Date.now();
  await history.write.putRoom({ id: 'lobby', kind: 'public', name: 'lobby', at });
  await history.write.putRoom({ id: 'den', kind: 'private', name: 'den', at });
  const users = [{ id: 'boss' }, { id: 'rude' }];
  await history.write.addMembers({ room: 'den', users, source: 'api', mayReturn: true, at });
  const send = () => ({ room: 'den', text: 'buy this', clientId: newClientId() });
  expect(await rude.ask('room:join', { room: 'den' })).toMatchObject({ ok: true });
  expect(await rude.ask('message:send', send())).toMatchObject({ ok: true });

  let release = () => {};
  held = new Promise<void>((resolve) => {
    release = resolve;
  });
  const sending = rude.ask('message:send', send());
  const waiting = [
    rude.ask('room:join', { room: 'lobby' }),
    rude.ask('message:forward', { room: 'den', from: { room: 'den', seq: 1 }, clientId: newClientId() }),
    rude.ask('room:create', { name: 'Shop', kind: 'private', clientId: newClientId() }),
    rude.ask('user:block', { user: 'boss', blocked: true }),
    rude.ask('user:hide', { hidden: true }),
    rude.ask('room:members', { room: 'den' }),
  ];
  await expect.poll(() => isHeld).toBe(true);
  const banning = boss.ask('moderate:ban', { user: 'rude', messages: 'delete' });
  await expect.poll(() => chat.directory.banOf('rude')).not.toBeNull();
  release();
  expect(await banning).toMatchObject({ ok: true, data: { deleted: 2 } });
  expect(await sending).toMatchObject({ ok: true });
  expect((await Promise.all(waiting)).map(({ ok, error }) => ok || error?.code)).toEqual(
    waiting.map(() => 'forbidden'),
  );
  const messages = await history.read.messages({ places: [1, 2].map((seq) => ({ room: 'den', seq })) });
  expect(messages.map(({ text }) => text)).toEqual(['', '']);
  expect(await history.read.room({ room: 'den' })).toMatchObject({ lastSeq: 2 });
  const stored = await history.read.user({ user: 'rude' });
  expect(stored.memberships.map(({ room }) => room.id)).toEqual(['den']);
  expect(stored.blocked).toEqual([]);
});

test('a moderator who loses the right while an answer is read gets what a member gets', async () => {
  /** Called once, after that was read from the history and before it is answered. */
  let meanwhile: { after: keyof Reads; run: () => Promise<unknown> } | undefined;
  const { chat, history, close } = await openChatOver((stored) => ({
    read: methods(async (query, input) => {
      const answer = await stored.read[query](input);
      const now = meanwhile?.after === query ? meanwhile : undefined;
      if (now !== undefined) meanwhile = undefined;
      await now?.run();
      return answer;
    }),
  }));
  onTestFinished(close);
  const connect = askedDirectly(chat);
  const identity = (id: string, roles: SiteRole[] = []) => ({ id, name: `Name of ${id}`, roles, rooms: [] });
  const [ann, ben] = [await connect('ann'), await connect('ben')];
  const boss = await connect('boss', ['admin']);
  const at = Date.now();
  const by = { id: 'ann', name: 'Name of ann' };
  const made = { kind: 'private', name: 'Den', by, clientId: 'c', most: 0, at } as const;
  const { room: den } = await history.write.createRoom({ id: 'u-den', ...made });
  const add = { room: den.id, users: [{ id: 'ben' }], source: 'people', mayReturn: true, at } as const;
  await history.write.addMembers(add);
  const room = chat.directory.room(den.id) as Room;
  const setRole = (role: 'moderator' | 'member') =>
    history.write.setRole({ room: den.id, user: 'ben', role, actor: 'ann' });
  const link = { room: den.id, seconds: 0, uses: 0 };
  const { invite } = await createInvite(chat, ann.connection, room, link);
  const text = 'the code is quincunx';
  const sent = { room: den.id, clientId: 'm', user: by, text, sentAt: at, asMember: true };
  const { message } = await history.write.send(sent);
  await history.write.report({ room: den.id, seq: message.seq, by: 'ben', reason: 'spam', at });
  // The site's moderators see these of a public room.
  const open = { room: 'lobby', user: by, sentAt: at, asMember: false };
  await history.write.publicRooms({ rooms: [{ id: 'lobby', name: 'Lobby' }], at });
  await history.write.join({ room: 'lobby', user: by, at });
  await history.write.send({ ...open, clientId: 'before', text: 'said before' });
  const { message: rude } = await history.write.send({ ...open, clientId: 'rude', text: 'rude' });
  await history.write.report({ room: 'lobby', seq: rude.seq, by: 'ben', reason: 'spam', at });
  const [{ id: report } = { id: '' }] = await history.read.reportsOf({
    room: 'lobby',
    seq: rude.seq,
    limit: 1,
  });
  await history.write.restrict({
    room: 'lobby',
    user: 'cat',
    kind: 'muted',
    restriction: { by: 'ann' },
    actor: 'ann',
    at,
  });
  await history.write.hold({
    ...open,
    clientId: 'waits',
    text: 'a waiting text',
    asMember: true,
    why: 'all',
  });
  const restriction = { by: 'ann', reason: 'a secret' };
  const laid = { room: den.id, user: 'cat', kind: 'muted', restriction, actor: 'ann', at } as const;
  await history.write.restrict(laid);

  const forbidden = { ok: false, error: { code: 'forbidden' } };
  const cases = [
    {
      who: ben,
      event: 'invite:list',
      after: 'invites',
      has: invite.id,
      gets: { ok: true, data: { invites: [] } },
    },
    { who: ben, event: 'room:restricted', after: 'users', has: 'a secret', gets: forbidden },
    {
      who: ben,
      event: 'report:list',
      payload: {},
      after: 'reports',
      has: text,
      gets: { ok: true, data: { reports: [] } },
    },
    { who: boss, event: 'report:list', after: 'reports', has: text, gets: forbidden },
    { who: boss, event: 'moderate:people', after: 'arrivals', has: by.name, gets: forbidden },
    {
      who: boss,
      event: 'moderate:person',
      payload: { user: 'ann' },
      after: 'reportsAbout',
      has: by.name,
      gets: forbidden,
    },
    { who: boss, event: 'moderate:overview', after: 'messagesByDay', has: '"here":3', gets: forbidden },
    {
      who: boss,
      event: 'moderate:rooms',
      payload: { rooms: [open.room] },
      after: 'messagesIn',
      has: '"messages":',
      gets: forbidden,
    },
    { who: boss, event: 'moderate:acts', after: 'actsIn', has: '"acts"', gets: forbidden },
    { who: boss, event: 'held:list', after: 'heldIn', has: 'a waiting text', gets: forbidden },
    {
      who: boss,
      event: 'report:context',
      payload: { id: report },
      after: 'reportsOf',
      has: 'said before',
      gets: { ok: false, error: { code: 'unknown_message' } },
    },
  ] as const;
  for (const { who, event, after, has, gets, ...one } of cases) {
    const payload = 'payload' in one ? one.payload : who === boss ? {} : { room: den.id };
    await setRole('moderator');
    await chat.directory.changed(boss.connection, identity('boss', ['admin']));
    expect([event, JSON.stringify(await who.ask(event, payload))]).toEqual([
      event,
      expect.stringContaining(has),
    ]);
    meanwhile = {
      after,
      run: () =>
        who === boss ? chat.directory.changed(boss.connection, identity('boss')) : setRole('member'),
    };
    const answer = await who.ask(event, payload);
    expect(meanwhile).toBeUndefined();
    expect([event, answer]).toMatchObject([event, gets]);
  }
});

test('who is removed before a change is answered gets nothing of the room in the answer', async () => {
  /** Called once, when that is stored and before it is answered, as by what shares its transaction. */
  let meanwhile: { after: keyof Writes; run: () => Promise<unknown> } | undefined;
  const { chat, history, close } = await openChatOver((stored) => ({
    write: methods(async (op, input, asker) => {
      const answer = await stored.write[op](input, asker);
      const now = meanwhile?.after === op ? meanwhile : undefined;
      if (now !== undefined) meanwhile = undefined;
      await now?.run();
      return answer;
    }),
  }));
  onTestFinished(close);
  const connect = askedDirectly(chat);
  const [ann, ben] = [await connect('ann'), await connect('ben')];
  const cases = [
    ['room:update', { name: 'Attic' }, 'updateRoom'],
    ['room:notify', { notify: 'all' }, 'setNotify'],
    ['read:mark', { seq: 2 }, 'markRead'],
    ['read:mark', { seq: 1, unread: true }, 'markUnread'],
    ['room:create', { name: 'Den', kind: 'private', members: ['cat'], clientId: 'own' }, 'addMembers'],
  ] as const;
  const answers: unknown[] = [];
  for (const [event, payload, after] of cases) {
    const made = { name: 'Den', kind: 'private', members: ['ben'], clientId: `${answers.length}` };
    const { room } = (await ann.ask('room:create', made)).data as Answers['room:create'];
    await ann.ask('room:role', { room: room.id, user: 'ben', role: 'moderator' });
    for (const one of [ann, ben]) await one.ask('room:join', { room: room.id });
    const say = async (text: string) =>
      expect(await ann.ask('message:send', { room: room.id, text, clientId: newClientId() })).toMatchObject({
        ok: true,
      });
    for (const text of ['one', 'two']) await say(text);
    if (after === 'markUnread') await ben.ask('read:mark', { room: room.id, seq: 2 });
    meanwhile = {
      after,
      async run() {
        const lost = event === 'room:create' ? [...ben.connection.person.memberships.keys()] : [room.id];
        for (const id of lost) {
          const how = { sources: sources.people, by: 'people', cause: 'removed', at: 1 } as const;
          await history.write.removeMembers({ room: id, users: ['ben'], ...how });
        }
        await say('the code is quincunx');
      },
    };
    const answer = await ben.ask(event, event === 'room:create' ? payload : { room: room.id, ...payload });
    expect(meanwhile).toBeUndefined();
    answers.push([event, answer]);
  }
  const noRoom = { ok: false, error: { code: 'unknown_room', message: requestErrors.unknown_room } };
  expect(answers).toEqual(cases.map(([event]) => [event, noRoom]));
});

/** A chat that may hear late of changes by another server: all of them at the latest when it asks for what is current. */
async function hearingLate(around: (stored: History) => Partial<History> = () => ({})) {
  const late: (() => void)[] = [];
  let isLate = false;
  /** The events that were sent, each with the connections that got it. */
  const told: string[] = [];
  const { chat, history, close } = await openChatOver(
    (stored) => ({
      ...around(stored),
      onChange: (listener) =>
        stored.onChange((change) => {
          if (isLate) late.push(() => listener(change));
          else listener(change);
        }),
      async current() {
        for (const hear of late.splice(0)) hear();
      },
    }),
    () => ({
      publisher: {
        toRoom() {},
        toConnections: (ids, event, payload) => void told.push(`${ids} ${event} ${JSON.stringify(payload)}`),
        join() {},
        leave() {},
      },
    }),
  );
  onTestFinished(close);
  const news = {
    delay() {
      isLate = true;
    },
    /** Of the changes from here on it hears at once. */
    end() {
      isLate = false;
    },
    hearOne: () => late.shift()?.(),
  };
  return { chat, history, told, news };
}

test('people hear of a new public room as it was made, also where its maker is here before that is heard', async () => {
  const { chat, history, told, news } = await hearingLate();
  const connect = (id: string) =>
    chat.directory.connect(`c-${id}`, { id, name: `Name of ${id}`, roles: [], rooms: [] });
  await connect('zoe');
  news.delay();
  const at = Date.now();
  const by = { id: 'ann', name: 'Name of ann' };
  const made = { kind: 'public', name: 'Kitchen', by, clientId: 'c', most: 0, at } as const;
  const { room } = await history.write.createRoom({ id: 'u-kitchen', ...made });
  const sent = { room: room.id, clientId: 'm', user: by, text: 'hello', sentAt: at, asMember: true };
  await history.write.send(sent);
  // The history is read for her before the changes are heard.
  await connect('ann');
  const heard = told.filter((one) => one.startsWith('c-zoe room:added '));
  const [summary] = heard.map((one) => JSON.parse(one.slice('c-zoe room:added '.length)));
  expect(heard).toHaveLength(1);
  expect(summary).toMatchObject({ id: room.id, name: 'Kitchen', member: false, may: ['send'], lastSeq: 0 });
  expect(summary).not.toHaveProperty('last');
});

test('an event of a closed report tells a removed moderator nothing that was written after the removal', async () => {
  const { chat, history, told, news } = await hearingLate();
  for (const id of ['ann', 'ben'])
    await chat.directory.connect(`c-${id}`, { id, name: `Name of ${id}`, roles: [], rooms: [] });
  const at = Date.now();
  const by = { id: 'ann', name: 'Name of ann' };
  const made = { kind: 'private', name: 'Den', by, clientId: 'c', most: 0, at } as const;
  const { room } = await history.write.createRoom({ id: 'u-den', ...made });
  const add = { room: room.id, users: [{ id: 'ben' }], source: 'people', mayReturn: true, at } as const;
  await history.write.addMembers(add);
  const asModerator = { room: room.id, user: 'ben', role: 'moderator', actor: 'ann' } as const;
  await history.write.setRole(asModerator);
  const sent = { room: room.id, clientId: 'm', user: by, text: 'hello', sentAt: at, asMember: true };
  const { message } = await history.write.send(sent);
  const place = { room: room.id, seq: message.seq };
  await history.write.report({ ...place, by: 'ben', reason: 'spam', at });
  const [{ id } = { id: '' }] = await history.read.reportsOf({ ...place, limit: 1 });
  await expect.poll(() => told.filter((one) => one.includes('report:changed'))).toHaveLength(1);
  news.delay();
  const closing = {
    ...place,
    id,
    others: [],
    by: 'ann',
    done: 'nothing',
    at,
  } as const;
  await history.write.closeReport(closing);
  const removed = { room: room.id, users: ['ben'], sources: 4, by: 'people', cause: 'removed', at } as const;
  await history.write.removeMembers({ ...removed, actor: 'ann' });
  await history.write.edit({ ...place, user: 'ann', text: 'the code is quincunx', at });
  news.end();
  news.hearOne();
  await expect.poll(() => told.filter((one) => one.includes('report:changed'))).toHaveLength(2);
  const toBen = told.filter((one) => /^[^ ]*c-ben/.test(one));
  expect(toBen.filter((one) => one.includes('quincunx'))).toEqual([]);
});

test('an event of a message that waits tells nobody who was removed while it was read that it was rejected', async () => {
  /** Another server writes, when the message is about to be read. */
  let meanwhile: (() => Promise<unknown>) | undefined;
  const { chat, history, told, news } = await hearingLate((stored) => ({
    read: methods(async (query, input) => {
      const now = query === 'held' ? meanwhile : undefined;
      if (now !== undefined) meanwhile = undefined;
      await now?.();
      return stored.read[query](input);
    }),
  }));
  for (const id of ['ann', 'ben', 'cat'])
    await chat.directory.connect(`c-${id}`, { id, name: `Name of ${id}`, roles: [], rooms: [] });
  const at = Date.now();
  const by = { id: 'ann', name: 'Name of ann' };
  const made = { kind: 'private', name: 'Den', by, clientId: 'c', most: 0, at } as const;
  const { room } = await history.write.createRoom({ id: 'u-den', ...made });
  const users = ['ben', 'cat'].map((id) => ({ id }));
  await history.write.addMembers({ room: room.id, users, source: 'people', mayReturn: true, at });
  await history.write.setRole({ room: room.id, user: 'ben', role: 'moderator', actor: 'ann' });
  const heardBy = (id: string) =>
    told.filter((one) => one.includes('held:changed') && one.split(' ')[0]?.includes(id));
  meanwhile = async () => {
    news.delay();
    const removed = { room: room.id, sources: sources.people, by: 'people', cause: 'removed', at } as const;
    await history.write.removeMembers({ ...removed, users: ['ben', 'cat'] });
    const [waiting] = await history.read.heldBy({ user: 'cat' });
    const decided = { room: room.id, id: waiting?.id ?? '', by: 'ann', at };
    await history.write.rejectHeld({ ...decided, reason: 'the code is quincunx' });
    news.end();
  };
  const user = { id: 'cat', name: 'Name of cat' };
  const sent = { room: room.id, clientId: 'm', user, text: 'hello', sentAt: at, asMember: true };
  await history.write.hold({ ...sent, why: 'all' });
  await expect.poll(() => heardBy('c-ann')).not.toEqual([]);
  await history.current();
  await expect.poll(() => heardBy('c-ann')).toHaveLength(2);
  expect([...heardBy('c-ben'), ...heardBy('c-cat')].filter((one) => one.includes('quincunx'))).toEqual([]);
});

test('an answer has nothing of a room that got the id meanwhile, nor the context of a report that was closed', async () => {
  /** Called once, before something is read for an answer. */
  let meanwhile: (() => Promise<unknown>) | undefined;
  const { chat, history, close } = await openChatOver((stored) => ({
    read: methods(async (query, input) => {
      const now = query === 'newest' ? meanwhile : undefined;
      if (now !== undefined) meanwhile = undefined;
      await now?.();
      return stored.read[query](input);
    }),
  }));
  onTestFinished(close);
  const connect = askedDirectly(chat);
  const at = Date.now();
  const den = { id: 'den', name: 'Den', at } as const;
  const ben = await connect('ben');
  const boss = await connect('boss', ['admin']);
  const user = { id: 'ann', name: 'Ann' };
  const send = async (text: string) =>
    (
      await history.write.send({
        ...{ room: den.id, clientId: newClientId(), user, text, sentAt: at, asMember: false },
      })
    ).message.seq;
  await history.write.putRoom({ ...den, kind: 'private' });
  const users = [{ id: 'ben' }, { id: 'ann' }];
  await history.write.addMembers({ room: den.id, users, source: 'people', mayReturn: false, at });
  await send('hello');
  meanwhile = async () => {
    await history.write.deleteRoom({ room: den.id });
    await history.write.putRoom({ ...den, kind: 'public', at: at + 1 });
    await send('the code is quincunx');
  };
  expect(await ben.ask('message:history', { room: den.id })).toMatchObject({
    error: { code: 'unknown_room' },
  });

  const seq = await send('rude');
  await history.write.report({ room: den.id, seq, by: 'ben', reason: 'spam', at });
  const [report] = await history.read.reportsOf({ room: den.id, seq, limit: 1 });
  const id = report?.id ?? '';
  expect(await boss.ask('report:context', { id })).toMatchObject({ ok: true });
  meanwhile = () =>
    history.write.closeReport({ room: den.id, seq, id, by: 'boss', done: 'nothing', at: at + 2 });
  expect(await boss.ask('report:context', { id })).toMatchObject({ error: { code: 'unknown_message' } });
});

test('an event of a room that is deleted while it is read tells nobody of the next room with its id', async () => {
  /** Called once, after that was read from the history and before it is announced. */
  let meanwhile: { after: keyof Reads; run: () => Promise<unknown> } | undefined;
  const told: string[] = [];
  const { chat, history, close } = await openChatOver(
    (stored) => ({
      read: methods(async (query, input) => {
        const answer = await stored.read[query](input);
        const now = meanwhile?.after === query ? meanwhile : undefined;
        if (now !== undefined) meanwhile = undefined;
        await now?.run();
        return answer;
      }),
    }),
    () => ({
      publisher: {
        toRoom: (room, event, payload) => void told.push(`${event} ${room} ${JSON.stringify(payload)}`),
        toConnections(ids, event, payload) {
          if (ids.length > 0) told.push(`${event} ${ids} ${JSON.stringify(payload)}`);
        },
        join() {},
        leave() {},
      },
    }),
  );
  onTestFinished(close);
  const connect = askedDirectly(chat);
  const [ann, cat] = [await connect('ann'), await connect('cat')];
  const room = 'team';
  let at = 1;
  /** A room of its owner, with a message by Ben. */
  async function begin(owner: typeof ann, text: string) {
    const { user } = owner.connection.person;
    const made = { id: room, kind: 'private', name: 'Team', by: user, most: 0, at: ++at } as const;
    await history.write.createRoom({ ...made, clientId: newClientId() });
    await history.write.addMembers({ room, users: [{ id: 'ben' }], source: 'api', mayReturn: true, at });
    await owner.ask('room:join', { room });
    await history.write.send({ ...byBen(text), asMember: true });
  }
  const byBen = (text: string) => ({
    ...{ room, clientId: newClientId(), user: { id: 'ben', name: 'Ben' }, text, sentAt: at },
    asMember: true,
  });
  const cases = [
    {
      event: 'pin:changed',
      after: 'pins',
      write: (user: string) => history.write.pin({ room, seq: 1, user, pinned: true, at }),
    },
    {
      event: 'report:changed',
      after: 'report',
      write: (by: string) => history.write.report({ room, seq: 1, by, reason: 'spam', at }),
    },
    {
      event: 'held:changed',
      after: 'held',
      write: (owner: string) =>
        history.write.hold({ ...byBen(owner === 'ann' ? 'the old code' : 'hello'), why: 'all' }),
    },
  ] as const;
  const heard: string[] = [];
  for (const { event, after, write } of cases) {
    await begin(ann, 'the old code');
    told.length = 0;
    const announced = () => told.filter((one) => one.startsWith(event));
    meanwhile = {
      after,
      async run() {
        await history.write.deleteRoom({ room });
        await begin(cat, 'hello');
      },
    };
    await write('ann');
    await expect.poll(() => meanwhile).toBeUndefined();
    await expect.poll(() => cat.connection.joined.size).toBe(1);
    // Events are announced in turn, so that of the old room would be the first.
    await write('cat');
    await expect.poll(announced).not.toEqual([]);
    heard.push(...announced());
    await history.write.deleteRoom({ room });
  }
  expect(heard).toEqual(cases.map(() => expect.stringContaining('hello')));
});

test('an author who was removed before a moderator deletes the message learns no reason', async () => {
  /** Another server writes, when the message is about to be deleted. */
  let meanwhile: (() => Promise<unknown>) | undefined;
  const { chat, history, told, news } = await hearingLate((stored) => ({
    write: methods(async (op, input, asker) => {
      const now = op === 'delete' ? meanwhile : undefined;
      if (now !== undefined) meanwhile = undefined;
      await now?.();
      return stored.write[op](input, asker);
    }),
  }));
  const connect = askedDirectly(chat);
  const [ann, ben] = [await connect('ann'), await connect('ben')];
  const made = { kind: 'private', name: 'Den', members: ['ben'], clientId: 'den' };
  const { room } = (await ann.ask('room:create', made)).data as Answers['room:create'];
  for (const one of [ann, ben]) await one.ask('room:join', { room: room.id });
  for (const clientId of ['one', 'two'])
    await ben.ask('message:send', { room: room.id, text: 'rude', clientId });
  const deleted = (seq: number) =>
    ann.ask('message:delete', { room: room.id, seq, reason: `the reason ${seq}` });
  const pushed = () => told.filter((one) => one.startsWith('c-ben push'));
  await deleted(1);
  await expect.poll(pushed).toEqual([expect.stringContaining('the reason 1')]);
  meanwhile = async () => {
    news.delay();
    const how = { sources: sources.people, by: 'people', cause: 'removed', at: 1 } as const;
    await history.write.removeMembers({ room: room.id, users: ['ben'], ...how });
  };
  await deleted(2);
  await expect.poll(() => told.join()).toMatch(/room:removed|the reason 2/);
  await new Promise(setImmediate);
  expect(pushed()).toHaveLength(1);
});
