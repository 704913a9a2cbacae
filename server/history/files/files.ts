import { ask, inList, raw, sql } from '../engine/dialect.ts';
import type { ReadsOf } from '../engine/read.ts';
import type { FileReads, RoomRecord, StoredFile } from '../history.ts';
import { memberSelection } from '../members/members.ts';
import { knownRooms, roomSelection } from '../rooms/rooms.ts';
import { fileColumns, fileFrom, fileStates, gone, memberFrom, roomFrom } from '../rows.ts';

/** Whether the room of a file is deleted, or its message has expired. */
const isExpired = ({ seq }: StoredFile, { id, firstSeq }: RoomRecord): boolean =>
  id.startsWith(gone) || (seq !== undefined && seq < firstSeq);

export const fileReads: ReadsOf<FileReads> = {
  *file(_, { id, user }) {
    const [row] = yield* ask(
      sql`SELECT ${raw(fileColumns)}, ${roomSelection}, members.user_id AS member, ${memberSelection}
          FROM chat_files AS files JOIN chat_rooms AS rooms ON rooms.num = files.room
          LEFT JOIN chat_members AS members ON members.room = rooms.num AND members.user_id = ${user}
          WHERE files.id = ${id} AND state <> ${fileStates.dropped}`,
    );
    if (row === undefined) return null;
    const room = roomFrom(row);
    const file = fileFrom(row);
    if (isExpired(file, room)) return null;
    return { file, room, member: row.member === null ? null : memberFrom(row) };
  },
  *filesIn({ dialect }, { rooms: ids, most }) {
    if (ids.length === 0) return [];
    const rooms = yield* ask(
      sql`SELECT num, id, first_seq FROM chat_rooms WHERE ${inList(dialect, 'id', ids)} ORDER BY num`,
    );
    // One statement for all rooms could not stop at the limit of a large room.
    const sums = yield rooms.map(
      ({ num, first_seq }) =>
        sql`SELECT count(*) AS files, coalesce(sum(size), 0) AS num FROM (
              SELECT size FROM chat_files WHERE room = ${num as number} AND state = ${fileStates.carried}
                AND seq >= ${first_seq as number} LIMIT ${most + 1}) AS found`,
    );
    return sums.flat().map(({ files, num }, n) => ({
      room: rooms[n]?.id as string,
      bytes: Number(num),
      more: Number(files) > most,
    }));
  },
  *filesInAll({ dialect }, { most, ...known }) {
    // The index on sizes answers it alone.
    const [row] = yield* ask(
      sql`SELECT count(*) AS files, coalesce(sum(size), 0) AS num FROM (
            SELECT size FROM ${knownRooms(dialect, known)} AS rooms CROSS JOIN chat_files WHERE room = rooms.num
              AND state = ${fileStates.carried} AND seq >= first_seq LIMIT ${most + 1}) AS found`,
    );
    return { bytes: Number(row?.num), more: Number(row?.files) > most };
  },
};
