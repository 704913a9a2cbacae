import { ask, inList, raw, type Sql, sql } from '../engine/dialect.ts';
import { hasRows, maxScannedRows, type ReadsOf } from '../engine/read.ts';
import { type Rule, refuse } from '../engine/rule.ts';
import { subject } from '../engine/subject.ts';
import { type Need, needOf, roomValueLoader, type Work } from '../engine/work.ts';
import type { Row } from '../records/columns.ts';
import { isMember, type MemberRecord, memberFrom, ownAfter } from '../records/member.ts';
import { everybody } from '../records/message.ts';
import type { RoomRecord } from '../records/room.ts';
import { type UserRecord, userFrom } from '../records/user.ts';
import { getMember, memberNeed, setMember } from '../rows/members.ts';
import { requireRoom } from '../rows/room-changes.ts';
import { isUnexpired, memberSelection, roomNumber, roomSelection, withLastMessages } from '../rows/select.ts';
import { isAuthorBlocked } from '../users/blocks.ts';

/** Unread mentions in a room are counted exactly up to this limit. */
export const mostUnreadMentions = 1000;

/**
 * The `seq` of unread messages that mention the user or @all, or that reply in a thread that the user follows,
 * ascending, by author. Limited to `mostUnreadMentions`. Messages of blocked users are left out first, then the oldest.
 */
export type UnreadMentions = ReadonlyMap<string, readonly number[]>;

export interface ReadingWrites {
  /** No-op if the read marker is at `seq` or later. Codes: `unknown_room` (not a member), `bad_request`. */
  markRead: { in: { room: string; user: string; seq: number }; out: { readSeq: number } };
  /** Moves the read marker back. No-op if it is at `seq` or earlier. Codes: `unknown_room` (not a member). */
  markUnread: { in: { room: string; user: string; seq: number }; out: { readSeq: number } };
}

export interface ReadingReads {
  /**
   * Unread messages since `since` that mention the user in public rooms where the user is not a member, by room.
   * Excludes own messages, messages of blocked users, and rooms where the user is banned or has notifications off.
   * `member`: the user's record in the room, if any.
   */
  namedOutside: {
    in: { user: string; since: number };
    out: { room: RoomRecord; member?: MemberRecord; mentions: UnreadMentions }[];
  };
  /** Whether an unread message in the room mentions the user. Mentions of @all do not count. */
  isNamed: { in: { room: string; user: string }; out: boolean };
  /**
   * The read markers of the user in public rooms where the user is not a member. Excludes rooms where the user is
   * banned.
   */
  openedBy: { in: { user: string }; out: { room: string; readSeq: number }[] };
  /**
   * The read receipts of a message: up to `limit` other members who read it, by name. Excludes users who joined later,
   * who hide when they were last seen, who blocked the asker, or whom the asker blocked. Empty unless the asker is the
   * author. Null if the message does not exist, is deleted or expired.
   */
  seenBy: {
    in: { room: string; seq: number; asker: string; limit: number };
    out: { author: string; seers: { user: UserRecord; member: MemberRecord }[] } | null;
  };
  /**
   * The first `limit` messages and the last message with `after` < `seq` ≤ `upTo`. Messages that are shown only in a
   * thread must be among `concerned`. With `seqs`, which is not empty, selects from these messages instead. Excludes
   * deleted messages and the authors `without`. Searches a range only up to `maxScannedRows` from each end.
   */
  unread: {
    in: {
      room: string;
      after: number;
      upTo: number;
      concerned?: readonly number[];
      seqs?: readonly number[];
      without: readonly string[];
      limit: number;
    };
    out: { seq: number; sentAt: number }[];
  };
}

const markRead: Rule<ReadingWrites['markRead']> = {
  needs: ({ room, user }) => [memberNeed(room, user)],
  run(work, { room: id, user, seq }, changes) {
    const room = requireRoom(work, id);
    const member = getMember(work, id, user);
    if (!isMember(member)) refuse('unknown_room');
    if (seq > room.lastSeq) refuse('bad_request', 'seq is beyond the last message');
    const { readSeq, seenSeq = readSeq, ownUnread, ...rest } = member;
    if (seq <= readSeq) return { readSeq };
    const highest = seenSeq > seq ? { seenSeq } : {};
    setMember(work, id, user, { ...rest, readSeq: seq, ...highest, ...ownAfter(ownUnread, seq) });
    const again = seenSeq >= seq ? { again: true as const } : {};
    changes.push({ type: 'read', room: id, user, readSeq: seq, ...highest, ...again });
    return { readSeq: seq };
  },
};

const markUnread: Rule<ReadingWrites['markUnread']> = {
  alone: true,
  needs: ({ room, user, seq }) => [memberNeed(room, user), unreadMentionsNeed(room, user, seq)],
  run(work, { room: id, user, seq }, changes) {
    requireRoom(work, id);
    const member = getMember(work, id, user);
    if (!isMember(member)) refuse('unknown_room');
    const { readSeq, seenSeq = readSeq } = member;
    if (seq >= readSeq) return { readSeq };
    setMember(work, id, user, { ...member, readSeq: seq, seenSeq });
    const unread = getUnreadMentions(work, id, user, seq);
    changes.push({ type: 'read', room: id, user, readSeq: seq, seenSeq, again: true, unread });
    return { readSeq: seq };
  },
};

