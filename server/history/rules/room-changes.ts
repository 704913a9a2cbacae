import { RequestError, type RequestErrorCode } from '../../wire/errors.ts';
import type { User } from '../../wire/events.ts';
import { type Need, rows, type Work } from '../engine/work.ts';
import { getFile, setFile } from '../files/loaded.ts';
import {
  type Act,
  acted,
  type Change,
  isBanned,
  isMember,
  type MemberRecord,
  otherOf,
  type RoomRecord,
  type RoomState,
  type StoredMessage,
  sources,
  type UserRecord,
} from '../history.ts';
import { getMember, memberNeed, setMember, successorOf } from '../members/loaded.ts';
import { getLastMessage, getMessage, getReacted } from '../messages/loaded.ts';
import { getUser, setUser, userNeed } from '../people/loaded.ts';
import { deleteRoomRow, formerKeys, getRoom, setRoom } from '../rooms/loaded.ts';
import { mentioned, type RoomRow } from '../rows.ts';
import { blocks, followers, formerRooms, invites } from '../tables.ts';
// Changes of rooms and of their members, for rules of several kinds.

/** A change of a member by what people do in the chat, which is no coming or going. */
export const byPeople = { by: 'people', cause: 'other' } as const;

export function refuse(code: RequestErrorCode, detail?: string): never {
  throw new RequestError(code, detail);
}

/** @throws RequestError `unknown_room` */
export function existing(work: Work, id: string): RoomRow {
  return getRoom(work, id) ?? refuse('unknown_room');
}

/**
 * The room of a member: somebody who was removed while the request was under way is none. @throws RequestError
 * `unknown_room`
 */
export function existingFor(work: Work, id: string, user: string): RoomRow {
  const room = existing(work, id);
  if (!isMember(getMember(work, id, user))) refuse('unknown_room');
  return room;
}

/**
 * Whether somebody moderates a room now: by the role there, or by the session. Another server may have taken the role away.
 * @param siteModerator see `Sending`
 */
export function isModerator(member: MemberRecord | undefined, siteModerator = false): boolean {
  return siteModerator || (isMember(member) && member.role !== 'member');
}

export function record(work: Work, row: RoomRow): RoomRecord {
  const {
    createdBy: _by,
    clientId: _id,
    emptySince: _since,
    sent: _sent,
    ...room
  } = getRoom(work, row.id) ?? row;
  const last = room.lastSeq < room.firstSeq ? undefined : getLastMessage(work, row.id);
  return { ...room, ...(last === undefined ? {} : { last }) };
}

export function named(work: Work, id: string): (Change & { type: 'member' })['user'] {
  const known = getUser(work, id);
  return { id, name: known?.name ?? id, ...(known?.actedPublic ? { actedPublic: true } : {}) };
}

/** @param before the message as it was; undefined for a new one */
export function tellMentions(
  message: StoredMessage,
  before: StoredMessage | undefined,
  changes: Change[],
): void {
  const [were, are] = [mentioned(before?.mentions), mentioned(message.mentions)];
  const added = [...are].filter((user) => !were.has(user));
  const removed = [...were].filter((user) => !are.has(user));
  if (added.length > 0 || removed.length > 0) changes.push({ type: 'mentions', message, added, removed });
}

export function removeRoom(work: Work, room: RoomRow, changes: Change[]): void {
  const gone = record(work, room);
  deleteRoomRow(work, room.id);
  // The id of a room that a user has made never comes again: see `newRoomId`.
  if (!/^[ud]-/.test(room.id) && room.head > 0) {
    const [own] = formerKeys(work, room.id);
    work.put(formerRooms, { ...own, head: room.head });
  }
  changes.push({ type: 'room', is: 'deleted', room: gone });
}

export function countReports(work: Work, { reports = 0, ...room }: RoomRow, more: 1 | -1): void {
  const now = reports + more;
  setRoom(work, { ...room, ...(now === 0 ? {} : { reports: now }) });
}

export function countPins(work: Work, { pins: _, ...room }: RoomRow, now: number): void {
  setRoom(work, { ...room, ...(now === 0 ? {} : { pins: now }) });
}

