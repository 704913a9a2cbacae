import type { User } from '../wire/events.ts';
import type { Change } from './changes.ts';
import { type Asking, ask, type Dialect, inList, raw, type Sql, sql } from './engine/dialect.ts';
import { cutPage, type ReadsOf } from './engine/read.ts';
import type { Nothing, Rule } from './engine/rule.ts';
import { type Row, table } from './engine/table.ts';
import {
  type LoadedRoom,
  type Loader,
  missing,
  type Need,
  needOf,
  type Question,
  rows,
  storedRoom,
  type ValueLoader,
  type Work,
} from './engine/work.ts';
import { getMember, memberNeed } from './members/loaded.ts';
import { isMember } from './members/member.ts';
import { getMessage, loadedMessages, messageNeed } from './messages/loaded.ts';
import {
  everybody,
  mentioned,
  messageFrom,
  type Page,
  type StoredMessage,
  type ThreadPlace,
} from './messages/message.ts';
import { readPage } from './messages/pages.ts';
import { deletedUser } from './people/user.ts';
import { existingRoom } from './rooms/loaded.ts';
import type { RoomRow } from './rooms/room.ts';
import { existing, messageIn, refuse } from './rooms/room-changes.ts';
import { isUnexpired, parseRoomCursor } from './rooms/select.ts';

/** Users who may follow one thread: each reply is noted for all of them. */
export const mostFollowers = 200;

/** Authors of a thread that are named. */
export const namedAuthors = 3;

/** New replies in a thread are counted up to here, among the newest thousand. */
export const mostNewReplies = 100;

export interface ThreadAuthor {
  user: User;
  replies: number;
  /** Of the last one. */
  seq: number;
  at: number;
}

/** The replies of a thread that are neither deleted nor too old. */
export interface StoredThread {
  thread: number;
  /** The first message that is left. */
  root: number;
  /** With those of the authors who come apart. */
  replies: number;
  /** The last ones, the last first. */
  authors: ThreadAuthor[];
  /** All of those asked for. */
  apart: ThreadAuthor[];
  /** Of the replies that `unread` asks for, up to `mostNewReplies`. */
  fresh: number;
}

export interface ThreadWrites {
  /**
   * From now on a user follows a thread, or does not want to. Codes: `unknown_room` (no member), `unknown_message` (no
   * such thread), `limit_reached` (`mostFollowers`).
   */
  follow: { in: ThreadPlace & { user: string; following: boolean }; out: Nothing };
}

export interface ThreadReads {
  /**
   * The threads among these that have replies. `apart`: these authors are not among the last ones.
   * @param in.unread counts the replies after that message by others than this user and those apart
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
   * The thread of that message, which may have expired: its first message that is left, and whether the user follows
   * it. Null where nothing is left.
   */
  thread: {
    in: ThreadPlace & { user: string };
    out: { thread: number; root: StoredMessage; following: boolean } | null;
  };
  /** The replies of a thread with `after` < `seq` < `before`, oldest first: the last ones, or (`from: 'start'`) the first. */
  replies: {
    in: ThreadPlace & { after: number; before: number; from: 'start' | 'end'; limit: number };
    out: Page;
  };
  /** The threads that a user follows; pages as those of `written`. */
  followedBy: {
    in: { user: string; from: string; limit: number };
    out: { threads: ThreadPlace[]; next?: string };
  };
}

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

type Reply = StoredMessage & { thread: number };

export const isReply = (message: StoredMessage): message is Reply => message.thread !== undefined;

/** The needs of a message that replies to another one. */
export const replyNeeds = (room: string, user: string, replyTo: number | undefined): Need[] =>
  replyTo === undefined ? [] : [needOf(repliedLoader, { room, seq: replyTo, user })];

