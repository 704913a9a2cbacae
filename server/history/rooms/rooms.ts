import type { RoomSettings, User } from '../../wire/events.ts';
import { tellAct } from '../audit.ts';
import { ask, sql } from '../engine/dialect.ts';
import type { ReadsOf } from '../engine/read.ts';
import { type Nothing, type Rule, refuse } from '../engine/rule.ts';
import { subject } from '../engine/subject.ts';
import { type Need, rows, type Work } from '../engine/work.ts';
import { add } from '../members/membership.ts';
import { openReports } from '../moderation/reports.ts';
import { pins } from '../pins.ts';
import type { Change } from '../records/changes.ts';
import { isBeforeEnd } from '../records/erasure.ts';
import type { StoredFile } from '../records/file.ts';
import { acted, isMember } from '../records/member.ts';
import {
  hasBegun,
  isReadable,
  type RoomRecord,
  type RoomRow,
  type RoomState,
  roomFrom,
  roomSettings,
} from '../records/room.ts';
import { roomKey } from '../records/text-keys.ts';
import { deletedUser } from '../records/user.ts';
import { erasureNeed, erasureOf } from '../rows/erasures.ts';
import { fileNeed, getFile, release, setFile } from '../rows/files.ts';
import { getMember } from '../rows/members.ts';
import { lastMessageNeed } from '../rows/messages.ts';
import {
  emptyRoom,
  formerRooms,
  isStale,
  newRoom,
  recordOf,
  removeRoom,
  requireRoom,
  siteRoom,
} from '../rows/room-changes.ts';
import {
  emptyRooms,
  emptyRoomsNeed,
  getRoom,
  makerNeed,
  pairNeed,
  publicNameNeed,
  publicRoomNamed,
  roomMadeBy,
  roomNeed,
  roomOfPair,
  setRoom,
  storeRooms,
} from '../rows/rooms.ts';
import { roomSelection, withLastMessages } from '../rows/select.ts';
import { oldRepliesNeed } from '../rows/threads.ts';
import { getUser, userNeed } from '../rows/users.ts';
import { expireReplies } from '../threads/threads.ts';
import { blocks, hasBlocked } from '../users/blocks.ts';
import { actInPublic, rename } from '../users/users.ts';
import { countRoomsMadeBy, madeRoomsNeed } from './created.ts';

export interface RoomWrites {
  /** Creates the rooms of CHAT_ROOMS that do not exist yet. */
  publicRooms: { in: { rooms: readonly { id: string; name: string }[]; at: number }; out: Nothing };
  /**
   * Creates a room that the user owns. Codes: `conflict` (a public room has that name, regardless of case),
   * `limit_reached` (`most` rooms of this user exist).
   */
  createRoom: {
    in: {
      id: string;
      kind: 'public' | 'private';
      name: string;
      topic?: string;
      by: User;
      clientId: string;
      most: number;
      at: number;
    };
    out: { room: RoomRecord; repeated: boolean };
  };
  /**
   * Creates or changes a room for the PHP application. Codes: `conflict` (another kind, or the name of a public room).
   */
  putRoom: {
    in: { id: string; kind: 'public' | 'private'; name: string; topic?: string; at: number };
    out: { room: RoomRecord; created: boolean };
  };
  /**
   * Changes a room. An empty topic removes the topic. Codes: `unknown_room`, `conflict` (a public room has that name),
   * `unknown_file` (`picture` is not one that `actor` uploaded for this room).
   */
  updateRoom: {
    in: {
      room: string;
      name?: string;
      topic?: string;
      actor?: string;
      decidedFor?: RoomState;
    } & RoomSettings;
    out: { room: RoomRecord; stale: boolean };
  };
  /** Deletes the room with all its data. Codes: `unknown_room`. */
  deleteRoom: { in: { room: string; actor?: string; decidedFor?: RoomState }; out: { stale: boolean } };
  /**
   * Expires all messages before `firstSeq`. They are no longer returned, and are deleted step by step. No-op if the
   * room's `firstSeq` is not lower. Codes: `unknown_room`.
   */
  expire: { in: { room: string; firstSeq: number }; out: Nothing };
  /** Deletes up to `most` private rooms that have had no members since before `before`. */
  deleteEmptyRooms: { in: { before: number; most: number }; out: { deleted: number } };
  /**
   * Returns the direct room of `by` and `other`, and makes `by` a member. Creates the room if necessary. Codes:
   * `forbidden` (`other` blocked `by`, or is the ID of deleted users).
   * @param in.otherName the site's name of `other`, which does not replace a name that the chat knows
   * @returns `repeated`: `by` was a member before
   */
  openDirect: {
    in: { id: string; by: User; other: string; otherName?: string; at: number };
    out: { room: RoomRecord; repeated: boolean };
  };
}

