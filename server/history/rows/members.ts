import { raw, sql } from '../engine/dialect.ts';
import type { Kept, KeptKind } from '../engine/kept.ts';
import { isSameBut, writeChanged } from '../engine/store.ts';
import {
  type LoadedRoom,
  type Loader,
  missing,
  type Need,
  needOf,
  partOf,
  type Query,
  roomValueLoader,
  storedRoom,
  type ValueLoader,
  type Work,
  type WriteContext,
} from '../engine/work.ts';
import type { Columns, Value } from '../records/columns.ts';
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
} from '../records/member.ts';
import { storedMemberKey } from '../records/text-keys.ts';
import { existingRoom, loadedRoom, roomNeed } from './rooms.ts';
import { getUser, loadedUsers, userNeed } from './users.ts';

// The members of rooms that a transaction has loaded.

interface Member {
  row: MemberRecord;
  /** The start of the latest membership, in milliseconds since 1970; 0 if the user never was a member. */
  since: number;
  /** The sort key in the member list: see `storedMemberKey`. */
  sort: string;
}

/** `stored`: the row in the database, undefined if there is none. */
type LoadedMember = Member & { stored: Member | undefined };

const members = (): Map<string, LoadedMember | null> => new Map();
/** Returns the loaded members of a room by user ID; null for a user without a row. */
export const loadedMembers = (room: LoadedRoom): Map<string, LoadedMember | null> => partOf(room, members);
const keptMembers: KeptKind<Member> = { name: 'member' };
const keptKey = (room: number, user: string) => `${room} ${user}`;

