import { isGuest } from '../../wire/guest.ts';
import { type Nothing, type Rule, refuse } from '../engine/rule.ts';
import { subject } from '../engine/subject.ts';
import { rows, type Work } from '../engine/work.ts';
import type { Change } from '../records/changes.ts';
import { isMember } from '../records/member.ts';
import { everybody, mentioned, type StoredMessage, type ThreadRef } from '../records/message.ts';
import type { RoomRow } from '../records/room.ts';
import { getMember, memberNeed } from '../rows/members.ts';
import { getMessage, messageNeed } from '../rows/messages.ts';
import { messageIn, requireRoom } from '../rows/room-changes.ts';
import {
  concerned,
  earlierReply,
  followers,
  forgetFollowers,
  oldReplies,
  threadAuthors,
  threads,
} from '../rows/threads.ts';
import { type ThreadReads, threadReads } from './reads.ts';

/** Maximum number of followers of a thread. Each reply stores a row per follower. */
export const mostFollowers = 200;

export interface ThreadWrites {
  /**
   * Makes a user follow a thread, or unfollow it. Codes: `unknown_room` (not a member), `unknown_message` (the thread
   * does not exist), `limit_reached` (`mostFollowers`).
   */
  follow: { in: ThreadRef & { user: string; following: boolean }; out: Nothing };
}

type Reply = StoredMessage & { thread: number };

export const isReply = (message: StoredMessage): message is Reply => message.thread !== undefined;

const follow: Rule<ThreadWrites['follow']> = {
  needs: ({ room, thread, user }) => [
    memberNeed(room, user),
    messageNeed(room, thread),
    rows(followers, { room, thread, user }),
    rows(followers, { room, thread, following: 1 }),
    rows(threads, { room, thread }),
  ],
  run(work, { room: id, thread, user, following }, changes) {
    const room = requireRoom(work, id);
    if (!isMember(getMember(work, id, user))) refuse('unknown_room');
    // The first message may have expired, or may be a reply itself.
    const root = messageIn(work, room, thread);
    const isThread = root === undefined ? repliesIn(work, { room: id, thread }) > 0 : !isReply(root);
    if (!isThread) refuse('unknown_message');
    const [follower] = work.find(followers, { room: id, thread, user });
    if ((follower?.following === 1) === following) return {};
    if (following && work.find(followers, { room: id, thread, following: 1 }).length >= mostFollowers) {
      refuse('limit_reached');
    }
    putFollower(work, { room: id, thread }, user, following, changes);
    return {};
  },
};

/** Returns the thread of a reply to the message `replyTo`. @throws RequestError `unknown_message` */
export function threadOf(work: Work, room: RoomRow, replyTo: number): number {
  if (replyTo > room.lastSeq || replyTo < room.firstSeq) {
    refuse('unknown_message', 'replyTo is not a message of this room');
  }
  return getMessage(work, room.id, replyTo)?.thread ?? replyTo;
}

/**
 * Counts a new reply in its thread and records its notification targets. The authors of the reply and of the root
 * message start to follow the thread, unless they are guests or have unfollowed it.
 */
export function addReply(work: Work, message: Reply, changes: Change[]): void {
  const { room: id, thread, user, seq } = message;
  countReply(work, message);
  const place = { room: id, thread };
  const targets = new Set(work.find(followers, { ...place, following: 1 }).map((follower) => follower.user));
  const root = messageIn(work, requireRoom(work, id), thread);
  for (const author of new Set([...(root === undefined ? [] : [root.user.id]), user.id])) {
    // Guests are not notified of threads, and would take the places of users.
    if (isGuest(author) || !isMember(getMember(work, id, author)) || targets.size >= mostFollowers) continue;
    if (work.find(followers, { ...place, user: author }).length > 0) continue;
    putFollower(work, place, author, true, changes);
    targets.add(author);
  }
  targets.delete(user.id);
  for (const target of targets) work.put(concerned, { room: id, user: target, seq });
  if (targets.size > 0) changes.push({ type: 'concerned', message, users: [...targets].sort(), is: 'new' });
}

/** Uncounts a deleted reply and removes its notification targets. @param message the tombstone */
export function removeReply(work: Work, message: StoredMessage, before: Reply, changes: Change[]): void {
  const { room, seq } = before;
  uncountReply(work, before);
  const users = work.find(concerned, { room, seq }).map(({ user }) => user);
  for (const user of users) work.remove(concerned, { room, user, seq });
  if (users.length > 0) changes.push({ type: 'concerned', message, users: users.sort(), is: 'deleted' });
}

/** Counts a reply for its new author, after an erasure of `before.user`. */
export function giveReply(work: Work, message: Reply, before: Reply): void {
  uncountReply(work, before);
  countReply(work, message);
}

/**
 * Records the users whom an edited reply does not mention any longer, but who remain notification targets as followers.
 */
export function keepConcerned(
  work: Work,
  message: StoredMessage,
  before: StoredMessage,
  changes: Change[],
): void {
  if (!isReply(message)) return;
  const [usersBefore, users] = [mentioned(before.mentions), mentioned(message.mentions)];
  const removed = [...usersBefore].filter((user) => !users.has(user));
  if (removed.length === 0 || users.has(everybody)) return;
  const isUnmentioned = (user: string) =>
    !users.has(user) && (removed.includes(everybody) || removed.includes(user));
  const { room, seq } = message;
  const targets = work.find(concerned, { room, seq }).map(({ user }) => user);
  const unmentioned = targets.filter(isUnmentioned).sort();
  if (unmentioned.length > 0) changes.push({ type: 'concerned', message, users: unmentioned, is: 'again' });
}

/** Uncounts the expired replies with `from` ≤ `seq` < `to`, and deletes the followers of threads without messages. */
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

const repliesIn = (work: Work, place: ThreadRef): number => work.find(threads, place)[0]?.replies ?? 0;

function changeReplies(work: Work, { room, thread }: ThreadRef, by: 1 | -1): void {
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
  // The author's previous reply may be far back in the room. It is searched only if the author has one.
  const last = author.seq === seq && !isOnly ? earlierReply(work, room, thread, user, seq) : author;
  if (isOnly || last === undefined) work.remove(threadAuthors, author);
  else work.put(threadAuthors, { ...author, replies: author.replies - 1, seq: last.seq, at: last.at });
}

function putFollower(
  work: Work,
  place: ThreadRef,
  user: string,
  following: boolean,
  changes: Change[],
): void {
  work.put(followers, { ...place, user, following: following ? 1 : 0 });
  changes.push({ type: 'followed', ...place, user, following });
}

export const threadSubject = subject<ThreadWrites, ThreadReads>({
  tables: [threads, threadAuthors, followers, concerned],
  rules: { follow },
  reads: threadReads,
});