export const follow: Rule<ThreadWrites['follow']> = {
  needs: ({ room, thread, user }) => [
    memberNeed(room, user),
    messageNeed(room, thread),
    rows(followers, { room, thread, user }),
    rows(followers, { room, thread, following: 1 }),
    rows(threads, { room, thread }),
  ],
  run(work, { room: id, thread, user, following }, changes) {
    const room = existing(work, id);
    if (!isMember(getMember(work, id, user))) refuse('unknown_room');
    // The first message may have expired, or may be a reply itself.
    const root = messageIn(work, room, thread);
    const isThread = root === undefined ? repliesIn(work, { room: id, thread }) > 0 : !isReply(root);
    if (!isThread) refuse('unknown_message');
    const [known] = work.find(followers, { room: id, thread, user });
    if ((known?.following === 1) === following) return {};
    if (following && work.find(followers, { room: id, thread, following: 1 }).length >= mostFollowers) {
      refuse('limit_reached');
    }
    putFollower(work, { room: id, thread }, user, following, changes);
    return {};
  },
};

/** The thread of a message that replies to this one. @throws RequestError `unknown_message` */
export function threadOf(work: Work, room: RoomRow, replyTo: number): number {
  if (replyTo > room.lastSeq || replyTo < room.firstSeq) {
    refuse('unknown_message', 'replyTo names no message of this room');
  }
  return getMessage(work, room.id, replyTo)?.thread ?? replyTo;
}

/** A reply is new. It concerns those who follow the thread by now, as its author and that of the first message do. */
export function addReply(work: Work, message: Reply, changes: Change[]): void {
  const { room: id, thread, user, seq } = message;
  countReply(work, message);
  const place = { room: id, thread };
  const following = new Set(work.find(followers, { ...place, following: 1 }).map((one) => one.user));
  const root = messageIn(work, existing(work, id), thread);
  for (const one of new Set([...(root === undefined ? [] : [root.user.id]), user.id])) {
    if (!isMember(getMember(work, id, one)) || following.size >= mostFollowers) continue;
    if (work.find(followers, { ...place, user: one }).length > 0) continue;
    putFollower(work, place, one, true, changes);
    following.add(one);
  }
  following.delete(user.id);
  for (const one of following) work.put(concerned, { room: id, user: one, seq });
  if (following.size > 0)
    changes.push({ type: 'concerned', message, users: [...following].sort(), is: 'new' });
}

/** A reply is deleted. */
export function removeReply(work: Work, message: StoredMessage, before: Reply, changes: Change[]): void {
  const { room, seq } = before;
  uncountReply(work, before);
  const users = work.find(concerned, { room, seq }).map(({ user }) => user);
  for (const user of users) work.remove(concerned, { room, user, seq });
  if (users.length > 0) changes.push({ type: 'concerned', message, users: users.sort(), is: 'deleted' });
}

/** A reply is somebody else's. */
export function giveReply(work: Work, message: Reply, before: Reply): void {
  uncountReply(work, before);
  countReply(work, message);
}

/** Users whom a reply mentions no more, and concerns still. */
export function keepConcerned(
  work: Work,
  message: StoredMessage,
  before: StoredMessage,
  changes: Change[],
): void {
  if (!isReply(message)) return;
  const [were, are] = [mentioned(before.mentions), mentioned(message.mentions)];
  const lost = [...were].filter((user) => !are.has(user));
  if (lost.length === 0 || are.has(everybody)) return;
  const isLost = (user: string) => !are.has(user) && (lost.includes(everybody) || lost.includes(user));
  const { room, seq } = message;
  const users = work.find(concerned, { room, seq }).map(({ user }) => user);
  const still = users.filter(isLost).sort();
  if (still.length > 0) changes.push({ type: 'concerned', message, users: still, is: 'again' });
}

/** The messages from `from` on and before `to` are too old: no thread counts them any more. */
export function expireReplies(work: Work, room: string, from: number, to: number): void {
  for (const { thread, user } of oldReplies(work, room, from, to)) {
    const [author] = work.find(threadAuthors, { room, thread, user });
    if (author !== undefined) {
      if (author.replies === 1) work.remove(threadAuthors, author);
      else work.put(threadAuthors, { ...author, replies: author.replies - 1 });
    }
    changeReplies(work, { room, thread }, -1);
  }
  forgetFollowers(work, room, to);
}