const memberLoader: Loader<{ room: string; user: string }> = {
  name: 'member',
  ask({ dialect, kept }, work, needs): Query[] {
    const wanted = new Map<string, { room: LoadedRoom & { num: number }; user: string }>();
    for (const { room: id, user } of needs) {
      const room = storedRoom(work, id);
      if (room === undefined || loadedMembers(room).has(user)) continue;
      const cached = kept?.get(keptMembers, keptKey(room.num, user));
      if (cached === undefined) wanted.set(keptKey(room.num, user), { room, user });
      else loadedMembers(room).set(user, { ...cached, stored: cached });
    }
    if (wanted.size === 0) return [];
    const isWanted = dialect.each(
      ['user_id', 'room'],
      [...wanted.values()].map(({ room, user }) => [user, room.num]),
    );
    return [
      {
        sql: sql`SELECT room, user_id, ${raw(memberColumns)}, since, sort FROM chat_members WHERE ${isWanted}`,
        take(rows) {
          for (const { room, user } of wanted.values()) loadedMembers(room).set(user, null);
          for (const row of rows) {
            const { room, user } = wanted.get(keptKey(row.room as number, row.user_id as string)) ?? {};
            const stored = { row: memberFrom(row), since: row.since as number, sort: row.sort as string };
            if (room !== undefined && user !== undefined)
              loadedMembers(room).set(user, { ...stored, stored });
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
  const member = loadedMembers(room).get(user);
  if (member !== undefined) return member;
  return room.num === undefined ? null : missing(memberLoader, { room: room.row.id, user });
}

/** Whether the user is or was a member. A row alone does not prove it, because restricted users have rows also. */
export const hasBeenMember = (work: Work, room: string, user: string): boolean =>
  (loadedMember(existingRoom(work, room), user)?.since ?? 0) > 0;

/**
 * Stores the data of a user in a room.
 * @param since when the membership starts, in milliseconds since 1970; absent if none starts
 */
export function setMember(work: Work, id: string, user: string, row: MemberRecord, since?: number): void {
  const room = existingRoom(work, id);
  const before = loadedMember(room, user);
  const keepsSort = before !== null && before.row.acted > acted.never === row.acted > acted.never;
  work.set(loadedMembers(room), user, {
    row,
    since: since ?? before?.since ?? 0,
    sort: keepsSort ? before.sort : sortKeyOf(work, user, row),
    stored: before?.stored,
  });
}

function sortKeyOf(work: Work, id: string, member: MemberRecord): string {
  const user = getUser(work, id);
  return storedMemberKey(user ?? { id, name: id }, isNamed(user, member));
}

/** Deletes the stored data of a user in a room. */
export function deleteMember(work: Work, id: string, user: string): void {
  const room = existingRoom(work, id);
  // Loads the user. Without it, `withNames` could not tell whether mentions in loaded messages still show the name.
  getUser(work, user);
  work.set(loadedMembers(room), user, null);
  const { num } = room;
  if (num === undefined) return;
  work.later(() => sql`DELETE FROM chat_members WHERE room = ${num} AND user_id = ${user}`);
}

/** Loads the owner that a room had before the transaction. */
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
  // If the stored owner is loaded, the loop found that this member no longer owns the room.
  return owner === null || loadedMembers(room).has(owner) ? undefined : owner;
}

interface Successor {
  user: string;
  isModerator: boolean;
  since: number;
}

/** Loads the first `limit` members in the order of succession, as stored before the transaction. */
const successorsLoader = roomValueLoader<
  { room: string; limit: number },
  { list: readonly Successor[]; isComplete: boolean }
>('successors', {
  keyOf: ({ room }) => room,
  select: ({ num }, { limit }) =>
    sql`SELECT user_id, role, since FROM chat_members WHERE room = ${num} AND sources <> 0
          ORDER BY CASE role WHEN 'moderator' THEN 0 ELSE 1 END, since, user_id LIMIT ${limit}`,
  value: (rows, { limit }) => ({
    list: rows.map(({ user_id, role, since }) => ({
      user: user_id as string,
      isModerator: role === 'moderator',
      since: since as number,
    })),
    isComplete: rows.length < limit,
  }),
  none: { list: [], isComplete: true },
});

/**
 * Returns the successor of `except`: the longest-standing moderator, or without moderators the longest-standing member.
 */
export function successorOf(work: Work, id: string, except: string): string | undefined {
  const room = existingRoom(work, id);
  const loaded = loadedMembers(room);
  // The transaction may have changed any loaded member. One more row contains at least one unchanged member.
  const limit = loaded.size + 1;
  const none = { list: [], isComplete: true };
  const stored = room.num === undefined ? none : work.known(successorsLoader, { room: id, limit });
  if (stored === undefined || (!stored.isComplete && stored.list.length < limit)) {
    return missing(successorsLoader, { room: id, limit });
  }
  const successors: Successor[] = stored.list.filter(({ user }) => loaded.get(user) === undefined);
  for (const [user, member] of loaded) {
    if (member === null || !isMember(member.row)) continue;
    successors.push({ user, isModerator: member.row.role === 'moderator', since: member.since });
  }
  return successors.filter(({ user }) => user !== except).sort(compareSuccessors)[0]?.user;
}

/** Moderators first, then by the start of the membership. */
function compareSuccessors(a: Successor, b: Successor): number {
  if (a.isModerator !== b.isModerator) return a.isModerator ? -1 : 1;
  return a.since - b.since || compareBytes(a.user, b.user);
}

/** Compares IDs in the order in which the databases sort them. */
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
    const isWanted = dialect.each(
      ['user_id'],
      users.map((user) => [user]),
    );
    const rows = yield* transaction.query(
      sql`SELECT user_id, rooms.id AS id FROM chat_members AS members JOIN chat_rooms AS rooms ON rooms.num = members.room
          WHERE ${isWanted} AND ((sources | coalesce(held, 0)) & 1) <> 0`,
    );
    const rooms = rows.map(({ user_id, id }) => ({ user: user_id as string, room: id as string }));
    for (const user of users) values.set(user, []);
    for (const [user, roomsOfUser] of Map.groupBy(rooms, ({ user }) => user)) {
      values.set(
        user,
        roomsOfUser.map(({ room }) => room),
      );
    }
    return rooms.map(({ room, user }) => memberNeed(room, user));
  },
};
export const sessionRoomsNeed = (user: string): Need => needOf(sessionRoomsLoader, { user });

/** Returns the rooms where the session makes the user a member, or would do so without a ban. */
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

/**
 * Loads the members whose first restriction ended. Only for rules that run `alone`, because changes of the same
 * transaction are not taken into account.
 */
const endedRestrictionsLoader: ValueLoader<{ before: number; most: number }, readonly RoomMember[]> = {
  name: 'ended restrictions',
  *find({ transaction }, work, needs) {
    const allMembers: RoomMember[] = [];
    for (const need of needs) {
      const rows = yield* transaction.query(
        sql`SELECT rooms.id AS id, user_id FROM chat_members AS members JOIN chat_rooms AS rooms ON rooms.num = members.room
            WHERE restricted_until <= ${need.before} ORDER BY restricted_until, rooms.id, user_id LIMIT ${need.most}`,
      );
      const members = rows.map(({ id, user_id }) => ({ room: id as string, user: user_id as string }));
      work.keep(endedRestrictionsLoader, need, members);
      allMembers.push(...members);
    }
    return allMembers.flatMap(({ room, user }) => [roomNeed(room), memberNeed(room, user), userNeed(user)]);
  },
};

export const endedRestrictionsNeed = (before: number, most: number): Need =>
  needOf(endedRestrictionsLoader, { before, most });

/** Returns up to `most` members whose first restriction ended at or before `before`. */
export const endedRestrictions = (work: Work, before: number, most: number): readonly RoomMember[] =>
  work.value(endedRestrictionsLoader, { before, most });

/** Most transactions change only these columns of a member. */
const frequentColumns: Columns = ['read_seq', 'acted', 'wrote_at'];

export function storeMembers(context: WriteContext, work: Work): undefined {
  const fullRows: Value[][] = [];
  const frequentRows: Value[][] = [];
  const users = work.part(loadedUsers);
  for (const room of work.rooms.values()) {
    if (room === null) continue;
    for (const [user, member] of loadedMembers(room)) {
      if (member === null || member.row === member.stored?.row) continue;
      // A later operation of the transaction may have renamed the user.
      const sort = users.has(user) ? sortKeyOf(work, user, member.row) : member.sort;
      const { stored } = member;
      const isFrequent =
        stored?.since === member.since &&
        stored.sort === sort &&
        isSameBut(['readSeq', 'acted', 'wroteAt'], stored.row, member.row);
      (isFrequent ? frequentRows : fullRows).push(memberRow(room.num as number, user, { ...member, sort }));
    }
  }
  writeChanged(context, 'chat_members', ['user_id', 'room'], memberFields, {
    all: fullRows,
    some: frequentRows,
    changed: frequentColumns,
  });
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
