import { ask, inList, raw, type Sql, sql } from '../engine/dialect.ts';
import { hasRows, maxScannedRows, type ReadsOf } from '../engine/read.ts';
import { everybody, mostUnreadMentions, type ReadingReads, type UnreadMentions } from '../history.ts';
import { isAuthorBlocked } from '../people/blocks.ts';
import { isUnexpired, roomNumber, roomSelection, withLastMessages } from '../rooms/rooms.ts';
import { memberFrom, userFrom } from '../rows.ts';
import type { Row } from '../tables.ts';
import { memberSelection } from './members.ts';

/**
 * For each room of a user the newest unread mentions by the index. DISTINCT makes the databases search the oldest of them once
 * instead of for each mention. The union has each message once. LEFT JOIN keeps MariaDB from scanning all messages instead.
 * @param maxPerRoom more than the mentions that count, because others may be by blocked users
 */
export function unreadMentions(user: string, maxPerRoom: number): Sql {
  const newest = (table: string, of: string) =>
    sql`SELECT mentions.room AS room, mentions.seq AS seq FROM (
          SELECT DISTINCT room, coalesce((SELECT seq FROM ${raw(table)} AS newer
            WHERE newer.room = members.room AND newer.user_id = ${of} AND newer.seq > read_seq
            ORDER BY newer.seq DESC LIMIT 1 OFFSET ${maxPerRoom}), read_seq) AS mark
          FROM chat_members AS members WHERE members.user_id = ${user} AND sources <> 0) AS marks
        CROSS JOIN ${raw(table)} AS mentions
        WHERE mentions.room = marks.room AND mentions.user_id = ${of} AND mentions.seq > mark`;
  return sql`SELECT room, seq, by_id FROM (
      SELECT found.room AS room, found.seq AS seq, messages.user_id AS by_id,
          row_number() OVER (PARTITION BY found.room ORDER BY ${isAuthorBlocked(user)}, found.seq DESC) AS place FROM (
        ${newest('chat_mentions', user)} UNION ${newest('chat_mentions', everybody)}
        UNION ${newest('chat_concerned', user)}) AS found
      LEFT JOIN chat_messages AS messages ON messages.room = found.room AND messages.seq = found.seq) AS numbered
    WHERE place <= ${mostUnreadMentions} ORDER BY room, seq`;
}

/** Groups the mentions of a room by author. @param rows by `seq` */
export function mentionsByAuthor(rows: readonly Row[] = []): UnreadMentions {
  const byAuthor = Map.groupBy(rows, ({ by_id }) => by_id as string);
  return new Map(
    Array.from(byAuthor, ([author, mentions]) => [author, mentions.map(({ seq }) => seq as number)]),
  );
}

export const readingReads: ReadsOf<ReadingReads> = {
  *unread({ dialect }, { room, after, upTo, seqs, without, limit }) {
    const named = seqs && inList(dialect, 'seq', seqs);
    const select = (from: number, to: number, order: 'seq' | 'seq DESC', most: number) =>
      sql`SELECT seq, sent_at FROM chat_messages AS messages
          WHERE room = ${roomNumber(room)} AND ${named ?? sql`seq > ${from} AND seq <= ${to}`} AND deleted_at IS NULL
            AND NOT (${inList(dialect, 'user_id', without)}) ORDER BY ${raw(order)} LIMIT ${most}`;
    const rows = yield [
      select(after, Math.min(upTo, after + maxScannedRows), 'seq', limit),
      select(Math.max(after, upTo - maxScannedRows), upTo, 'seq DESC', 1),
    ];
    const sentAtBySeq = new Map(rows.flat().map(({ seq, sent_at }) => [seq as number, sent_at as number]));
    return Array.from(sentAtBySeq, ([seq, sentAt]) => ({ seq, sentAt }));
  },
  *namedOutside({ dialect }, { user, since }) {
    // Starts from the user's index, and reads messages only where the user is not a member.
    const mentions = yield* ask(
      sql`SELECT mentions.room AS room, mentions.seq AS seq, messages.user_id AS by_id FROM chat_mentions AS mentions
          CROSS JOIN chat_rooms AS rooms CROSS JOIN chat_messages AS messages
          WHERE mentions.user_id = ${user} AND rooms.num = mentions.room AND kind = 'public'
            AND messages.room = mentions.room AND messages.seq = mentions.seq AND sent_at >= ${since}
            AND NOT EXISTS (SELECT 1 FROM chat_members AS members WHERE members.room = mentions.room
              AND members.user_id = mentions.user_id
              AND (sources <> 0 OR read_seq >= mentions.seq OR held IS NOT NULL OR notify = 'none'))
            AND messages.user_id <> mentions.user_id
            AND NOT EXISTS (SELECT 1 FROM chat_blocked AS blocked
              WHERE blocked.user_id = mentions.user_id AND other_id = messages.user_id)
          ORDER BY sent_at DESC LIMIT ${mostUnreadMentions}`,
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
        ...(row.sources === null ? {} : { member: memberFrom(row) }),
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
