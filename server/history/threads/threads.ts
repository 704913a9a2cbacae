import type { Change } from '../changes.ts';
import { type Nothing, type Rule, refuse } from '../engine/rule.ts';
import { rows, type Work } from '../engine/work.ts';
import { getMember, memberNeed } from '../members/loaded.ts';
import { isMember } from '../members/member.ts';
import { getMessage, messageNeed } from '../messages/loaded.ts';
import { everybody, mentioned, type StoredMessage, type ThreadPlace } from '../messages/message.ts';
import type { RoomRow } from '../rooms/room.ts';
import { messageIn, requireRoom } from '../rooms/room-changes.ts';
import {
  concerned,
  earlierReply,
  followers,
  forgetFollowers,
  oldReplies,
  threadAuthors,
  threads,
} from './loaded.ts';

/** Users who may follow one thread: each reply is noted for all of them. */
export const mostFollowers = 200;

export interface ThreadWrites {
  /**
   * From now on a user follows a thread, or does not want to. Codes: `unknown_room` (no member), `unknown_message` (no
   * such thread), `limit_reached` (`mostFollowers`).
   */
  follow: { in: ThreadPlace & { user: string; following: boolean }; out: Nothing };
}

type Reply = StoredMessage & { thread: number };

export const isReply = (message: StoredMessage): message is Reply => message.thread !== undefined;

export const follow: Rule<ThreadWrites['follow']> = {
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
  const root = messageIn(work, requireRoom(work, id), thread);
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