const repliesIn = (work: Work, place: ThreadPlace): number => work.find(threads, place)[0]?.replies ?? 0;

function changeReplies(work: Work, { room, thread }: ThreadPlace, by: 1 | -1): void {
  const replies = repliesIn(work, { room, thread }) + by;
  if (replies > 0) work.put(threads, { room, thread, replies });
  else work.remove(threads, { room, thread });
}

function countReply(work: Work, { room, thread, user: { id: user }, seq, sentAt: at }: Reply): void {
  changeReplies(work, { room, thread }, 1);
  const [author] = work.find(threadAuthors, { room, thread, user });
  const last = author === undefined || author.seq < seq ? { seq, at } : author;
  const { seq: lastSeq, at: lastAt } = last;
  work.put(threadAuthors, {
    ...{ room, thread, user, seq: lastSeq, at: lastAt },
    replies: (author?.replies ?? 0) + 1,
  });
}

function uncountReply(work: Work, { room, thread, user: { id: user }, seq }: Reply): void {
  changeReplies(work, { room, thread }, -1);
  const [author] = work.find(threadAuthors, { room, thread, user });
  if (author === undefined) return;
  const isOnly = author.replies === 1;
  // An earlier one may be far away, so it is looked for only if there is one.
  const last = author.seq === seq && !isOnly ? earlierReply(work, room, thread, user, seq) : author;
  if (isOnly || last === undefined) work.remove(threadAuthors, author);
  else work.put(threadAuthors, { ...author, replies: author.replies - 1, seq: last.seq, at: last.at });
}

function putFollower(
  work: Work,
  place: ThreadPlace,
  user: string,
  following: boolean,
  changes: Change[],
): void {
  work.put(followers, { ...place, user, following: following ? 1 : 0 });
  changes.push({ type: 'followed', ...place, user, following });
}

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
const earlierReplyLoader: ValueLoader<Earlier, CountedReply | null> = {
  name: 'earlier reply',
  keyOf: ({ room, thread, user, before }) => `${thread} ${before} ${room} ${user}`,
  ask: ({ dialect }, work, needs): Question[] =>
    needs.flatMap((need) => {
      const { thread, user, before } = need;
      const room = storedRoom(work, need.room);
      if (room === undefined) return [];
      return {
        sql: sql`SELECT seq, thread, user_id, sent_at FROM chat_messages ${dialect.by('chat_messages_by_thread')}
            WHERE room = ${room.num} AND thread = ${thread} AND seq >= ${room.row.firstSeq} AND seq < ${before}
              AND user_id = ${user} AND deleted_at IS NULL ORDER BY seq DESC LIMIT 1`,
        take: ([row]) =>
          void work
            .valuesOf(earlierReplyLoader)
            .set(earlierReplyLoader.keyOf(need), row === undefined ? null : countedFrom(row)),
      };
    }),
};

/** The last reply of this user in the thread before that one. */
function earlierReply(
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
      work.valuesOf(oldRepliesLoader).set(id, { to, replies });
      found.push(...replies.flatMap(({ thread, user }) => threadNeeds(id, thread, user)));
    }
    return found;
  },
};

/** The replies that are left before that message, and their threads. */
export const oldRepliesNeed = (room: string, to: number): Need => needOf(oldRepliesLoader, { room, to });

/** The replies from one message on and before another. */
function oldReplies(work: Work, id: string, from: number, to: number): CountedReply[] {
  const room = existingRoom(work, id);
  const stored = room.num === undefined ? { to, replies: [] } : work.valuesOf(oldRepliesLoader).get(id);
  if (stored === undefined || stored.to < to) return missing(oldRepliesLoader, { room: id, to });
  const unloaded = stored.replies.filter(({ seq }) => !loadedMessages(room).get(seq));
  return [...unloaded, ...loadedReplies(room)].filter(({ seq }) => seq >= from && seq < to);
}