export interface RoomReads {
  /** All public rooms, which are read at the start. */
  publicRooms: { in: null; out: RoomRecord[] };
  /** `bare`: without the last message, so that the time does not reveal whether the room has messages. */
  room: { in: { room: string; bare?: true }; out: RoomRecord | null };
}

const publicRooms: Rule<RoomWrites['publicRooms']> = {
  needs: ({ rooms }) => rooms.map(({ id }) => roomNeed(id)),
  run(work, { rooms, at }, changes) {
    for (const { id, name } of rooms) {
      if (getRoom(work, id) !== undefined) continue;
      newRoom(work, siteRoom(work, id, 'public', name, at), changes);
    }
    return {};
  },
};

/** The rooms of a user, including rooms that the user lost, are limited to `most` times this. */
const timesWithLost = 10;

const createRoom: Rule<RoomWrites['createRoom']> = {
  adds: true,
  needs: ({ id, kind, name, by, clientId, most }) => [
    roomNeed(id),
    makerNeed(by.id, clientId),
    userNeed(by.id),
    ...publicName(kind, name),
    ...(most > 0 ? [madeRoomsNeed(by.id)] : []),
  ],
  run(work, { id, kind, name, topic, by, clientId, most, at }, changes) {
    const repeat = roomMadeBy(work, by.id, clientId);
    if (repeat !== undefined && isReadable(repeat, getMember(work, repeat.id, by.id)))
      return { room: recordOf(work, repeat), repeated: true };
    if (kind === 'public') checkName(work, name);
    if (most > 0) {
      const { readable, lost } = countRoomsMadeBy(work, by.id);
      if (readable >= most || readable + lost >= most * timesWithLost) refuse('limit_reached');
    }
    // The user lost the room of this `clientId`, and must not learn whether it still exists, so a new room gets the
    // `clientId`. Clients cannot send the ID that the old room gets.
    if (repeat !== undefined) setRoom(work, { ...repeat, clientId: `lost ${repeat.id}` });
    const room = newRoom(
      work,
      { ...emptyRoom(id, kind, name, at), ...(topic ? { topic } : {}), createdBy: by.id, clientId },
      changes,
    );
    rename(work, by, changes);
    if (kind === 'public') actInPublic(work, by, changes);
    add(work, room, by, { source: 'people', role: 'owner', acted: acted.joined, at }, changes);
    return { room: recordOf(work, room), repeated: false };
  },
};

const putRoom: Rule<RoomWrites['putRoom']> = {
  adds: true,
  needs: ({ id, kind, name }) => [lastMessageNeed(id), ...publicName(kind, name)],
  run(work, { id, kind, name, topic, at }, changes) {
    const room = getRoom(work, id);
    if (room === undefined) {
      if (kind === 'public') checkName(work, name);
      const empty = siteRoom(work, id, kind, name, at);
      const made = newRoom(work, { ...empty, ...(topic ? { topic } : {}) }, changes);
      return { room: recordOf(work, made), created: true };
    }
    if (room.kind !== kind) refuse('conflict', 'the room exists and is of another kind');
    return { room: update(work, room, { name, topic: topic ?? '' }, changes), created: false };
  },
};

