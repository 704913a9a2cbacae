import { raw, sql } from '../engine/dialect.ts';
import type { Kept, KeptKind } from '../engine/kept.ts';
import { isSameBut, writeChanged } from '../engine/store.ts';
import type { Columns, Value } from '../engine/table.ts';
import {
  type LoadedRoom,
  type Loader,
  missing,
  type Need,
  needOf,
  type Place,
  partOf,
  type Question,
  roomValueLoader,
  storedRoom,
  type ValueLoader,
  type Work,
} from '../engine/work.ts';
import { getUser, loadedUsers, userNeed } from '../people/loaded.ts';
import { existingRoom, loadedRoom, roomNeed } from '../rooms/loaded.ts';
import { storedMemberKey } from '../text-keys.ts';
import {
  acted,
  isMember,
  isNamed,
  type MemberRecord,
  memberColumns,
  memberFields,
  memberFrom,
  memberRow,
  sources,
} from './member.ts';

// Members of rooms in a transaction.

/** `sort`: by it the members of a room are sorted. */
interface Member {
  row: MemberRecord;
  since: number;
  sort: string;
}

/** `stored`: as it is in the database, if it is there. */
type LoadedMember = Member & { stored: Member | undefined };

const members = (): Map<string, LoadedMember | null> => new Map();
/** The loaded members of a room by user; null for a user who is known to be none. */
export const loadedMembers = (room: LoadedRoom): Map<string, LoadedMember | null> => partOf(room, members);
const keptMembers: KeptKind<Member> = { name: 'member' };
const keptKey = (room: number, user: string) => `${room} ${user}`;

const memberLoader: Loader<{ room: string; user: string }> = {
  name: 'member',
  ask({ dialect, kept }, work, needs): Question[] {
    const wanted = new Map<string, { room: LoadedRoom & { num: number }; user: string }>();
    for (const { room: id, user } of needs) {
      const room = storedRoom(work, id);
      if (room === undefined || loadedMembers(room).has(user)) continue;
      const known = kept?.get(keptMembers, keptKey(room.num, user));
      if (known === undefined) wanted.set(keptKey(room.num, user), { room, user });
      else loadedMembers(room).set(user, { ...known, stored: known });
    }
    if (wanted.size === 0) return [];
    const which = dialect.each(
      ['user_id', 'room'],
      [...wanted.values()].map(({ room, user }) => [user, room.num]),
    );
    return [
      {
        sql: sql`SELECT room, user_id, ${raw(memberColumns)}, since, sort FROM chat_members WHERE ${which}`,
        take(found) {
          for (const { room, user } of wanted.values()) loadedMembers(room).set(user, null);
          for (const row of found) {
            const { room, user } = wanted.get(keptKey(row.room as number, row.user_id as string)) ?? {};
            const known = { row: memberFrom(row), since: row.since as number, sort: row.sort as string };
            if (room !== undefined && user !== undefined)
              loadedMembers(room).set(user, { ...known, stored: known });
          }
        },
      },
    ];
  },
};
export const memberNeed = (room: string, user: string): Need => needOf(memberLoader, { room, user });

export function getMember(work: Work, id: string, user: string): MemberRecord | undefined {
  const room = loadedRoom(work, id);
  return room === null ? undefined : loadedMember(room, user)?.row;
}

function loadedMember(room: LoadedRoom, user: string): LoadedMember | null {
  const known = loadedMembers(room).get(user);
  if (known !== undefined) return known;
  return room.num === undefined ? null : missing(memberLoader, { room: room.row.id, user });
}

/** Whether the user is a member or has ever been one: what is laid on somebody is kept of others, too. */
export const hasBeenMember = (work: Work, room: string, user: string): boolean =>
  (loadedMember(existingRoom(work, room), user)?.since ?? 0) > 0;

/** @param since when this membership began, in milliseconds since 1970, where it begins now */
export function setMember(work: Work, id: string, user: string, row: MemberRecord, since?: number): void {
  const room = existingRoom(work, id);
  const known = loadedMember(room, user);
  const isSorted = known !== null && known.row.acted > acted.never === row.acted > acted.never;
  work.set(loadedMembers(room), user, {
    row,
    since: since ?? known?.since ?? 0,
    sort: isSorted ? known.sort : sortOf(work, user, row),
    stored: known?.stored,
  });
}

