import { ask, raw, sql } from './engine/dialect.ts';
import { cutPage, type ReadsOf } from './engine/read.ts';
import type { PinReads } from './history.ts';
import { isUnexpired, parseRoomCursor, roomNumber } from './rooms/rooms.ts';
import { messageFrom } from './rows.ts';
import { pins, rowFrom } from './tables.ts';

export const pinReads: ReadsOf<PinReads> = {
  *pins({ dialect }, { room, seq }) {
    const rows = yield* ask(
      sql`SELECT by_id, at, behind, place, ${dialect.messageColumns} FROM chat_messages AS messages
          JOIN (SELECT seq AS pin, by_id, at, behind, place FROM chat_pins
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
      ...(last && { next: `${last.room} ${last.seq}` }),
    };
  },
};
