import { namedAuthors, type StoredMessage, type StoredThread } from '../../history/history.ts';
import type { Thread } from '../../wire/events.ts';

/**
 * Returns the thread of a message. A message that is not a reply is the root of its own thread, even without replies.
 */
export const threadOf = ({ thread, seq }: Pick<StoredMessage, 'thread' | 'seq'>): number => thread ?? seq;

/** Returns a thread without the replies of blocked users. `apart` must contain all blocked users who replied. */
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
    lastAt: last[0]?.at,
    new: fresh || undefined,
  };
}

/** Returns a thread without replies. */
export const noReplies = (thread: number): Thread => ({ thread, root: thread, replies: 0, authors: [] });

/** Returns the numbers of the threads that contain these messages or could start with them. */
export function threadsIn(messages: readonly StoredMessage[]): number[] {
  const numbers = new Set(messages.flatMap((message) => [message.seq, threadOf(message)]));
  return [...numbers].sort((a, b) => a - b);
}
