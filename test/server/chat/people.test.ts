import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { size } from '../../guarantees/size.ts';
import { type ChatClient, ConnectRefused, connectChat, newClientId } from '../../helpers/chat-client.ts';
import {
  closedAfterEach,
  codeOf,
  eventsOf,
  nextOf,
  type PeopleSite,
  type Person,
  type Several,
  say as send,
  sharedSite,
  startPeopleSite,
} from '../../helpers/people.ts';

const site = sharedSite(() => startPeopleSite({ CHAT_ROOMS: 'lobby,general:Général,交流' }));

const inTest = closedAfterEach();
const person = async (session?: object, id?: string): Promise<Person> =>
  inTest(await site.person(session, id));
const users = <Count extends keyof Several>(count: Count) => site.people(count, inTest);
const again = async (client: Person): Promise<Person> => inTest(await site.again(client));
const { writeSession, api }: Pick<PeopleSite, 'writeSession' | 'api'> = {
  writeSession: (...of) => site.writeSession(...of),
  api: (...of) => site.api(...of),
};
const den = async (...of: Parameters<PeopleSite['den']>) => (await site.den(...of)).id;

describe('the first event of a connection', () => {
  test('contains the user, the rights and the configured rooms', async () => {
    const ann = await person();
    expect(ann.ready).toEqual({
      protocol: 1,
      user: { id: ann.id, name: `Name of ${ann.id}` },
      roles: [],
      rooms: [
        expect.objectContaining({ id: 'lobby', name: 'lobby', member: false, may: ['send'] }),
        expect.objectContaining({ id: 'general', name: 'Général' }),
        expect.objectContaining({ id: expect.stringMatching(/^r-[0-9a-f]{16}$/), name: '交流' }),
      ],
      more: false,
      firstRoom: 'lobby',
      totals: { unread: 0, mentions: 0 },
      limits: { text: 4000, mentions: 20, file: 10_485_760, files: 10 },
      can: {
        createPublic: false,
        createPrivate: true,
        direct: true,
        findPeople: true,
        files: true,
        previews: false,
        seen: true,
        push: false,
        report: true,
        hold: false,
        mail: false,
      },
      profile: {},
      serverTime: expect.any(Number),
    });
  });

  test('lists the user’s rooms first, by newest message', async () => {
    const [ann, ben] = await users(2);
    const [older, newer] = [await den(ann, [ben]), await den(ann, [ben])];
    for (const room of [older, newer]) {
      await ann.request('room:join', { room });
      await send(ann, room);
    }
    const first = await again(ben);
    expect(first.ready.rooms.slice(0, 2)).toMatchObject([
      { id: newer, unread: 1, last: { text: 'hello' } },
      { id: older, unread: 1 },
    ]);
    expect(first.ready.totals).toEqual({ unread: 2, mentions: 0 });
    await first.request('read:mark', { room: newer, seq: 1 });
    await expect.poll(() => eventsOf(ben, 'read:changed')).toEqual([{ room: newer, user: ben.id, seq: 1 }]);
    expect((await again(ben)).ready.totals.unread).toBe(1);
  });
});

test('lists public rooms without the user’s own, by name and in pages', async () => {
  const ann = await person();
  const first = await ann.request('room:list', { member: false, limit: 2 });
  expect(first.rooms.map(({ name }) => name)).toEqual(['Général', 'lobby']);
  const rest = await ann.request('room:list', { member: false, cursor: first.next as string });
  expect(rest.rooms.map(({ name }) => name)).toContain('交流');
  await ann.request('room:join', { room: 'lobby' });
  const names = async (member: boolean) =>
    (await ann.request('room:list', { member })).rooms.map(({ name }) => name);
  expect(await names(true)).toEqual(['lobby']);
  expect(await names(false)).not.toContain('lobby');
});

