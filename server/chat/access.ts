import { isMember, type MemberRecord, type RoomRecord, sources } from '../history/history.ts';
import type { Right, SiteRole } from '../wire/events.ts';

/** The acting user in one room. */
export interface Actor {
  /** Roles on the whole site, from the session of the acting connection. */
  roles: readonly SiteRole[];
  /** Absent for users who are not members. */
  member: MemberRecord | undefined;
}

/** From highest to lowest: admin, site moderator, owner, moderator, member. */
type Rank = 4 | 3 | 2 | 1 | 0;

/**
 * Whether a user may know that a room exists. Otherwise the user can neither act in it nor find it. A banned user is
 * not a member.
 */
export function mayRead(room: RoomRecord, member: MemberRecord | undefined, banned: boolean): boolean {
  return member !== undefined || (room.kind === 'public' && !banned);
}

/**
 * The stored membership as the session of this request has it: no connection need be open with that session, and until
 * one is, the two are not brought in line.
 * @param session.rooms those that the site puts the user into; absent if its list cannot be read
 */
export function memberBySession(
  { kind, id }: Pick<RoomRecord, 'kind' | 'id'>,
  member: MemberRecord | null | undefined,
  { rooms }: { rooms?: readonly { id: string }[] },
): MemberRecord | undefined {
  if (!isMember(member) || rooms === undefined || rooms.some((room) => room.id === id) || kind === 'direct') {
    return isMember(member) ? member : undefined;
  }
  const now = { ...member, sources: member.sources & ~sources.session };
  return isMember(now) ? now : undefined;
}

/**
 * All rights of a user in a room that the user may read; no other code decides them (docs/protocol.md, "Rights"), but for
 * the history: under the lock of the room, `mayPost` in history/messages/posting.ts decides once more who may write there now,
 * and `isModerator` in history/members/membership.ts who moderates. The order is that of `RoomSummary.may`.
 */
export function rightsIn(room: RoomRecord, { roles, member }: Actor): Right[] {
  // If the other user was erased, nobody would read the messages.
  if (room.kind === 'direct') return room.pair === undefined ? [] : ['send', 'pin'];
  const admin = roles.includes('admin');
  const owner = member?.role === 'owner' || admin;
  const moderator = owner || member?.role === 'moderator' || roles.includes('moderator');
  const may: Right[] = room.settings.write === 'moderators' && !moderator ? [] : ['send'];
  if (room.kind === 'private') may.push('invite');
  if (moderator) may.push('update', 'remove', 'moderate', 'pin');
  if (owner) may.push('roles', 'delete');
  if (member !== undefined && member.sources === sources.people) may.push('leave');
  return may;
}

/** Whether the session makes its user a moderator of the whole site: an admin is one, too. */
export const moderatesSite = ({ roles }: Pick<Actor, 'roles'>): boolean => roles.length > 0;

/**
 * Whether the user decides about messages that wait there. In a private room its members alone do.
 * @param banned from that room
 */
export function decidesIn(room: RoomRecord, actor: Actor, banned: boolean): boolean {
  return mayRead(room, actor.member, banned) && rightsIn(room, actor).includes('moderate');
}

export function rankOf(roles: readonly SiteRole[], member: MemberRecord | undefined): Rank {
  if (roles.includes('admin')) return 4;
  if (roles.includes('moderator')) return 3;
  return member?.role === 'owner' ? 2 : member?.role === 'moderator' ? 1 : 0;
}

/** A user can act only on users of a lower rank. */
export function outranks(actor: Actor, target: Actor): boolean {
  return rankOf(actor.roles, actor.member) > rankOf(target.roles, target.member);
}
