import { ask, raw, sql } from '../engine/dialect.ts';
import { cutPage, type ReadsOf } from '../engine/read.ts';
import type { ReactionReads } from '../history.ts';
import { findRoomNumbers, isUnexpired, roomNumber } from '../rooms/rooms.ts';
import { goneRooms } from '../rows.ts';

const reactionsPerStatement = 500;

export const reactionReads: ReadsOf<ReactionReads> = {
  *reactionsOf({ dialect }, { user, of }) {
    const reactions: ReactionReads['reactionsOf']['out'] = [];
    const numById = yield* findRoomNumbers(dialect, [...new Set(of.map(({ room }) => room))]);
    const idByNum = new Map([...numById].map(([id, num]) => [num, id]));
    const keys = of.flatMap(({ room, seq, emoji }) => {
      const num = numById.get(room);
      return num === undefined ? [] : [[num, seq, emoji, user]];
    });
    for (let n = 0; n < keys.length; n += reactionsPerStatement) {
      const some = keys.slice(n, n + reactionsPerStatement);
      const rows = yield* ask(
        sql`SELECT room, seq, emoji FROM chat_reactions
            WHERE ${dialect.among(['room', 'seq', 'emoji', 'user_id'], some)}`,
      );
      for (const { room, seq, emoji } of rows) {
        reactions.push({
          room: idByNum.get(room as number) as string,
          seq: seq as number,
          emoji: emoji as string,
        });
      }
    }
    return reactions;
  },
  *reactors(_, { room, seq, emoji, after, limit }) {
    const [message] = yield* ask(
      sql`SELECT room FROM chat_messages
          WHERE room = ${roomNumber(room)} AND seq = ${seq} AND deleted_at IS NULL AND ${isUnexpired(room)}`,
    );
    if (message === undefined) return null;
    const rows = yield* ask(
      sql`SELECT user_id, place FROM chat_reactions
          WHERE room = ${message.room as number} AND seq = ${seq} AND emoji = ${emoji} AND place > ${after}
          ORDER BY place LIMIT ${limit + 1}`,
    );
    const { page, last } = cutPage(rows, limit);
    return {
      users: page.map(({ user_id }) => user_id as string),
      ...(last && { next: last.place as number }),
    };
  },
  *reactionsBy(_, { user, from, limit }) {
    const [room = 0, seq = 0, emoji = ''] = from === '' ? [] : from.split(/[. ]/);
    const rows = yield* ask(
      sql`SELECT rooms.id AS room, seq, emoji, concat(rooms.num, '.', seq) AS place
          FROM chat_reactions AS reactions JOIN chat_rooms AS rooms ON rooms.num = reactions.room
          WHERE user_id = ${user} AND NOT (${raw(goneRooms)}) AND room >= ${Number(room)} AND (room > ${Number(room)}
            OR seq > ${Number(seq)} OR (seq = ${Number(seq)} AND emoji > ${emoji}))
          ORDER BY rooms.num, seq, emoji LIMIT ${limit + 1}`,
    );
    const { page, last } = cutPage(rows, limit);
    const reactions = page.map(({ room, seq, emoji }) => ({
      room: room as string,
      seq: seq as number,
      emoji: emoji as string,
    }));
    return { reactions, ...(last && { next: `${last.place} ${last.emoji}` }) };
  },
};
