import { sql } from '../engine/dialect.ts';
import { table } from '../engine/table.ts';
import {
  type LoadedRoom,
  type Loader,
  missing,
  type Need,
  needOf,
  roomValueLoader,
  rows,
  type ValueLoader,
  type Work,
} from '../engine/work.ts';
import type { Row } from '../records/columns.ts';
import type { ThreadRef } from '../records/message.ts';
import { memberNeed } from './members.ts';
import { loadedMessages, messageNeed } from './messages.ts';
import { existingRoom } from './rooms.ts';

const threadColumns = { room: 'room', thread: 'thread' } as const;

/** The threads that have replies. */
export const threads = table<ThreadRef & { replies: number }>('chat_threads', ['room', 'thread'], {
  ...threadColumns,
  replies: 'replies',
});

/** The authors of replies. An erasure deletes or reassigns the rows of a user together with the user's replies. */
export const threadAuthors = table<ThreadRef & { user: string; replies: number; seq: number; at: number }>(
  'chat_thread_authors',
  ['room', 'thread', 'user'],
  {
    ...threadColumns,
    user: 'user_id',
    replies: 'replies',
    seq: 'last_seq',
    at: 'last_at',
  },
);

/** Users who follow a thread (`following` 1), or have unfollowed it (0). */
export const followers = table<ThreadRef & { user: string; following: number }>(
  'chat_followers',
  ['room', 'thread', 'user'],
  { ...threadColumns, user: 'user_id', following: 'following' },
  { users: ['user'], without: () => ({ row: null }) },
);

/** The notification targets of replies: followers of the thread. */
export const concerned = table<{ room: string; user: string; seq: number }>(
  'chat_concerned',
  ['room', 'user', 'seq'],
  { room: 'room', user: 'user_id', seq: 'seq' },
  { users: ['user'], without: () => ({ row: null }) },
);

/** Returns what a rule needs to store a reply to the message `replyTo`. */
export const replyNeeds = (room: string, user: string, replyTo: number | undefined): Need[] =>
  replyTo === undefined ? [] : [needOf(replyTargetLoader, { room, seq: replyTo, user })];

/** A reply of `user` to the message `seq`. */
interface ReplyTarget {
  room: string;
  seq: number;
  user: string;
}

const threadNeeds = (room: string, thread: number, user: string): Need[] => [
  rows(threads, { room, thread }),
  rows(threadAuthors, { room, thread, user }),
];

/**
 * Finds the threads of replies, and loads them. It runs before the rooms are locked. If the thread of a message changes
 * before the lock, the rule loads the missing data.
 */
const replyTargetLoader: Loader<ReplyTarget> = {
  name: 'thread of a reply',
  *find({ transaction }, _work, needs) {
    const results = yield* transaction.queryAll(
      needs.map(
        ({ room, seq }) =>
          sql`SELECT coalesce(target.thread, target.seq) AS thread, root.user_id AS user_id
              FROM chat_rooms AS rooms JOIN chat_messages AS target ON target.room = rooms.num
              LEFT JOIN chat_messages AS root
                ON root.room = target.room AND root.seq = coalesce(target.thread, target.seq)
              WHERE rooms.id = ${room} AND target.seq = ${seq}`,
      ),
    );
    return needs.flatMap(({ room, seq, user }, n): Need[] => {
      const [row] = results[n] as Row[];
      if (row === undefined) return [messageNeed(room, seq)];
      const thread = row.thread as number;
      const authors = new Set([user, ...(row.user_id === null ? [] : [row.user_id as string])]);
      return [
        messageNeed(room, seq),
        messageNeed(room, thread),
        ...threadNeeds(room, thread, user),
        rows(followers, { room, thread, following: 1 }),
        ...[...authors].flatMap((author) => [
          memberNeed(room, author),
          rows(followers, { room, thread, user: author }),
        ]),
      ];
    });
  },
};

/** The data of a reply from which the counts of its thread are computed. */
interface CountedReply {
  seq: number;
  thread: number;
  user: string;
  at: number;
}

const countedFrom = ({ seq, thread, user_id, sent_at }: Row): CountedReply => ({
  seq: seq as number,
  thread: thread as number,
  user: user_id as string,
  at: sent_at as number,
});

/** Returns the replies among the loaded messages of a room. */
const loadedReplies = (room: LoadedRoom): CountedReply[] =>
  [...loadedMessages(room).values()].flatMap((loaded) => {
    if (loaded === null) return [];
    const { seq, thread, user, sentAt, deletedAt } = loaded.row.message;
    return thread === undefined || deletedAt !== undefined
      ? []
      : [{ seq, thread, user: user.id, at: sentAt }];
  });

