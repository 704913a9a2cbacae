import type { StoredMessage, StoredThread } from '../../history/history.ts';
import type { Message, Thread } from '../../wire/events.ts';
import type { Chat } from '../chat.ts';
import { pageFor } from '../mine.ts';
import type { Person } from '../model.ts';
import { noReplies, shownThread, threadsIn } from './shown-threads.ts';

/** The user who gets the response. */
type Reader = Pick<Person, 'user' | 'blocked' | 'memberships'>;

/**
 * Returns the threads of the messages in a response. A thread without replies is included only if one of the messages
 * is a reply that does not count, such as a deleted one.
 * @param known the threads of these messages, read without excluding blocked users
 */
export async function threadsFor(
  { history }: Pick<Chat, 'history'>,
  { user, blocked, memberships }: Reader,
  room: string,
  messages: readonly StoredMessage[],
  known?: readonly StoredThread[],
): Promise<{ threads?: Thread[] }> {
  if (messages.length === 0) return {};
  const readSeq = memberships.get(room)?.member.readSeq;
  const isRead = ({ authors }: StoredThread) => readSeq === undefined || (authors[0]?.seq ?? 0) <= readSeq;
  const stored =
    known !== undefined && blocked.size === 0 && known.every(isRead)
      ? known
      : await history.read.threads({
          room,
          threads: threadsIn(messages),
          apart: [...blocked],
          unread: readSeq === undefined ? undefined : { after: readSeq, user: user.id },
        });
  const byNumber = new Map(stored.map((one) => [one.thread, shownThread(one, blocked)]));
  const replied = new Set(messages.flatMap(({ thread }) => thread ?? []));
  const threads = threadsIn(messages).flatMap((number) => {
    const one = byNumber.get(number) ?? noReplies(number);
    return one.replies > 0 || replied.has(number) ? one : [];
  });
  return threads.length === 0 ? {} : { threads };
}

/** Returns a page of a room as the user gets it, with the threads of its messages. */
export async function timelineFor<Page extends { messages: StoredMessage[] }>(
  chat: Chat,
  reader: Reader,
  room: string,
  page: Page,
): Promise<Omit<Page, 'messages'> & { messages: Message[]; threads?: Thread[] }> {
  const [shown, threads] = await Promise.all([
    pageFor(chat, reader, page),
    threadsFor(chat, reader, room, page.messages),
  ]);
  return { ...shown, ...threads };
}