describe('rooms of users', () => {
  test('announces a private room to its members only', async () => {
    const [ann, ben, eve] = await users(3);
    const room = await den(ann, [ben], { name: 'Plans', topic: 'for Monday' });
    const added = expect.objectContaining({
      id: room,
      name: 'Plans',
      topic: 'for Monday',
      kind: 'private',
      members: 2,
      role: 'member',
      notify: 'all',
    });
    await expect.poll(() => eventsOf(ben, 'room:added')).toEqual([added]);
    expect(eventsOf(ann, 'room:added')).toEqual([]);
    expect(eventsOf(eve, 'room:added')).toEqual([]);
  });

  test('announces a new public room to all users once', async () => {
    const [admin, ann] = [await person({ roles: 'admin' }), await person()];
    const name = `Straße ${newClientId()}`;
    const wanted = { name, kind: 'public' as const, clientId: newClientId() };
    const { room } = await admin.request('room:create', wanted);
    await expect.poll(() => eventsOf(ann, 'room:added')).toMatchObject([{ id: room.id, member: false }]);
    const { rooms } = await ann.request('room:list', { member: false, query: 'straße' });
    expect(rooms).toMatchObject([{ id: room.id }]);
  });

  test('lists rooms by a name that is typed differently, first as it was typed, in pages', async () => {
    const [admin, ann] = [await person({ roles: 'admin' }), await person()];
    const id = newClientId().slice(0, 8);
    const names = [`A Łódź ${id}`, `B lodz ${id}`, `C LÓDŹ ${id}`, `D Lodz ${id}`];
    for (const name of names)
      await admin.request('room:create', { name, kind: 'public', clientId: newClientId() });
    const listed = async (query: string, limit = 50) => {
      const found: string[] = [];
      for (let next: string | undefined, more = true; more; ) {
        const request = { member: false, query, limit, cursor: next || undefined };
        const page = await ann.request('room:list', request);
        found.push(...page.rooms.map(({ name }) => name.slice(0, 1)));
        next = page.next;
        more = next !== undefined;
      }
      return found.join('');
    };
    for (const limit of [1, 3, 50]) {
      expect(await listed(`lodz ${id}`, limit)).toBe('BDAC');
      expect(await listed(`łódź ${id}`, limit)).toBe('ABCD');
      expect(await listed(`ＬÓＤŹ ${id}`.normalize('NFD'), limit)).toBe('ABCD');
    }
    expect(await listed(`lod ${id}`)).toBe('');
    const other = await ann.request('room:list', { member: false, limit: 1 });
    const cursor = other.next as string;
    expect(await codeOf(ann, 'room:list', { member: false, query: 'lodz', cursor })).toBe('bad_request');
  });

  test('lists members by a name that is typed differently, first as it was typed', async () => {
    const ann = await person({ firstname: 'Ann' });
    const named = ['Résumé', 'resume', 'My résumé', 'My Resume'];
    const people = await Promise.all(named.map((firstname) => person({ firstname })));
    const room = await den(ann, people);
    for (const one of people) await one.request('room:join', { room });
    const find = async (query: string, over = {}) =>
      (await ann.request('room:members', { room, query, ...over })).members.map(({ user }) => user.name);
    for (const over of [{}, { present: true }]) {
      expect(await find('resume', over)).toEqual(['resume', 'Résumé', 'My Resume', 'My résumé']);
      expect(await find('RÉSUMÉ', over)).toEqual(['Résumé', 'resume', 'My résumé', 'My Resume']);
    }
    const { users } = await ann.request('user:find', { query: 'résumé' });
    expect(users.map(({ name }) => name)).toEqual(['Résumé', 'resume', 'My résumé', 'My Resume']);
  });

  test('sends a new name and topic to all members, whether they show the room or not', async () => {
    const [ann, ben] = await users(2);
    const room = await den(ann, [ben]);
    await ann.request('room:join', { room });
    const { room: updated } = await ann.request('room:update', { room, name: 'New', topic: 'topic' });
    expect(updated).toMatchObject({ name: 'New', topic: 'topic' });
    await expect
      .poll(() => eventsOf(ben, 'room:activity').at(-1))
      .toMatchObject({ room, name: 'New', topic: 'topic', members: 2 });
    expect((await ann.request('room:update', { room, topic: '' })).room).not.toHaveProperty('topic');
  });

  test('drops pending activity of a room when it is deleted', async () => {
    const [ann, ben] = await users(2);
    const rooms = [await den(ann, [ben]), await den(ann, [ben])] as const;
    const [deleted, kept] = rooms;
    for (const room of rooms) await ann.request('room:join', { room });
    // The activity of the second message is delayed by a second.
    for (const room of rooms) for (const words of ['one', 'two']) await send(ann, room, words);
    await ann.request('room:delete', { room: deleted });
    const heardOf = (room: string) => eventsOf(ben, 'room:activity').filter((event) => event.room === room);
    await expect.poll(() => heardOf(kept)).toMatchObject([{ lastSeq: 1 }, { lastSeq: 2 }]);
    // On a slow machine, the second activity may precede the deletion.
    const removed = ben.events.findIndex(({ name }) => name === 'room:removed');
    expect(ben.events[removed]?.payload).toMatchObject({ room: deleted, reason: 'deleted' });
    const before = ben.events.slice(0, removed).map(({ payload }) => payload);
    expect(before).toEqual(expect.arrayContaining(heardOf(deleted)));
    expect(heardOf(deleted)[0]).toMatchObject({ lastSeq: 1 });
  });

  test('lets a user rejoin a public room', async () => {
    const ann = await person();
    await ann.request('room:join', { room: 'general' });
    const removed = nextOf(await again(ann), 'room:removed');
    await ann.request('room:remove', { room: 'general', user: ann.id });
    expect(await removed).toEqual({ room: 'general', readable: true, reason: 'left' });
    expect((await ann.request('room:join', { room: 'general' })).room.member).toBe(true);
  });

  test('lists members by name or presence, and sends their changes', async () => {
    const [ann, ben] = await users(2);
    const room = await den(ann, [ben]);
    await ann.request('room:join', { room });
    await ben.request('room:join', { room });
    await ann.request('room:invite', { room, users: ['zz-absent'] });
    expect(await ann.request('room:members', { room })).toEqual({
      members: [
        { user: { id: ann.id, name: `Name of ${ann.id}` }, role: 'owner', present: true },
        { user: { id: ben.id, name: `Name of ${ben.id}` }, role: 'member', present: true },
        { user: { id: 'zz-absent', name: 'zz-absent' }, role: 'member', present: false },
      ],
      count: 3,
    });
    const present = await ann.request('room:members', { room, present: true, limit: 1 });
    expect(present).toMatchObject({ members: [{ user: { id: ann.id } }], next: expect.any(String) });
    expect(
      await ann.request('room:members', { room, present: true, cursor: present.next as string }),
    ).toMatchObject({ members: [{ user: { id: ben.id } }], count: 3 });
    expect((await ann.request('room:members', { room, query: 'zz' })).members).toHaveLength(1);
    const changes = () => eventsOf(ben, 'members:changed').flatMap(({ changed }) => changed);
    await expect
      .poll(changes)
      .toContainEqual({ user: { id: 'zz-absent', name: 'zz-absent' }, role: 'member', present: false });
  });

  test('says on request after which message a user joined a private room', async () => {
    const [ann, ben, cat] = await users(3);
    const room = await den(ann, [ben]);
    await ann.request('room:join', { room });
    await send(ann, room);
    const { token } = await ann.request('invite:create', { room });
    await cat.request('invite:accept', { token });
    const joins = async (of: string) => {
      const { members } = await ann.request('room:members', { room: of, joined: true });
      return Object.fromEntries(members.map(({ user, after }) => [user.id, after]));
    };
    expect(await joins(room)).toEqual({ [ann.id]: 0, [ben.id]: 0, [cat.id]: 1 });
    await ann.request('room:join', { room: 'lobby' });
    expect(Object.values(await joins('lobby'))).not.toContainEqual(expect.any(Number));
  });

  test('names absent users in changes only if they were active in a shared room', async () => {
    const [ann, ben, known, hidden] = await users(4);
    for (const client of [ann, known]) await client.request('room:join', { room: 'lobby' });
    hidden.close();
    await expect.poll(async () => (await api('GET', `/users/${hidden.id}`)).body.connections).toBe(0);
    known.close();
    // Wait until both are offline.
    await expect
      .poll(() => eventsOf(ann, 'presence:changed').flatMap(({ left }) => left))
      .toContain(known.id);
    const room = await den(ann, [ben]);
    await ben.request('room:join', { room });
    const changes = () =>
      eventsOf(ben, 'members:changed')
        .flatMap(({ changed }) => changed)
        .filter(({ user }) => user.id === known.id || user.id === hidden.id);
    const shown = [
      { id: known.id, name: `Name of ${known.id}` },
      { id: hidden.id, name: hidden.id },
    ];
    await ann.request('room:invite', { room, users: [known.id, hidden.id] });
    await expect.poll(() => changes().length).toBe(2);
    expect(changes()).toEqual(shown.map((user) => ({ user, role: 'member', present: false })));
    for (const { id } of shown) await ann.request('room:remove', { room, user: id });
    await expect.poll(() => changes().length).toBe(4);
    expect(changes().slice(2)).toEqual(shown.map((user) => ({ user, gone: true })));
  });

  test('shows a user’s role, presence and last visit only to members who may know the user', async () => {
    const [ann, ben, cat, eve] = await users(4);
    const room = await den(ann, [ben, cat]);
    const about = (who: Person, user: string, of = room) => who.request('user:about', { room: of, user });
    await ben.request('room:join', { room });
    expect(await about(ann, ben.id)).toEqual({ role: 'member', present: true });
    expect(await about(ann, ann.id)).toEqual({ role: 'owner', present: true, hidden: false });
    // Cat is online, but has not acted in a shared room.
    expect(await about(ann, cat.id)).toEqual({ role: 'member', present: false });
    for (const user of [eve.id, 'nobody']) expect(await about(ann, user)).toEqual({ present: false });
    const before = Date.now();
    ben.close();
    cat.close();
    await expect.poll(async () => (await about(ann, ben.id)).lastHere).toBeDefined();
    const { lastHere = 0, ...rest } = await about(ann, ben.id);
    expect(rest).toEqual({ role: 'member', present: false });
    expect(lastHere % 300_000).toBe(0);
    expect([lastHere <= Date.now(), lastHere > before - 300_000]).toEqual([true, true]);
    expect(await about(ann, cat.id)).toEqual({ role: 'member', present: false });
    // Ben is not a member of the lobby.
    await eve.request('room:join', { room: 'lobby' });
    const nonMember = { present: false };
    expect(await about(eve, ben.id, 'lobby')).toEqual(nonMember);
    const back = await again(ben);
    await back.request('room:join', { room: 'lobby' });
    back.close();
    // `lastHere` may have reached the next step of five minutes.
    const known = { role: 'member', present: false, lastHere: expect.any(Number) };
    await expect.poll(() => about(eve, ben.id, 'lobby')).toEqual(known);
    const isUnknown = { role: 'member', present: false };
    const block = (who: Person, user: string, blocked: boolean) =>
      who.request('user:block', { user, blocked });
    await block(eve, ben.id, true);
    expect(await about(eve, ben.id, 'lobby')).toEqual(isUnknown);
    await block(eve, ben.id, false);
    expect(await about(eve, ben.id, 'lobby')).toEqual(known);
    const blocker = await again(ben);
    await block(blocker, eve.id, true);
    blocker.close();
    await expect.poll(() => about(eve, ben.id, 'lobby')).toEqual(isUnknown);
    const hider = await again(ben);
    await hider.request('user:hide', { hidden: true });
    expect(await about(hider, ben.id, 'lobby')).toEqual({ role: 'member', present: true, hidden: true });
    hider.close();
    await expect.poll(() => about(ann, ben.id, 'lobby')).toEqual(isUnknown);
  });

  test('names users in read receipts only if the author may know them', async () => {
    const [ann, ben, cat, dan] = await users(4);
    const room = await den(ann, [ben, cat, dan]);
    for (const each of [ann, ben, cat]) await each.request('room:join', { room });
    const { seq } = await send(ann, room);
    const readReceipts = async () => {
      const { users, total } = await ann.request('message:seen', { room, seq });
      return [users.map(({ id }) => id), total];
    };
    expect(await readReceipts()).toEqual([[], 3]);
    for (const each of [ben, cat, dan]) await each.request('read:mark', { room, seq });
    const receipts = () =>
      eventsOf(ann, 'seen:changed').map(({ users, total }) => [users.map(({ id }) => id), total]);
    await expect.poll(receipts).toContainEqual([[ben.id, cat.id], 3]);
    // Dan has not acted in a shared room, so Ann may not know Dan.
    expect(await readReceipts()).toEqual([[ben.id, cat.id], 3]);
    await cat.request('user:block', { user: ann.id, blocked: true });
    await ben.request('user:hide', { hidden: true });
    expect(await readReceipts()).toEqual([[], 3]);
    const before = receipts().length;
    const second = (await send(ann, room)).seq;
    await ann.request('message:seen', { room, seq: second });
    for (const each of [ben, cat, dan]) await each.request('read:mark', { room, seq: second });
    const third = (await send(ann, room)).seq;
    // From now on, no event is about the second message.
    await ann.request('message:seen', { room, seq: third });
    await cat.request('user:block', { user: ann.id, blocked: false });
    await ben.request('user:hide', { hidden: false });
    await ben.request('read:mark', { room, seq: third });
    await expect.poll(() => receipts().length).toBeGreaterThan(before);
    // Readers who hide their visits, block the author or are unknown to the author do not cause events.
    expect(eventsOf(ann, 'seen:changed').slice(before)).toEqual([
      { room, seq: third, users: [{ id: ben.id, name: `Name of ${ben.id}` }], total: 3 },
    ]);
    // Ben hides again, so his read must not cause an event, although the event could name Cat, whom Ann has unblocked
    // since her request.
    const elsewhere = await den(ann, [cat]);
    for (const each of [ann, cat]) await each.request('room:join', { room: elsewhere });
    const there = { room: elsewhere, seq: (await send(ann, elsewhere)).seq };
    await ann.request('message:seen', there);
    const fourth = { room, seq: (await send(ann, room)).seq };
    await cat.request('read:mark', fourth);
    await ann.request('user:block', { user: cat.id, blocked: true });
    await ann.request('message:seen', fourth);
    await ann.request('user:block', { user: cat.id, blocked: false });
    await ben.request('user:hide', { hidden: true });
    await ben.request('read:mark', fourth);
    // Events of both rooms are sent at the same moment.
    await cat.request('read:mark', there);
    await expect.poll(() => eventsOf(ann, 'seen:changed').at(-1)).toMatchObject(there);
    expect(eventsOf(ann, 'seen:changed')).not.toContainEqual(expect.objectContaining(fourth));
    await cat.request('user:block', { user: ann.id, blocked: true });
    await cat.request('user:block', { user: ann.id, blocked: false });
    await ann.request('room:remove', { room, user: cat.id });
    expect(await readReceipts()).toEqual([[], 2]);
    expect(await ann.request('room:update', { room, seen: 'off' })).toMatchObject({ room: { seen: 'off' } });
    expect(await codeOf(ann, 'message:seen', { room, seq })).toBe('forbidden');
    expect((await ann.request('room:update', { room, seen: 'on' })).room).not.toHaveProperty('seen');
    expect(await readReceipts()).toEqual([[], 2]);
    const many = Array.from({ length: 48 }, (_, n) => `many-${n}`);
    await ann.request('room:invite', { room, users: many });
    expect(await codeOf(ann, 'message:seen', { room, seq })).toBe('limit_reached');
  });

  test('applies notification settings to all devices of the user', async () => {
    const [ann, ben] = await users(2);
    const room = await den(ann, [ben]);
    await ann.request('room:join', { room });
    await send(ann, room);
    const benToo = await again(ben);
    const changed = nextOf(benToo, 'room:changed');
    expect((await ben.request('room:notify', { room, notify: 'none' })).room.notify).toBe('none');
    expect(await changed).toMatchObject({ id: room, notify: 'none' });
    expect((await again(ben)).ready.totals).toEqual({ unread: 0, mentions: 0 });
  });
});

