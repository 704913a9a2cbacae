import type { User } from '../../wire/events.ts';
import { type Asking, ask, type Dialect, inList, raw, type Sql, sql } from '../engine/dialect.ts';
import { cutPage, type ReadsOf } from '../engine/read.ts';
import type { Row } from '../records/columns.ts';
import { messageFrom, type Page, type StoredMessage, type ThreadRef } from '../records/message.ts';
import { deletedUser } from '../records/user.ts';
import { readPage } from '../rows/message-pages.ts';
import { isUnexpiredAfter, parseRoomCursor } from '../rows/select.ts';

/** Maximum number of authors that a thread names. */
export const namedAuthors = 3;

/** Counts of new replies in a thread end at this number. */
export const mostNewReplies = 100;

interface ThreadAuthor {
  user: User;
  replies: number;
  /** The `seq` of the author's last reply. */
  seq: number;
  /** When that reply was sent, as Unix ms. */
  at: number;
}

/** A summary of a thread. Deleted and expired replies do not count. */
export interface StoredThread {
  thread: number;
  /**
   * The `seq` of the root message or, if it has expired, of the oldest reply left. That reply is not counted in
   * `replies`.
   */
  root: number;
  /** Includes replies by `apart`. */
  replies: number;
  /** The authors of the latest replies without `apart`, latest first, up to `namedAuthors`. */
  authors: ThreadAuthor[];
  /** The excluded users who wrote replies. */
  apart: ThreadAuthor[];
  /** The number of new replies, up to `mostNewReplies`. See `unread`. */
  fresh: number;
}

export interface ThreadReads {
  /**
   * Returns the threads among `threads` that have replies.
   * @param in.apart users excluded from `authors` and listed in `apart` instead
   * @param in.unread counts the replies after message `after` by users other than `user` and `apart`, as `fresh`
   */
  threads: {
    in: {
      room: string;
      threads: readonly number[];
      apart?: readonly string[];
      unread?: { after: number; user: string };
    };
    out: StoredThread[];
  };
  /**
   * Returns the thread of a message, its root message, and whether the user follows it. The message may have expired.
   * If the root message has expired, `root` is the oldest unexpired reply. null: the whole thread has expired, or does
   * not exist.
   */
  thread: {
    in: ThreadRef & { user: string };
    out: { thread: number; root: StoredMessage; following: boolean } | null;
  };
  /** Returns the first (`from: 'start'`) or last replies of a thread with `after` < `seq` < `before`, oldest first. */
  replies: {
    in: ThreadRef & { after: number; before: number; from: 'start' | 'end'; limit: number };
    out: Page;
  };
  /** Returns the threads that a user follows, paginated like `written`. */
  followedBy: {
    in: { user: string; from: string; limit: number };
    out: { threads: ThreadRef[]; next?: string };
  };
}

/** New replies are counted among this many newest replies of a thread, including the user's own. */
const maxScannedReplies = 1000;

const authorsSelection = raw(
  'thread, user_id, coalesce(users.name, user_id) AS name, replies, last_seq, last_at FROM chat_thread_authors AS authors LEFT JOIN chat_users AS users ON users.id = authors.user_id',
);

/** Selects the oldest unexpired reply of a thread whose root message has expired. */
const selectOldestReply = (room: number, thread: number, firstSeq: number): Sql =>
  sql`SELECT seq, user_id, deleted_at FROM chat_messages
      WHERE room = ${room} AND thread = ${thread} AND seq >= ${firstSeq} ORDER BY seq LIMIT 1`;

/** Runs a statement for each row. */
function* askEach(rows: readonly Row[], statement: (row: Row) => Sql): Asking<Row[][]> {
  return rows.length === 0 ? [] : yield rows.map(statement);
}

/**
 * Builds the summary of a thread from its rows.
 * @param of.root the oldest unexpired reply if the root message has expired. It does not count as a reply.
 * @param of.newReplies the row with the number of new replies
 */
