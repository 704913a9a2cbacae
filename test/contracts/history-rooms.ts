import { expect, test } from 'vitest';
import { type RoomRecord, sources, stateOf } from '../../server/history/history.ts';
import {
  actionsOf,
  ann,
  at,
  ben,
  callsOf,
  expectRefusal,
  message,
  type Now,
  newRoom,
} from './history-tested.ts';

/** Tests rooms in every history. `now`: the current history, with the public rooms `lobby` and `garden`. */
export function roomsContract(now: Now) {
  const { write, read } = callsOf(now);
  const { send, newest, memberOf, create, addPeople, search } = actionsOf(now);

  test('keeps the name and the sequence numbers of a public room that is created again after a restart', async () => {
    const last = await send(message());
    await now().reload();
    await write.publicRooms({ rooms: [{ id: 'lobby', name: 'Other' }], at: at + 1 });
    const rooms = await read.publicRooms(null);
    const room = { kind: 'public', settings: {}, access: 0, firstSeq: 1, members: 0, createdAt: at };
    expect(rooms.sort((a, b) => a.id.localeCompare(b.id))).toEqual([
      { ...room, id: 'garden', name: 'Garden', head: 0, lastSeq: 0 },
      { ...room, id: 'lobby', name: 'lobby', head: 1, lastSeq: 1, last },
    ]);
    expect(await send(message())).toMatchObject({ seq: 2 });
  });

  test('creates one room for a repeated clientId, owned by its creator', async () => {
    const wanted = newRoom({ topic: 'quiet' });
    const [first, second] = await Promise.all([
      write.createRoom(wanted),
      write.createRoom({ ...wanted, id: 'u-other', name: 'Other' }),
    ]);
    expect(first).toMatchObject({ repeated: false, room: { name: 'Den', topic: 'quiet', members: 1 } });
    expect(second).toMatchObject({ repeated: true, room: { id: wanted.id, name: 'Den' } });
    expect(await memberOf(wanted.id, ann.id)).toMatchObject({ role: 'owner' });
  });

  test('rejects a public room name that differs only in case, width, blanks or invisible characters', async () => {
    await expectRefusal(create({ kind: 'public', name: 'GARDEN' }), 'conflict');
    for (const name of [
      'Garden ',
      'Gar\u200bden',
      'Gar\u00adden',
      'Garden\ufe0f',
      'Ｇarden',
      'Gar\u{e0020}den',
      'Garden\u2800',
      '\u{1d159}Garden',
      'Garden\u{13430}',
    ])
      await expectRefusal(create({ kind: 'public', name }), 'conflict');
    expect(await create({ kind: 'private', name: 'Garden' })).toMatchObject({ name: 'Garden' });
    const room = await create({ kind: 'public', name: 'Été' });
    await expectRefusal(write.updateRoom({ room: room.id, name: 'garden' }), 'conflict');
    expect(await write.updateRoom({ room: room.id, name: 'ÉTÉ', topic: '' })).toMatchObject({
      room: { name: 'ÉTÉ' },
    });
  });

  test('limits the number of rooms a user creates', async () => {
    await create();
    await create();
    await expectRefusal(create({ most: 2 }), 'limit_reached');
  });

  test('counts rooms that their creator lost toward ten times the normal limit', async () => {
    const how = { sources: sources.people, by: 'people', cause: 'removed', at } as const;
    const lose = (room: string) => write.removeMembers({ room, users: [ann.id], ...how });
    const isFull = () => expect(create({ most: 1 })).rejects.toMatchObject({ code: 'limit_reached' });
    const open = await create({ kind: 'public', name: 'Open', most: 1 });
    await lose(open.id);
    // She can still rejoin it until she is banned.
    await isFull();
    const restriction = { by: ben.id };
    await write.restrict({ room: open.id, user: ann.id, kind: 'banned', restriction });
    for (let lost = 1; lost < 10; lost++) {
      const room = newRoom({ most: 1 });
      await Promise.all([write.createRoom(room), lose(room.id)]);
    }
    await isFull();
    await write.deleteRoom({ room: open.id });
    await create({ most: 1 });
    await isFull();
  });

  test('frees the name of a renamed public room in the same transaction', async () => {
    const rename = (room: string, name: string) => write.updateRoom({ room, name });
    await Promise.all([
      rename('garden', 'Park'),
      rename('lobby', 'garden'),
      create({ kind: 'public', name: 'lobby' }),
    ]);
    const names = (await read.publicRooms(null)).map(({ name }) => name);
    expect(names.sort()).toEqual(['Park', 'garden', 'lobby']);
  });

  test('treats a decision for a deleted room as stale in the next room with its ID', async () => {
    const made = { id: 'team', kind: 'private', name: 'Team' } as const;
    const room = made.id;
    const now = async () => stateOf((await read.room({ room })) as RoomRecord);
    await write.putRoom({ ...made, at });
    await addPeople(room, [ben.id]);
    const decidedFor = await now();
    await write.deleteRoom({ room });
    await write.putRoom({ ...made, at: at + 1 });
    await addPeople(room, [ann.id]);
    const after = await now();
    expect(after.access).toBe(decidedFor.access);
    const user = ann.id;
    expect(await addPeople(room, ['3'], { decidedFor })).toEqual({ results: [], stale: true });
    const removal = { room, users: [user], sources: 7, by: 'people', cause: 'removed', at } as const;
    const mute = { room, user, kind: 'muted', restriction: { by: ben.id }, at } as const;
    const link = { id: 'link', room, digest: 'of link', by: user, at };
    const results = await Promise.all([
      write.removeMembers({ ...removal, decidedFor }),
      write.restrict({ ...mute, decidedFor }),
      write.setRole({ room, user, role: 'owner', decidedFor }),
      write.updateRoom({ room, name: 'Mine', decidedFor }),
      write.createInvite({ invite: link, decidedFor }),
      write.revokeInvite({ room, id: 'none', decidedFor }),
      write.pin({ room, seq: 1, user, decidedFor }),
      write.deleteRoom({ room, decidedFor }),
    ]);
    expect(results.map(({ stale }) => stale)).toEqual(results.map(() => true));
    await expectRefusal(addPeople(room, ['3'], { by: ben.id, decidedFor: after }), 'unknown_room');
    expect(await addPeople(room, ['3'], { by: user, decidedFor: after })).toEqual({
      results: [null],
      stale: false,
    });
    expect(await now()).toEqual({ ...after, access: after.access + 1 });
  });

  test('continues the change numbers when the site recreates a deleted room', async () => {
    const team = { id: 'team', name: 'Team', at } as const;
    const room = team.id;
    const numbers = async (id: string = room) => {
      const { head, reset, lastSeq } = (await read.room({ room: id })) as RoomRecord;
      return { head, reset, lastSeq };
    };
    const makings = [
      () => write.publicRooms({ rooms: [team], at }),
      () => write.arrive({ user: ben, rooms: [team] }),
      () => write.importRoom({ ...team, kind: 'private' }),
      () => write.putRoom({ ...team, kind: 'private' }),
    ];
    await write.putRoom({ ...team, kind: 'private' });
    expect(await numbers()).toEqual({ head: 0, reset: undefined, lastSeq: 0 });
    for (const make of makings) {
      await send(message({ room }));
      const { rev } = await send(message({ room }));
      await write.deleteRoom({ room });
      await make();
      expect(await numbers()).toEqual({ head: rev + 1, reset: rev + 1, lastSeq: 0 });
      expect(await send(message({ room }))).toMatchObject({ seq: 1, rev: rev + 2 });
    }
    const { head } = await numbers();
    await write.deleteRoom({ room });
    await now().reload();
    // A room with another ID starts with the first numbers.
    for (const one of [team, { ...team, id: 'other' }]) await write.putRoom({ ...one, kind: 'private' });
    expect(await numbers()).toEqual({ head: head + 1, reset: head + 1, lastSeq: 0 });
    expect(await numbers('other')).toEqual({ head: 0, reset: undefined, lastSeq: 0 });
  });

  test('opens one direct room for two users from either side', async () => {
    const direct = (id: string, by: typeof ann, other: string) => write.openDirect({ id, by, other });
    const first = await direct('d-1', ann, ben.id);
    expect(first).toMatchObject({ repeated: false, room: { id: 'd-1', kind: 'direct', members: 1 } });
    expect(await memberOf('d-1', ben.id)).toBeNull();
    const sent = await send(message({ room: 'd-1', asMember: true }));
    expect(sent.seq).toBe(1);
    expect(await memberOf('d-1', ben.id)).toMatchObject({ readSeq: 0 });
    expect(await direct('d-2', ben, ann.id)).toMatchObject({ repeated: true, room: { id: 'd-1' } });
    expect(await read.room({ room: 'd-2' })).toBeNull();
  });

  test('deletes all data of a room with it', async () => {
    const { id } = await create();
    await addPeople(id, [ben.id]);
    await send(message({ room: id, text: 'gone with it' }));
    await write.deleteRoom({ room: id });
    expect(await read.room({ room: id })).toBeNull();
    expect(await newest(id, 10)).toEqual({ messages: [], complete: true });
    expect((await read.user({ user: ben.id })).memberships).toEqual([]);
    expect(await search('gone with', [id])).toEqual([]);
    await expectRefusal(send(message({ room: id })), 'unknown_room');
  });

  test('deletes private rooms that were empty long enough', async () => {
    const { id } = await create();
    const [kept, joined] = [(await create()).id, (await create({ kind: 'public', name: 'Open' })).id];
    await write.putRoom({ id: 'unused', name: 'Unused' });
    await send(message({ room: id, text: 'in an empty room' }));
    const leave = (room: string, when: number) =>
      write.removeMembers({ room, users: [ann.id], cause: 'left', at: when });
    for (const room of [id, joined]) await leave(room, at + 10);
    // The only member left and came back.
    await leave(kept, at);
    await addPeople(kept, [ann.id], { source: 'api', mayReturn: true });
    const sweep = async (before: number, most = 10) =>
      (await write.deleteEmptyRooms({ before, most })).deleted;
    expect(await sweep(at)).toBe(0);
    expect(await sweep(at + 1)).toBe(1);
    await now().reload();
    now().changes.length = 0;
    expect(await sweep(at + 10)).toBe(0);
    expect(await sweep(at + 11, 1)).toBe(1);
    expect(now().changes).toMatchObject([{ type: 'room', is: 'deleted', room: { id } }]);
    expect(await sweep(at + 11)).toBe(0);
    const left = ['unused', id, kept, joined].map(async (room) => (await read.room({ room }))?.id);
    expect(await Promise.all(left)).toEqual([undefined, undefined, kept, joined]);
    expect(await search('an empty', [id])).toEqual([]);
  });
}