describe('direct rooms', () => {
  test('exist once per pair and appear to the peer with the first message', async () => {
    const [ann, ben] = await users(2);
    const { room } = await ann.request('direct:open', { user: ben.id });
    expect(room).toMatchObject({ kind: 'direct', may: ['send', 'pin'], members: 2, with: { id: ben.id } });
    expect((await ben.request('room:list', {})).rooms).toEqual([]);
    const added = nextOf(ben, 'room:added');
    await ann.request('room:join', { room: room.id });
    await send(ann, room.id, 'hi');
    expect(await added).toMatchObject({ id: room.id, unread: 1, last: { text: 'hi' }, with: { id: ann.id } });
    expect((await ben.request('direct:open', { user: ann.id })).room.id).toBe(room.id);
    const read = nextOf(ann, 'read:changed');
    await ben.request('read:mark', { room: room.id, seq: 1 });
    expect(await read).toEqual({ room: room.id, user: ben.id, seq: 1 });
  });

  test('do not name a user in a reaction before the peer knows the name', async () => {
    const [ann, ben] = await users(2);
    const { id: room } = (await ben.request('direct:open', { user: ann.id })).room;
    await ben.request('room:join', { room });
    await ann.request('direct:open', { user: ben.id });
    await ann.request('room:join', { room });
    await send(ann, room);
    await ben.request('message:react', { room, seq: 1, emoji: '👍', on: true });
    const reactors = async (client: Person) =>
      (await client.request('message:reactions', { room, seq: 1, emoji: '👍' })).users;
    expect(await reactors(ann)).toEqual([{ id: ben.id, name: ben.id }]);
    expect(await reactors(ben)).toEqual([{ id: ben.id, name: `Name of ${ben.id}` }]);
    await send(ben, room);
    expect(await reactors(ann)).toEqual([{ id: ben.id, name: `Name of ${ben.id}` }]);
  });

  test('send presence of the peer to a user who does not show the room', async () => {
    const [ann, ben] = await users(2);
    const { room } = await ann.request('direct:open', { user: ben.id });
    const about = () => ann.request('user:about', { room: room.id, user: ben.id });
    expect(await about()).toEqual({ role: 'member', present: false });
    await ann.request('room:join', { room: room.id });
    await send(ann, room.id);
    // Ben is a member, but Ann does not know Ben yet.
    expect(await about()).toEqual({ role: 'member', present: false });
    await ben.request('room:join', { room: room.id });
    await send(ben, room.id);
    expect(await about()).toEqual({ role: 'member', present: true });
    await ann.request('room:leave', { room: room.id });
    ben.close();
    await expect
      .poll(() => eventsOf(ann, 'presence:changed').at(-1))
      .toMatchObject({ room: room.id, joined: [], left: [ben.id] });
    const was = { role: 'member', present: false, lastHere: expect.any(Number) };
    await expect.poll(about).toEqual(was);
  });

  test('do not reveal whether the peer opened them', async () => {
    const [ann, ben, eva] = await users(3);
    const others = [ben, eva] as const;
    for (const other of others) await other.request('room:join', { room: 'lobby' });
    // Ben opens the room and does all that is possible there without a message.
    const { id } = (await ben.request('direct:open', { user: ann.id })).room;
    await ben.request('room:join', { room: id });
    await (await again(ben)).request('room:join', { room: id });
    await ben.request('room:notify', { room: id, notify: 'none' });
    const between = await den(ann);
    await ann.request('room:join', { room: between });
    await send(ann, between, 'between both');
    const opened: { other: Person; room: string; said: string }[] = [];
    for (const other of others) {
      const { room } = await ann.request('direct:open', { user: other.id });
      opened.push({ other, room: room.id, said: JSON.stringify(room) });
    }
    const inList = (await ann.request('room:list', {})).rooms.map(({ kind }) => kind);
    expect(inList).toEqual(['private', 'direct', 'direct']);
    const asks = (room: string, user: string) =>
      [
        ['room:members', { room }],
        ['room:members', { room, present: true }],
        ['room:members', { room, present: false }],
        ['room:members', { room, query: 'name' }],
        ['room:members', { room, limit: 1 }],
        ['user:about', { room, user }],
        ['user:find', { query: user, room }],
        ['room:join', { room }],
        ['room:role', { room, user, role: 'member' }],
        ['room:role', { room, user, role: 'owner' }],
        ['room:remove', { room, user }],
        ['room:mute', { room, user, seconds: 0 }],
      ] as const;
    const visibleFor = async ({ other, room, said } = opened[0] as (typeof opened)[number]) => {
      const answers: unknown[] = [said];
      for (const [event, payload] of asks(room, other.id)) answers.push(await ann.raw(event, payload));
      const news = ann.events.length;
      if (other === ben) {
        await ben.request('typing:set', { room, typing: true });
        const later = await again(ben);
        await later.request('room:join', { room });
        later.close();
      }
      expect(await codeOf(other, 'room:previews', { room, previews: 'on' })).toBe(
        other === ben ? 'forbidden' : 'unknown_room',
      );
      const presence = nextOf(ann, 'presence:changed');
      await send(ann, room, 'hello');
      await presence;
      answers.push(ann.events.slice(news).filter(({ name }) => name !== 'room:activity'));
      for (const [event, payload] of asks(room, other.id)) answers.push(await ann.raw(event, payload));
      return JSON.stringify(answers, (key, value) => (/At$|^clientId$|^next$/.test(key) ? 0 : value))
        .replaceAll(room, 'ROOM')
        .replaceAll(other.id, 'OTHER')
        .replaceAll(/"id":"[0-9a-f-]{36}"/g, '');
    };
    const [withBen, withEva] = [await visibleFor(opened[0]), await visibleFor(opened[1])];
    expect(withBen).toEqual(withEva);
    expect(withBen).toContain('OTHER');
  });
});

