import type { RoomRole, User } from '../../wire/events.ts';
import { isGuest } from '../../wire/guest.ts';
import { tellAct } from '../audit.ts';
import { ask, inList, raw, type Sql, sql } from '../engine/dialect.ts';
import { cutPage, type ReadsOf } from '../engine/read.ts';
import { type Code, type Nothing, type Rule, refuse } from '../engine/rule.ts';
import { subject } from '../engine/subject.ts';
import { rows } from '../engine/work.ts';
import { invites, opens } from '../invites.ts';
import type { Row } from '../records/columns.ts';
import {
  acted,
  isBanned,
  isMember,
  type MemberRecord,
  memberFrom,
  type RoomPreferences,
  type Source,
} from '../records/member.ts';
import { hasBegun, type RoomState } from '../records/room.ts';
import { deletedUser, type UserRecord, userFrom } from '../records/user.ts';
import { getMember, hasBeenMember, memberNeed, ownerNeed, ownerOf, storeMembers } from '../rows/members.ts';
import { lastMessageNeed } from '../rows/messages.ts';
import { isStale, requireRoom, requireRoomOf } from '../rows/room-changes.ts';
import { getRoom } from '../rows/rooms.ts';
import { memberSelection, roomNumber } from '../rows/select.ts';
import { getUser, guestIds } from '../rows/users.ts';
import { blocks, hasBlocked } from '../users/blocks.ts';
import { actInPublic, rename } from '../users/users.ts';
import { add, byPeople, changeRole, peopleIn, peopleLosing, putMember, take } from './membership.ts';

/** A cursor in the member list of a room. It contains only data that the list shows. */
export interface MemberCursor {
  /** `storedMemberKey` of the last user. */
  sort: string;
  id: string;
}

export interface MemberWrites {
  /**
   * Adds `source` to memberships. New members are rejected if they blocked `by`, or if the source is `people` and they
   * left or are banned. Codes: `unknown_room` (also if `by` is not a member).
   * @param in.mayReturn false: rejects users who were members before
   * @param in.most the maximum number of members; 0 for no limit
   * @returns for each user null or the reason for the rejection: `forbidden`, `limit_reached`
   */
  addMembers: {
    in: {
      room: string;
      users: readonly { id: string; name?: string }[];
      source: Source;
      by?: string;
      mayReturn: boolean;
      most?: number;
      decidedFor?: RoomState;
      at: number;
    };
    out: { results: (Code | null)[]; stale: boolean };
  };
  /**
   * The user joins a public room, or confirms a membership in another room. Then the members see the user's name.
   * Codes: `unknown_room` (also if the user is banned, or not a member of a room that is not public).
   */
  join: { in: { room: string; user: User; at: number }; out: Nothing };
  /**
   * Removes `sources` (bits) from memberships. A membership without sources ends. The successor of an owner is the
   * longest-standing moderator or, without moderators, member. Codes: `unknown_room`.
   */
  removeMembers: {
    in: {
      room: string;
      users: readonly string[];
      sources: number;
      by: Source;
      cause: 'left' | 'removed';
      actor?: string;
      decidedFor?: RoomState;
      at: number;
    };
    out: { stale: boolean };
  };
  /**
   * Sets the role of a member. A new owner's predecessor becomes a moderator. Codes: `unknown_room`, `unknown_user`
   * (not a member).
   */
  setRole: {
    in: { room: string; user: string; role: RoomRole; actor?: string; decidedFor?: RoomState };
    out: { stale: boolean };
  };
  /**
   * Makes the user a member and counts the use of the link. No-op for members. Codes: `unknown_invite` (the link does
   * not admit this user: see `opens`), `limit_reached` (`most` members).
   * @param in.by the creator of the link, as read before
   */
  acceptInvite: {
    in: { room: string; id: string; by: string; user: User; most: number; at: number };
    out: Nothing;
  };
  /** Changes a member's own settings of the room; null resets one. Codes: `unknown_room` (not a member). */
  setPreferences: {
    in: {
      room: string;
      user: string;
      set: { [Name in keyof RoomPreferences]: RoomPreferences[Name] | null };
    };
    out: Nothing;
  };
}

export interface MemberReads {
  /**
   * Memberships of guests that began before `before`, in the order of the guests' IDs, from after the guest `after`. A
   * page may lack the last rooms of its last guest.
   */
  guestMembers: {
    in: { before: number; after: string; limit: number };
    out: { members: { room: string; user: string }[]; next?: string };
  };
  /** The membership record of each user, in the order of `users`; null for a user without a record. */
  membersOf: { in: { room: string; users: readonly string[] }; out: (MemberRecord | null)[] };
  /** The members after `after`, ordered by `memberKey`, then by ID. */
  members: { in: { room: string; after?: MemberCursor; limit: number }; out: MemberPage };
}

