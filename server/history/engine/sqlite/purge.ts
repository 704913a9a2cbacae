import type { DatabaseSync } from 'node:sqlite';
import { fileStates } from '../../records/file.ts';
import { goneRooms } from '../../records/room.ts';

/** Limits of one step: messages, and bytes of their texts and reactions. */
const steps = {
  large: { messages: 500, bytes: 256 * 1024 },
  /** Small enough for the reserve, including the WAL pages and the growth of the database: see `Disk`. */
  small: { messages: 10, bytes: 16 * 1024 },
};
/** The next step waits while the search index lags behind by more than this number of deleted texts. */
const maxPendingTexts = 50;

/** A room whose messages up to `upTo` must be deleted. */
interface RoomToPurge {
  num: number;
  upTo: number;
  /** Whether the room itself is deleted. */
  isDeleted: boolean;
}

/** Deletes expired messages and the data of deleted rooms step by step. */
export function purger(db: DatabaseSync) {
  const statements = {
    goneRoom: db.prepare(`SELECT num FROM chat_rooms WHERE ${goneRooms} LIMIT 1`),
    expiredRoom: db.prepare('SELECT num, first_seq FROM chat_rooms WHERE expiring = 1 LIMIT 1'),
    textsWaiting: db.prepare(
      `SELECT coalesce((SELECT max(change) FROM former_texts) - (SELECT min(change) FROM former_texts), 0) AS texts`,
    ),
    sizes: db.prepare(
      `SELECT seq, octet_length(text) + 100 * (SELECT count(*) FROM chat_reactions AS reactions
           WHERE reactions.room = messages.room AND reactions.seq = messages.seq) AS size
       FROM chat_messages AS messages WHERE room = ? AND seq <= ? ORDER BY seq LIMIT ?`,
    ),
    keepNumbers: db.prepare(
      'UPDATE next_message SET num = max(num, (SELECT coalesce(max(num), 0) + 1 FROM chat_messages))',
    ),
    roomTexts: db.prepare(
      `INSERT INTO former_texts (message, room, seq, text, author)
       SELECT num, room, seq, text, user_id FROM chat_messages
       WHERE room = ? AND seq <= ? AND deleted_at IS NULL ORDER BY seq`,
    ),
    dropFilesUpTo: db.prepare(
      `UPDATE chat_files SET state = ${fileStates.dropped} WHERE room = ? AND seq <= ?`,
    ),
    deleteMessages: db.prepare('DELETE FROM chat_messages WHERE room = ? AND seq <= ?'),
    dropFilesOf: db.prepare(`UPDATE chat_files SET state = ${fileStates.dropped} WHERE room = ?`),
    deleteRoom: db.prepare('DELETE FROM chat_rooms WHERE num = ?'),
    expired: db.prepare('UPDATE chat_rooms SET expiring = NULL WHERE num = ?'),
  };
  return {
    /** Returns a room with data to delete: a deleted room, or one with expired messages. */
    room(): RoomToPurge | undefined {
      const deleted = statements.goneRoom.get();
      const row = deleted ?? statements.expiredRoom.get();
      return (
        row && {
          num: row.num as number,
          upTo: deleted === undefined ? (row.first_seq as number) - 1 : Number.MAX_SAFE_INTEGER,
          isDeleted: deleted !== undefined,
        }
      );
    },
    /** Whether the search index has followed far enough for the next step. */
    indexFollows: (): boolean => (statements.textsWaiting.get()?.texts as number) <= maxPendingTexts,
    /** Deletes the next messages of the room, and finally a deleted room itself. */
    purge({ num, upTo: last, isDeleted }: RoomToPurge, step: keyof typeof steps): void {
      const most = steps[step];
      let bytes = 0;
      let upTo = -1;
      for (const { seq, size } of statements.sizes.iterate(num, last, most.messages)) {
        upTo = seq as number;
        bytes += size as number;
        if (bytes > most.bytes) break;
      }
      if (upTo !== -1) {
        statements.keepNumbers.run();
        statements.roomTexts.run(num, upTo);
        statements.dropFilesUpTo.run(num, upTo);
        statements.deleteMessages.run(num, upTo);
      } else if (isDeleted) {
        // Marks the remaining files as pending deletion, because without the room they would not be found.
        statements.dropFilesOf.run(num);
        statements.deleteRoom.run(num);
      } else statements.expired.run(num);
    },
  };
}