describe('the session', () => {
  test('gives a user the union of the rooms of all open sessions', async () => {
    const [firstTeam, secondTeam] = [`team-${newClientId()}`, `team-${newClientId()}`];
    const id = newClientId();
    const first = await person({ rooms: [firstTeam] }, id);
    const second = await person({ rooms: [secondTeam] }, id);
    const listedRooms = async () =>
      (await first.request('room:list', {})).rooms.map((room) => room.id).sort();
    expect(await listedRooms()).toEqual([firstTeam, secondTeam].sort());
    second.close();
    await expect.poll(listedRooms).toEqual([firstTeam]);
  });

  test('closes connections and rejects new ones if it contains a ban', async () => {
    const ann = await person();
    await writeSession(ann, { banned: '1' });
    expect(await ann.ended).toMatchObject({ reason: 'kicked' });
    await expect(again(ann)).rejects.toMatchObject({ data: { code: 'forbidden', retryable: false } });
    await writeSession(ann, { banned: '0' });
    (await again(ann)).close();
  });
});

describe('finding users', () => {
  test('matches users in shared rooms by the start of each word of the name', async () => {
    const [ann, ben, eve] = [
      await person({ firstname: 'Ann' }),
      await person({ firstname: 'Zora Q. Neale' }),
      await person({ firstname: 'Zorro Alone' }),
    ];
    const room = await den(ann, [ben]);
    const find = async (query: string, over = {}) =>
      (await ann.request('user:find', { query, ...over })).users.map(({ name }) => name);
    expect(await find('zor')).toEqual([]);
    await ben.request('room:join', { room });
    expect(await find('zor')).toEqual(['Zora Q. Neale']);
    expect(await find('NEALE')).toEqual(['Zora Q. Neale']);
    expect(await find('ora')).toEqual([]);
    expect(await ann.request('user:find', { query: ben.id, room })).toEqual({
      users: [{ id: ben.id, name: 'Zora Q. Neale' }],
      inRoom: [ben.id],
    });
    eve.close();
  });

  test('finds users whom the site added to rooms only if they share a private room with the searcher', async () => {
    const [club, shown] = [`club-${newClientId()}`, `shown-${newClientId()}`];
    await api('PUT', `/rooms/${club}`, { name: 'Club', kind: 'private' });
    await api('PUT', `/rooms/${shown}`, { name: `Shown ${shown}`, kind: 'public' });
    const [ann, ben, eve] = [
      await person({ rooms: [club, shown] }),
      await person({ rooms: [club, shown] }),
      await person({ rooms: [shown] }),
    ];
    const listed = async (client: Person, room: string) =>
      (await client.request('room:members', { room })).members.map(({ user, present }) => [
        user.name,
        present,
      ]);
    const [named, unnamed] = [`Name of ${ann.id}`, `Name of ${ben.id}`];
    // The list is sorted by name. Ben has not even opened the room.
    expect(await listed(ann, club)).toEqual([named, unnamed].map((name) => [name, true]));
    expect((await ann.request('room:members', { room: club, present: true })).members).toHaveLength(2);
    const find = async (client: Person, query: string) =>
      (await client.request('user:find', { query })).users;
    expect(await find(ann, ben.id)).toEqual([{ id: ben.id, name: unnamed }]);
    expect((await ann.request('direct:open', { user: ben.id })).room).toMatchObject({
      name: unnamed,
      present: true,
    });
    // All users may read the public room. Eve sees her own name.
    expect(await listed(eve, shown)).toEqual([
      [ann.id, false],
      [ben.id, false],
      [`Name of ${eve.id}`, true],
    ]);
    const here = await eve.request('room:members', { room: shown, present: true });
    expect(here.members.map(({ user }) => user)).toEqual([{ id: eve.id, name: `Name of ${eve.id}` }]);
    for (const client of [ann, ben]) expect(await find(eve, client.id)).toEqual([]);
  });

  const losses: Record<string, (room: string, ann: Person, ben: Person) => Promise<unknown>> = {
    'the peer is removed from': (room, ann, ben) => ann.request('room:remove', { room, user: ben.id }),
    'the site removes the user from': (room, ann) =>
      api('PATCH', `/rooms/${room}/members`, { remove: [ann.id] }),
    'the owner deletes': (room, ann) => ann.request('room:delete', { room }),
  };
  test.each(Object.keys(losses))(
    'hides the name of the peer again when %s the last shared room',
    async (how) => {
      const [ann, ben] = await users(2);
      const lose = losses[how] as (typeof losses)[string];
      const [first, last] = [await den(ann, [ben]), await den(ann, [ben])];
      for (const room of [first, last]) await ben.request('room:join', { room });
      const named = { name: `Name of ${ben.id}`, with: { name: `Name of ${ben.id}` }, present: true };
      const { room: direct } = await ann.request('direct:open', { user: ben.id });
      expect(direct).toMatchObject(named);
      await lose(first, ann, ben);
      const summary = async () =>
        (await ann.request('room:list', {})).rooms.find(({ id }) => id === direct.id);
      expect(await summary()).toMatchObject(named);
      const changed = nextOf(ann, 'room:changed');
      await lose(last, ann, ben);
      const hidden = { id: direct.id, name: ben.id, with: { id: ben.id, name: ben.id }, present: false };
      expect(await changed).toMatchObject(hidden);
      expect(await summary()).toMatchObject(hidden);
    },
  );
});