/** A message carries that file no more. */
export function release(
  work: Work,
  { room }: StoredMessage,
  id: string,
  now: { state: 'loose' | 'dropped'; at: number },
): void {
  const file = getFile(work, room, id);
  if (file !== undefined) setFile(work, { ...file, ...now });
}

/** The `rev` of the last change that was not one of reactions, or of its preview. */
export function textRevOf(work: Work, { room, seq, rev }: StoredMessage): number {
  const reacted = getReacted(work, room, seq);
  return reacted?.rev === rev ? reacted.textRev : rev;
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
  const after = record(work, existing(work, room));
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
  const room = existing(work, id);
  const before = getMember(work, id, user);
  if (!isMember(before)) return;
  setRoom(work, { ...room, access: room.access + 1 });
  putMember(work, { room: id, user, before, now: { ...before, role }, ...byPeople }, changes);
}

/** A message that is not too old: see `expire`. */
export function messageIn(work: Work, room: RoomRow, seq: number): StoredMessage | undefined {
  return seq < room.firstSeq ? undefined : getMessage(work, room.id, seq);
}

/** Whether something was decided for another state of the room, or for another room: a new one may have the id of a deleted one. */
export function isStale(room: RoomRow, decidedFor: RoomState = room): boolean {
  return decidedFor.access !== room.access || decidedFor.createdAt !== room.createdAt;
}

export function emptyRoom(id: string, kind: RoomRow['kind'], name: string, at: number): RoomRow {
  return {
    id,
    kind,
    name,
    head: 0,
    lastSeq: 0,
    firstSeq: 1,
    access: 0,
    members: 0,
    createdAt: at,
    emptySince: at,
    settings: {},
  };
}

/**
 * An empty room under an id of the site, which a deleted one may have had: the numbers go on after those, and clients that
 * know these begin again. See `isKnown` in chat/rooms.ts.
 */
export function siteRoom(work: Work, id: string, kind: RoomRow['kind'], name: string, at: number): RoomRow {
  const room = emptyRoom(id, kind, name, at);
  const former = formerKeys(work, id).flatMap((key) => work.find(formerRooms, key));
  if (former.length === 0) return room;
  const head = Math.max(...former.map((one) => one.head)) + 1;
  return { ...room, head, reset: head };
}

export function newRoom(work: Work, room: RoomRow, changes: Change[]): RoomRow {
  setRoom(work, room);
  changes.push({ type: 'room', is: 'new', room: record(work, room) });
  return room;
}

/** Keeps the name of a user, who may be new. */
export function rename(work: Work, { id, name }: User, changes: Change[]): void {
  const known = getUser(work, id);
  if (known?.name === name) return;
  putUser(work, { ...known, id, name, actedPublic: known?.actedPublic ?? false }, changes);
}

export function actInPublic(work: Work, { id, name }: User, changes: Change[]): void {
  const known = getUser(work, id);
  if (known?.actedPublic) return;
  putUser(work, { ...known, id, name, actedPublic: true }, changes);
}

export function putUser(work: Work, user: UserRecord, changes: Change[]): void {
  setUser(work, user);
  changes.push({ type: 'user', user });
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
  const room = existing(work, id);
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

/** Whether this user has blocked the other one. */
export function hasBlocked(work: Work, user: string, other: string): boolean {
  return work.find(blocks, { user, other }).length > 0;
}

/** Whether the other one of a direct room has blocked this user. */
export function isBlocked(work: Work, { pair }: RoomRow, user: string): boolean {
  const other = otherOf(pair, user);
  return other !== undefined && hasBlocked(work, other, user);
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

/** Notes that the changes are an act of moderation. */
export function tellAct(
  changes: Change[],
  {
    room,
    ...act
  }: { [Field in keyof Omit<Act, 'room'>]?: Act[Field] | undefined } & Pick<Act, 'kind'> & {
      room?: Pick<RoomRow, 'id' | 'kind'>;
    },
): void {
  const isOpen = room === undefined || room.kind === 'public';
  const all = { ...act, room: room?.id, ...(isOpen ? { open: true } : {}) };
  const known = Object.entries(all).filter(([, value]) => value !== undefined);
  changes.push({ type: 'act', act: Object.fromEntries(known) as Omit<Act, 'at'> });
}
