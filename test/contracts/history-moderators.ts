import { expect, test } from 'vitest';
import type { Act, ArrivalCursor, Writes } from '../../server/history/history.ts';
import { carryOutErasures } from '../helpers/erasures.ts';
import { ann, callsOf, expectRefusal, type Now, pagesOf } from './history-tested.ts';

const day = 24 * 60 * 60 * 1000;
const today = 20_000;
const at = today * day;
let n = 0;

/** Tests the moderators' page in every history. Each list and count covers only the requested rooms. */
export function moderatorsContract(now: Now) {
  const { write, read } = callsOf(now);
  const send = async (over: Partial<Writes['send']['in']> = {}) => {
    const sent = {
      room: 'lobby',
      clientId: `p${n++}`,
      user: ann,
      text: 'hello',
      sentAt: at,
      asMember: false,
    };
    return (await write.send({ ...sent, ...over })).message;
  };
  const den = (id = 'den') => write.putRoom({ id, name: id, at });

  test('counts messages by day, including deleted messages, but not repeats', async () => {
    await den();
    const byDay = (rooms: readonly string[], over = {}) =>
      read.messagesByDay({ rooms, except: [], from: today - 2, ...over });
    expect(await byDay([])).toEqual([]);
    const first = await send({ sentAt: at - 1 });
    await Promise.all([
      send({ sentAt: at - 1 }),
      send(),
      send({ sentAt: at + day - 1 }),
      send({ room: 'garden' }),
    ]);
    await send({ clientId: first.clientId, sentAt: at });
    // The clock was set back.
    await send({ room: 'garden', sentAt: at - day });
    for (let sent = 0; sent < 4; sent++) await send({ room: 'den', sentAt: at + sent * day });
    await write.delete({ room: 'lobby', seq: first.seq, user: ann.id, moderator: true, anywhere: true, at });
    const open = [
      { day: today - 1, messages: 2 },
      { day: today, messages: 4 },
    ];
    expect(await byDay([])).toEqual(open);
    expect(await byDay(['nowhere'])).toEqual(open);
    expect(await byDay(['den'], { from: today, except: ['garden'] })).toEqual([
      { day: today, messages: 3 },
      { day: today + 1, messages: 1 },
      { day: today + 2, messages: 1 },
      { day: today + 3, messages: 1 },
    ]);
    const messagesIn = (rooms: string[], from: number) => read.messagesIn({ rooms, from });
    expect(await messagesIn(['den', 'nowhere', 'lobby', 'lobby'], today - 2)).toEqual([
      { room: 'lobby', messages: 4 },
      { room: 'den', messages: 4 },
    ]);
    expect(await messagesIn(['den', 'garden'], today + 2)).toEqual([
      { room: 'garden', messages: 0 },
      { room: 'den', messages: 2 },
    ]);
    expect(await messagesIn([], 0)).toEqual([]);
    await write.forgetDays({ before: at + 5, most: 9 });
    expect(await byDay([])).toEqual([{ day: today, messages: 4 }]);
    await write.deleteRoom({ room: 'garden' });
    expect(await byDay([])).toEqual([{ day: today, messages: 2 }]);
  });

  test('sums the sizes of files attached in a room up to a maximum number', async () => {
    await den();
    await write.join({ room: 'lobby', user: ann, at });
    await write.addMembers({ room: 'den', users: [ann], source: 'api', mayReturn: true, at });
    const add = async (id: string, room = 'lobby', user = ann) => {
      const file = { id, name: 'a "size":9', type: 'image/png', size: 10 ** Number(id.slice(1)) };
      await write.addFile({ room, user: user.id, file, at });
      return id;
    };
    const carrying = async (id: string, over: Parameters<typeof send>[0] = {}) =>
      send({ ...over, files: [{ id: await add(id, over.room, over.user) }] });
    const filesIn = (rooms: string[], most = 9) => read.filesIn({ rooms, most });
    const bytes = async (room = 'lobby') => (await filesIn([room]))[0]?.bytes;
    await add('f0');
    for (let n = 1; n <= 4; n++) await carrying(`f${n}`);
    await carrying('f5', { room: 'den' });
    expect(await filesIn(['den', 'nowhere', 'lobby', 'lobby', 'garden'])).toEqual([
      { room: 'lobby', bytes: 11_110, more: false },
      { room: 'garden', bytes: 0, more: false },
      { room: 'den', bytes: 100_000, more: false },
    ]);
    expect(await filesIn([])).toEqual([]);
    const all = (rooms: string[], except: string[], most = 9) => read.filesInAll({ rooms, except, most });
    expect(await all([], [])).toEqual({ bytes: 11_110, more: false });
    expect(await all(['den'], [])).toEqual({ bytes: 111_110, more: false });
    expect(await all(['den'], ['lobby'])).toEqual({ bytes: 100_000, more: false });
    expect(await all(['den'], [], 4)).toMatchObject({ more: true });
    expect(await filesIn(['lobby'], 4)).toMatchObject([{ bytes: 11_110, more: false }]);
    const [{ bytes: some = 0, more } = {}] = await filesIn(['lobby'], 2);
    expect(more).toBe(true);
    expect([1110, 10_110, 11_010, 11_100]).toContain(some);
    const react = { user: ann.id, emoji: '👍', on: true };
    for (const place of ['lobby', 'den']) await write.react({ room: place, seq: 1, reactions: [react] });
    const of = (rooms: string[], user = ann.id, most = 9) =>
      read.filesAndReactions({ user, most, rooms, except: [] });
    expect(await of([])).toEqual({ files: 4, reactions: 1 });
    expect(await of(['den'])).toEqual({ files: 5, reactions: 2 });
    expect(await of(['den'], ann.id, 1)).toEqual({ files: 1, reactions: 1 });
    expect(await of(['den'], '2')).toEqual({ files: 0, reactions: 0 });
    await write.delete({ room: 'lobby', seq: 2, user: ann.id, at });
    expect(await of([])).toMatchObject({ files: 3 });
    expect(await bytes()).toBe(11_010);
    await write.edit({ room: 'lobby', seq: 3, user: ann.id, text: 'none', files: [], at });
    expect(await bytes()).toBe(10_010);
    const from = { room: 'lobby', seq: 4 };
    const copy = { clientId: 'copy', user: ann, sentAt: at, asMember: false };
    await write.forward({ room: 'den', from, ...copy });
    expect([await bytes(), await bytes('den')]).toEqual([10_010, 110_000]);
    await write.expire({ room: 'lobby', firstSeq: 2 });
    expect(await bytes()).toBe(10_000);
    await carrying('f6', { user: ben });
    await write.erase({ user: ann.id, messages: 'delete', actor: 'api', at });
    await carryOutErasures(now().history, 'one', at + 1);
    expect([await bytes(), await bytes('den')]).toEqual([1_000_000, 0]);
    await write.deleteRoom({ room: 'lobby' });
    await write.putRoom({ id: 'lobby', kind: 'public', name: 'lobby', at });
    expect(await bytes()).toBe(0);
  });

  const [ben, cat] = [
    { id: '2', name: 'Ben Bo' },
    { id: '3', name: 'Cat' },
  ];
  const everywhere = { rooms: [], except: [] };
  const inDen = { rooms: ['den'], except: ['lobby'] };

  test('lists users by first arrival, latest first, or by a search', async () => {
    const people = Array.from({ length: 7 }, (_, n) => ({ id: `u${n}`, name: `Bo${n} Bob` }));
    await den();
    await write.addMembers({
      room: 'den',
      users: [{ id: '8', name: 'Named' }],
      source: 'api',
      mayReturn: true,
      at,
    });
    await send({ user: { id: '9', name: 'The shop' } });
    for (const [n, user] of [ann, ...people].entries())
      await write.arrive({ user, at: at + (n < 4 ? n : 4) });
    await write.arrive({ user: { ...ann, name: 'Anna' }, at: at + 9 });
    const pages = async (query?: string) => {
      const of = { limit: 2, query };
      const found = await pagesOf(({ from: after }: { from?: ArrivalCursor }) =>
        read.arrivals({ ...of, after }),
      );
      for (const { users } of found) expect(users.length).toBeLessThanOrEqual(2);
      return found.flatMap(({ users }) => users.map(({ id }) => id));
    };
    expect(await pages()).toEqual(['u6', 'u5', 'u4', 'u3', 'u2', 'u1', 'u0', ann.id]);
    expect([await read.arrived({ most: 99 }), await read.arrived({ most: 3 })]).toEqual([8, 3]);
    expect(await pages('bo')).toEqual(people.map(({ id }) => id));
    expect(await pages('ANN')).toEqual([ann.id]);
    expect(await pages('named')).toEqual([]);
    expect(await read.arrival({ user: ann.id })).toMatchObject({ user: { name: 'Anna' }, at });
    for (const user of ['8', '9', 'nobody']) {
      expect(await read.arrival({ user })).toBeNull();
      expect((await read.user({ user })).arrived).toBe(false);
    }
    expect((await read.user({ user: ann.id })).arrived).toBe(true);
    await write.arrive({ user: { id: '8', name: 'Named' }, at });
    expect(await pages('named')).toEqual(['8']);
  });

  test('counts messages, reports and rooms of a user only in the requested rooms', async () => {
    await den();
    await write.addMembers({ room: 'den', users: [ann, ben, cat], source: 'api', mayReturn: true, at });
    for (const user of [ann, ben, cat]) {
      await write.arrive({ user, at });
      await write.join({ room: 'lobby', user, at });
    }
    await write.setRole({ room: 'den', user: ben.id, role: 'moderator' });
    await write.openDirect({ id: 'd-1', by: ben, other: ann.id, at });
    for (const room of ['lobby', 'lobby', 'lobby', 'den', 'den', 'd-1'])
      await send({ room, user: ben, asMember: true });
    await write.delete({ room: 'lobby', seq: 3, user: ben.id, at });
    for (const [room, seq, by] of [
      ['lobby', 1, ann.id],
      ['lobby', 2, ann.id],
      ['den', 1, ann.id],
      ['den', 1, cat.id],
      ['d-1', 1, ann.id],
    ] as const)
      await write.report({ room, seq, by, at });
    const [second] = await read.reportsOf({ room: 'lobby', seq: 2, limit: 9 });
    await write.closeReport({ room: 'lobby', seq: 2, id: second?.id ?? '', by: cat.id, at });
    const lobby = { room: 'lobby', name: 'lobby', kind: 'public' };
    expect(await read.activity({ user: ben.id, most: 9, mostRooms: 9, ...everywhere })).toEqual({
      messages: 2,
      onlyIn: 'lobby',
      reports: 0,
      removed: 0,
      rooms: [{ ...lobby, role: 'member' }],
    });
    expect(await read.activity({ user: ben.id, most: 9, mostRooms: 9, ...inDen })).toEqual({
      messages: 2,
      onlyIn: 'den',
      reports: 0,
      removed: 0,
      rooms: [{ room: 'den', name: 'den', kind: 'private', role: 'moderator' }],
    });
    const recent = async (known: object, since = at, most = 9) => {
      const request = { user: ben.id, since, most, rooms: [], except: [], ...known };
      return (await read.recentOf(request)).map(({ room, seq }) => `${room} ${seq}`).sort();
    };
    expect(await recent({})).toEqual(['lobby 1', 'lobby 2']);
    expect(await recent({ rooms: ['den'], except: ['lobby'] })).toEqual(['den 1', 'den 2']);
    expect(await recent({}, at + 1)).toEqual([]);
    expect(await recent({ rooms: ['den'] }, 0, 3)).toHaveLength(3);
    const own = { rooms: ['den'], except: [] };
    const both = { user: ben.id, mostRooms: 9, ...own };
    expect(await read.activity({ ...both, most: 9 })).not.toHaveProperty('onlyIn', expect.anything());
    // The count stopped while all counted messages were in one room.
    expect(await read.activity({ ...both, most: 1 })).not.toHaveProperty('onlyIn', expect.anything());
    expect(await read.activity({ user: ann.id, most: 2, mostRooms: 1, ...own })).toMatchObject({
      messages: 0,
      reports: 2,
    });
    expect(await read.activity({ user: ann.id, most: 9, mostRooms: 9, ...own })).toMatchObject({
      reports: 3,
    });
    const about = async (known: { rooms: readonly string[]; except: readonly string[] }, limit = 9) =>
      (await read.reportsAbout({ user: ben.id, limit, ...known })).map(({ room, seq, by }) => [
        room,
        seq,
        by,
      ]);
    expect(await about(everywhere)).toEqual([
      ['lobby', 2, ann.id],
      ['lobby', 1, ann.id],
    ]);
    expect(await about(own, 3)).toEqual([
      ['den', 1, cat.id],
      ['den', 1, ann.id],
      ['lobby', 2, ann.id],
    ]);
    expect(await about({ rooms: ['d-2'], except: ['lobby'] })).toEqual([]);
    const open = (known: { rooms: readonly string[]; except: readonly string[] }) =>
      read.openReportsAbout({ users: [ann.id, ben.id, 'nobody'], ...known });
    expect(await open(everywhere)).toEqual([{ user: ben.id, reports: 1 }]);
    expect(await open(own)).toEqual([{ user: ben.id, reports: 3 }]);
    expect(await read.openReportsAbout({ users: [], ...own })).toEqual([]);
    await write.expire({ room: 'den', firstSeq: 2 });
    expect(await open(own)).toEqual([{ user: ben.id, reports: 1 }]);
    expect(await read.activity({ user: ben.id, most: 9, mostRooms: 9, ...own })).toMatchObject({
      messages: 3,
    });
  });

  test('counts messages of a user who is not a member of the rooms', async () => {
    await den();
    await write.putRoom({ id: 'class', name: 'class', at });
    await write.arrive({ user: ben, at });
    for (const room of ['lobby', 'lobby', 'garden', 'den', 'class']) await send({ room, user: ben });
    await send({ user: ben, sentAt: at - day });
    await write.delete({ room: 'lobby', seq: 2, user: ann.id, moderator: true, anywhere: true, at });
    const shown = async (known: { rooms: readonly string[]; except: readonly string[] }, most = 9) => {
      const { messages } = await read.activity({ user: ben.id, most, mostRooms: 9, ...known });
      const recent = await read.recentOf({ user: ben.id, since: at, most, ...known });
      return [messages, recent.map(({ room, seq }) => `${room} ${seq}`).sort()];
    };
    expect(await shown(everywhere)).toEqual([3, ['garden 1', 'lobby 1']]);
    expect(await shown(inDen)).toEqual([2, ['den 1', 'garden 1']]);
    expect(await shown({ rooms: [], except: ['lobby', 'garden'] })).toEqual([0, []]);
    expect(await shown(everywhere, 1)).toEqual([1, [expect.any(String)]]);
    await write.expire({ room: 'lobby', firstSeq: 3 });
    expect(await shown(everywhere)).toEqual([2, ['garden 1']]);
  });

  async function keep(acts: Act[]): Promise<void> {
    const consumer = { name: 'audit', by: 'me', types: ['act'], lease: 1000, most: 0 } as const;
    await write.consume(consumer);
    await write.consume({ ...consumer, done: 0, rows: { acts } });
  }

  test('excludes deletions in rooms invisible to the moderator before limiting the count', async () => {
    await den();
    const deleted = (room: string, open = false) =>
      ({ kind: 'message_deleted', at, by: cat.id, user: ben.id, room, open: open || undefined }) as const;
    await keep([deleted('lobby', true), deleted('den'), deleted('den')]);
    const removed = async (known: object, most = 9) =>
      (await read.activity({ user: ben.id, most, mostRooms: 9, ...everywhere, ...known })).removed;
    expect(await removed({}, 1)).toBe(1);
    expect(await removed({})).toBe(1);
    expect(await removed({ rooms: ['den'] })).toBe(3);
    expect(await removed({ rooms: ['den'] }, 2)).toBe(2);
  });

  test('lists audit entries of the requested rooms even after a room is deleted', async () => {
    const lobby = { room: 'lobby', open: true } as const;
    const list: Act[] = [
      { kind: 'muted', at, by: ann.id, user: ben.id, ...lobby },
      { kind: 'muted', at, by: ann.id, user: ben.id, room: 'den' },
      { kind: 'site_banned', at, user: ben.id, open: true },
      { kind: 'room_deleted', at, room: 'other' },
      { kind: 'room_deleted', at, room: 'garden', open: true },
    ];
    await keep(list);
    const pages = async (rooms: readonly string[], except: readonly string[] = []) => {
      const found = await pagesOf((place) => read.actsIn({ rooms, except, limit: 2, ...place }));
      return found.flatMap(({ acts }) => acts.map(({ kind, room = '' }) => `${kind} ${room}`));
    };
    expect(await pages([])).toEqual(['room_deleted garden', 'site_banned ', 'muted lobby']);
    expect(await pages(['den', 'none'])).toEqual([
      'room_deleted garden',
      'site_banned ',
      'muted den',
      'muted lobby',
    ]);
    expect(await pages([], ['lobby', 'none'])).toEqual(['room_deleted garden', 'site_banned ']);
    expect((await read.actsIn({ ...everywhere, limit: 9 })).acts[0]).toEqual({
      kind: 'room_deleted',
      at,
      room: 'garden',
    });
    const { next: report } = await read.reports({ rooms: null, limit: 1 });
    for (const from of ['1', report ?? 'WzFd']) {
      await expectRefusal(read.actsIn({ ...everywhere, limit: 2, from }), 'bad_request');
    }
  });

  test('excludes audit entries of a deleted room from the next room with its ID', async () => {
    const later = at + 10_000;
    await write.putRoom({ id: 'den', name: 'den', at: later });
    const deleted = { kind: 'message_deleted', by: cat.id, user: ben.id, room: 'den' } as const;
    const closed = { kind: 'report_closed', by: cat.id, user: ben.id, room: 'den' } as const;
    await keep([...[deleted, closed].flatMap((act) => [at, later].map((at) => ({ ...act, at })))]);
    const known = { rooms: ['den'], except: [] };
    const { acts } = await read.actsIn({ ...known, limit: 9 });
    expect(acts.map(({ at }) => at)).toEqual([later, later]);
    const activity = await read.activity({ user: ben.id, most: 9, mostRooms: 9, ...known });
    expect(activity.removed).toBe(1);
    expect(await read.decisionsBy({ user: cat.id, since: at, most: 9, ...known })).toBe(1);
  });

  test('counts decisions about no room, also if rooms are excluded', async () => {
    await keep([{ kind: 'report_closed', by: cat.id, user: ben.id, open: true, at }]);
    for (const except of [[], ['lobby']])
      expect(await read.decisionsBy({ user: cat.id, since: at, most: 9, rooms: [], except })).toBe(1);
  });

  test('lists audit entries about a user only from rooms the user knows', async () => {
    const later = at + 10_000;
    for (const id of ['own', 'lost']) await write.putRoom({ id, name: id, at: later });
    const about = { by: cat.id, user: ben.id };
    await keep([
      { kind: 'muted', at: later, ...about, room: 'lobby', open: true },
      { kind: 'site_banned', at: later, ...about, open: true },
      ...(['own', 'lost', 'other'] as const).flatMap((room): Act[] => [
        { kind: 'banned', at, ...about, room },
        { kind: 'removed', at, ...about, room },
        { kind: 'banned', at: later, ...about, room },
        { kind: 'message_deleted', at: later, ...about, room },
        { kind: 'pinned', at: later, by: ben.id, user: ann.id, room },
      ]),
      { kind: 'pinned', at: later, by: cat.id, user: ann.id, room: 'own' },
    ]);
    const listed = async (rooms: readonly string[], lost: readonly string[]) => {
      const found: string[] = [];
      for (let before: number | undefined = 1000; before !== undefined; ) {
        const page = await read.acts({ of: { user: ben.id, rooms, lost }, before, limit: 2 });
        found.unshift(
          ...page.acts.map(({ kind, room = '', at }) => `${kind} ${room} ${at - later}`).reverse(),
        );
        before = page.next;
      }
      return found;
    };
    const always = (room: string) => [`removed ${room} -10000`, `pinned ${room} 0`];
    const open = ['muted lobby 0', 'site_banned  0'];
    expect(await listed([], [])).toEqual([...open, ...always('own'), ...always('lost'), ...always('other')]);
    expect(await listed(['own'], ['lost'])).toEqual([
      ...open,
      'removed own -10000',
      'banned own 0',
      'message_deleted own 0',
      'pinned own 0',
      'removed lost -10000',
      'banned lost 0',
      'pinned lost 0',
      ...always('other'),
    ]);
  });

  test('removes an erased user from arrivals, reports and bans', async () => {
    for (const user of [ann, ben]) await write.arrive({ user, at });
    await send({ user: ben });
    await write.report({ room: 'lobby', seq: 1, by: cat.id, at });
    const [report] = await read.reportsAbout({ user: ben.id, limit: 9, ...everywhere });
    await write.closeReport({ room: 'lobby', seq: 1, id: report?.id ?? '', by: ann.id, at });
    await write.setBan({ user: cat.id, ban: { by: ben.id, reason: 'why' } });
    await write.setBan({ user: ben.id, ban: { by: ann.id } });
    await write.erase({ user: ben.id, actor: ann.id, at });
    await carryOutErasures(now().history, 'one', at + 1);
    expect(await read.arrival({ user: ben.id })).toBeNull();
    expect((await read.arrivals({ limit: 9 })).users.map(({ id }) => id)).toEqual([ann.id]);
    expect(await read.reportsAbout({ user: ben.id, limit: 9, ...everywhere })).toEqual([]);
    expect(await read.bans(null)).toEqual([{ user: cat.id, ban: { by: '0', reason: 'why' } }]);
    await write.arrive({ user: ben, at: at + 2 });
    expect(await read.arrival({ user: ben.id })).toMatchObject({ at: at + 2 });
  });
}
