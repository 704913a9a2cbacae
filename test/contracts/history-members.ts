import { expect, test } from 'vitest';
import type { MemberCursor } from '../../server/history/history.ts';
import { actionsOf, ann, at, ben, callsOf, expectRefusal, message, type Now } from './history-tested.ts';

/** Tests members and users in every history. `now`: the current history, with the public rooms `lobby` and `garden`. */
export function membersContract(now: Now) {
  const { write, read } = callsOf(now);
  const { send, memberOf, create, addPeople, join } = actionsOf(now);

  test("starts a new member's read marker at the newest message and never lowers it", async () => {
    await send(message({ user: ben }));
    expect(await memberOf('lobby', ann.id)).toBeNull();
    await write.join({ room: 'lobby', user: ann });
    expect(await memberOf('lobby', ann.id)).toMatchObject({ readSeq: 1, role: 'member', sources: 4 });
    await send(message({ user: ben }));
    await write.join({ room: 'lobby', user: ann });
    expect(await memberOf('lobby', ann.id)).toMatchObject({ readSeq: 1 });
    const mark = (seq: number) => write.markRead({ room: 'lobby', user: ann.id, seq });
    expect(await mark(2)).toEqual({ readSeq: 2 });
    expect(await mark(1)).toEqual({ readSeq: 2 });
    await expectRefusal(mark(3), 'bad_request');
    const users = ['nobody', ann.id, ben.id];
    const [nobody, member, sender] = await read.membersOf({ room: 'lobby', users });
    expect([nobody, member?.readSeq, sender]).toEqual([null, 2, null]);
    await send(message({ user: ann }));
    await now().reload();
    expect(await memberOf('lobby', ann.id)).toMatchObject({ readSeq: 3 });
    expect((await read.user({ user: ann.id })).memberships).toMatchObject([
      { room: { id: 'lobby', members: 1 }, member: { readSeq: 3 } },
    ]);
  });

  test('marks earlier messages of a batch as read for a new member', async () => {
    await Promise.all([
      send(message({ user: ben })),
      send(message({ user: ben })),
      write.join({ room: 'lobby', user: ann }),
      send(message({ user: ben })),
    ]);
    expect(await memberOf('lobby', ann.id)).toMatchObject({ readSeq: 2 });
  });

  test('ends a membership only with its last source', async () => {
    const { id } = await create();
    await addPeople(id, [ben.id]);
    await addPeople(id, [ben.id], { source: 'api' });
    await write.arrive({ user: ben, rooms: [{ id, name: 'x' }] });
    const remove = (sources: number) =>
      write.removeMembers({ room: id, users: [ben.id], sources, by: 'api' });
    await remove(2 | 4);
    expect(await memberOf(id, ben.id)).toMatchObject({ sources: 1 });
    await write.arrive({ user: ben, rooms: [] });
    expect(await memberOf(id, ben.id)).toMatchObject({ sources: 0 });
    expect(await read.room({ room: id })).toMatchObject({ members: 1 });
  });

  test('lets only the site add users who left or blocked the inviter', async () => {
    const { id } = await create();
    await addPeople(id, [ben.id, '3']);
    const remove = (user: string, cause: 'left' | 'removed') =>
      write.removeMembers({ room: id, users: [user], cause });
    await remove(ben.id, 'left');
    await remove('3', 'removed');
    await write.block({ user: '4', other: ann.id });
    const invited = async (users: string[], by = ann.id) =>
      (await addPeople(id, users, { by, mayReturn: true })).results;
    await now().reload();
    expect(await invited([ben.id, '3', '4', '5'])).toEqual(['forbidden', null, 'forbidden', null]);
    // Another user may add a user who blocked Ann, and Ann may after the block is lifted.
    expect(await invited(['4'], '3')).toEqual([null]);
    await remove('4', 'removed');
    expect(await invited(['4'])).toEqual(['forbidden']);
    await write.block({ user: '4', other: ann.id, blocked: false });
    expect(await invited(['4'])).toEqual([null]);
    expect((await addPeople(id, [ben.id], { source: 'api', mayReturn: true })).results).toEqual([null]);
    expect(await memberOf(id, ben.id)).not.toHaveProperty('left', expect.anything());
  });

  test('finds users with a block in either direction', async () => {
    await write.block({ user: ann.id, other: '3' });
    await write.block({ user: '4', other: ann.id });
    await write.block({ user: ben.id, other: '5' });
    const between = (others: string[]) => read.blockedBetween({ user: ann.id, others });
    expect((await between([ben.id, '3', '4', '5'])).sort()).toEqual(['3', '4']);
    expect(await between([ben.id])).toEqual([]);
    expect(await between([])).toEqual([]);
  });

  test('lets only the owner and moderators add a removed user again', async () => {
    const { id } = await create();
    await addPeople(id, [ben.id, '3']);
    await write.removeMembers({ room: id, users: [ben.id] });
    expect((await addPeople(id, [ben.id])).results).toEqual(['forbidden']);
    expect((await addPeople(id, [ben.id], { mayReturn: true })).results).toEqual([null]);
    expect((await addPeople(id, [ben.id, '4', '5'], { most: 4 })).results).toEqual([
      null,
      null,
      'limit_reached',
    ]);
  });

  test('transfers ownership to the longest-standing moderator, or else member', async () => {
    const { id } = await create();
    await addPeople(id, [ben.id], { at: at + 1 });
    await addPeople(id, ['3'], { at: at + 2 });
    await write.setRole({ room: id, user: '3', role: 'moderator' });
    const leave = (user: string) => write.removeMembers({ room: id, users: [user], cause: 'left' });
    await leave(ann.id);
    expect(await memberOf(id, '3')).toMatchObject({ role: 'owner' });
    await leave('3');
    expect(await memberOf(id, ben.id)).toMatchObject({ role: 'owner' });
  });

  test('makes the former owner a moderator when ownership is transferred', async () => {
    const { id } = await create();
    await addPeople(id, [ben.id]);
    await write.setRole({ room: id, user: ben.id, role: 'owner' });
    expect(await memberOf(id, ben.id)).toMatchObject({ role: 'owner' });
    expect(await memberOf(id, ann.id)).toMatchObject({ role: 'moderator' });
    await expectRefusal(write.setRole({ room: id, user: '9', role: 'member' }), 'unknown_user');
  });

  test('lists members by name in pages, and by prefixes of their names', async () => {
    const { id } = await create({ by: { id: '1', name: 'Zoë Adams' } });
    const guest = `g-${'0'.repeat(32)}`;
    for (const [user, name] of [
      ['2', 'émile'],
      ['3', 'Bob'],
      ['4', 'bob'],
      ['5', 'Amy Zed'],
      [guest, 'Guest Zed'],
    ]) {
      await write.arrive({ user: { id: user as string, name: name as string } });
    }
    await addPeople(id, ['2', '3', '4', '5', guest, 'never-here'], { source: 'api' });
    const members = async (over: object = {}) =>
      (await read.members({ room: id, limit: 10, ...over })).members.map(({ user }) => user.name);
    const all = ['Amy Zed', 'Bob', 'bob', 'émile', 'Guest Zed', 'never-here', 'Zoë Adams'];
    expect(await members()).toEqual(all);
    const { next } = await read.members({ room: id, limit: 2 });
    expect(next).toEqual({ sort: 'bob', id: '3' });
    expect(await members({ limit: 2 })).toEqual(['Amy Zed', 'Bob']);
    expect(await members({ after: next, limit: 2 })).toEqual(['bob', 'émile']);
    const find = async (query: string, limit = 10) => {
      const found: string[][] = [];
      let after: MemberCursor | undefined;
      do {
        const page = await read.findMembers({ room: id, query, limit, after });
        found.push(page.members.map(({ user }) => user.name));
        after = page.next;
      } while (after !== undefined);
      return found;
    };
    // Matches of the whole name come first. Guests are not found.
    expect(await find('Z')).toEqual([['Zoë Adams', 'Amy Zed']]);
    expect(await find('a')).toEqual([['Amy Zed', 'Zoë Adams']]);
    expect(await find('a', 1)).toEqual([['Amy Zed'], ['Zoë Adams']]);
    expect(await find('bob', 1)).toEqual([['Bob'], ['bob'], []]);
    expect(await find('E')).toEqual([['émile']]);
    expect(await find('é')).toEqual([['émile']]);
    expect(await find('NEVER')).toEqual([['never-here']]);
    expect(await find('5')).toEqual([['Amy Zed']]);
    expect(await find('\u0301')).toEqual([[]]);
  });

  test('lists members with unknown names last, by ID, until they are active', async () => {
    const { id } = await create({ by: { id: 'owner', name: 'Olga' } });
    const arrive = (user: string, name: string) => write.arrive({ user: { id: user, name } });
    for (const [user, name] of [
      ['1', 'Zoe'],
      ['2', 'Amy'],
      ['3', 'Bob'],
      ['4', 'Cy'],
    ] as const) {
      await arrive(user, name);
    }
    await addPeople(id, ['4', '3', '2', '1']);
    const members = async (after?: MemberCursor) => {
      const page = { room: id, limit: 10, after };
      return (await read.members(page)).members.map(({ user, place }) => {
        expect(place.id).toBe(user.id);
        return place.sort.startsWith('\u{10ffff}') ? user.id : user.name;
      });
    };
    expect(await members()).toEqual(['Olga', '1', '2', '3', '4']);
    // Connecting does not reveal a user's name.
    await arrive('1', 'Ada');
    await arrive('4', 'Aaron');
    expect(await members()).toEqual(['Olga', '1', '2', '3', '4']);
    // Each step reveals a name: a join of this room, one of a public room, an addition by the site, and a
    // message.
    await write.join({ room: id, user: { id: '1', name: 'Ada' } });
    expect(await members()).toEqual(['Ada', 'Olga', '2', '3', '4']);
    await join({ id: '2', name: 'Amy' });
    expect(await members()).toEqual(['Ada', 'Amy', 'Olga', '3', '4']);
    await addPeople(id, ['3'], { source: 'api' });
    expect(await members()).toEqual(['Ada', 'Amy', 'Bob', 'Olga', '4']);
    await send(message({ room: id, user: { id: '4', name: 'Cyd' } }));
    expect(await members()).toEqual(['Ada', 'Amy', 'Bob', 'Cyd', 'Olga']);
    await now().reload();
    expect(await members({ sort: 'b', id: '' })).toEqual(['Bob', 'Cyd', 'Olga']);
  });

  test('reveals the name of a user added by the site only in private rooms', async () => {
    const rooms = [
      { id: 'class', name: 'Class' },
      { id: 'lobby', name: 'lobby' },
    ];
    await write.arrive({ user: ben, rooms });
    await write.putRoom({ id: 'club', name: 'Club' });
    for (const room of ['club', 'garden']) await addPeople(room, ['3'], { source: 'api' });
    // User 4 is invited and then added by the site. User 5 is added during a ban.
    const { id } = await create();
    await addPeople(id, ['4']);
    expect(await memberOf(id, '4')).toMatchObject({ acted: 0 });
    await addPeople(id, ['4'], { source: 'api' });
    const ban = { room: id, user: '5', kind: 'banned', at } as const;
    await write.restrict({ ...ban, restriction: { by: ann.id } });
    await addPeople(id, ['5'], { source: 'api' });
    await write.restrict({ ...ban, restriction: null });
    const actedIn = async (room: string, user: string) => (await memberOf(room, user))?.acted;
    expect(await actedIn('class', ben.id)).toBe(1);
    expect(await actedIn('lobby', ben.id)).toBe(0);
    expect([await actedIn('club', '3'), await actedIn('garden', '3')]).toEqual([1, 0]);
    expect([await actedIn(id, '4'), await actedIn(id, '5')]).toEqual([1, 1]);
    // The name remains known after the site removes the user.
    await write.arrive({ user: ben, rooms: [] });
    expect(await memberOf('class', ben.id)).toMatchObject({ sources: 0, acted: 1 });
  });

  test('does not find a user whom only the site added to a public room', async () => {
    await write.arrive({ user: { id: '7', name: 'Quill' }, rooms: [{ id: 'lobby', name: '' }] });
    await join(ann);
    const find = (user: string) => read.findUsers({ user, query: 'quill', onlyShared: true, limit: 9 });
    expect(await find(ann.id)).toEqual([]);
    const rooms = ['lobby', 'class'].map((id) => ({ id, name: id }));
    await write.arrive({ user: { id: '7', name: 'Quill' }, rooms });
    await write.arrive({ user: ben, rooms: rooms.slice(1) });
    expect(await find(ann.id)).toEqual([]);
    expect(await find(ben.id)).toMatchObject([{ id: '7', name: 'Quill' }]);
    await join({ id: '7', name: 'Quill' });
    expect(await find(ann.id)).toMatchObject([{ id: '7', name: 'Quill' }]);
  });

  test('finds visible users despite any number of hidden ones', async () => {
    const many = Array.from({ length: 2010 }, (_, n) => ({ id: `h${n}`, name: `Quaa ${n}` }));
    await write.putRoom({ id: 'elsewhere', name: 'Elsewhere' });
    for (let n = 0; n < many.length; n += 500) {
      await addPeople('elsewhere', [], { users: many.slice(n, n + 500), source: 'api' });
    }
    await addPeople('lobby', [], { users: many.slice(0, 50), source: 'api' });
    await write.arrive({ user: ann, rooms: [{ id: 'class', name: 'class' }] });
    const arrived = [
      ['8', 'Quincy Near'],
      ['9', 'Zoë Quill'],
      ['quaint', 'Ann'],
    ] as const;
    for (const [id, name] of arrived) {
      await write.arrive({ user: { id, name }, rooms: [{ id: 'class', name: 'class' }] });
    }
    await join(ann);
    await join({ id: '6', name: 'Quentin Far' });
    await join({ id: '7', name: 'Yan Quy' });
    const found = async (query: string, over = {}) => {
      const request = { user: ann.id, query, onlyShared: true, limit: 20, ...over };
      return (await read.findUsers(request)).map(({ id }) => id);
    };
    // Sorted by full name, then by another word or the ID. Users in a shared private room come first.
    expect(await found('qu')).toEqual(['8', 'quaint', '9', '6', '7']);
    expect(await found('qu', { limit: 4 })).toEqual(['8', 'quaint', '9', '6']);
    expect(await found('ZOË')).toEqual(['9']);
    expect(await found('quaa')).toEqual([]);
    expect(await found('qu', { onlyShared: false })).toEqual(['8', 'quaint', '9', '6', '7']);
  });

  test('finds users who visited, wrote in public or were listed by the site, not users only added to a room', async () => {
    const { id } = await create();
    await addPeople(id, ['quill-1']);
    await addPeople(id, [], { users: [{ id: '5', name: 'Quill Smith' }], source: 'api' });
    const find = async () =>
      (await read.findUsers({ user: ben.id, query: 'quill', onlyShared: false, limit: 9 })).map(
        (user) => user.id,
      );
    expect(await find()).toEqual([]);
    await addPeople(id, [], { users: [{ id: '6', name: 'Quill Known' }], source: 'api' });
    await send(message({ user: { id: '3', name: 'Quill Writes' }, asMember: false }));
    await write.arrive({ user: { id: '5', name: 'Quill Smith' } });
    await send(message({ user: { id: '6', name: 'Quill Known' }, asMember: false }));
    expect((await find()).sort()).toEqual(['3', '5', '6']);
    await addPeople(id, [], { users: [{ id: '9', name: 'Quill Named' }], source: 'api' });
    for (const name of ['Quill Named', 'Quill Renamed'])
      await write.putSiteUsers({ users: [{ id: '9', name }], at });
    expect((await find()).sort()).toEqual(['3', '5', '6', '9']);
    expect(await read.siteUsers({ ids: ['3', '9'] })).toEqual(['9']);
    await addPeople(id, [], { users: [{ id: '5', name: 'Jo Smith-Quill' }], source: 'api' });
    expect((await find()).sort()).toEqual(['3', '5', '6', '9']);
    await addPeople(id, [], { users: [{ id: '5', name: 'Jo Smith' }], source: 'api' });
    expect((await find()).sort()).toEqual(['3', '6', '9']);
  });

  test('distinguishes user IDs that differ in case, a trailing space or an accent', async () => {
    const ids = ['Bob', 'bob', 'bob ', 'Bób'];
    for (const id of ids) await write.join({ room: 'lobby', user: { id, name: id } });
    expect(await read.room({ room: 'lobby' })).toMatchObject({ members: 4 });
    for (const id of ids) await send(message({ user: { id, name: id }, clientId: 'same' }));
    expect(await read.room({ room: 'lobby' })).toMatchObject({ lastSeq: 4 });
    const found = await read.findUsers({ user: 'x', query: 'bob', onlyShared: false, limit: 20 });
    // The ID as it was typed comes before the folded one.
    expect(found.map(({ id }) => id)).toEqual(['Bob', 'bob', 'bob ', 'Bób']);
  });

  test('finds users by a name that is typed differently, as typed first', async () => {
    const named = ['Ｋｅｎ’ｓ Shop', 'Łukasz', 'Lukasz', 'José'.normalize('NFD'), 'Weiß'];
    const users = named.map((name, n) => ({ id: `n${n}`, name }));
    await write.putSiteUsers({ users, at });
    const { id } = await create();
    await addPeople(id, [], { users, source: 'api' });
    const find = async (query: string, user = 'x') =>
      (await read.findUsers({ user, query, onlyShared: false, limit: 9 })).map((one) => one.id);
    const [shop = '', stroke = '', plain = '', jose = '', weiss = ''] = users.map((one) => one.id);
    expect(await find("ken's")).toEqual([shop]);
    expect(await find('lukasz')).toEqual([plain, stroke]);
    expect(await find('łukasz')).toEqual([stroke, plain]);
    expect(await find('josé')).toEqual([jose]);
    expect(await find('WEISS')).toEqual([weiss]);
    const members = await read.findMembers({ room: id, query: 'lukasz', limit: 9 });
    expect(members.members.map(({ user }) => user.id).sort()).toEqual([stroke, plain]);
    // Folding may lengthen a name beyond what databases index.
    await write.putSiteUsers({ users: [{ id: 'long', name: '\ufdfa'.repeat(64) }], at });
    expect(await find('\ufdfa'.repeat(40))).toEqual(['long']);
  });

  test('keeps the latest ban of a user until it expires or is lifted', async () => {
    const until = Date.now() + 3_600_000;
    await write.setBan({ user: ann.id, ban: { reason: 'spam' } });
    await write.setBan({ user: ann.id, ban: { until } });
    await write.setBan({ user: ben.id, ban: { until: at } });
    await now().reopen();
    expect(await read.bans(null)).toEqual([{ user: ann.id, ban: { until } }]);
    await write.setBan({ user: ann.id, ban: null });
    expect(await read.bans(null)).toEqual([]);
  });
}
