import type { DatabaseSync } from 'node:sqlite';
import { fileStates } from '../../files/file.ts';
import { goneRooms } from '../../rooms/room.ts';

/** Most messages, and bytes of their texts and rows of reactions, that one step deletes. */
const steps = {
  large: { messages: 500, bytes: 256 * 1024 },
  /** Its pages in the WAL, and what the database grows by for its texts, fit into a part of the reserve: see `Disk`. */
  small: { messages: 10, bytes: 16 * 1024 },
};
/** No step is taken while more deleted texts than this are still in the index for searching. */
const mostTextsWaiting = 50;

/** Of a room, what is still to be deleted: its messages up to `upTo`. */
interface RoomToPurge {
  num: number;
  upTo: number;
  /** The room goes, too. */
  isDeleted: boolean;
}

/** Deletes what was in deleted rooms, and the messages that are too old, step by step. */
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
      `INSERT INTO former_texts (message, room, seq, text)
       SELECT num, room, seq, text FROM chat_messages WHERE room = ? AND seq <= ? AND text <> '' ORDER BY seq`,
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
    /** A room of which something is to be deleted: all of it, or the messages that are too old. */
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
    /** Whether the index for searching has followed so far that the next messages may go. */
    indexFollows: (): boolean => (statements.textsWaiting.get()?.texts as number) <= mostTextsWaiting,
    /** Deletes the next messages of such a room, or a deleted room itself when none is left. */
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
        // Whatever has not been deleted yet: another room may get the number.
        statements.dropFilesOf.run(num);
        statements.deleteRoom.run(num);
      } else statements.expired.run(num);
    },
  };
}
