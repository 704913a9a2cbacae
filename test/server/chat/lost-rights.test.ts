import { expect, test } from 'vitest';
import { changeIdentity } from '../../../server/chat/connected-users.ts';
import { createInvite } from '../../../server/chat/invites.ts';
import type { Room } from '../../../server/chat/model.ts';
import { totalsOfUser } from '../../../server/chat/summary.ts';
import { ConcurrencyLimit } from '../../../server/limits/by-key.ts';
import { Drain } from '../../../server/requests/drain.ts';
import { requestErrors } from '../../../server/wire/errors.ts';
import type { Answers, SiteRole } from '../../../server/wire/events.ts';
import { askedDirectly } from '../../helpers/asked-directly.ts';
import { newClientId } from '../../helpers/chat-client.ts';
import { nameOf, openInterrupted } from '../../helpers/rooms-of.ts';

const at = Date.now();
const secret = 'the code is quincunx';

test('keeps messages in rooms that the moderator loses while a ban deletes messages', async () => {
  const { chat, history, once, say } = await openInterrupted();
  const connect = askedDirectly(chat);
  const boss = await connect('boss', ['admin']);
  await connect('rude');
  const users = ['boss', 'rude', 'zoe'].map((id) => ({ id }));
  const make = async (id: string) => {
    await history.write.putRoom({ id, kind: 'private', name: id, at });
    await history.write.addMembers({ room: id, users, source: 'api', mayReturn: true, at });
  };
  const rooms = ['left', 'again', 'kept'];
  for (const room of rooms) {
    await make(room);
    await say(room, 'rude');
  }
  // The last read before the messages are deleted.
  once('after', 'pendingBy', async () => {
    const removal = { room: 'left', users: ['boss'], sources: 7 } as const;
    await history.write.removeMembers({ ...removal, by: 'api', cause: 'removed', at });
    await history.write.deleteRoom({ room: 'again' });
    await make('again');
    await say('again', 'zoe');
  });
  const answer = await boss.ask('moderate:ban', { user: 'rude', messages: 'delete' });
  expect(answer).toMatchObject({ ok: true, data: { deleted: 1 } });
  const messages = await history.read.messages({ places: rooms.map((room) => ({ room, seq: 1 })) });
  const texts = messages.map(({ room, text }) => `${room}: ${text}`);
  expect(texts.sort()).toEqual(['again: hello', 'kept: ', 'left: hello']);
});