interface UnreadRange {
  room: string;
  user: string;
  after: number;
}

/** Loads the newest messages after `after` that mention the user, or reply in a thread that the user follows. */
const unreadMentionsLoader = roomValueLoader<
  UnreadRange,
  readonly (readonly [seq: number, author: string])[]
>('unread mentions', {
  keyOf: ({ room, user, after }) => `${after} ${room} ${user}`,
  select({ num }, { user, after }) {
    const newest = (table: string, userId: string) =>
      sql`SELECT seq FROM (SELECT seq FROM ${raw(table)} WHERE room = ${num} AND user_id = ${userId} AND seq > ${after}
            ORDER BY seq DESC LIMIT ${maxScannedRows}) AS newest`;
    return sql`SELECT messages.seq AS seq, messages.user_id AS by_id FROM (
          ${newest('chat_mentions', user)} UNION ${newest('chat_mentions', everybody)}
          UNION ${newest('chat_concerned', user)}) AS found
          JOIN chat_messages AS messages ON messages.room = ${num} AND messages.seq = found.seq
          ORDER BY ${isAuthorBlocked(user)}, messages.seq DESC LIMIT ${mostUnreadMentions}`;
  },
  value: (rows) => rows.map(({ seq, by_id }) => [seq as number, by_id as string] as const),
  none: [],
});

const unreadMentionsNeed = (room: string, user: string, after: number): Need =>
  needOf(unreadMentionsLoader, { room, user, after });

const getUnreadMentions = (work: Work, room: string, user: string, after: number) =>
  work.value(unreadMentionsLoader, { room, user, after });

/**
 * Selects the newest unread mentions in each room of a user, using the indexes. DISTINCT makes the databases search the
 * oldest mention of a room once instead of once a mention. UNION removes duplicates. LEFT JOIN keeps MariaDB from
 * scanning all messages.
 * @param maxPerRoom more than `mostUnreadMentions` if the user blocked others, because their mentions come last
 */
export function unreadMentions(user: string, maxPerRoom: number): Sql {
  const newest = (table: string, userId: string) =>
    sql`SELECT mentions.room AS room, mentions.seq AS seq FROM (
          SELECT DISTINCT room, coalesce((SELECT seq FROM ${raw(table)} AS newer
            WHERE newer.room = members.room AND newer.user_id = ${userId} AND newer.seq > read_seq
            ORDER BY newer.seq DESC LIMIT 1 OFFSET ${maxPerRoom}), read_seq) AS mark
          FROM chat_members AS members WHERE members.user_id = ${user} AND sources <> 0) AS marks
        CROSS JOIN ${raw(table)} AS mentions
        WHERE mentions.room = marks.room AND mentions.user_id = ${userId} AND mentions.seq > mark`;
  return sql`SELECT room, seq, by_id FROM (
      SELECT found.room AS room, found.seq AS seq, messages.user_id AS by_id,
          row_number() OVER (PARTITION BY found.room ORDER BY ${isAuthorBlocked(user)}, found.seq DESC) AS place FROM (
        ${newest('chat_mentions', user)} UNION ${newest('chat_mentions', everybody)}
        UNION ${newest('chat_concerned', user)}) AS found
      LEFT JOIN chat_messages AS messages ON messages.room = found.room AND messages.seq = found.seq) AS numbered
    WHERE place <= ${mostUnreadMentions} ORDER BY room, seq`;
}

/** Groups the mentions of a room by author. @param rows ordered by `seq` */
export function mentionsByAuthor(rows: readonly Row[] = []): UnreadMentions {
  const byAuthor = Map.groupBy(rows, ({ by_id }) => by_id as string);
  return new Map(
    Array.from(byAuthor, ([author, mentions]) => [author, mentions.map(({ seq }) => seq as number)]),
  );
}

