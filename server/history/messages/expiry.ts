import { ask, raw, sql } from '../engine/dialect.ts';
import type { ReadsOf } from '../engine/read.ts';
import { type None, subject } from '../engine/subject.ts';
import { goneRooms } from '../records/room.ts';

export interface ExpiryReads {
  /**
   * Finds rooms with messages sent before `before`, or before `beforeDirect` in direct rooms. 0 means that messages
   * never expire. `firstSeq` follows the last expired message that was scanned, since one read scans only some. `next`
   * is the `from` of the next read, which can return the same room again.
   */
  expired: {
    in: { before: number; beforeDirect: number; from: number };
    out: { rooms: { room: string; firstSeq: number }[]; next?: number };
  };
}

/** Limits of one read: scanned rooms, scanned messages of each room, and returned rooms. */
const maxScannedRooms = 200;

const maxScannedMessages = 500;

const maxRooms = 10;

const reads: ReadsOf<ExpiryReads> = {
  *expired(_, { before, beforeDirect, from }) {
    const rooms: ExpiryReads['expired']['out']['rooms'] = [];
    const scanned = yield* ask(
      sql`SELECT num, id, kind, first_seq, (SELECT sent_at FROM chat_messages AS messages
            WHERE messages.room = rooms.num AND seq >= rooms.first_seq ORDER BY seq LIMIT 1) AS oldest
          FROM chat_rooms AS rooms WHERE num > ${from} AND NOT (${raw(goneRooms)}) ORDER BY num LIMIT ${maxScannedRooms}`,
    );
    for (const { num, id, kind, first_seq, oldest } of scanned) {
      const expiresBefore = kind === 'direct' ? beforeDirect : before;
      if (oldest === null || (oldest as number) >= expiresBefore) continue;
      const messages = yield* ask(
        sql`SELECT seq, sent_at FROM chat_messages WHERE room = ${num as number} AND seq >= ${first_seq as number}
            ORDER BY seq LIMIT ${maxScannedMessages}`,
      );
      const kept = messages.find(({ sent_at }) => (sent_at as number) >= expiresBefore);
      const last = messages.at(-1);
      // Another server may have deleted the messages since the first query.
      if (last !== undefined) {
        const firstSeq = (kept?.seq ?? (last.seq as number) + 1) as number;
        rooms.push({ room: id as string, firstSeq });
      }
      // The room may have more expired messages, so the next read starts with it.
      if (messages.length === maxScannedMessages || rooms.length === maxRooms)
        return { rooms, next: (num as number) - 1 };
    }
    return scanned.length < maxScannedRooms ? { rooms } : { rooms, next: scanned.at(-1)?.num as number };
  },
};

export const expirySubject = subject<None, ExpiryReads>({
  rules: {},
  reads,
});