function threadFrom(
  { thread, replies }: Row,
  of: { root: Row | undefined; authors: readonly Row[]; apart: readonly Row[]; newReplies: Row | undefined },
): StoredThread {
  const { root } = of;
  const isRootReply = root !== undefined && root.deleted_at === null;
  const toAuthor = (row: Row): ThreadAuthor => {
    const id = row.user_id as string;
    return {
      user: id === deletedUser.id ? deletedUser : { id, name: row.name as string },
      replies: (row.replies as number) - Number(isRootReply && root.user_id === id),
      seq: row.last_seq as number,
      at: row.last_at as number,
    };
  };
  return {
    thread: thread as number,
    root: (root?.seq ?? thread) as number,
    replies: (replies as number) - Number(isRootReply),
    authors: of.authors.map(toAuthor),
    apart: of.apart.map(toAuthor).filter(({ replies }) => replies > 0),
    fresh: (of.newReplies?.num as number | undefined) ?? 0,
  };
}

/** Reads the rows of excluded authors in these threads, by thread. */
function* findExcludedAuthors(
  dialect: Dialect,
  room: number,
  threads: readonly Row[],
  excluded: readonly string[],
): Asking<Map<unknown, Row[]>> {
  // A thread has no more authors than replies. If these are few, all authors are read instead of searching each
  // excluded one.
  const isShort = ({ replies }: Row) => (replies as number) <= excluded.length;
  const [short, long] = [threads.filter(isShort), threads.filter((row) => !isShort(row))];
  const selectAuthors = (rows: readonly Row[]) => {
    const numbers = rows.map(({ thread }) => thread as number);
    return sql`SELECT ${authorsSelection} WHERE room = ${room} AND ${inList(dialect, 'thread', numbers)}`;
  };
  const statements = [
    ...(short.length === 0 ? [] : [selectAuthors(short)]),
    ...(excluded.length === 0 || long.length === 0
      ? []
      : [sql`${selectAuthors(long)} AND ${inList(dialect, 'user_id', excluded)}`]),
  ];
  const authors = statements.length === 0 ? [] : (yield statements).flat();
  const isExcluded = new Set(excluded);
  return Map.groupBy(
    authors.filter(({ user_id }) => isExcluded.has(user_id as string)),
    ({ thread }) => thread,
  );
}

