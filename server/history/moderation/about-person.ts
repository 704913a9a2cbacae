import type { RoomKind, RoomRole } from '../../wire/events.ts';
import { ask, type Dialect, type Sql, sql } from '../engine/dialect.ts';
import { countUpTo, type ReadsOf } from '../engine/read.ts';
import { fileStates } from '../files/file.ts';
import { dayOf } from '../rooms/days.ts';
import { type KnownRooms, knownRooms } from '../rooms/select.ts';
import { inKnownRooms } from './acts.ts';

export interface AboutPersonReads {
  /** The acts of a user in these rooms: both numbers end at `most`, and the rooms at `mostRooms`. */
  activity: {
    in: KnownRooms & { user: string; most: number; mostRooms: number };
    out: {
      messages: number;
      /** The room where all of these messages are, if it is one. */
      onlyIn?: string;
      reports: number;
      /** Messages of the user that moderators have deleted, by the acts that are kept. */
      removed: number;
      rooms: { room: string; name: string; kind: Exclude<RoomKind, 'direct'>; role: RoomRole }[];
    };
  };
  /** The files that the messages of a user carry in these rooms, and the reactions of the user there, up to `most` of each. */
  filesAndReactions: {
    in: KnownRooms & { user: string; most: number };
    out: { files: number; reactions: number };
  };
  /** The messages of a user since that time in these rooms, the newest `most` of them. */
  recentOf: {
    in: KnownRooms & { user: string; since: number; most: number };
    out: { room: string; seq: number; id: string }[];
  };
}

/**
 * The undeleted messages of a user in these rooms. The index is searched room by room, not only in rooms with a membership: the
 * site may have written some in the user's name.
 */
const messagesBy = (dialect: Dialect, user: string, known: KnownRooms): Sql =>
  sql`${knownRooms(dialect, known)} AS rooms CROSS JOIN chat_messages AS messages ${dialect.by('chat_messages_by_author')}
      WHERE messages.room = rooms.num AND messages.user_id = ${user} AND seq >= first_seq AND deleted_at IS NULL`;

export const aboutPersonReads: ReadsOf<AboutPersonReads> = {
  *activity({ dialect }, { user, most, mostRooms, ...known }) {
    const rooms = knownRooms(dialect, known);
    const [written] = yield* ask(
      sql`SELECT count(*) AS num, min(room_id) AS room, max(room_id) AS other_id FROM (
            SELECT room_id FROM ${messagesBy(dialect, user, known)} LIMIT ${most}) AS found`,
    );
    const messages = written?.num as number;
    const isOneRoom = messages > 0 && messages < most && written?.room === written?.other_id;
    const reports = yield* countUpTo(
      most,
      sql`SELECT seq FROM chat_reports AS reports JOIN ${rooms} AS rooms ON rooms.num = reports.room
          WHERE by_id = ${user} AND seq >= first_seq`,
    );
    const memberships = yield* ask(
      sql`SELECT room_id, name, kind, role FROM chat_members AS members
          JOIN ${rooms} AS rooms ON rooms.num = members.room
          WHERE user_id = ${user} AND sources <> 0 ORDER BY rooms.num LIMIT ${mostRooms}`,
    );
    const removed = yield* countUpTo(
      most,
      sql`SELECT num FROM chat_audit
          WHERE user_id = ${user} AND act = 'message_deleted' AND ${inKnownRooms(dialect, known)}`,
    );
    return {
      messages,
      ...(isOneRoom ? { onlyIn: written?.room as string } : {}),
      reports,
      removed,
      rooms: memberships.map(({ room_id, name, kind, role }) => ({
        room: room_id as string,
        name: name as string,
        kind: kind as 'public' | 'private',
        role: role as RoomRole,
      })),
    };
  },
  *filesAndReactions({ dialect }, { user, most, ...known }) {
    const messages = sql`(SELECT messages.room AS room, seq FROM ${messagesBy(dialect, user, known)} AND files IS NOT NULL)`;
    return {
      files: yield* countUpTo(
        most,
        sql`SELECT carried.seq FROM ${messages} AS said CROSS JOIN chat_files AS carried
            WHERE carried.room = said.room AND carried.seq = said.seq AND carried.state = ${fileStates.carried}`,
      ),
      reactions: yield* countUpTo(
        most,
        sql`SELECT seq FROM ${knownRooms(dialect, known)} AS rooms CROSS JOIN chat_reactions AS reactions
            WHERE reactions.room = rooms.num AND user_id = ${user} AND seq >= first_seq`,
      ),
    };
  },
  *recentOf({ dialect }, { user, since, most, ...known }) {
    const day = dayOf(since);
    // The messages of these days are the last ones of the room.
    const first = sql`last_seq - coalesce(CASE WHEN day >= ${day} THEN sent END, 0)
      - coalesce((SELECT sum(days.sent) FROM chat_days AS days WHERE days.room = rooms.num AND days.day >= ${day}), 0)`;
    const rows = yield* ask(
      sql`SELECT room_id, seq, messages.id AS id FROM ${messagesBy(dialect, user, known)} AND day >= ${day} AND seq > ${first} AND sent_at >= ${since}
          ORDER BY sent_at DESC LIMIT ${most}`,
    );
    return rows.map(({ room_id, seq, id }) => ({
      room: room_id as string,
      seq: seq as number,
      id: id as string,
    }));
  },
};
