import type { RoomKind, RoomRole } from '../../wire/events.ts';
import { inKnownRooms } from '../audit.ts';
import { dayOf } from '../days.ts';
import { ask, type Dialect, raw, type Sql, sql } from '../engine/dialect.ts';
import { countUpTo, type ReadsOf } from '../engine/read.ts';
import { type None, subject } from '../engine/subject.ts';
import { reactionsIn } from '../messages/reactions.ts';
import { fileStates } from '../records/file.ts';
import { hasStored } from '../records/message.ts';
import { type KnownRooms, knownRooms } from '../rows/select.ts';

export interface AboutPersonReads {
  /**
   * The user's activity in these rooms. Each number is counted up to `most`; `rooms` has at most `mostRooms` entries.
   */
  activity: {
    in: KnownRooms & { user: string; most: number; mostRooms: number };
    out: {
      messages: number;
      /** The room that contains all messages. Absent if there are several rooms, or `most` messages or more. */
      onlyIn?: string;
      reports: number;
      /** Messages of the user that moderators deleted, according to the audit log. */
      removed: number;
      rooms: { room: string; name: string; kind: Exclude<RoomKind, 'direct'>; role: RoomRole }[];
    };
  };
  /** The numbers of attached files and of reactions of the user in these rooms, each counted up to `most`. */
  filesAndReactions: {
    in: KnownRooms & { user: string; most: number };
    out: { files: number; reactions: number };
  };
  /** The newest `most` messages of the user since `since` in these rooms. */
  recentOf: {
    in: KnownRooms & { user: string; since: number; most: number };
    out: { room: string; seq: number; id: string }[];
  };
}

/**
 * Selects from the undeleted messages of a user in these rooms, with a search of the index for each room. Memberships
 * cannot limit the rooms, because the site can write in the name of users who are not members.
 */
const messagesBy = (dialect: Dialect, user: string, visibleRooms: KnownRooms): Sql =>
  sql`${knownRooms(dialect, visibleRooms)} AS rooms CROSS JOIN chat_messages AS messages ${dialect.by('chat_messages_by_author')}
      WHERE messages.room = rooms.num AND messages.user_id = ${user} AND seq >= first_seq AND deleted_at IS NULL`;

const reads: ReadsOf<AboutPersonReads> = {
  *activity({ dialect }, { user, most, mostRooms, ...visibleRooms }) {
    const rooms = knownRooms(dialect, visibleRooms);
    const [written] = yield* ask(
      sql`SELECT count(*) AS num, min(room_id) AS room, max(room_id) AS other_id FROM (
            SELECT room_id FROM ${messagesBy(dialect, user, visibleRooms)} LIMIT ${most}) AS found`,
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
          WHERE user_id = ${user} AND act = 'message_deleted' AND ${inKnownRooms(dialect, visibleRooms)}`,
    );
    return {
      messages,
      onlyIn: isOneRoom ? (written?.room as string) : undefined,
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
  *filesAndReactions({ dialect }, { user, most, ...visibleRooms }) {
    const messages = sql`(SELECT messages.room AS room, seq FROM ${messagesBy(dialect, user, visibleRooms)} AND ${raw(hasStored('files'))})`;
    return {
      files: yield* countUpTo(
        most,
        sql`SELECT carried.seq FROM ${messages} AS said CROSS JOIN chat_files AS carried
            WHERE carried.room = said.room AND carried.seq = said.seq AND carried.state = ${fileStates.carried}`,
      ),
      reactions: yield* countUpTo(most, reactionsIn(knownRooms(dialect, visibleRooms), user)),
    };
  },
  *recentOf({ dialect }, { user, since, most, ...visibleRooms }) {
    const day = dayOf(since);
    // The messages since `day` have the highest `seq` of the room, so their number gives a lower bound.
    const lowerBound = sql`last_seq - coalesce(CASE WHEN day >= ${day} THEN sent END, 0)
      - coalesce((SELECT sum(days.sent) FROM chat_days AS days WHERE days.room = rooms.num AND days.day >= ${day}), 0)`;
    const rows = yield* ask(
      sql`SELECT room_id, seq, messages.id AS id FROM ${messagesBy(dialect, user, visibleRooms)} AND day >= ${day} AND seq > ${lowerBound} AND sent_at >= ${since}
          ORDER BY sent_at DESC LIMIT ${most}`,
    );
    return rows.map(({ room_id, seq, id }) => ({
      room: room_id as string,
      seq: seq as number,
      id: id as string,
    }));
  },
};

export const aboutPersonSubject = subject<None, AboutPersonReads>({
  rules: {},
  reads,
});
