import { ask, inList, raw, sql } from '../engine/dialect.ts';
import type { ReadsOf } from '../engine/read.ts';
import { type Nothing, type Rule, refuse } from '../engine/rule.ts';
import { subject } from '../engine/subject.ts';
import { isBeforeEnd } from '../records/erasure.ts';
import { type AboutFile, fileColumns, fileFrom, fileStates, type StoredFile } from '../records/file.ts';
import { type MemberRecord, memberFrom } from '../records/member.ts';
import { gone, type RoomRecord, roomFrom } from '../records/room.ts';
import { erasureNeed, erasureOf } from '../rows/erasures.ts';
import { doomedFiles, doomedFilesNeed, idsIn, insertFile, storeFiles } from '../rows/files.ts';
import { requireRoom } from '../rows/room-changes.ts';
import { roomNeed } from '../rows/rooms.ts';
import { type KnownRooms, knownRooms, memberSelection, roomSelection } from '../rows/select.ts';

export interface FileWrites {
  /**
   * Records an upload to a room, before its bytes are stored. Codes: `unknown_room`, `forbidden` (during an erasure).
   */
  addFile: { in: { room: string; user: string; file: AboutFile; at: number }; out: Nothing };
  /**
   * Drops up to `most` files: orphaned since before `before`, or of deleted rooms. `ids` also includes files that were
   * dropped before. `stored`: the IDs of the bytes to delete.
   */
  dropFiles: { in: { before: number; most: number }; out: { ids: string[]; stored: string[] } };
  /** Deletes the rows of files whose bytes are deleted. */
  forgetFiles: { in: { ids: readonly string[] }; out: Nothing };
}

export interface FileReads {
  /**
   * The size of the attached files of each room, in bytes. Forwarded copies count too. Unknown rooms are left out.
   * `more`: the room has more than `most` files, and `bytes` is a lower bound.
   */
  filesIn: {
    in: { rooms: readonly string[]; most: number };
    out: { room: string; bytes: number; more: boolean }[];
  };
  /** Like `filesIn`, for all these rooms together. */
  filesInAll: { in: KnownRooms & { most: number }; out: { bytes: number; more: boolean } };
  /** The pictures of rooms that the user uploaded. */
  picturesBy: { in: { user: string }; out: { room: string; id: string; name: string }[] };
  /** A file that is neither dropped nor expired, its room, and the membership of `user` in that room. */
  file: {
    in: { id: string; user: string };
    out: { file: StoredFile; room: RoomRecord; member: MemberRecord | null } | null;
  };
}

const addFile: Rule<FileWrites['addFile']> = {
  adds: true,
  needs: ({ room, user }) => [roomNeed(room), erasureNeed(user)],
  run(work, { room, user, file, at }) {
    requireRoom(work, room);
    const erasure = erasureOf(work, user);
    // The stage `files` of the erasure may be complete, and would miss this file.
    if (erasure !== undefined && isBeforeEnd(erasure)) refuse('forbidden', 'the user is being erased');
    insertFile(work, room, { id: file.id, user, state: 'loose', at, about: file, stored: file.id });
    return {};
  },
};

const dropFiles: Rule<FileWrites['dropFiles']> = {
  alone: true,
  needs: ({ before, most }) => [doomedFilesNeed(before, most)],
  run(work, { before, most }) {
    const { ids, stored } = doomedFiles(work, before, most);
    if (ids.length > 0) {
      work.later(
        (dialect) =>
          sql`UPDATE chat_files SET state = ${fileStates.dropped} WHERE ${dialect.each(['id'], idsIn(ids))}`,
      );
    }
    return { ids, stored };
  },
};

const forgetFiles: Rule<FileWrites['forgetFiles']> = {
  needs: () => [],
  run(work, { ids }) {
    if (ids.length > 0)
      work.later((dialect) => sql`DELETE FROM chat_files WHERE ${dialect.each(['id'], idsIn(ids))}`);
    return {};
  },
};

/** Whether the room of a file is deleted, or its message has expired. */
const isExpired = ({ seq }: StoredFile, { id, firstSeq }: RoomRecord): boolean =>
  id.startsWith(gone) || (seq !== undefined && seq < firstSeq);

const reads: ReadsOf<FileReads> = {
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
  *picturesBy(_, { user }) {
    const rows = yield* ask(
      sql`SELECT ${raw(fileColumns)}, rooms.id AS room FROM chat_files AS files
          JOIN chat_rooms AS rooms ON rooms.num = files.room AND rooms.tile_picture = files.id
          WHERE files.user_id = ${user} ORDER BY files.id`,
    );
    return rows.map((row) => {
      const { id, about } = fileFrom(row);
      return { room: row.room as string, id, name: about.name };
    });
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
    // The index `chat_files_by_size` has all columns that are read, so the rows of `chat_files` are not read.
    const [row] = yield* ask(
      sql`SELECT count(*) AS files, coalesce(sum(size), 0) AS num FROM (
            SELECT size FROM ${knownRooms(dialect, known)} AS rooms CROSS JOIN chat_files WHERE room = rooms.num
              AND state = ${fileStates.carried} AND seq >= first_seq LIMIT ${most + 1}) AS found`,
    );
    return { bytes: Number(row?.num), more: Number(row?.files) > most };
  },
};

export const fileSubject = subject<FileWrites, FileReads>({
  rules: { addFile, dropFiles, forgetFiles },
  reads,
  stores: [storeFiles],
});