export interface MemberPage {
  members: { user: UserRecord; member: MemberRecord; place: MemberCursor }[];
  next?: MemberCursor;
}

const acceptInvite: Rule<MemberWrites['acceptInvite']> = {
  needs: ({ room, id, by, user }) => [
    lastMessageNeed(room),
    ...peopleIn(room, [user.id, by]),
    rows(invites, { room, id }),
  ],
  run(work, { room: id, id: invite, by, user, most, at }, changes) {
    const room = getRoom(work, id) ?? refuse('unknown_invite');
    const [link] = work.find(invites, { room: id, id: invite });
    if (link === undefined || link.room !== id || link.by !== by) refuse('unknown_invite');
    const member = getMember(work, id, user.id) ?? null;
    if (isMember(member)) return {};
    const { siteRole } = getUser(work, by) ?? {};
    const maker = {
      member: getMember(work, id, by) ?? null,
      siteRole,
    };
    if (!opens(link, { member, maker }, at)) refuse('unknown_invite');
    if (most > 0 && room.members >= most) refuse('limit_reached');
    work.put(invites, { ...link, used: link.used + 1 });
    rename(work, user, changes);
    add(work, room, user, { source: 'people', role: 'member', acted: acted.joined, at }, changes);
    return {};
  },
};

const addMembers: Rule<MemberWrites['addMembers']> = {
  adds: true,
  needs: ({ room, users, by }) => [
    lastMessageNeed(room),
    ...peopleIn(
      room,
      users.map(({ id }) => id),
    ),
    ...(by === undefined ? [] : [memberNeed(room, by)]),
    ...(by === undefined ? [] : users.map(({ id }) => rows(blocks, { user: id, other: by }))),
  ],
  run(work, { room: id, users, source, by, mayReturn, most = 0, decidedFor, at }, changes) {
    const room = by === undefined ? requireRoom(work, id) : requireRoomOf(work, id, by);
    if (isStale(room, decidedFor)) return { results: [], stale: true };
    const results = users.map(({ id: user, name }) => {
      if (user === deletedUser.id) return 'forbidden' as const;
      const before = getMember(work, id, user);
      const hasLeft = before?.left === true;
      if (!isMember(before)) {
        // The code is the same for all reasons, so that it does not reveal which one applies.
        if (source === 'people' && (hasLeft || isBanned(before))) return 'forbidden' as const;
        if (by !== undefined && hasBlocked(work, user, by)) return 'forbidden' as const;
        if (!mayReturn && hasBeenMember(work, id, user)) return 'forbidden' as const;
        if (most > 0 && requireRoom(work, id).members >= most) return 'limit_reached' as const;
      }
      const known = getUser(work, user);
      const as = { id: user, name: name ?? known?.name ?? user };
      if (known === undefined || name !== undefined) rename(work, as, changes);
      add(work, room, as, { source, role: 'member', acted: acted.never, at }, changes);
      return null;
    });
    return { results, stale: false };
  },
};

const join: Rule<MemberWrites['join']> = {
  needs: ({ room, user }) => [lastMessageNeed(room), ...peopleIn(room, [user.id])],
  run(work, { room: id, user, at }, changes) {
    const room = requireRoom(work, id);
    const before = getMember(work, id, user.id);
    if (room.kind === 'public' ? isBanned(before) : !isMember(before)) refuse('unknown_room');
    rename(work, user, changes);
    if (room.kind === 'public') actInPublic(work, user, changes);
    add(
      work,
      room,
      user,
      {
        source: room.kind === 'public' ? 'people' : undefined,
        role: 'member',
        acted: hasBegun(room) ? acted.joined : acted.never,
        at,
      },
      changes,
    );
    return {};
  },
};

const removeMembers: Rule<MemberWrites['removeMembers']> = {
  needs: ({ room, users }) => [lastMessageNeed(room), ...peopleLosing(room, users)],
  run(work, { room: id, users, sources: bits, by, cause, actor, decidedFor, at }, changes) {
    const room = requireRoom(work, id);
    if (isStale(room, decidedFor)) return { stale: true };
    for (const user of users) {
      const wasMember = isMember(getMember(work, id, user));
      take(work, id, user, { bits, by, cause, at }, changes);
      const isRemoved = cause === 'removed' && wasMember && !isMember(getMember(work, id, user));
      if (isRemoved) tellAct(changes, { kind: 'removed', by: actor, user, room });
    }
    return { stale: false };
  },
};

