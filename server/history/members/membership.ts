import type { User } from '../../wire/events.ts';
import type { Change } from '../changes.ts';
import { type Need, rows, type Work } from '../engine/work.ts';
import { invites } from '../invites.ts';
import { userNeed } from '../people/loaded.ts';
import { named } from '../people/users.ts';
import { setRoom } from '../rooms/loaded.ts';
import type { RoomRow } from '../rooms/room.ts';
import { recordOf, requireRoom } from '../rooms/room-changes.ts';
import { followers } from '../threads/loaded.ts';
import { getMember, memberNeed, setMember, successorOf } from './loaded.ts';
import { acted, isBanned, isMember, type MemberRecord, sources } from './member.ts';

// The beginning and the end of memberships, for rules of several kinds.

/** A change of a member by what people do in the chat, which is no coming or going. */
export const byPeople = { by: 'people', cause: 'other' } as const;

/**
 * Whether somebody moderates a room now: by the role there, or by the session. Another server may have taken the role away.
 * @param siteModerator see `Sending`
 */
export function isModerator(member: MemberRecord | undefined, siteModerator = false): boolean {
  return siteModerator || (isMember(member) && member.role !== 'member');
}

/** Changes the number of members. */
export function countMembers(work: Work, room: RoomRow, more: 1 | -1, at: number): void {
  const { emptySince: _, ...rest } = room;
  const members = room.members + more;
  setRoom(work, { ...rest, members, access: room.access + 1, ...(members === 0 ? { emptySince: at } : {}) });
}

/** @param change.since when the membership begins, if it does */
export function putMember(
  work: Work,
  change: Pick<Change & { type: 'member' }, 'now' | 'by' | 'cause'> & {
    room: string;
    user: string;
    before: MemberRecord | undefined;
    since?: number | undefined;
  },
  changes: Change[],
): void {
  const { room, user, before = null, now, by, cause, since } = change;
  setMember(work, room, user, now, since);
  if (isMember(before) && (!isMember(now) || (before.role !== 'member' && now.role === 'member'))) {
    // With the right of who has made them, the invite links end, for good.
    for (const link of work.find(invites, { room, by: user })) work.remove(invites, link);
  }
  if (isMember(before) && !isMember(now)) {
    // Nobody follows a thread without being a member, since only members can unfollow it.
    for (const one of work.find(followers, { room, user, following: 1 })) work.remove(followers, one);
  }
  const after = recordOf(work, requireRoom(work, room));
  changes.push({ type: 'member', room: after, user: named(work, user), before, now, by, cause });
}

/** Somebody is no member any more: an owner's room goes to another. */
export function handOver(
  work: Work,
  id: string,
  user: string,
  before: MemberRecord,
  changes: Change[],
): void {
  if (before.role !== 'owner') return;
  const next = successorOf(work, id, user);
  if (next !== undefined) changeRole(work, id, next, 'owner', changes);
}

export function changeRole(
  work: Work,
  id: string,
  user: string,
  role: MemberRecord['role'],
  changes: Change[],
): void {
  const room = requireRoom(work, id);
  const before = getMember(work, id, user);
  if (!isMember(before)) return;
  setRoom(work, { ...room, access: room.access + 1 });
  putMember(work, { room: id, user, before, now: { ...before, role }, ...byPeople }, changes);
}

/** Adds a source to a membership, which may begin with it. A new member has read everything up to `readSeq`, or all. */
export function add(
  work: Work,
  { id }: RoomRow,
  user: User,
  how: {
    source: keyof typeof sources | undefined;
    role: MemberRecord['role'];
    acted: number;
    readSeq?: number;
    at: number;
  },
  changes: Change[],
): void {
  const room = requireRoom(work, id);
  const before = getMember(work, id, user.id);
  const bits = how.source === undefined ? 0 : sources[how.source];
  const bySite = how.source === 'session' || how.source === 'api';
  // The site has its users know each other where nobody else can read.
  const least = bySite && room.kind !== 'public' ? acted.joined : acted.never;
  const nowActed = Math.max(before?.acted ?? acted.never, how.acted, least);
  if (isBanned(before)) {
    const held = before.held | bits;
    const { left: _, ...rest } = before;
    if (held !== before.held) setMember(work, id, user.id, { ...rest, held, acted: nowActed });
    return;
  }
  const { wroteAt, restricted } = before ?? {};
  const { readSeq = room.lastSeq } = how;
  const was = isMember(before);
  const now: MemberRecord = was
    ? { ...before, sources: before.sources | bits, acted: nowActed }
    : {
        sources: bits,
        role: how.role,
        readSeq,
        ...(readSeq === 0 ? {} : { fromSeq: readSeq }),
        acted: nowActed,
        ...(wroteAt === undefined ? {} : { wroteAt }),
        ...(restricted === undefined ? {} : { restricted }),
      };
  if (was && now.sources === before.sources && now.acted === before.acted) return;
  if (!was) countMembers(work, room, 1, how.at);
  const since = was ? undefined : how.at;
  putMember(
    work,
    { room: id, user: user.id, before, now, since, by: how.source ?? 'people', cause: 'other' },
    changes,
  );
}

/** The needs of a rule that concerns people in a room. */
export const peopleIn = (room: string, users: readonly string[]): Need[] =>
  users.flatMap((user) => [memberNeed(room, user), userNeed(user)]);

/** The same of a rule that may end their memberships, or take a role from them. */
export const peopleLosing = (room: string, users: readonly string[]): Need[] => [
  ...peopleIn(room, users),
  ...users.flatMap((user) => [
    rows(invites, { room, by: user }),
    rows(followers, { room, user, following: 1 }),
  ]),
];

/** Removes sources from a membership, which may end by that. */
export function take(
  work: Work,
  id: string,
  user: string,
  { bits, by, cause, at }: { bits: number; by: keyof typeof sources; cause: 'left' | 'removed'; at: number },
  changes: Change[],
): void {
  const room = requireRoom(work, id);
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
  const end = cause === 'left' ? { left: true as const } : { removed: requireRoom(work, id).access };
  const now: MemberRecord =
    left === 0 ? { ...before, sources: 0, role: 'member', ...end } : { ...before, sources: left };
  putMember(work, { room: id, user, before, now, by, cause }, changes);
  if (left === 0) handOver(work, id, user, before, changes);
}
