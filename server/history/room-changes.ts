import { RequestError, type RequestErrorCode } from '../wire/errors.ts';
import { type Change, isMember, type MemberRecord, type RoomRecord, type StoredMessage } from './history.ts';
import { mentioned, type RoomRow } from './rows.ts';
import type { Work } from './work.ts';

// Changes of rooms and of their members, for rules of several kinds.

/** A change of a member by what people do in the chat, which is no coming or going. */
export const byPeople = { by: 'people', cause: 'other' } as const;

export function refuse(code: RequestErrorCode, detail?: string): never {
  throw new RequestError(code, detail);
}

/** @throws RequestError `unknown_room` */
export function existing(work: Work, id: string): RoomRow {
  return work.room(id) ?? refuse('unknown_room');
}

export function record(work: Work, row: RoomRow): RoomRecord {
  const { createdBy: _by, clientId: _id, emptySince: _since, ...room } = work.room(row.id) ?? row;
  const last = room.lastSeq < room.firstSeq ? undefined : work.lastMessage(row.id);
  return { ...room, ...(last === undefined ? {} : { last }) };
}

export function named(work: Work, id: string): (Change & { type: 'member' })['user'] {
  const known = work.user(id);
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

export function deleteRoom(work: Work, room: RoomRow, changes: Change[]): void {
  const gone = record(work, room);
  work.deleteRoom(room.id);
  changes.push({ type: 'room', is: 'deleted', room: gone });
}

export function countReports(work: Work, { reports = 0, ...room }: RoomRow, more: 1 | -1): void {
  const now = reports + more;
  work.putRoom({ ...room, ...(now === 0 ? {} : { reports: now }) });
}

/** Changes the number of members. */
export function countMembers(work: Work, room: RoomRow, more: 1 | -1, at: number): void {
  const { emptySince: _, ...rest } = room;
  const members = room.members + more;
  work.putRoom({ ...rest, members, access: room.access + 1, ...(members === 0 ? { emptySince: at } : {}) });
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
  work.putMember(room, user, now, since);
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
  const next = work.successor(id, user);
  if (next !== undefined) setRole(work, id, next, 'owner', changes);
}

export function setRole(
  work: Work,
  id: string,
  user: string,
  role: MemberRecord['role'],
  changes: Change[],
): void {
  const room = existing(work, id);
  const before = work.member(id, user);
  if (!isMember(before)) return;
  work.putRoom({ ...room, access: room.access + 1 });
  putMember(work, { room: id, user, before, now: { ...before, role }, ...byPeople }, changes);
}