/** Forgets the followers of threads of which nothing is left. @param before the first message that is left in the room */
function forgetFollowers(work: Work, id: string, before: number): void {
  const { num: room } = existingRoom(work, id);
  if (room === undefined) return;
  work.later(
    () =>
      sql`DELETE FROM chat_followers WHERE room = ${room} AND thread < ${before} AND NOT EXISTS (
            SELECT 1 FROM chat_threads AS threads
            WHERE threads.room = chat_followers.room AND threads.thread = chat_followers.thread)`,
  );
}

/** New replies are counted among this many of the newest ones. The user's own do not count. */
const maxScannedReplies = 1000;

const authorsSelection = raw(
  'thread, user_id, coalesce(users.name, user_id) AS name, replies, last_seq, last_at FROM chat_thread_authors AS authors LEFT JOIN chat_users AS users ON users.id = authors.user_id',
);

/** The first message of a thread that is left, if the thread's own first message has expired. */
const selectOldestReply = (room: number, thread: number, firstSeq: number): Sql =>
  sql`SELECT seq, user_id, deleted_at FROM chat_messages
      WHERE room = ${room} AND thread = ${thread} AND seq >= ${firstSeq} ORDER BY seq LIMIT 1`;

/** Asks a statement for each row. */
function* askEach(rows: readonly Row[], statement: (row: Row) => Sql): Asking<Row[][]> {
  return rows.length === 0 ? [] : yield rows.map(statement);
}

/**
 * A thread as its room shows it.
 * @param of.root a reply that is left as the first message; it does not count as a reply
 * @param of.newReplies their number
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
  // A thread has no more authors than replies. If these are few, all authors are read instead of searching each excluded one.
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
  *threads({ dialect }, { room: id, threads: wanted, apart = [], unread }) {
    if (wanted.length === 0) return [];
    const [room] = yield* ask(sql`SELECT num, first_seq, last_seq FROM chat_rooms WHERE id = ${id}`);
    if (room === undefined) return [];
    const [num, firstSeq] = [room.num as number, room.first_seq as number];
    const threads = yield* ask(
      sql`SELECT thread, replies FROM chat_threads WHERE room = ${num} AND ${inList(dialect, 'thread', wanted)} ORDER BY thread`,
    );
    if (threads.length === 0) return [];
    const expired = threads.filter(({ thread }) => (thread as number) < firstSeq);
    const oldest = yield* askEach(expired, ({ thread }) =>
      selectOldestReply(num, thread as number, firstSeq),
    );
    const rootByThread = new Map(expired.map(({ thread }, n) => [thread, oldest[n]?.[0]]));
    const rootSeqOf = ({ thread }: Row) => (rootByThread.get(thread)?.seq ?? thread) as number;
    const excludedByThread = yield* findExcludedAuthors(dialect, num, threads, apart);
    const isOther = ({ thread }: Row) => {
      const users = excludedByThread.get(thread)?.map(({ user_id }) => user_id as string);
      return users === undefined ? raw('') : sql`AND NOT (${inList(dialect, 'user_id', users)})`;
    };
    const authors = yield* askEach(
      threads,
      (row) =>
        sql`SELECT ${authorsSelection} WHERE room = ${num} AND thread = ${row.thread as number} AND last_seq > ${rootSeqOf(row)}
            ${isOther(row)} ORDER BY last_seq DESC LIMIT ${namedAuthors}`,
    );
    // Replies by an excluded author whose first reply came after the excluded authors were read do not count.
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
                  WHERE deleted_at IS NULL AND user_id <> ${unread.user} ${isOther(row)} LIMIT ${mostNewReplies}) AS fresh`,
          );
    return threads.map((row, n) =>
      threadFrom(row, {
        root: rootByThread.get(row.thread),
        authors: (authors[n] ?? []).filter(({ user_id }) => !apart.includes(user_id as string)),
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
      condition: sql`${isUnexpired(room)} AND thread = ${thread} AND seq > ${after} AND seq < ${before}`,
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
      ...(last && { next: `${last.num} ${last.thread}` }),
    };
  },
};