interface EarlierReplyQuery {
  room: string;
  thread: number;
  user: string;
  before: number;
}

/** Loads the author's last reply with `seq` < `before` from the database. */
const earlierReplyLoader = roomValueLoader<EarlierReplyQuery, CountedReply | null>('earlier reply', {
  keyOf: ({ room, thread, user, before }) => `${thread} ${before} ${room} ${user}`,
  select: ({ num, row: { firstSeq } }, { thread, user, before }, dialect) =>
    sql`SELECT seq, thread, user_id, sent_at FROM chat_messages ${dialect.by('chat_messages_by_thread')}
        WHERE room = ${num} AND thread = ${thread} AND seq >= ${firstSeq} AND seq < ${before}
          AND user_id = ${user} AND deleted_at IS NULL ORDER BY seq DESC LIMIT 1`,
  value: ([row]) => (row === undefined ? null : countedFrom(row)),
  none: null,
});

/** Returns the last reply of this user in the thread with `seq` < `before`. */
export function earlierReply(
  work: Work,
  id: string,
  thread: number,
  user: string,
  before: number,
): CountedReply | undefined {
  const room = existingRoom(work, id);
  // Messages that this transaction has loaded or sent take precedence over the database.
  const last = loadedReplies(room)
    .filter((reply) => reply.thread === thread && reply.user === user && reply.seq < before)
    .reduce<CountedReply | undefined>((a, b) => (a !== undefined && a.seq > b.seq ? a : b), undefined);
  if (room.num === undefined) return last;
  for (let end = before; ; ) {
    const stored = work.value(earlierReplyLoader, { room: id, thread, user, before: end });
    if (stored === null || (last !== undefined && stored.seq <= last.seq)) return last;
    if (!loadedMessages(room).get(stored.seq)) return stored;
    end = stored.seq;
  }
}

/** Loads the replies of a room with `seq` < `to` from the database. */
const oldRepliesLoader: ValueLoader<
  { room: string; to: number },
  { to: number; replies: readonly CountedReply[] }
> = {
  name: 'old replies',
  keyOf: ({ room }) => room,
  /** Locks the room, so that no other transaction changes the counts concurrently. */
  *find({ dialect, transaction }, work, needs) {
    const furtherNeeds: Need[] = [];
    for (const { room: id, to } of needs) {
      const [room] = yield* transaction.query(
        sql`SELECT num, first_seq FROM chat_rooms WHERE id = ${id} ${dialect.lock}`,
      );
      const replyRows =
        room === undefined
          ? []
          : yield* transaction.query(
              sql`SELECT seq, thread, user_id, sent_at FROM chat_messages
                  WHERE room = ${room.num as number} AND seq >= ${room.first_seq as number} AND seq < ${to}
                    AND thread IS NOT NULL AND deleted_at IS NULL ORDER BY seq`,
            );
      const replies = replyRows.map(countedFrom);
      work.keep(oldRepliesLoader, { room: id, to }, { to, replies });
      furtherNeeds.push(...replies.flatMap(({ thread, user }) => threadNeeds(id, thread, user)));
    }
    return furtherNeeds;
  },
};

/** Returns the need for the unexpired replies with `seq` < `to`, and their threads. */
export const oldRepliesNeed = (room: string, to: number): Need => needOf(oldRepliesLoader, { room, to });

/** Returns the replies with `from` ≤ `seq` < `to`. */
export function oldReplies(work: Work, id: string, from: number, to: number): CountedReply[] {
  const room = existingRoom(work, id);
  const stored =
    room.num === undefined ? { to, replies: [] } : work.known(oldRepliesLoader, { room: id, to });
  if (stored === undefined || stored.to < to) return missing(oldRepliesLoader, { room: id, to });
  const unloaded = stored.replies.filter(({ seq }) => !loadedMessages(room).get(seq));
  return [...unloaded, ...loadedReplies(room)].filter(({ seq }) => seq >= from && seq < to);
}

/**
 * Deletes the followers of threads whose messages have all expired. @param before the first unexpired message of the
 * room
 */
export function forgetFollowers(work: Work, id: string, before: number): void {
  const { num: room } = existingRoom(work, id);
  if (room === undefined) return;
  work.later(
    () =>
      sql`DELETE FROM chat_followers WHERE room = ${room} AND thread < ${before} AND NOT EXISTS (
            SELECT 1 FROM chat_threads AS threads
            WHERE threads.room = chat_followers.room AND threads.thread = chat_followers.thread)`,
  );
}
