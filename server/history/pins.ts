import { tellAct } from './audit.ts';
import { ask, raw, sql } from './engine/dialect.ts';
import { cutPage, type ReadsOf } from './engine/read.ts';
import { type Rule, refuse } from './engine/rule.ts';
import { subject } from './engine/subject.ts';
import { rowFrom, table } from './engine/table.ts';
import { rows } from './engine/work.ts';
import { messageFrom, type StoredMessage } from './records/message.ts';
import type { RoomState } from './records/room.ts';
import { deletedUser } from './records/user.ts';
import { memberNeed } from './rows/members.ts';
import { lastMessageNeed, messageNeed } from './rows/messages.ts';
import { countPins, isStale, messageIn, recordOf, requireRoomOf } from './rows/room-changes.ts';
import { isUnexpired, parseRoomCursor, roomNumber } from './rows/select.ts';
import { isBlocked } from './users/blocks.ts';

/** Maximum pinned messages of one room. */
const mostPins = 50;

/** A pinned message. */
interface StoredPin {
  room: string;
  seq: number;
  by: string;
  at: number;
  /** The newest message of the room when this message was pinned. */
  after: number;
  /** The order of the list. Later pins have higher values. */
  place: number;
}

export interface PinWrites {
  /**
   * Pins or unpins a message. A repeat is a no-op. Codes: `unknown_room` (also for users who are not members),
   * `forbidden` (the peer of a direct room blocked the user), `unknown_message` (missing, or a tombstone to pin),
   * `limit_reached` (`mostPins`).
   */
  pin: {
    in: { room: string; seq: number; user: string; pinned: boolean; decidedFor?: RoomState; at: number };
    out: { changed: boolean; stale: boolean };
  };
}

export interface PinReads {
  /** The pinned messages of a room, latest pin first. `seq`: only this message. */
  pins: {
    in: { room: string; seq?: number };
    out: { pin: StoredPin; message: StoredMessage }[];
  };
  /** All pins by a user, paginated like `written`. */
  pinsBy: {
    in: { user: string; from: string; limit: number };
    out: { pins: Pick<StoredPin, 'room' | 'seq' | 'at'>[]; next?: string };
  };
}

export const pins = table<StoredPin>(
  'chat_pins',
  ['room', 'seq'],
  { room: 'room', seq: 'seq', by: 'by_id', at: 'at', after: 'behind', place: 'place' },
  { users: ['by'], without: (pin) => ({ row: { ...pin, by: deletedUser.id } }) },
);

/** The columns of a pin without its key, whose columns its message has too. */
const ownColumns = raw(
  Object.values(pins.columns)
    .filter((column) => !pins.key.includes(column))
    .join(', '),
);

const pin: Rule<PinWrites['pin']> = {
  needs: ({ room, seq, user }) => [
    lastMessageNeed(room),
    messageNeed(room, seq),
    memberNeed(room, user),
    rows(pins, { room }),
  ],
  run(work, { room: id, seq, user, pinned, decidedFor, at }, changes) {
    const room = requireRoomOf(work, id, user);
    if (isStale(room, decidedFor)) return { changed: false, stale: true };
    if (isBlocked(work, room, user)) refuse('forbidden');
    const message = messageIn(work, room, seq);
    if (message === undefined) refuse('unknown_message');
    const all = work.find(pins, { room: id });
    const isPinned = all.some((one) => one.seq === seq);
    if (isPinned === pinned) return { changed: false, stale: false };
    if (pinned) {
      if (message.deletedAt !== undefined) refuse('unknown_message');
      if (all.length >= mostPins) refuse('limit_reached');
      const place = Math.max(0, ...all.map((one) => one.place)) + 1;
      work.put(pins, { room: id, seq, by: user, at, after: room.lastSeq, place });
    } else work.remove(pins, { room: id, seq });
    countPins(work, room, all.length + (pinned ? 1 : -1));
    changes.push({ type: 'pin', room: recordOf(work, room), seq });
    if (room.kind !== 'direct') {
      const kind = pinned ? 'pinned' : 'unpinned';
      tellAct(changes, { kind, by: user, user: message.user.id, room, seq });
    }
    return { changed: true, stale: false };
  },
};

const reads: ReadsOf<PinReads> = {
  *pins({ dialect }, { room, seq }) {
    const rows = yield* ask(
      sql`SELECT ${ownColumns}, ${dialect.messageColumns} FROM chat_messages AS messages
          JOIN (SELECT seq AS pin, ${ownColumns} FROM chat_pins
            WHERE room = ${roomNumber(room)} ${seq === undefined ? raw('') : sql`AND seq = ${seq}`}) AS pins ON pins.pin = seq
          WHERE room = ${roomNumber(room)} AND ${isUnexpired(room)} ORDER BY place DESC`,
    );
    return rows.map((row) => ({ pin: rowFrom(pins, row, room), message: messageFrom(row, room) }));
  },
  *pinsBy(_, { user, from, limit }) {
    const [num, seq] = parseRoomCursor(from);
    const rows = yield* ask(
      sql`SELECT room, seq, at, rooms.id AS id
          FROM chat_pins AS pins JOIN chat_rooms AS rooms ON rooms.num = pins.room
          WHERE by_id = ${user} AND seq >= first_seq AND room >= ${num} AND (room > ${num} OR seq > ${seq})
          ORDER BY room, seq LIMIT ${limit + 1}`,
    );
    const { page, last } = cutPage(rows, limit);
    return {
      pins: page.map(({ id, seq, at }) => ({ room: id as string, seq: seq as number, at: at as number })),
      next: last && `${last.room} ${last.seq}`,
    };
  },
};

export const pinSubject = subject<PinWrites, PinReads>({
  tables: [pins],
  rules: { pin },
  reads,
});