test('deletes a banned user’s message that is being stored, and rejects the user’s later requests', async () => {
  const drain = new Drain();
  const { chat, history, once, hasHappened } = await openInterrupted({
    kick: (user) => drain.changesOf(user),
  });
  const connect = askedDirectly(chat, drain);
  const boss = await connect('boss', ['admin']);
  const rude = await connect('rude');
  await history.write.putRoom({ id: 'lobby', kind: 'public', name: 'lobby', at });
  await history.write.putRoom({ id: 'den', kind: 'private', name: 'den', at });
  const users = [{ id: 'boss' }, { id: 'rude' }];
  await history.write.addMembers({ room: 'den', users, source: 'api', mayReturn: true, at });
  const send = () => ({ room: 'den', text: 'buy this', clientId: newClientId() });
  expect(await rude.ask('room:join', { room: 'den' })).toMatchObject({ ok: true });
  expect(await rude.ask('message:send', send())).toMatchObject({ ok: true });

  const held = Promise.withResolvers<void>();
  once('before', 'write send', () => held.promise);
  const sending = rude.ask('message:send', send());
  const waiting = [
    rude.ask('room:join', { room: 'lobby' }),
    rude.ask('message:forward', { room: 'den', from: { room: 'den', seq: 1 }, clientId: newClientId() }),
    rude.ask('room:create', { name: 'Shop', kind: 'private', clientId: newClientId() }),
    rude.ask('user:block', { user: 'boss', blocked: true }),
    rude.ask('user:hide', { hidden: true }),
    rude.ask('room:members', { room: 'den' }),
  ];
  await expect.poll(hasHappened).toBe(true);
  const banning = boss.ask('moderate:ban', { user: 'rude', messages: 'delete' });
  await expect.poll(() => chat.directory.banOf('rude')).not.toBeNull();
  held.resolve();
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

test('returns no badge for a user who is banned during the read', async () => {
  const { chat, history, once } = await openInterrupted();
  const eve = { ...nameOf('eve'), roles: [], rooms: [] };
  const totals = () => totalsOfUser(history, chat.directory, new ConcurrencyLimit(1), eve);
  expect(await totals()).not.toBeNull();
  once('before', 'user', () => history.write.setBan({ user: 'eve', ban: {} }));
  expect(await totals()).toBeNull();
});

test('answers a moderator who is demoted during the read like a member', async () => {
  const { chat, history, once, hasHappened, den, say, report, hold } = await openInterrupted();
  const connect = askedDirectly(chat);
  const identity = (roles: SiteRole[]) => ({ ...nameOf('boss'), roles, rooms: [] });
  const [ann, ben] = [await connect('ann'), await connect('ben')];
  const boss = await connect('boss', ['admin']);
  const room = 'u-den';
  await den(room, ['ann', 'ben']);
  const setRole = (role: 'moderator' | 'member') =>
    history.write.setRole({ room, user: 'ben', role, actor: 'ann' });
  const link = { room, seconds: 0, uses: 0 };
  const { invite } = await createInvite(chat, ann.connection, chat.directory.room(room) as Room, link);
  await report(room, await say(room, 'ann', secret), 'ben');
  // Site moderators see reports and pending messages of a public room.
  await history.write.publicRooms({ rooms: [{ id: 'lobby', name: 'Lobby' }], at });
  await history.write.join({ room: 'lobby', user: nameOf('ann'), at });
  await say('lobby', 'ann', 'said before');
  const reported = await report('lobby', await say('lobby', 'ann', 'rude'), 'ben');
  await hold('lobby', 'ann', 'a waiting text');
  for (const [place, reason] of [['lobby', 'why'] as const, [room, 'a secret'] as const]) {
    const restriction = { by: 'ann', reason };
    await history.write.restrict({ room: place, user: 'cat', kind: 'muted', restriction, actor: 'ann', at });
  }

  const forbidden = { ok: false, error: { code: 'forbidden' } };
  const nothing = (of: string) => ({ ok: true, data: { [of]: [] } });
  const unknown = { ok: false, error: { code: 'unknown_message' } };
  const cases = [
    [ben, 'invite:list', { room }, 'invites', invite.id, nothing('invites')],
    [ben, 'room:restricted', { room }, 'users', 'a secret', forbidden],
    [ben, 'report:list', {}, 'reports', secret, nothing('reports')],
    [boss, 'report:list', {}, 'reports', secret, forbidden],
    [boss, 'moderate:people', {}, 'arrivals', 'Name of ann', forbidden],
    [boss, 'moderate:person', { user: 'ann' }, 'reportsAbout', 'Name of ann', forbidden],
    [boss, 'moderate:overview', {}, 'messagesByDay', '"here":3', forbidden],
    [boss, 'moderate:rooms', { rooms: ['lobby'] }, 'messagesIn', '"messages":', forbidden],
    [boss, 'moderate:acts', {}, 'actsIn', '"acts"', forbidden],
    [boss, 'held:list', {}, 'pendingIn', 'a waiting text', forbidden],
    [boss, 'report:context', { id: reported }, 'reportsOf', 'said before', unknown],
  ] as const;
  for (const [who, event, payload, after, has, gets] of cases) {
    await setRole('moderator');
    await changeIdentity(chat, boss.connection, identity(['admin']));
    const before = JSON.stringify(await who.ask(event, payload));
    expect([event, before]).toEqual([event, expect.stringContaining(has)]);
    once('after', after, () =>
      who === boss ? changeIdentity(chat, boss.connection, identity([])) : setRole('member'),
    );
    const answer = await who.ask(event, payload);
    expect(hasHappened()).toBe(true);
    expect([event, answer]).toMatchObject([event, gets]);
  }
});

test('reveals nothing of a room to a user who is removed during a change', async () => {
  const { chat, once, hasHappened, remove } = await openInterrupted();
  const connect = askedDirectly(chat);
  const [ann, ben] = [await connect('ann'), await connect('ben')];
  const made = { name: 'Den', kind: 'private' };
  const cases = [
    ['room:update', { name: 'Attic' }, 'updateRoom'],
    ['room:notify', { notify: 'all' }, 'setPreferences'],
    ['room:arrange', { favourite: 1 }, 'setPreferences'],
    ['read:mark', { seq: 2 }, 'markRead'],
    ['read:mark', { seq: 1, unread: true }, 'markUnread'],
    ['room:create', { ...made, members: ['cat'], clientId: 'own' }, 'addMembers'],
  ] as const;
  const answers: unknown[] = [];
  for (const [event, payload, after] of cases) {
    const own = await ann.ask('room:create', { ...made, members: ['ben'], clientId: newClientId() });
    const room = (own.data as Answers['room:create']).room.id;
    await ann.ask('room:role', { room, user: 'ben', role: 'moderator' });
    for (const user of [ann, ben]) await user.ask('room:join', { room });
    const say = async (text: string) => ann.ask('message:send', { room, text, clientId: newClientId() });
    for (const text of ['one', 'two']) expect(await say(text)).toMatchObject({ ok: true });
    if (after === 'markUnread') await ben.ask('read:mark', { room, seq: 2 });
    once('after', `write ${after}`, async () => {
      const lost = event === 'room:create' ? [...ben.connection.person.memberships.keys()] : [room];
      for (const id of lost) await remove(id, 'ben');
      await say(secret);
    });
    const answer = await ben.ask(event, event === 'room:create' ? payload : { room, ...payload });
    expect(hasHappened()).toBe(true);
    answers.push([event, answer]);
  }
  const noRoom = { ok: false, error: { code: 'unknown_room', message: requestErrors.unknown_room } };
  expect(answers).toEqual(cases.map(([event]) => [event, noRoom]));
});

test('announces a new public room once, with its state at creation', async () => {
  const { chat, told, lateFor, den, say } = await openInterrupted();
  const connect = askedDirectly(chat);
  await connect('zoe');
  await lateFor(async () => {
    await den('u-kitchen', ['ann'], 'public');
    await say('u-kitchen', 'ann');
    // Ann's data is read before the chat receives the changes.
    await connect('ann');
  });
  const added = told.filter((event) => event.startsWith('c-zoe room:added '));
  const [summary] = added.map((event) => JSON.parse(event.slice('c-zoe room:added '.length)));
  expect(added).toHaveLength(1);
  expect(summary).toMatchObject({ id: 'u-kitchen', member: false, may: ['send'], lastSeq: 0 });
  expect(summary).not.toHaveProperty('last');
});

test('sends a removed moderator report events without text that was written after the removal', async () => {
  const { chat, history, told, lateFor, hearOne, den, say, report, remove } = await openInterrupted();
  const connect = askedDirectly(chat);
  for (const id of ['ann', 'ben']) await connect(id);
  const room = 'u-den';
  await den(room, ['ann', 'ben']);
  await history.write.setRole({ room, user: 'ben', role: 'moderator', actor: 'ann' });
  const seq = await say(room, 'ann');
  const id = await report(room, seq, 'ben');
  const events = () => told.filter((event) => event.includes('report:changed'));
  await expect.poll(events).toHaveLength(1);
  await lateFor(async () => {
    await history.write.closeReport({ room, seq, id, others: [], by: 'ann', done: 'nothing', at });
    await remove(room, 'ben');
    await history.write.edit({ room, seq, user: 'ann', text: secret, at });
  });
  hearOne();
  await expect.poll(events).toHaveLength(2);
  const toBen = told.filter((event) => /^[^ ]*c-ben/.test(event));
  expect(toBen.filter((event) => event.includes(secret))).toEqual([]);
});

test('does not notify a just removed user that a pending message was rejected', async () => {
  const { chat, history, told, once, lateFor, den, hold, remove } = await openInterrupted();
  const connect = askedDirectly(chat);
  for (const id of ['ann', 'ben', 'cat']) await connect(id);
  const room = 'u-den';
  await den(room, ['ann', 'ben', 'cat']);
  await history.write.setRole({ room, user: 'ben', role: 'moderator', actor: 'ann' });
  const heardBy = (id: string) =>
    told.filter((event) => event.includes('held:changed') && event.split(' ')[0]?.includes(id));
  once('before', 'pendingMessage', () =>
    lateFor(async () => {
      await remove(room, 'ben', 'cat');
      const [waiting] = await history.read.pendingBy({ user: 'cat' });
      await history.write.rejectPending({ room, id: waiting?.id ?? '', by: 'ann', reason: secret, at });
    }),
  );
  await hold(room, 'cat', 'hello');
  await expect.poll(() => heardBy('c-ann')).not.toEqual([]);
  await history.current();
  await expect.poll(() => heardBy('c-ann')).toHaveLength(2);
  expect([...heardBy('c-ben'), ...heardBy('c-cat')].filter((event) => event.includes(secret))).toEqual([]);
});

test('rejects reads of a room that was replaced under the same ID', async () => {
  const { chat, history, once, say, report } = await openInterrupted();
  const connect = askedDirectly(chat);
  const room = 'den';
  const ben = await connect('ben');
  const boss = await connect('boss', ['admin']);
  await history.write.putRoom({ id: room, name: 'Den', kind: 'private', at });
  const users = [{ id: 'ben' }, { id: 'ann' }];
  await history.write.addMembers({ room, users, source: 'people', mayReturn: false, at });
  await say(room, 'ann');
  once('before', 'newest', async () => {
    await history.write.deleteRoom({ room });
    await history.write.putRoom({ id: room, name: 'Den', kind: 'public', at: at + 1 });
    await say(room, 'ann', secret, { asMember: false });
  });
  expect(await ben.ask('message:history', { room })).toMatchObject({ error: { code: 'unknown_room' } });

  const seq = await say(room, 'ann', 'rude', { asMember: false });
  const id = await report(room, seq, 'ben');
  expect(await boss.ask('report:context', { id })).toMatchObject({ ok: true });
  once('before', 'newest', () =>
    history.write.closeReport({ room, seq, id, by: 'boss', done: 'nothing', at: at + 2 }),
  );
  expect(await boss.ask('report:context', { id })).toMatchObject({ error: { code: 'unknown_message' } });
});

test('drops events of a deleted room after a new room takes its ID', async () => {
  const { chat, history, told, once, hasHappened, say, hold } = await openInterrupted();
  const connect = askedDirectly(chat);
  const [ann, cat] = [await connect('ann'), await connect('cat')];
  const room = 'team';
  let madeAt = 1;
  /** Creates the room with a message by Ben. */
  async function begin(owner: typeof ann, text: string) {
    const made = { id: room, kind: 'private', name: 'Team', most: 0, at: ++madeAt } as const;
    await history.write.createRoom({ ...made, by: owner.connection.person.user, clientId: newClientId() });
    const users = [{ id: 'ben' }];
    await history.write.addMembers({ room, users, source: 'api', mayReturn: true, at: madeAt });
    await owner.ask('room:join', { room });
    await say(room, 'ben', text);
  }
  const cases = [
    ['pin:changed', 'pins', (user: string) => history.write.pin({ room, seq: 1, user, pinned: true, at })],
    [
      'report:changed',
      'report',
      (by: string) => history.write.report({ room, seq: 1, by, reason: 'spam', at }),
    ],
    [
      'held:changed',
      'pendingMessage',
      (owner: string) => hold(room, 'ben', owner === 'ann' ? 'the old code' : 'hello'),
    ],
  ] as const;
  const announcements: string[] = [];
  for (const [event, after, write] of cases) {
    await begin(ann, 'the old code');
    told.length = 0;
    const announced = () => told.filter((line) => line.split(' ')[1] === event);
    once('after', after, async () => {
      await history.write.deleteRoom({ room });
      await begin(cat, 'hello');
    });
    await write('ann');
    await expect.poll(hasHappened).toBe(true);
    await expect.poll(() => cat.connection.joined.size).toBe(1);
    // Events are sent in order, so an event of the old room would come first.
    await write('cat');
    await expect.poll(announced).not.toEqual([]);
    announcements.push(...announced());
    await history.write.deleteRoom({ room });
  }
  expect(announcements).toEqual(cases.map(() => expect.stringContaining('hello')));
});

test('hides the reason of a deletion from an author who was removed before', async () => {
  const { chat, told, once, lateFor, remove } = await openInterrupted();
  const connect = askedDirectly(chat);
  const [ann, ben] = [await connect('ann'), await connect('ben')];
  const made = { kind: 'private', name: 'Den', members: ['ben'], clientId: 'den' };
  const room = ((await ann.ask('room:create', made)).data as Answers['room:create']).room.id;
  for (const user of [ann, ben]) await user.ask('room:join', { room });
  for (const clientId of ['one', 'two']) await ben.ask('message:send', { room, text: 'rude', clientId });
  const deleted = (seq: number) => ann.ask('message:delete', { room, seq, reason: `the reason ${seq}` });
  const pushed = () => told.filter((event) => event.startsWith('c-ben push'));
  await deleted(1);
  await expect.poll(pushed).toEqual([expect.stringContaining('the reason 1')]);
  // Another server removes Ben just before the deletion is written.
  once('before', 'write delete', () => lateFor(() => remove(room, 'ben')));
  await deleted(2);
  await expect.poll(() => told.join()).toMatch(/room:removed|the reason 2/);
  await new Promise(setImmediate);
  expect(pushed()).toHaveLength(1);
});

test('does not answer `unknown_room` to a user removed from a public room', async () => {
  const { chat, once, hasHappened, den, say, remove } = await openInterrupted();
  const ben = await askedDirectly(chat)('ben');
  const room = 'den';
  await den(room, ['ann', 'ben'], 'public');
  await say(room, 'ben');
  const cases = [
    ['message:send', { text: 'hello', clientId: 'c' }, 'send', 'not_joined'],
    ['message:edit', { seq: 1, text: 'other' }, 'edit', 'not_joined'],
    ['message:react', { seq: 1, emoji: '👍', on: true }, 'react', 'not_joined'],
    ['thread:follow', { thread: 1, following: true }, 'follow', 'forbidden'],
    ['room:notify', { notify: 'all' }, 'setPreferences', 'forbidden'],
    ['read:mark', { seq: 1, unread: true }, 'markUnread', undefined],
  ] as const;
  for (const [event, payload, write, code] of cases) {
    await ben.ask('room:join', { room });
    await say(room, 'ann');
    await ben.ask('read:mark', { room, seq: 2 });
    once('before', `write ${write}`, () => remove(room, 'ben'));
    const { error } = await ben.ask(event, { room, ...payload });
    expect(hasHappened()).toBe(true);
    expect([event, error?.code]).toEqual([event, code]);
  }
});