const reads: ReadsOf<ReadingReads> = {
  *unread({ dialect }, { room, after, upTo, concerned = [], seqs, without, limit }) {
    const isListed = seqs && inList(dialect, 'seq', seqs);
    const inRange = (from: number, to: number) =>
      sql`seq > ${from} AND seq <= ${to} AND (thread_only IS NULL OR ${inList(dialect, 'seq', concerned)})`;
    const select = (from: number, to: number, order: 'seq' | 'seq DESC', maxRows: number) =>
      sql`SELECT seq, sent_at FROM chat_messages AS messages
          WHERE room = ${roomNumber(room)} AND ${isListed ?? inRange(from, to)} AND deleted_at IS NULL
            AND NOT (${inList(dialect, 'user_id', without)}) ORDER BY ${raw(order)} LIMIT ${maxRows}`;
    const rows = yield [
      select(after, Math.min(upTo, after + maxScannedRows), 'seq', limit),
      select(Math.max(after, upTo - maxScannedRows), upTo, 'seq DESC', 1),
    ];
    const sentAtBySeq = new Map(rows.flat().map(({ seq, sent_at }) => [seq as number, sent_at as number]));
    return Array.from(sentAtBySeq, ([seq, sentAt]) => ({ seq, sentAt }));
  },
  *namedOutside({ dialect }, { user, since }) {
    // Starts from the mention index of the user, and reads messages only in rooms where the user is not a member. With a
    // join, PostgreSQL may read all messages of a room instead.
    const ofMessage = (column: 'sent_at' | 'user_id') =>
      sql`(SELECT ${raw(column)} FROM chat_messages AS messages WHERE messages.room = mentions.room AND messages.seq = mentions.seq)`;
    const mentions = yield* ask(
      sql`SELECT room, seq, by_id FROM (
            SELECT mentions.room AS room, mentions.seq AS seq, ${ofMessage('user_id')} AS by_id, ${ofMessage('sent_at')} AS at
            FROM chat_mentions AS mentions CROSS JOIN chat_rooms AS rooms
            WHERE mentions.user_id = ${user} AND rooms.num = mentions.room AND kind = 'public'
              AND NOT EXISTS (SELECT 1 FROM chat_members AS members WHERE members.room = mentions.room
                AND members.user_id = mentions.user_id
                AND (sources <> 0 OR read_seq >= mentions.seq OR held IS NOT NULL OR notify = 'none'))) AS named
          WHERE at >= ${since} AND by_id <> ${user}
            AND NOT EXISTS (SELECT 1 FROM chat_blocked AS blocked WHERE blocked.user_id = ${user} AND other_id = by_id)
          ORDER BY at DESC LIMIT ${mostUnreadMentions}`,
    );
    if (mentions.length === 0) return [];
    const mentionsByRoom = Map.groupBy(mentions.reverse(), ({ room }) => room as number);
    const rows = yield* ask(
      sql`SELECT ${roomSelection}, ${memberSelection} FROM chat_rooms AS rooms
          LEFT JOIN chat_members AS members ON members.room = rooms.num AND members.user_id = ${user} WHERE ${inList(dialect, 'num', [...mentionsByRoom.keys()])}`,
    );
    return (yield* withLastMessages(dialect, rows)).map((room, n) => {
      const row = rows[n] as Row;
      return {
        room,
        member: row.sources === null ? undefined : memberFrom(row),
        mentions: mentionsByAuthor(mentionsByRoom.get(row.num as number)),
      };
    });
  },
  isNamed: (_, { room, user }) =>
    hasRows(
      sql`SELECT 1 AS num FROM chat_mentions AS mentions WHERE room = ${roomNumber(room)} AND user_id = ${user}
            AND seq > coalesce((SELECT read_seq FROM chat_members WHERE room = ${roomNumber(room)} AND user_id = ${user}), 0)
          LIMIT 1`,
    ),
  *openedBy(_, { user }) {
    const rows = yield* ask(
      sql`SELECT id, read_seq FROM chat_members AS members JOIN chat_rooms AS rooms ON rooms.num = members.room
          WHERE user_id = ${user} AND sources = 0 AND read_seq > 0 AND held IS NULL AND kind = 'public'`,
    );
    return rows.map(({ id, read_seq }) => ({ room: id as string, readSeq: read_seq as number }));
  },
  *seenBy(_, { room, seq, asker, limit }) {
    const [message] = yield* ask(
      sql`SELECT room, user_id FROM chat_messages
          WHERE room = ${roomNumber(room)} AND seq = ${seq} AND deleted_at IS NULL AND ${isUnexpired(room)}`,
    );
    if (message === undefined) return null;
    const author = message.user_id as string;
    if (author !== asker) return { author, seers: [] };
    const rows = yield* ask(
      sql`SELECT user_id AS id, coalesce(users.name, user_id) AS name, coalesce(acted_public, 0) AS acted_public,
            site_role, ${memberSelection}
          FROM chat_members AS members LEFT JOIN chat_users AS users ON users.id = members.user_id
          WHERE room = ${message.room as number} AND sources <> 0 AND user_id <> ${asker}
            AND coalesce(seen_seq, read_seq) >= ${seq} AND coalesce(from_seq, 0) < ${seq}
            AND NOT EXISTS (SELECT 1 FROM chat_last_here AS here WHERE here.user_id = members.user_id AND hidden = 1)
            AND NOT EXISTS (SELECT 1 FROM chat_blocked AS theirs
              WHERE theirs.user_id = members.user_id AND theirs.other_id = ${asker})
            AND NOT EXISTS (SELECT 1 FROM chat_blocked AS own
              WHERE own.user_id = ${asker} AND own.other_id = members.user_id)
          ORDER BY sort, user_id LIMIT ${limit}`,
    );
    return { author, seers: rows.map((row) => ({ user: userFrom(row), member: memberFrom(row) })) };
  },
};

export const readingSubject = subject<ReadingWrites, ReadingReads>({
  rules: { markRead, markUnread },
  reads,
});