export const threadReads: ReadsOf<ThreadReads> = {
  *threads({ dialect }, { room: id, threads: numbers, apart: excluded = [], unread }) {
    if (numbers.length === 0) return [];
    const [room] = yield* ask(sql`SELECT num, first_seq, last_seq FROM chat_rooms WHERE id = ${id}`);
    if (room === undefined) return [];
    const [num, firstSeq] = [room.num as number, room.first_seq as number];
    const threads = yield* ask(
      sql`SELECT thread, replies FROM chat_threads WHERE room = ${num} AND ${inList(dialect, 'thread', numbers)} ORDER BY thread`,
    );
    if (threads.length === 0) return [];
    const expired = threads.filter(({ thread }) => (thread as number) < firstSeq);
    const oldest = yield* askEach(expired, ({ thread }) =>
      selectOldestReply(num, thread as number, firstSeq),
    );
    const rootByThread = new Map(expired.map(({ thread }, n) => [thread, oldest[n]?.[0]]));
    const rootSeqOf = ({ thread }: Row) => (rootByThread.get(thread)?.seq ?? thread) as number;
    const excludedByThread = yield* findExcludedAuthors(dialect, num, threads, excluded);
    const isIncluded = ({ thread }: Row) => {
      const users = excludedByThread.get(thread)?.map(({ user_id }) => user_id as string);
      return users === undefined ? raw('') : sql`AND NOT (${inList(dialect, 'user_id', users)})`;
    };
    const authors = yield* askEach(
      threads,
      (row) =>
        sql`SELECT ${authorsSelection} WHERE room = ${num} AND thread = ${row.thread as number} AND last_seq > ${rootSeqOf(row)}
            ${isIncluded(row)} ORDER BY last_seq DESC LIMIT ${namedAuthors}`,
    );
    // Replies after `last_seq` are not counted, because `excludedByThread` may lack their authors. It has all earlier
    // authors, because it was read after `last_seq`.
    const newReplies =
      unread === undefined
        ? []
        : yield* askEach(
            threads,
            (row) =>
              sql`SELECT count(*) AS num FROM (SELECT 1 FROM (
                    SELECT user_id, deleted_at FROM chat_messages ${dialect.by('chat_messages_by_thread')}
                    WHERE room = ${num} AND thread = ${row.thread as number}
                      AND seq > ${Math.max(unread.after, rootSeqOf(row))} AND seq <= ${room.last_seq as number}
                    ORDER BY seq DESC LIMIT ${maxScannedReplies}) AS newest
                  WHERE deleted_at IS NULL AND user_id <> ${unread.user} ${isIncluded(row)} LIMIT ${mostNewReplies}) AS fresh`,
          );
    return threads.map((row, n) =>
      threadFrom(row, {
        root: rootByThread.get(row.thread),
        authors: (authors[n] ?? []).filter(({ user_id }) => !excluded.includes(user_id as string)),
        apart: excludedByThread.get(row.thread) ?? [],
        newReplies: newReplies[n]?.[0],
      }),
    );
  },
  *thread({ dialect }, { room: id, thread: seq, user }) {
    const [room] = yield* ask(sql`SELECT num, first_seq FROM chat_rooms WHERE id = ${id}`);
    if (room === undefined) return null;
    const [num, firstSeq] = [room.num as number, room.first_seq as number];
    const findMessage = (seq: number) =>
      ask(
        sql`SELECT ${dialect.messageColumns} FROM chat_messages AS messages WHERE room = ${num} AND seq = ${seq}`,
      );
    const [message] = seq < firstSeq ? [] : yield* findMessage(seq);
    if (message === undefined && seq >= firstSeq) return null;
    const thread = (message?.thread ?? seq) as number;
    const [first] =
      thread < firstSeq ? yield* ask(selectOldestReply(num, thread, firstSeq)) : [{ seq: thread }];
    const [root] = first === undefined ? [] : yield* findMessage(first.seq as number);
    if (root === undefined) return null;
    const [follower] = yield* ask(
      sql`SELECT following FROM chat_followers WHERE room = ${num} AND thread = ${thread} AND user_id = ${user}`,
    );
    return { thread, root: messageFrom(root, id), following: follower?.following === 1 };
  },
  *replies(context, { room, thread, after, before, from, limit }) {
    const page = yield* readPage(context, {
      room,
      condition: sql`${isUnexpiredAfter(room, after)} AND thread = ${thread} AND seq < ${before}`,
      order: from === 'start' ? 'seq' : 'seq DESC',
      limit,
      index: 'chat_messages_by_thread',
    });
    if (from === 'end') page.messages.reverse();
    return page;
  },
  *followedBy(_, { user, from, limit }) {
    const [room, thread] = parseRoomCursor(from);
    const rows = yield* ask(
      sql`SELECT rooms.num AS num, rooms.id AS room, thread FROM chat_followers AS followers
          JOIN chat_rooms AS rooms ON rooms.num = followers.room
          WHERE user_id = ${user} AND following = 1 AND followers.room >= ${room}
            AND (followers.room > ${room} OR thread > ${thread})
          ORDER BY followers.room, thread LIMIT ${limit + 1}`,
    );
    const { page, last } = cutPage(rows, limit);
    return {
      threads: page.map(({ room, thread }) => ({ room: room as string, thread: thread as number })),
      next: last && `${last.num} ${last.thread}`,
    };
  },
};