describe('the PHP application', () => {
  test('posts a message as a user, once per clientId', async () => {
    const ann = await person();
    await ann.request('room:join', { room: 'lobby' });
    const message = {
      user: { id: 7, name: 'Shop' },
      text: 'Your order has left us',
      clientId: newClientId(),
    };
    const received = nextOf(ann, 'message:new');
    const first = await api('POST', '/rooms/lobby/messages', message);
    expect(first).toMatchObject({ status: 201, body: { message: { user: { id: '7', name: 'Shop' } } } });
    expect(await received).toEqual(first.body.message);
    expect(await api('POST', '/rooms/lobby/messages', message)).toEqual({ ...first, status: 200 });
    expect(await api('POST', '/rooms/lobby/messages', { ...message, text: 'x' })).toMatchObject({
      status: 409,
      body: { error: { code: 'conflict' } },
    });
    expect((await api('POST', '/rooms/none/messages', message)).status).toBe(404);
    expect((await api('POST', '/rooms/lobby/messages', { ...message, text: ' ' })).status).toBe(400);
  });

  test('pushes to all connections of a user', async () => {
    const ann = await person();
    const annToo = await again(ann);
    const pushed = nextOf(annToo, 'push');
    expect(await api('POST', `/users/${ann.id}/push`, { name: 'order', data: { id: 1 } })).toEqual({
      status: 202,
      body: { delivered: 2 },
    });
    expect(await pushed).toEqual({ name: 'order', data: { id: 1 } });
    expect((await api('POST', '/users/nobody-here/push', { name: 'x' })).body).toEqual({ delivered: 0 });
  });

  test('creates and changes rooms, and changes members in bulk', async () => {
    const id = `shop-${newClientId()}`;
    const room = { id, name: 'Shop', kind: 'private', members: 0, head: 0, lastSeq: 0 };
    expect(await api('PUT', `/rooms/${id}`, { name: 'Shop', kind: 'private' })).toEqual({
      status: 201,
      body: { room },
    });
    expect(await api('PUT', `/rooms/${id}`, { name: 'Shop 2', kind: 'private', topic: 't' })).toEqual({
      status: 200,
      body: { room: { ...room, name: 'Shop 2', topic: 't' } },
    });
    expect((await api('PUT', `/rooms/${id}`, { name: 'Shop', kind: 'public' })).status).toBe(409);
    expect((await api('PUT', '/rooms/u-mine', { name: 'Shop', kind: 'private' })).status).toBe(400);
    const many = Array.from({ length: 1000 }, (_, n) => n + 1_000_000);
    expect((await api('PATCH', `/rooms/${id}/members`, { add: many })).body).toEqual({ count: 1000 });
    expect(
      (await api('PATCH', `/rooms/${id}/members`, { remove: [1_000_000], add: [{ id: 'x', name: 'X' }] }))
        .body,
    ).toEqual({ count: 1000 });
    expect(await api('DELETE', `/rooms/${id}`)).toEqual({ status: 200, body: {} });
    expect((await api('DELETE', `/rooms/${id}`)).status).toBe(404);
  });

  test('recreates a room under the same ID, which clients read from the start', async () => {
    const ann = await person();
    const room = newClientId();
    /** Creates the room with these messages. */
    const make = async (texts: readonly string[]) => {
      expect((await api('PUT', `/rooms/${room}`, { name: room, kind: 'public' })).status).toBe(201);
      await ann.request('room:join', { room });
      for (const text of texts) await send(ann, room, text);
    };
    await make(['1 old', '2 old', '3 old']);
    const { head: since } = (await ann.request('room:join', { room })).room;
    expect((await api('DELETE', `/rooms/${room}`)).status).toBe(200);
    const texts = ['1 new', '2 new', '3 new', '4 new', '5 new'];
    await make(texts);
    const joined = await ann.request('room:join', { room, since });
    expect(joined.reset).toBe(true);
    expect(joined.messages.map(({ text }) => text)).toEqual(texts);
    const synced = await ann.request('room:sync', { room, since });
    expect(synced.reset).toBe(true);
    expect(synced.messages.map(({ text }) => text)).toEqual(texts);
    const known = joined.room.head;
    expect(await ann.request('room:join', { room, since: known })).not.toHaveProperty('reset');
  });

  test('bans a user until it lifts the ban', async () => {
    const ann = await person();
    expect(await api('GET', `/users/${ann.id}`)).toEqual({
      status: 200,
      body: { user: { id: ann.id, name: `Name of ${ann.id}` }, connections: 1, rooms: 0 },
    });
    expect((await api('PUT', `/users/${ann.id}/ban`, { seconds: 60, reason: 'spam' })).body).toEqual({
      closed: 1,
    });
    expect(await ann.ended).toMatchObject({ reason: 'kicked' });
    await expect(again(ann)).rejects.toMatchObject({ data: { code: 'forbidden' } });
    expect((await api('GET', `/users/${ann.id}`)).body).toMatchObject({
      connections: 0,
      banned: { until: expect.any(Number), reason: 'spam' },
    });
    expect((await api('DELETE', `/users/${ann.id}/ban`)).status).toBe(200);
    (await again(ann)).close();
    expect((await api('GET', '/users/never-seen')).status).toBe(404);
    expect((await api('PUT', `/users/${ann.id}/ban`, { seconds: 0 })).status).toBe(400);
  });

  test('tells a banned user the end and the reason, but not the moderator', async () => {
    const [ann, moderator] = [await person(), await person({ roles: 'moderator' })];
    await moderator.request('moderate:ban', { user: ann.id, seconds: 60, reason: 'spam' });
    await ann.ended;
    const ban = { until: expect.any(Number), reason: 'spam' };
    expect(eventsOf(ann, 'session:ended')).toEqual([{ reason: 'kicked', ban }]);
    const refused = await again(ann).catch((error: ConnectRefused) => error.data);
    expect(refused).toHaveProperty('ban', ban);
  });

  test('rejects or disconnects a user who is banned at any moment of connecting', async () => {
    for (let n = 0; n < size(60, 15); n++) {
      const id = `banned-${n}`;
      const cookie = await site.rawSession(JSON.stringify({ user_id: id }));
      const connecting = connectChat(site.chat.url, cookie).catch((error: unknown) => error);
      // Connecting takes a few milliseconds.
      await pause(n / size(4, 1));
      expect((await api('PUT', `/users/${id}/ban`, {})).status).toBe(200);
      const client = await connecting;
      if (client instanceof ConnectRefused) expect(client.data?.code).toBe('forbidden');
      else expect(await (client as ChatClient).ended).toMatchObject({ reason: 'kicked' });
    }
  });
});