const updateRoom: Rule<RoomWrites['updateRoom']> = {
  needs: ({ room, picture, actor }) => [
    lastMessageNeed(room),
    ...(picture && actor !== undefined ? [fileNeed(picture), erasureNeed(actor)] : []),
  ],
  run(work, { room: id, decidedFor, ...change }, changes) {
    const room = requireRoom(work, id);
    if (isStale(room, decidedFor)) return { room: recordOf(work, room), stale: true };
    return { room: update(work, room, change, changes), stale: false };
  },
};

const deleteRoom: Rule<RoomWrites['deleteRoom']> = {
  needs: ({ room }) => [lastMessageNeed(room)],
  run(work, { room: id, actor, decidedFor }, changes) {
    const room = requireRoom(work, id);
    if (isStale(room, decidedFor)) return { stale: true };
    removeRoom(work, room, changes);
    tellAct(changes, { kind: 'room_deleted', by: actor, room });
    return { stale: false };
  },
};

const expire: Rule<RoomWrites['expire']> = {
  needs: ({ room, firstSeq }) => [
    lastMessageNeed(room),
    rows(pins, { room }),
    oldRepliesNeed(room, firstSeq),
  ],
  run(work, { room: id, firstSeq }, changes) {
    const room = requireRoom(work, id);
    if (firstSeq <= room.firstSeq) return {};
    const { reports = 0, pins: pinned = 0, ...rest } = room;
    const first = Math.min(firstSeq, room.lastSeq + 1);
    const left = reports === 0 ? 0 : openReports(work, id, first);
    const expired = pinned === 0 ? [] : work.find(pins, { room: id }).filter(({ seq }) => seq < first);
    for (const { seq } of expired) work.remove(pins, { room: id, seq });
    const stillPinned = pinned - expired.length;
    const now = {
      ...rest,
      firstSeq: first,
      reports: left || undefined,
      pins: stillPinned || undefined,
    };
    setRoom(work, now);
    expireReplies(work, id, room.firstSeq, first);
    changes.push({ type: 'room', is: 'changed', room: recordOf(work, now) });
    return {};
  },
};

const deleteEmptyRooms: Rule<RoomWrites['deleteEmptyRooms']> = {
  alone: true,
  needs: ({ before, most }) => [emptyRoomsNeed(before, most)],
  run(work, { before, most }, changes) {
    const rooms = emptyRooms(work, before, most);
    for (const room of rooms) removeRoom(work, room, changes);
    return { deleted: rooms.length };
  },
};

const openDirect: Rule<RoomWrites['openDirect']> = {
  adds: true,
  needs: ({ id, by, other }) => [
    pairNeed(pairOf(by.id, other)),
    rows(blocks, { user: other, other: by.id }),
    roomNeed(id),
    userNeed(by.id),
    userNeed(other),
  ],
  run(work, { id, by, other, otherName, at }, changes) {
    const pair = pairOf(by.id, other);
    const known = roomOfPair(work, pair);
    if (other === deletedUser.id || hasBlocked(work, other, by.id)) refuse('forbidden');
    rename(work, by, changes);
    // A user whose name is unknown has the ID as the name.
    if (otherName !== undefined && (getUser(work, other)?.name ?? other) === other)
      rename(work, { id: other, name: otherName }, changes);
    const room =
      known ?? newRoom(work, { ...emptyRoom(id, 'direct', '', at), pair, createdBy: by.id }, changes);
    const wasMember = isMember(getMember(work, room.id, by.id));
    const acts = hasBegun(room) ? acted.joined : acted.never;
    add(work, room, by, { source: 'people', role: 'member', acted: acts, at }, changes);
    return { room: recordOf(work, room), repeated: wasMember };
  },
};

/** Checks that the name is free. @throws RequestError `conflict` if a public room other than `except` has that name */
export function checkName(work: Work, name: string, except?: string): void {
  const other = publicRoomNamed(work, roomKey(name));
  if (other !== undefined && other !== except) refuse('conflict', 'a public room of that name exists');
}

