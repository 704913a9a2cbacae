import {
  type History,
  hasReader,
  isMember,
  isReadable,
  type MemberRecord,
  type RoomRecord,
  sources,
} from '../history/history.ts';
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
export function mayRead(room: RoomRecord, member: MemberRecord | undefined, isBanned: boolean): boolean {
  return member !== undefined || (room.kind === 'public' && !isBanned);
}

/** Returns the stored room if the user may read it. The user may be offline. */
export async function findReadableRoom(
  { read }: Pick<History, 'read'>,
  room: string,
  user: string,
): Promise<RoomRecord | undefined> {
  const record = await read.room({ room, bare: true });
  const [member] = await read.membersOf({ room, users: [user] });
  return record !== null && isReadable(record, member) ? record : undefined;
}

/**
 * Returns the membership without the source `session` if this session no longer grants it; undefined if no source
 * remains. The stored membership may be outdated, because only connections of the user update it.
 * @param session.rooms the rooms that the site puts the user into; absent if the list is unreadable
 */
export function memberBySession(
  { kind, id }: Pick<RoomRecord, 'kind' | 'id'>,
  member: MemberRecord | null | undefined,
  { rooms }: { rooms?: readonly { id: string }[] },
): MemberRecord | undefined {
  if (!isMember(member) || rooms === undefined || rooms.some((room) => room.id === id) || kind === 'direct') {
    return isMember(member) ? member : undefined;
  }
  const remaining = { ...member, sources: member.sources & ~sources.session };
  return isMember(remaining) ? remaining : undefined;
}

/**
 * Returns all rights of a user in a room that the user may read (docs/protocol.md, "Rights"). `RoomSummary.may` lists
 * them in this order. The history checks two of them again, under the lock of the room: writing by `mayPost` in
 * history/messages/posting.ts, and moderating by `isModerator` in history/members/membership.ts.
 */
export function rightsIn(room: RoomRecord, { roles, member }: Actor): Right[] {
  if (room.question !== undefined) return rightsInQuestion(room, { roles, member });
  if (isVisitor({ roles }))
    return room.settings.write === 'moderators' || !roles.includes('guest') ? ['leave'] : ['send', 'leave'];
  if (room.kind === 'direct') return hasReader(room) ? ['send', 'pin'] : [];
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

/** Site roles give no rights in a question, because only its members may know it. */
function rightsInQuestion(room: RoomRecord, { roles, member }: Actor): Right[] {
  if (member?.role === 'moderator') return hasReader(room) ? ['send', 'moderate', 'pin', 'leave'] : ['leave'];
  return roles.includes('reader') || member === undefined ? [] : ['send'];
}

/** Whether the user moderates the whole site, as a site moderator or admin. */
export const moderatesSite = ({ roles }: Pick<Actor, 'roles'>): boolean =>
  roles.some((role) => role === 'admin' || role === 'moderator');

/** Whether the user is a guest, who has no login. */
export const isVisitor = ({ roles }: Pick<Actor, 'roles'>): boolean =>
  roles.includes('guest') || roles.includes('reader');

/**
 * Whether the user may approve and reject pending messages of the room. Site moderators need a membership in a private
 * room.
 * @param isBanned whether the user is banned from the room
 */
export function decidesIn(room: RoomRecord, actor: Actor, isBanned: boolean): boolean {
  return mayRead(room, actor.member, isBanned) && rightsIn(room, actor).includes('moderate');
}

export function rankOf(roles: readonly SiteRole[], member: MemberRecord | undefined): Rank {
  if (roles.includes('admin')) return 4;
  if (roles.includes('moderator')) return 3;
  return member?.role === 'owner' ? 2 : member?.role === 'moderator' ? 1 : 0;
}

/** Whether the actor has a higher rank than the target. A user can act only on users of a lower rank. */
export function outranks(actor: Actor, target: Actor): boolean {
  return rankOf(actor.roles, actor.member) > rankOf(target.roles, target.member);
}
