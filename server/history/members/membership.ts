import type { User } from '../../wire/events.ts';
import { type Need, rows, type Work } from '../engine/work.ts';
import { invites } from '../invites.ts';
import type { Change } from '../records/changes.ts';
import { acted, isBanned, isMember, type MemberRecord, ownAfter, sources } from '../records/member.ts';
import type { RoomRow } from '../records/room.ts';
import { getMember, memberNeed, setMember, successorOf } from '../rows/members.ts';
import { recordOf, requireRoom } from '../rows/room-changes.ts';
import { setRoom } from '../rows/rooms.ts';
import { followers } from '../rows/threads.ts';
import { getUser, userNeed } from '../rows/users.ts';
import { named } from '../users/users.ts';

// Starts, changes and ends memberships.

/** Fields of member changes that neither start nor end a membership. */
export const byPeople = { by: 'people', cause: 'other' } as const;

/**
 * Whether the user moderates the room, by the stored role or by the session. Rules check it again, because another
 * server may have changed the role since the request was checked.
 * @param siteModerator see `Sending`
 */
export function isModerator(member: MemberRecord | undefined, siteModerator = false): boolean {
  return siteModerator || (isMember(member) && member.role !== 'member');
}

/** Updates the member count, raises `access`, and sets `emptySince` when the last member leaves. */
export function countMembers(work: Work, room: RoomRow, delta: 1 | -1, at: number): void {
  const { emptySince: _, ...rest } = room;
  const members = room.members + delta;
  setRoom(work, { ...rest, members, access: room.access + 1, emptySince: members === 0 ? at : undefined });
}

/**
 * Stores a member and adds the change. Invite links of a user who loses the moderator role or the membership are
 * deleted.
 * @param change.since the time if a membership starts
 */
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
    // Deleted, because a later membership or role must not revive the links.
    for (const link of work.find(invites, { room, by: user })) work.remove(invites, link);
  }
  if (isMember(before) && !isMember(now)) {
    // Leaving a room unfollows its threads, because only members can unfollow.
    for (const follower of work.find(followers, { room, user, following: 1 }))
      work.remove(followers, follower);
  }
  const record = recordOf(work, requireRoom(work, room));
  const { actedPublic = false } = getUser(work, user) ?? {};
  const changed = { ...named(work, user), actedPublic: actedPublic || undefined };
  changes.push({ type: 'member', room: record, user: changed, before, now, by, cause });
}

/** Transfers the ownership when the owner's membership ended. @param before the former membership */
export function handOver(
  work: Work,
  id: string,
  user: string,
  before: MemberRecord,
  changes: Change[],
): void {
  if (before.role !== 'owner') return;
  const successor = successorOf(work, id, user);
  if (successor !== undefined) changeRole(work, id, successor, 'owner', changes);
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

/**
 * Adds a source to the membership, or starts a membership. A banned user gets the source when the ban ends.
 * @param how.source undefined: only `acted` rises
 * @param how.readSeq the read marker of a new member; the last message if omitted
 * @param how.ownUnread own messages after it
 */
export function add(
  work: Work,
  { id }: RoomRow,
  user: User,
  how: {
    source: keyof typeof sources | undefined;
    role: MemberRecord['role'];
    acted: number;
    readSeq?: number;
    ownUnread?: readonly number[] | undefined;
    at: number;
  },
  changes: Change[],
): void {
  const room = requireRoom(work, id);
  const before = getMember(work, id, user.id);
  const bits = how.source === undefined ? 0 : sources[how.source];
  const bySite = how.source === 'session' || how.source === 'api';
  // In private rooms, members by session or API see each other's names. A public room would show the names to all
  // users.
  const minActed = bySite && room.kind !== 'public' ? acted.joined : acted.never;
  const nowActed = Math.max(before?.acted ?? acted.never, how.acted, minActed);
  if (isBanned(before)) {
    const bannedSources = before.held | bits;
    const { left: _, ...rest } = before;
    if (bannedSources !== before.held)
      setMember(work, id, user.id, { ...rest, held: bannedSources, acted: nowActed });
    return;
  }
  const { wroteAt, restricted } = before ?? {};
  const { readSeq = room.lastSeq } = how;
  const wasMember = isMember(before);
  const now: MemberRecord = wasMember
    ? { ...before, sources: before.sources | bits, acted: nowActed }
    : {
        sources: bits,
        role: how.role,
        readSeq,
        ...ownAfter(how.ownUnread, readSeq),
        fromSeq: readSeq || undefined,
        acted: nowActed,
        wroteAt,
        restricted,
      };
  if (wasMember && now.sources === before.sources && now.acted === before.acted) return;
  if (!wasMember) countMembers(work, room, 1, how.at);
  const since = wasMember ? undefined : how.at;
  putMember(
    work,
    { room: id, user: user.id, before, now, since, by: how.source ?? 'people', cause: 'other' },
    changes,
  );
}

/** Returns the needs of a rule that reads or changes these members. */
export const peopleIn = (room: string, users: readonly string[]): Need[] =>
  users.flatMap((user) => [memberNeed(room, user), userNeed(user)]);

/** Returns the needs of a rule that can end these memberships or demote the members: see `putMember`. */
export const peopleLosing = (room: string, users: readonly string[]): Need[] => [
  ...peopleIn(room, users),
  ...users.flatMap((user) => [
    rows(invites, { room, by: user }),
    rows(followers, { room, user, following: 1 }),
  ]),
];

/** Removes sources from the membership, and ends it if none remains. For a banned user, removes them from `held`. */
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
    const bannedSources = before.held & ~bits;
    if (bannedSources !== before.held) setMember(work, id, user, { ...before, held: bannedSources });
    return;
  }
  if (!isMember(before)) return;
  const remaining = before.sources & ~bits;
  if (remaining === before.sources) return;
  if (remaining === 0) countMembers(work, room, -1, at);
  const end = cause === 'left' ? { left: true as const } : { removed: requireRoom(work, id).access };
  const now: MemberRecord =
    remaining === 0 ? { ...before, sources: 0, role: 'member', ...end } : { ...before, sources: remaining };
  putMember(work, { room: id, user, before, now, by, cause }, changes);
  if (remaining === 0) handOver(work, id, user, before, changes);
}
