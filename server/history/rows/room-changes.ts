import { refuse } from '../engine/rule.ts';
import { table } from '../engine/table.ts';
import type { Work } from '../engine/work.ts';
import type { Change } from '../records/changes.ts';
import { isMember } from '../records/member.ts';
import type { StoredMessage } from '../records/message.ts';
import {
  lastInRoom,
  type RoomRecord,
  type RoomRow,
  type RoomState,
  withoutRuleFields,
} from '../records/room.ts';
import { getMember } from './members.ts';
import { getLastMessage, getMessage } from './messages.ts';
import { deleteRoomRow, formerKeys, getRoom, setRoom } from './rooms.ts';

/** The heads of deleted rooms: see `formerKeys`. */
export const formerRooms = table<{ digest: string; head: number }>('chat_former_rooms', ['digest'], {
  digest: 'digest',
  head: 'head',
});

/** Returns the room. @throws RequestError `unknown_room` */
export function requireRoom(work: Work, id: string): RoomRow {
  return getRoom(work, id) ?? refuse('unknown_room');
}

/**
 * Returns the room if the user is a member. The user may have been removed during the request.
 * @throws RequestError `unknown_room`
 */
export function requireRoomOf(work: Work, id: string, user: string): RoomRow {
  const room = requireRoom(work, id);
  if (!isMember(getMember(work, id, user))) refuse('unknown_room');
  return room;
}

export function recordOf(work: Work, row: RoomRow): RoomRecord {
  const room = withoutRuleFields(getRoom(work, row.id) ?? row);
  const last = lastInRoom(room) < room.firstSeq ? undefined : getLastMessage(work, row.id);
  return { ...room, last };
}

export function removeRoom(work: Work, room: RoomRow, changes: Change[]): void {
  const gone = recordOf(work, room);
  for (const { onRemoval } of work.subjects.hooks) onRemoval?.(work, room);
  deleteRoomRow(work, room.id);
  // IDs of rooms that users created are random, so they are never reused: see `newRoomId`.
  if (!/^[ud]-/.test(room.id) && room.head > 0) {
    const [own] = formerKeys(work, room.id);
    work.put(formerRooms, { ...own, head: room.head });
  }
  changes.push({ type: 'room', is: 'deleted', room: gone });
}

export function countReports(work: Work, { reports = 0, ...room }: RoomRow, more: 1 | -1): void {
  const now = reports + more;
  setRoom(work, { ...room, reports: now || undefined });
}

export function countPins(work: Work, { pins: _, ...room }: RoomRow, now: number): void {
  setRoom(work, { ...room, pins: now || undefined });
}

/** Returns the message, unless it expired: see `expire`. */
export function messageIn(work: Work, room: RoomRow, seq: number): StoredMessage | undefined {
  return seq < room.firstSeq ? undefined : getMessage(work, room.id, seq);
}

/** Whether a decision was based on another state of the room, or on a deleted room with the same ID. */
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
 * Returns an empty room with an ID that the site chose. If a deleted room had this ID, `head` continues after that
 * room's, and its clients must discard their copies: see `canContinueFrom` in chat/rooms.ts.
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
  changes.push({ type: 'room', is: 'new', room: recordOf(work, room) });
  return room;
}
