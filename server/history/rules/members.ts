import { raw, sql } from '../engine/dialect.ts';
import { maxScannedRows } from '../engine/read.ts';
import {
  type Need,
  needOf,
  type Question,
  rows,
  storedRoom,
  type ValueLoader,
  type Work,
} from '../engine/work.ts';
import {
  type ArrivalWrites,
  acted,
  type Change,
  deletedUser,
  everybody,
  hasBegun,
  isBanned,
  isMember,
  type MemberRecord,
  type MemberWrites,
  mostUnreadMentions,
  type ReadingWrites,
  sources,
} from '../history.ts';
import {
  getMember,
  hasBeenMember,
  memberNeed,
  ownerNeed,
  ownerOf,
  sessionRoomsNeed,
  sessionRoomsOf,
  setMember,
} from '../members/loaded.ts';
import { lastMessageNeed } from '../messages/loaded.ts';
import { isAuthorBlocked } from '../people/blocks.ts';
import { getUser, userNeed } from '../people/loaded.ts';
import { getRoom } from '../rooms/loaded.ts';
import { arrivals, blocks, siteUsers } from '../tables.ts';
import {
  actInPublic,
  add,
  byPeople,
  changeRole,
  countMembers,
  existing,
  existingFor,
  handOver,
  hasBlocked,
  isStale,
  newRoom,
  peopleIn,
  peopleLosing,
  putMember,
  putUser,
  refuse,
  rename,
  siteRoom,
  tellAct,
} from './room-changes.ts';
import type { Rule } from './rule.ts';
export const addMembers: Rule<MemberWrites['addMembers']> = {
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
    const room = by === undefined ? existing(work, id) : existingFor(work, id, by);
    if (isStale(room, decidedFor)) return { results: [], stale: true };
    const results = users.map(({ id: user, name }) => {
      if (user === deletedUser.id) return 'forbidden' as const;
      const before = getMember(work, id, user);
      const hasLeft = before?.left === true;
      if (!isMember(before)) {
        // The code is the same for all of them, so that it does not reveal the cause.
        if (source === 'people' && (hasLeft || isBanned(before))) return 'forbidden' as const;
        if (by !== undefined && hasBlocked(work, user, by)) return 'forbidden' as const;
        if (!mayReturn && hasBeenMember(work, id, user)) return 'forbidden' as const;
        if (most > 0 && existing(work, id).members >= most) return 'limit_reached' as const;
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

export const join: Rule<MemberWrites['join']> = {
  needs: ({ room, user }) => [lastMessageNeed(room), ...peopleIn(room, [user.id])],
  run(work, { room: id, user, at }, changes) {
    const room = existing(work, id);
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

export const removeMembers: Rule<MemberWrites['removeMembers']> = {
  needs: ({ room, users }) => [lastMessageNeed(room), ...peopleLosing(room, users)],
  run(work, { room: id, users, sources: bits, by, cause, actor, decidedFor, at }, changes) {
    const room = existing(work, id);
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

export const setRole: Rule<MemberWrites['setRole']> = {
  needs: ({ room, user, role }) => [
    lastMessageNeed(room),
    // All members of the room are looked through for the owner.
    ...(role === 'owner' ? [ownerNeed(room)] : []),
    ...peopleLosing(room, [user]),
  ],
  run(work, { room: id, user, role, actor, decidedFor }, changes) {
    const room = existing(work, id);
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

export const setNotify: Rule<MemberWrites['setNotify']> = {
  needs: ({ room, user }) => [lastMessageNeed(room), ...peopleIn(room, [user])],
  run(work, { room: id, user, notify }, changes) {
    existing(work, id);
    const before = getMember(work, id, user);
    if (!isMember(before)) refuse('unknown_room');
    if (before.notify === notify) return {};
    putMember(work, { room: id, user, before, now: { ...before, notify }, ...byPeople }, changes);
    return {};
  },
};

export const markRead: Rule<ReadingWrites['markRead']> = {
  needs: ({ room, user }) => [memberNeed(room, user)],
  run(work, { room: id, user, seq }, changes) {
    const room = existing(work, id);
    const member = getMember(work, id, user);
    if (!isMember(member)) refuse('unknown_room');
    if (seq > room.lastSeq) refuse('bad_request', 'seq is beyond the last message');
    const { readSeq, seenSeq = readSeq, ...rest } = member;
    if (seq <= readSeq) return { readSeq };
    const seen = seenSeq > seq ? { seenSeq } : {};
    setMember(work, id, user, { ...rest, readSeq: seq, ...seen });
    const again = seenSeq >= seq ? { again: true as const } : {};
    changes.push({ type: 'read', room: id, user, readSeq: seq, ...seen, ...again });
    return { readSeq: seq };
  },
};

export const markUnread: Rule<ReadingWrites['markUnread']> = {
  needs: ({ room, user, seq }) => [memberNeed(room, user), unreadMentionsNeed(room, user, seq)],
  run(work, { room: id, user, seq }, changes) {
    existing(work, id);
    const member = getMember(work, id, user);
    if (!isMember(member)) refuse('unknown_room');
    const { readSeq, seenSeq = readSeq } = member;
    if (seq >= readSeq) return { readSeq };
    setMember(work, id, user, { ...member, readSeq: seq, seenSeq });
    const unread = unreadMentions(work, id, user, seq);
    changes.push({ type: 'read', room: id, user, readSeq: seq, seenSeq, again: true, unread });
    return { readSeq: seq };
  },
};

export const arrive: Rule<ArrivalWrites['arrive']> = {
  needs: ({ user, rooms: wanted }) => [
    userNeed(user.id),
    rows(arrivals, { user: user.id }),
    ...(wanted === undefined ? [] : [sessionRoomsNeed(user.id)]),
    ...(wanted ?? []).flatMap(({ id }): Need[] => [lastMessageNeed(id), memberNeed(id, user.id)]),
  ],
  run(work, { user, siteRole, rooms, at }, changes) {
    rename(work, user, changes);
    if (work.find(arrivals, { user: user.id }).length === 0) work.put(arrivals, { user: user.id, at });
    const known = getUser(work, user.id);
    if (known !== undefined && known.siteRole !== siteRole) {
      const { siteRole: _, ...rest } = known;
      putUser(work, { ...rest, ...(siteRole === undefined ? {} : { siteRole }) }, changes);
    }
    if (rooms === undefined) return {};
    const listed = new Set(rooms.map(({ id }) => id));
    // In one order, whatever the database.
    for (const id of sessionRoomsOf(work, user.id).sort()) {
      const how = { bits: sources.session, by: 'session', cause: 'removed', at } as const;
      if (!listed.has(id)) take(work, id, user.id, how, changes);
    }
    for (const { id, name } of rooms) {
      const room = getRoom(work, id) ?? newRoom(work, siteRoom(work, id, 'private', name, at), changes);
      if (room.kind === 'direct') continue;
      add(work, room, user, { source: 'session', role: 'member', acted: acted.never, at }, changes);
    }
    return {};
  },
};

export const putSiteUsers: Rule<ArrivalWrites['putSiteUsers']> = {
  adds: true,
  needs: ({ users }) => users.flatMap(({ id }): Need[] => [userNeed(id), rows(siteUsers, { user: id })]),
  run(work, { users, at }, changes) {
    for (const user of users) {
      if (user.id === deletedUser.id) refuse('forbidden');
      rename(work, user, changes);
      if (work.find(siteUsers, { user: user.id }).length === 0) work.put(siteUsers, { user: user.id, at });
    }
    return {};
  },
};

/** Removes sources from a membership, which may end by that. */
function take(
  work: Work,
  id: string,
  user: string,
  { bits, by, cause, at }: { bits: number; by: keyof typeof sources; cause: 'left' | 'removed'; at: number },
  changes: Change[],
): void {
  const room = existing(work, id);
  const before = getMember(work, id, user);
  if (isBanned(before)) {
    const held = before.held & ~bits;
    if (held !== before.held) setMember(work, id, user, { ...before, held });
    return;
  }
  if (!isMember(before)) return;
  const left = before.sources & ~bits;
  if (left === before.sources) return;
  if (left === 0) countMembers(work, room, -1, at);
  const end = cause === 'left' ? { left: true as const } : { removed: existing(work, id).access };
  const now: MemberRecord =
    left === 0 ? { ...before, sources: 0, role: 'member', ...end } : { ...before, sources: left };
  putMember(work, { room: id, user, before, now, by, cause }, changes);
  if (left === 0) handOver(work, id, user, before, changes);
}

interface Unread {
  room: string;
  user: string;
  after: number;
}

/** Messages after one that mention or concern the user, the newest ones, with their authors, as the database has them. */
const unreadMentionsLoader: ValueLoader<Unread, readonly (readonly [seq: number, author: string])[]> = {
  name: 'unread mentions',
  keyOf: ({ room, user, after }) => `${after} ${room} ${user}`,
  ask: (_place, work, needs): Question[] =>
    needs.flatMap((need) => {
      const { user, after } = need;
      const values = work.valuesOf(unreadMentionsLoader);
      const key = unreadMentionsLoader.keyOf(need);
      const room = storedRoom(work, need.room);
      if (room === undefined) {
        values.set(key, []);
        return [];
      }
      const seqs = (table: string, of: string) =>
        sql`SELECT seq FROM (SELECT seq FROM ${raw(table)} WHERE room = ${room.num} AND user_id = ${of} AND seq > ${after}
            ORDER BY seq DESC LIMIT ${maxScannedRows}) AS newest`;
      return {
        sql: sql`SELECT messages.seq AS seq, messages.user_id AS by_id FROM (
            ${seqs('chat_mentions', user)} UNION ${seqs('chat_mentions', everybody)}
            UNION ${seqs('chat_concerned', user)}) AS found
            JOIN chat_messages AS messages ON messages.room = ${room.num} AND messages.seq = found.seq
            ORDER BY ${isAuthorBlocked(user)}, messages.seq DESC LIMIT ${mostUnreadMentions}`,
        take: (found) =>
          void values.set(
            key,
            found.map(({ seq, by_id }) => [seq as number, by_id as string] as const),
          ),
      };
    }),
};
const unreadMentionsNeed = (room: string, user: string, after: number): Need =>
  needOf(unreadMentionsLoader, { room, user, after });
const unreadMentions = (work: Work, room: string, user: string, after: number) =>
  work.value(unreadMentionsLoader, { room, user, after });
