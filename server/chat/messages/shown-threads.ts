import { namedAuthors, type StoredMessage, type StoredThread } from '../../history/history.ts';
import type { Thread } from '../../wire/events.ts';

/** The thread of a message; that of a message without replies would have its number. */
export const threadOf = ({ thread, seq }: Pick<StoredMessage, 'thread' | 'seq'>): number => thread ?? seq;

/** A thread as a user gets it: without the replies of people whom the user has blocked. All of these are in `apart`. */
export function shownThread(
  { thread, root, replies, authors, apart, fresh }: StoredThread,
  blocked: ReadonlySet<string>,
): Thread {
  const hidden = apart.filter(({ user }) => blocked.has(user.id));
  const shown = [...authors, ...apart.filter(({ user }) => !blocked.has(user.id))];
  const last = shown.sort((a, b) => b.seq - a.seq).slice(0, namedAuthors);
  return {
    thread,
    root,
    replies: hidden.reduce((count, author) => count - author.replies, replies),
    authors: last.map(({ user }) => user),
    ...(last[0] === undefined ? {} : { lastAt: last[0].at }),
    ...(fresh === 0 ? {} : { new: fresh }),
  };
}

/** A thread whose replies this user cannot see is like one that has none. */
export const noReplies = (thread: number): Thread => ({ thread, root: thread, replies: 0, authors: [] });

/** The numbers of the threads in which the messages are, or would be. */
export function threadsIn(messages: readonly StoredMessage[]): number[] {
  const numbers = new Set(messages.flatMap((message) => [message.seq, threadOf(message)]));
  return [...numbers].sort((a, b) => a - b);
}