/** Where the user stands among the members of a room. */
function sortOf(work: Work, id: string, member: MemberRecord): string {
  const user = getUser(work, id);
  return storedMemberKey(user ?? { id, name: id }, isNamed(user, member));
}

/** Deletes the stored data of a user in a room. */
export function deleteMember(work: Work, id: string, user: string): void {
  const room = existingRoom(work, id);
  // Whether mentions go on to show the name depends on it.
  getUser(work, user);
  work.set(loadedMembers(room), user, null);
  const { num } = room;
  if (num === undefined) return;
  work.later(() => sql`DELETE FROM chat_members WHERE room = ${num} AND user_id = ${user}`);
}

/** The owner in the database. */
const ownerLoader = roomValueLoader<{ room: string }, string | null>('owner', {
  keyOf: ({ room }) => room,
  select: ({ num }) =>
    sql`SELECT user_id FROM chat_members WHERE room = ${num} AND role = 'owner' AND sources <> 0`,
  value: ([row]) => (row?.user_id as string | undefined) ?? null,
  none: null,
});

export const ownerNeed = (room: string): Need => needOf(ownerLoader, { room });

export function ownerOf(work: Work, id: string): string | undefined {
  const room = existingRoom(work, id);
  for (const [user, member] of loadedMembers(room)) {
    if (member !== null && isMember(member.row) && member.row.role === 'owner') return user;
  }
  const owner = room.num === undefined ? null : work.value(ownerLoader, { room: id });
  // If that member is loaded, the loop above has seen that the role is another one now.
  return owner === null || loadedMembers(room).has(owner) ? undefined : owner;
}

interface Heir {
  user: string;
  isModerator: boolean;
  since: number;
}

/** The first members of the database who would take over. */
const heirsLoader = roomValueLoader<
  { room: string; most: number },
  { list: readonly Heir[]; isAll: boolean }
>('heirs', {
  keyOf: ({ room }) => room,
  select: ({ num }, { most }) =>
    sql`SELECT user_id, role, since FROM chat_members WHERE room = ${num} AND sources <> 0
          ORDER BY CASE role WHEN 'moderator' THEN 0 ELSE 1 END, since, user_id LIMIT ${most}`,
  value: (rows, { most }) => ({
    list: rows.map(({ user_id, role, since }) => ({
      user: user_id as string,
      isModerator: role === 'moderator',
      since: since as number,
    })),
    isAll: rows.length < most,
  }),
  none: { list: [], isAll: true },
});

/** The user who takes over from `except`: the longest-standing moderator, otherwise the longest-standing member. */
export function successorOf(work: Work, id: string, except: string): string | undefined {
  const room = existingRoom(work, id);
  const loaded = loadedMembers(room);
  // The loaded members may have changed; one more than these is one that has not.
  const most = loaded.size + 1;
  const none = { list: [], isAll: true };
  const stored = room.num === undefined ? none : work.known(heirsLoader, { room: id, most });
  if (stored === undefined || (!stored.isAll && stored.list.length < most)) {
    return missing(heirsLoader, { room: id, most });
  }
  const heirs: Heir[] = stored.list.filter(({ user }) => loaded.get(user) === undefined);
  for (const [user, member] of loaded) {
    if (member === null || !isMember(member.row)) continue;
    heirs.push({ user, isModerator: member.row.role === 'moderator', since: member.since });
  }
  return heirs.filter(({ user }) => user !== except).sort(compareHeirs)[0]?.user;
}

/** Moderators first, then by the time since when they are members. */
function compareHeirs(a: Heir, b: Heir): number {
  if (a.isModerator !== b.isModerator) return a.isModerator ? -1 : 1;
  return a.since - b.since || compareBytes(a.user, b.user);
}

/** As the databases sort ids. */
function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

