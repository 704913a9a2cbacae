import { sql } from '../engine/dialect.ts';
import { type Row, table } from '../engine/table.ts';
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
import { memberNeed } from '../members/loaded.ts';
import { loadedMessages, messageNeed } from '../messages/loaded.ts';
import type { ThreadPlace } from '../messages/message.ts';
import { existingRoom } from '../rooms/loaded.ts';

const ofThread = { room: 'room', thread: 'thread' } as const;

/** The threads that have replies. */
export const threads = table<ThreadPlace & { replies: number }>('chat_threads', ['room', 'thread'], {
  ...ofThread,
  replies: 'replies',
});

/** The authors of the replies. The rows of an erased user go with the messages, or become nobody's. */
export const threadAuthors = table<ThreadPlace & { user: string; replies: number; seq: number; at: number }>(
  'chat_thread_authors',
  ['room', 'thread', 'user'],
  {
    ...ofThread,
    user: 'user_id',
    replies: 'replies',
    seq: 'last_seq',
    at: 'last_at',
  },
);

/** The users who follow threads (1), or do not want to (0). */
export const followers = table<ThreadPlace & { user: string; following: number }>(
  'chat_followers',
  ['room', 'thread', 'user'],
  { ...ofThread, user: 'user_id', following: 'following' },
  { users: ['user'], without: () => ({ row: null }) },
);

/** The users whom a reply concerns. */
export const concerned = table<{ room: string; user: string; seq: number }>(
  'chat_concerned',
  ['room', 'user', 'seq'],
  { room: 'room', user: 'user_id', seq: 'seq' },
  { users: ['user'], without: () => ({ row: null }) },
);

/** The needs of a message that replies to another one. */
export const replyNeeds = (room: string, user: string, replyTo: number | undefined): Need[] =>
  replyTo === undefined ? [] : [needOf(repliedLoader, { room, seq: replyTo, user })];

/** Replies to a message, and the thread they belong to. */
interface Replied {
  room: string;
  seq: number;
  user: string;
}

const threadNeeds = (room: string, thread: number, user: string): Need[] => [
  rows(threads, { room, thread }),
  rows(threadAuthors, { room, thread, user }),
];

/**
 * The needs of replies, whose threads are known by the messages that they reply to. If another transaction or this
 * one makes it something else meanwhile, that is loaded when a rule asks for it.
 */
const repliedLoader: Loader<Replied> = {
  name: 'thread of a reply',
  *find({ transaction }, _work, needs) {
    const found = yield* transaction.queryAll(
      needs.map(
        ({ room, seq }) =>
          sql`SELECT coalesce(said.thread, said.seq) AS thread, root.user_id AS user_id
              FROM chat_rooms AS rooms JOIN chat_messages AS said ON said.room = rooms.num
              LEFT JOIN chat_messages AS root ON root.room = said.room AND root.seq = coalesce(said.thread, said.seq)
              WHERE rooms.id = ${room} AND said.seq = ${seq}`,
      ),
    );
    return needs.flatMap(({ room, seq, user }, n): Need[] => {
      const [row] = found[n] as Row[];
      if (row === undefined) return [messageNeed(room, seq)];
      const thread = row.thread as number;
      const authors = new Set([user, ...(row.user_id === null ? [] : [row.user_id as string])]);
      return [
        messageNeed(room, seq),
        messageNeed(room, thread),
        ...threadNeeds(room, thread, user),
        rows(followers, { room, thread, following: 1 }),
        ...[...authors].flatMap((one) => [
          memberNeed(room, one),
          rows(followers, { room, thread, user: one }),
        ]),
      ];
    });
  },
};

/** A reply as far as threads count it. */
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

/** The replies among the loaded messages of a room. */
const loadedReplies = (room: LoadedRoom): CountedReply[] =>
  [...loadedMessages(room).values()].flatMap((one) => {
    if (one === null) return [];
    const { seq, thread, user, sentAt, deletedAt } = one.row.message;
    return thread === undefined || deletedAt !== undefined
      ? []
      : [{ seq, thread, user: user.id, at: sentAt }];
  });

interface Earlier {
  room: string;
  thread: number;
  user: string;
  before: number;
}

/** The author's last reply before that one in the database. */
const earlierReplyLoader = roomValueLoader<Earlier, CountedReply | null>('earlier reply', {
  keyOf: ({ room, thread, user, before }) => `${thread} ${before} ${room} ${user}`,
  select: ({ num, row: { firstSeq } }, { thread, user, before }, dialect) =>
    sql`SELECT seq, thread, user_id, sent_at FROM chat_messages ${dialect.by('chat_messages_by_thread')}
        WHERE room = ${num} AND thread = ${thread} AND seq >= ${firstSeq} AND seq < ${before}
          AND user_id = ${user} AND deleted_at IS NULL ORDER BY seq DESC LIMIT 1`,
  value: ([row]) => (row === undefined ? null : countedFrom(row)),
  none: null,
});

/** The last reply of this user in the thread before that one. */
export function earlierReply(
  work: Work,
  id: string,
  thread: number,
  user: string,
  before: number,
): CountedReply | undefined {
  const room = existingRoom(work, id);
  // The messages that the transaction has loaded or sent are newer than those of the database.
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

/** Replies by room, up to a message, as the database knows them. */
const oldRepliesLoader: ValueLoader<
  { room: string; to: number },
  { to: number; replies: readonly CountedReply[] }
> = {
  name: 'old replies',
  keyOf: ({ room }) => room,
  /** Locks the room: another transaction might count them otherwise. */
  *find({ dialect, transaction }, work, needs) {
    const found: Need[] = [];
    for (const { room: id, to } of needs) {
      const [room] = yield* transaction.query(
        sql`SELECT num, first_seq FROM chat_rooms WHERE id = ${id} ${dialect.lock}`,
      );
      const old =
        room === undefined
          ? []
          : yield* transaction.query(
              sql`SELECT seq, thread, user_id, sent_at FROM chat_messages
                  WHERE room = ${room.num as number} AND seq >= ${room.first_seq as number} AND seq < ${to}
                    AND thread IS NOT NULL AND deleted_at IS NULL ORDER BY seq`,
            );
      const replies = old.map(countedFrom);
      work.keep(oldRepliesLoader, { room: id, to }, { to, replies });
      found.push(...replies.flatMap(({ thread, user }) => threadNeeds(id, thread, user)));
    }
    return found;
  },
};

/** The replies that are left before that message, and their threads. */
export const oldRepliesNeed = (room: string, to: number): Need => needOf(oldRepliesLoader, { room, to });

/** The replies from one message on and before another. */
export function oldReplies(work: Work, id: string, from: number, to: number): CountedReply[] {
  const room = existingRoom(work, id);
  const stored =
    room.num === undefined ? { to, replies: [] } : work.known(oldRepliesLoader, { room: id, to });
  if (stored === undefined || stored.to < to) return missing(oldRepliesLoader, { room: id, to });
  const unloaded = stored.replies.filter(({ seq }) => !loadedMessages(room).get(seq));
  return [...unloaded, ...loadedReplies(room)].filter(({ seq }) => seq >= from && seq < to);
}

/** Forgets the followers of threads of which nothing is left. @param before the first message that is left in the room */
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