const setRole: Rule<MemberWrites['setRole']> = {
  needs: ({ room, user, role }) => [
    lastMessageNeed(room),
    // Finding the owner scans all members of the room, so only a change of the owner loads it.
    ...(role === 'owner' ? [ownerNeed(room)] : []),
    ...peopleLosing(room, [user]),
  ],
  run(work, { room: id, user, role, actor, decidedFor }, changes) {
    const room = requireRoom(work, id);
    if (isStale(room, decidedFor)) return { stale: true };
    const before = getMember(work, id, user);
    if (!isMember(before)) refuse('unknown_user');
    if (before.role === role) return { stale: false };
    if (role === 'owner') {
      const owner = ownerOf(work, id);
      if (owner !== undefined) changeRole(work, id, owner, 'moderator', changes);
    }
    changeRole(work, id, user, role, changes);
    tellAct(changes, { kind: 'role_changed', by: actor, user, room, to: { role } });
    return { stale: false };
  },
};

const setPreferences: Rule<MemberWrites['setPreferences']> = {
  needs: ({ room, user }) => [lastMessageNeed(room), ...peopleIn(room, [user])],
  run(work, { room: id, user, set }, changes) {
    requireRoom(work, id);
    const before = getMember(work, id, user);
    if (!isMember(before)) refuse('unknown_room');
    const changed = Object.entries(set).filter(
      ([name, value]) => before[name as keyof typeof set] !== (value ?? undefined),
    );
    if (changed.length === 0) return {};
    const now = { ...before };
    for (const [name, value] of changed) {
      if (value === null) delete now[name as keyof typeof set];
      else Object.assign(now, { [name]: value });
    }
    putMember(work, { room: id, user, before, now, ...byPeople }, changes);
    return {};
  },
};

/**
 * Selects a column of the user of a member. A join would let the planner read all users if rooms are large on average,
 * so the time would reveal hidden users.
 */
const ofUser = (column: 'name' | 'acted_public' | 'site_role') =>
  raw(`(SELECT ${column} FROM chat_users AS users WHERE users.id = members.user_id)`);

/**
 * Selects members of a room in the order of the member list.
 * @param range further conditions
 */
export const selectListed = (room: string, range: Sql, limit: number): Sql =>
  sql`SELECT user_id AS id, coalesce(${ofUser('name')}, user_id) AS name,
        coalesce(${ofUser('acted_public')}, 0) AS acted_public, ${ofUser('site_role')} AS site_role, sort, ${memberSelection}
      FROM chat_members AS members
      WHERE room = ${roomNumber(room)} AND sources <> 0 AND ${range}
      ORDER BY sort, user_id LIMIT ${limit}`;

export const isBehind = ({ sort, id }: MemberCursor): Sql =>
  sql`sort >= ${sort} AND (sort > ${sort} OR user_id > ${id})`;

/** Converts a row of `selectListed`. */
export function listedFrom(row: Row): MemberPage['members'][number] {
  const user = userFrom(row);
  return { user, member: memberFrom(row), place: { sort: row.sort as string, id: user.id } };
}

const reads: ReadsOf<MemberReads> = {
  *guestMembers(_, { before, after, limit }) {
    const rows = yield* ask(
      sql`SELECT rooms.id AS room, user_id FROM chat_members AS members
          JOIN chat_rooms AS rooms ON rooms.num = members.room
          WHERE user_id > ${after || guestIds.from} AND user_id < ${guestIds.to} AND sources <> 0 AND since < ${before}
            AND (team IS NULL OR (last_at < ${before} AND coalesce(reachable, '') <> 'verified'))
          ORDER BY user_id, members.room LIMIT ${limit}`,
    );
    const members = rows.map((row) => ({ room: row.room as string, user: row.user_id as string }));
    const last = rows.length < limit ? undefined : members.at(-1)?.user;
    return {
      members: members.filter(({ user }) => isGuest(user)),
      next: last,
    };
  },
  *membersOf({ dialect }, { room, users }) {
    if (users.length === 0) return [];
    const rows = yield* ask(
      sql`SELECT user_id, ${memberSelection} FROM chat_members
          WHERE room = ${roomNumber(room)} AND ${inList(dialect, 'user_id', users)}`,
    );
    const memberById = new Map(rows.map((row) => [row.user_id as string, memberFrom(row)]));
    return users.map((user) => memberById.get(user) ?? null);
  },
  *members(_, { room, after = { sort: '', id: '' }, limit }) {
    const rows = yield* ask(selectListed(room, isBehind(after), limit + 1));
    const { page, last } = cutPage(rows, limit);
    const members = page.map(listedFrom);
    return { members, next: last && listedFrom(last).place };
  },
};

export const memberSubject = subject<MemberWrites, MemberReads>({
  rules: { addMembers, join, removeMembers, setRole, setPreferences, acceptInvite },
  reads,
  stores: [storeMembers],
});