function update(
  work: Work,
  room: RoomRow,
  change: Omit<RoomWrites['updateRoom']['in'], 'room' | 'decidedFor'>,
  changes: Change[],
): RoomRecord {
  const { name = room.name, topic = room.topic } = change;
  const { topic: _topic, ...rest } = room;
  const settings = newSettings(room, change);
  const now: RoomRow = {
    ...rest,
    name,
    topic: topic || undefined,
    settings: stored({ ...room.settings, ...settings }),
  };
  const changed = [
    ...(['name', 'topic'] as const).filter((field) => now[field] !== room[field]),
    ...(Object.keys(settings) as (keyof RoomSettings)[]),
  ];
  if (changed.length === 0) return recordOf(work, room);
  const { picture } = settings;
  const file = picture ? newPicture(work, room, picture, change.actor) : undefined;
  if (room.kind === 'public') checkName(work, name, room.id);
  const { picture: previous } = room.settings;
  if (picture !== undefined && previous !== undefined)
    release(work, { room: room.id }, previous, { state: 'dropped' });
  if (file !== undefined) setFile(work, { ...file, state: 'carried' });
  setRoom(work, now);
  const updated = recordOf(work, room);
  changes.push({ type: 'room', is: 'changed', room: updated });
  tellAct(changes, {
    kind: 'room_changed',
    by: change.actor,
    room,
    to: { changed, ...settings },
  });
  return updated;
}

/**
 * Returns the file of a new picture.
 * @throws RequestError `unknown_file` if `actor` did not upload it as the picture of this room
 */
function newPicture(work: Work, { id }: RoomRow, picture: string, actor: string | undefined): StoredFile {
  const file = actor === undefined ? undefined : getFile(work, id, picture);
  if (file?.state !== 'loose' || file.user !== actor || !file.about.isPicture) refuse('unknown_file');
  const erasure = erasureOf(work, actor);
  // The stage `files` of the erasure may already have searched for pictures of rooms.
  if (erasure !== undefined && isBeforeEnd(erasure)) refuse('forbidden', 'the user is being erased');
  return file;
}

/** Returns the settings of a change that differ from the room's current settings. */
function newSettings(room: RoomRow, change: RoomSettings): RoomSettings {
  const names = Object.keys(roomSettings) as (keyof RoomSettings)[];
  const changed = names.filter((name) => {
    const now = room.settings[name] ?? roomSettings[name].initial;
    return change[name] !== undefined && change[name] !== now;
  });
  return Object.fromEntries(changed.map((name) => [name, change[name]]));
}

function stored(settings: RoomSettings): RoomSettings {
  const isStored = ([name, value]: [string, unknown]) =>
    value !== roomSettings[name as keyof RoomSettings].initial;
  return Object.fromEntries(Object.entries(settings).filter(isStored));
}

/** Returns both users of a direct room in a fixed order. */
function pairOf(a: string, b: string): readonly [string, string] {
  return a < b ? [a, b] : [b, a];
}

export const publicName = (kind: string, name: string): Need[] =>
  kind === 'public' ? [publicNameNeed(roomKey(name))] : [];

const reads: ReadsOf<RoomReads> = {
  *publicRooms({ dialect }) {
    const rows = yield* ask(sql`SELECT ${roomSelection} FROM chat_rooms AS rooms WHERE kind = 'public'`);
    return yield* withLastMessages(dialect, rows);
  },
  *room({ dialect }, { room: id, bare }) {
    const rows = yield* ask(sql`SELECT ${roomSelection} FROM chat_rooms AS rooms WHERE id = ${id}`);
    const [room = null] = bare ? rows.map(roomFrom) : yield* withLastMessages(dialect, rows);
    return room;
  },
};

export const roomSubject = subject<RoomWrites, RoomReads>({
  tables: [formerRooms],
  rules: { publicRooms, createRoom, putRoom, updateRoom, deleteRoom, expire, deleteEmptyRooms, openDirect },
  reads,
  stores: [storeRooms],
});
