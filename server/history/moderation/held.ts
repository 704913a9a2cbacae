import { ask, inList, raw, sql } from '../engine/dialect.ts';
import { columnsOf, cutPageBySize, hasRows, type ReadsOf } from '../engine/read.ts';
import { type HeldReads, mostNameBytes, type StoredHeld } from '../history.ts';
import { held, type Row, rowFrom } from '../tables.ts';

const selectHeld = sql`SELECT held.num AS num, rooms.id AS room_id, kind, ${columnsOf(held, 'held')}
  FROM chat_held AS held JOIN chat_rooms AS rooms ON rooms.num = held.room`;

const heldFrom = (row: Row) => rowFrom(held, row, row.room_id as string);

/** Most bytes of a pending message in a response, with the name of its author. */
const sizeOfHeld = (message: StoredHeld): number =>
  Buffer.byteLength(JSON.stringify(message)) + mostNameBytes;

export const heldReads: ReadsOf<HeldReads> = {
  *held(_, { id }) {
    const [row] = yield* ask(sql`${selectHeld} WHERE held.id = ${id}`);
    return row === undefined ? null : heldFrom(row);
  },
  *heldBy(_, { user }) {
    const rows = yield* ask(sql`${selectHeld} WHERE user_id = ${user} ORDER BY held.num`);
    return rows.map(heldFrom);
  },
  *heldIn({ dialect, cursors }, { rooms, everyPublic, except = [], from, limit }) {
    const before = cursors.open('held', from);
    const inRooms = (ids: readonly string[]) =>
      ids.length === 0 ? raw('1 = 0') : inList(dialect, 'room_id', ids);
    const isPublic = everyPublic ? sql`(kind = 'public' AND NOT (${inRooms(except)}))` : raw('1 = 0');
    const rows = yield* ask(
      sql`SELECT * FROM (${selectHeld} WHERE held.num < ${before} AND closed IS NULL) AS waiting
          WHERE ${inRooms(rooms)} OR ${isPublic} ORDER BY num DESC LIMIT ${limit + 1}`,
    );
    const { page, last } = cutPageBySize(rows, limit, heldFrom, sizeOfHeld);
    return { held: page, ...(last && { next: cursors.seal('held', last.num as number) }) };
  },
  *heldBefore(_, { before, limit }) {
    const rows = yield* ask(sql`${selectHeld} WHERE at < ${before} ORDER BY at LIMIT ${limit}`);
    return rows.map(heldFrom).map(({ room, id }) => ({ room, id }));
  },
  *hasWritten({ dialect }, { user, room }) {
    // An erasure removes the creator of a user's room. The id still tells that a user created it.
    const isFromSite = raw("created_by IS NULL AND substr(id, 1, 2) <> 'u-'");
    // The public rooms come last because most users have written in one of their few own rooms.
    for (const condition of [
      sql`id = ${room}`,
      sql`${isFromSite} AND kind <> 'direct' AND num IN (
            SELECT room FROM chat_members WHERE user_id = ${user} AND sources <> 0)`,
      sql`${isFromSite} AND kind = 'public' AND num NOT IN (
            SELECT room FROM chat_members WHERE user_id = ${user} AND held IS NOT NULL)`,
    ]) {
      const isFound = yield* hasRows(
        sql`SELECT 1 AS num FROM (SELECT num FROM chat_rooms WHERE ${condition}) AS rooms
            CROSS JOIN chat_messages AS messages ${dialect.by('chat_messages_by_author')}
            WHERE messages.room = rooms.num AND messages.user_id = ${user} AND deleted_at IS NULL LIMIT 1`,
      );
      if (isFound) return true;
    }
    return false;
  },
};