const sessionRoomsLoader: ValueLoader<{ user: string }, readonly string[]> = {
  name: 'rooms of a session',
  keyOf: ({ user }) => user,
  *find({ dialect, transaction }, work, needs) {
    const values = work.valuesOf(sessionRoomsLoader);
    const users = needs.map(({ user }) => user).filter((user) => !values.has(user));
    if (users.length === 0) return [];
    const which = dialect.each(
      ['user_id'],
      users.map((user) => [user]),
    );
    const found = yield* transaction.query(
      sql`SELECT user_id, rooms.id AS id FROM chat_members AS members JOIN chat_rooms AS rooms ON rooms.num = members.room
          WHERE ${which} AND ((sources | coalesce(held, 0)) & 1) <> 0`,
    );
    const rooms = found.map(({ user_id, id }) => ({ user: user_id as string, room: id as string }));
    for (const user of users) values.set(user, []);
    for (const [user, own] of Map.groupBy(rooms, ({ user }) => user)) {
      values.set(
        user,
        own.map(({ room }) => room),
      );
    }
    return rooms.map(({ room, user }) => memberNeed(room, user));
  },
};
export const sessionRoomsNeed = (user: string): Need => needOf(sessionRoomsLoader, { user });

/** The rooms of which the user is a member because of the session, or would be without a ban. */
export function sessionRoomsOf(work: Work, user: string): string[] {
  const rooms = new Set(work.value(sessionRoomsLoader, { user }));
  for (const [id, room] of work.rooms) {
    const member = room === null ? null : loadedMembers(room).get(user);
    if (member === null) rooms.delete(id);
    else if (member !== undefined) {
      if (((member.row.sources | (member.row.held ?? 0)) & sources.session) !== 0) rooms.add(id);
      else rooms.delete(id);
    }
  }
  return [...rooms];
}

type RoomMember = { room: string; user: string };

/** For an operation with a transaction of its own. */
const endedRestrictionsLoader: ValueLoader<{ before: number; most: number }, readonly RoomMember[]> = {
  name: 'ended restrictions',
  *find({ transaction }, work, needs) {
    const found: RoomMember[] = [];
    for (const need of needs) {
      const rows = yield* transaction.query(
        sql`SELECT rooms.id AS id, user_id FROM chat_members AS members JOIN chat_rooms AS rooms ON rooms.num = members.room
            WHERE restricted_until <= ${need.before} ORDER BY restricted_until, rooms.id, user_id LIMIT ${need.most}`,
      );
      const members = rows.map(({ id, user_id }) => ({ room: id as string, user: user_id as string }));
      work.keep(endedRestrictionsLoader, need, members);
      found.push(...members);
    }
    return found.flatMap(({ room, user }) => [roomNeed(room), memberNeed(room, user), userNeed(user)]);
  },
};

export const endedRestrictionsNeed = (before: number, most: number): Need =>
  needOf(endedRestrictionsLoader, { before, most });

/** The users with a restriction that has ended by that time. */
export const endedRestrictions = (work: Work, before: number, most: number): readonly RoomMember[] =>
  work.value(endedRestrictionsLoader, { before, most });

/** The columns that most transactions change of a member. */
const often: Columns = ['read_seq', 'acted', 'wrote_at'];

export function storeMembers(place: Place, work: Work): undefined {
  const all: Value[][] = [];
  const some: Value[][] = [];
  const users = work.part(loadedUsers);
  for (const room of work.rooms.values()) {
    if (room === null) continue;
    for (const [user, member] of loadedMembers(room)) {
      if (member === null || member.row === member.stored?.row) continue;
      // A user may have had another name between two operations of the transaction.
      const sort = users.has(user) ? sortOf(work, user, member.row) : member.sort;
      const { stored } = member;
      const isOften =
        stored?.since === member.since &&
        stored.sort === sort &&
        isSameBut(['readSeq', 'acted', 'wroteAt'], stored.row, member.row);
      (isOften ? some : all).push(memberRow(room.num as number, user, { ...member, sort }));
    }
  }
  writeChanged(place, 'chat_members', ['user_id', 'room'], memberFields, { all, some, changed: often });
}

export function keepMembers(work: Work, kept: Kept): void {
  for (const room of work.rooms.values()) {
    if (room?.num === undefined) continue;
    for (const [user, member] of loadedMembers(room)) {
      const key = keptKey(room.num, user);
      if (member === null) kept.delete(keptMembers, key);
      else kept.put(keptMembers, key, { row: member.row, since: member.since, sort: member.sort });
    }
  }
}
