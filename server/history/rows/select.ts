import { type Asking, ask, type Dialect, inList, raw, type Sql, sql } from '../engine/dialect.ts';
import type { Row } from '../records/columns.ts';
import { memberColumns } from '../records/member.ts';
import { messageFrom } from '../records/message.ts';
import { lastInRoom, type RoomRecord, roomColumns, roomFrom } from '../records/room.ts';

/** The rooms that a user may know of: all public rooms except `except`, and `rooms`. */
export interface KnownRooms {
  rooms: readonly string[];
  except: readonly string[];
}

/** The columns of a `RoomRecord`, and the number of the room. */
export const roomSelection = raw(`num, ${roomColumns}`);

/** Selects the number of the room with this ID. */
export const roomNumber = (id: string): Sql => sql`(SELECT num FROM chat_rooms WHERE id = ${id})`;

/** Returns the condition that a message of this room has not expired. */
export const isUnexpired = (room: string, seq: 'seq' | 'seq + 0' = 'seq'): Sql =>
  sql`${raw(seq)} >= (SELECT first_seq FROM chat_rooms WHERE id = ${room})`;

/**
 * Returns the condition that a message of this room has not expired and follows `seq`. With two lower bounds, SQLite
 * would start at the first of them, and scan all messages up to the second.
 */
export const isUnexpiredAfter = (room: string, seq: number): Sql =>
  sql`seq > (SELECT CASE WHEN first_seq > ${seq} THEN first_seq - 1 ELSE ${seq} END FROM chat_rooms WHERE id = ${room})`;

/** Returns a subquery of the rooms that a user may know of. */
export function knownRooms(dialect: Dialect, { rooms, except }: KnownRooms): Sql {
  const open =
    except.length === 0
      ? raw("kind = 'public'")
      : sql`kind = 'public' AND NOT ${inList(dialect, 'id', except)}`;
  const own = rooms.length === 0 ? raw('') : sql` OR ${inList(dialect, 'id', rooms)}`;
  return sql`(SELECT num, id AS room_id, name, kind, first_seq, last_seq, day, sent FROM chat_rooms WHERE ${open}${own})`;
}

/** Finds the numbers of the rooms with these IDs. Unknown IDs are left out. */
export function* findRoomNumbers(dialect: Dialect, ids: readonly string[]): Asking<Map<string, number>> {
  if (ids.length === 0) return new Map();
  const rows = yield* ask(sql`SELECT id, num FROM chat_rooms WHERE ${inList(dialect, 'id', ids)}`);
  return new Map(rows.map(({ id, num }) => [id as string, num as number]));
}

/** Parses the cursor of a list that goes through all rooms: the number of a room, and of a message there. */
export function parseRoomCursor(cursor: string): [num: number, seq: number] {
  const [num = 0, seq = 0] = cursor.split(' ').map(Number);
  return [num, seq];
}

/** Converts rows to rooms with their last messages. @param rows of `roomSelection` */
export function* withLastMessages(dialect: Dialect, rows: readonly Row[]): Asking<RoomRecord[]> {
  const rooms = rows.map(roomFrom);
  const places = rooms.flatMap((room, n) =>
    lastInRoom(room) >= room.firstSeq ? [[rows[n]?.num as number, lastInRoom(room)]] : [],
  );
  if (places.length === 0) return rooms;
  const messages = yield* ask(
    sql`SELECT room, ${dialect.messageColumns} FROM chat_messages AS messages WHERE ${dialect.among(['room', 'seq'], places)}`,
  );
  const messageByRoom = new Map(messages.map((row) => [row.room as number, row]));
  return rooms.map((room, n) => {
    const message = messageByRoom.get(rows[n]?.num as number);
    return message === undefined ? room : { ...room, last: messageFrom(message, room.id) };
  });
}

/**
 * Selects members by `notifyOf`, in a query of `chat_members AS members` and `chat_rooms` without direct rooms. Without `isForAll`, members
 * who are notified of each message.
 */
export const isNotified = (isForAll: boolean) =>
  sql`coalesce(quiet_until, 0) <= ${Date.now()} AND ${
    isForAll
      ? sql`(members.notify IS NULL OR members.notify <> 'none')`
      : sql`archived IS NULL AND (members.notify = 'all' OR (members.notify IS NULL AND kind <> 'public'))`
  }`;

/** The columns of a `MemberRecord`. */
export const memberSelection = raw(memberColumns);
