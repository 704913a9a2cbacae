import { expect, test } from 'vitest';
import {
  mostInvites,
  mostInvitesOfRoom,
  type RoomRecord,
  type Writes,
} from '../../server/history/history.ts';
import { at, callsOf, expectRefusal, type Now } from './history-tested.ts';

const [ann, ben, cat, dan] = [1, 2, 3, 4].map((n) => ({ id: `${n}`, name: `N${n}` })) as [
  { id: string; name: string },
  { id: string; name: string },
  { id: string; name: string },
  { id: string; name: string },
];
const room = 'den';
let n = 0;

/** Tests invite links in every history. Ann owns the room `den`, and Ben is a member. Cat and Dan are not. */
export function invitesContract(now: Now) {
  const { write, read } = callsOf(now);
  const begin = async () => {
    await write.createRoom({ id: room, name: 'Den', by: ann, clientId: `r${n++}` });
    await add(ben);
  };
  const add = (user: typeof ann) => write.addMembers({ room, users: [user], by: ann.id, mayReturn: true });
  const link = async (
    by: typeof ann,
    over: Partial<Writes['createInvite']['in']['invite']> = {},
  ): Promise<string> => {
    const id = `i${n++}`;
    await write.createInvite({
      invite: {
        id,
        room,
        digest: `of ${id}`,
        by: by.id,
        at,
        ...(by === ann ? { readmits: 1 } : {}),
        ...over,
      },
    });
    return id;
  };
  const accept = (id: string, user: typeof ann, over = {}, by = ann) =>
    write.acceptInvite({ room, id, by: by.id, user, most: 0, at, ...over });
  const remove = (user: typeof ann, cause: 'left' | 'removed' = 'removed') =>
    write.removeMembers({ room, users: [user.id], sources: 7, cause });
  const ban = (user: typeof ann, restriction: { by: string } | null) =>
    write.restrict({ room, user: user.id, kind: 'banned', restriction });
  const links = async () => (await read.invites({ room })).map(({ id }) => id).sort();
  const isMember = async ({ id }: typeof ann) =>
    (await read.membersOf({ room, users: [id] }))[0]?.sources === 4;

  test('admits new members by a link until its use limit or expiry', async () => {
    await begin();
    const id = await link(ann, { uses: 1, until: at + 10 });
    await accept(id, ben);
    await now().reload();
    await accept(id, cat);
    await accept(id, cat);
    expect(await isMember(cat)).toBe(true);
    await expectRefusal(accept(id, dan), 'unknown_invite');
    const late = await link(ann, { until: at + 10 });
    await expectRefusal(accept(late, dan, { at: at + 10 }), 'unknown_invite');
    await expectRefusal(accept(late, dan, { most: 3 }), 'limit_reached');
    await accept(late, dan, { at: at + 9, most: 4 });
    expect(await read.invites({ room })).toEqual([
      {
        id,
        room,
        digest: `of ${id}`,
        by: ann.id,
        access: 2,
        readmits: 1,
        at,
        until: at + 10,
        uses: 1,
        used: 1,
      },
      {
        id: late,
        room,
        digest: `of ${late}`,
        by: ann.id,
        access: 3,
        readmits: 1,
        at,
        until: at + 10,
        used: 1,
      },
    ]);
    await write.forgetInvites({ before: at + 11, most: 9 });
    expect(await links()).toEqual([]);
  });

  test('ends a link permanently when its creator loses the right to invite', async () => {
    await begin();
    const ends: [string, () => Promise<unknown>, () => Promise<unknown>][] = [
      ['removed', () => remove(ben), () => add(ben)],
      ['left', () => remove(ben, 'left'), () => accept(own, ben)],
      ['banned', () => ban(ben, { by: ann.id }), () => ban(ben, null)],
    ];
    const own = await link(ann);
    for (const [why, end, again] of ends) {
      await link(ben);
      await end();
      expect([why, await links()]).toEqual([why, [own]]);
      await again();
      expect(await isMember(ben)).toBe(true);
    }
    const role = (role: 'member' | 'moderator') => write.setRole({ room, user: ben.id, role });
    const early = await link(ben);
    await role('moderator');
    expect(await links()).toEqual([own, early].sort());
    await role('member');
    expect(await links()).toEqual([own]);
    await expectRefusal(accept(early, cat, {}, ben), 'unknown_invite');
    // Ann becomes a moderator, so her link remains valid.
    await write.setRole({ room, user: ben.id, role: 'owner' });
    expect(await links()).toEqual([own]);
    await write.deleteRoom({ room });
    await expectRefusal(accept(own, cat), 'unknown_invite');
    expect(await read.invitesBy({ user: ann.id })).toEqual([]);
  });

  test("readmits a removed or banned user only by a moderator's later link", async () => {
    await begin();
    await add(cat);
    await add(dan);
    const before = await link(ann);
    await remove(cat);
    const members = await link(ben);
    const since = await link(ann);
    for (const id of [before]) await expectRefusal(accept(id, cat), 'unknown_invite');
    await expectRefusal(accept(members, cat, {}, ben), 'unknown_invite');
    await accept(since, cat);
    // A readmitted user is a normal member again, and may leave and return.
    await remove(cat, 'left');
    await accept(members, cat, {}, ben);
    await ban(dan, { by: ann.id });
    const during = await link(ann);
    for (const id of [since, during]) await expectRefusal(accept(id, dan), 'unknown_invite');
    // The membership ends during the ban, so lifting the ban does not restore it.
    await remove(dan);
    await ban(dan, null);
    expect(await isMember(dan)).toBe(false);
    await expectRefusal(accept(since, dan), 'unknown_invite');
    await expectRefusal(accept(members, dan, {}, ben), 'unknown_invite');
    await accept(during, dan);
  });

  test("rejects a site moderator's link while its creator lacks the site role", async () => {
    await begin();
    const strong = await link(ben, { readmits: 1 });
    await expectRefusal(accept(strong, cat, {}, ben), 'unknown_invite');
    await write.arrive({ user: ben, siteRole: 'moderator' });
    await accept(strong, cat, {}, ben);
    const open = await read.invite({ digest: `of ${strong}`, user: dan.id });
    expect(open).toMatchObject({
      invite: { id: strong, used: 1 },
      room: { name: 'Den', members: 3 },
      member: null,
      maker: { member: { role: 'member' }, siteRole: 'moderator' },
    });
    expect(await read.invite({ digest: 'of none', user: dan.id })).toBeNull();
  });

  test('limits the links of a user to a room until some are revoked', async () => {
    await begin();
    const first = await link(ben);
    const all = [];
    for (let i = 0; i < mostInvites; i++) all.push(await link(ann));
    await expectRefusal(link(ann), 'limit_reached');
    const [second] = all as [string];
    await write.revokeInvite({ room, id: second, by: ben.id });
    await write.revokeInvite({ room: 'lobby', id: second });
    expect(await links()).toHaveLength(mostInvites + 1);
    await write.revokeInvite({ room, id: second });
    await write.revokeInvite({ room, id: first, by: ben.id });
    await write.revokeInvite({ room, id: first });
    expect(await links()).toHaveLength(mostInvites - 1);
    await link(ann);
    // The links of other users count only toward the much higher limit of the room.
    for (let i = 0; i < mostInvites - 1; i++) await link(ben);
    for (let i = 0; (await links()).length < mostInvitesOfRoom; i++) {
      const other = { id: `m${i}`, name: 'Member' };
      await add(other);
      for (let n = 0; n < mostInvites && (await links()).length < mostInvitesOfRoom; n++) await link(other);
    }
    await expectRefusal(link(ben), 'limit_reached');
    await write.revokeInvite({ room, id: all[1] as string });
    await link(ben);
    await expectRefusal(link(cat), 'forbidden');
    const after = (await read.room({ room })) as RoomRecord;
    const decidedFor = { ...after, access: after.access - 1 };
    const invite = { id: 'late', room, digest: 'of late', by: ann.id, at };
    expect(await write.createInvite({ invite, decidedFor })).toEqual({ stale: true });
  });
}
