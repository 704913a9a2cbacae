import type { NewMention, StoredMessage } from '../../history/history.ts';
import { RequestError } from '../../wire/errors.ts';
import type { Message } from '../../wire/events.ts';

/** Checks that the mentions fit the text. @throws RequestError `bad_request` */
export function checkMentions(text: string, mentions: readonly NewMention[] | undefined): void {
  if (mentions === undefined) return;
  const characters = [...text].length;
  let end = 0;
  for (const { start, length } of inOrder(mentions)) {
    if (start < end) throw new RequestError('bad_request', 'mentions overlap');
    end = start + length;
    if (end > characters) throw new RequestError('bad_request', 'a mention is beyond the end of the text');
  }
}

/** Sorts mentions by position, as the history needs them. */
export function inOrder(mentions: readonly NewMention[]): NewMention[] {
  return [...mentions].sort((a, b) => a.start - b.start);
}

/**
 * Converts a stored message to the form that users get.
 * @param isKnown whether the readers may see a user's name even if `shown` is false
 */
export function messageOf(
  { mentions, forwarded, ...stored }: StoredMessage,
  isKnown: (user: string) => boolean,
): Message {
  const message: Message =
    forwarded === undefined
      ? stored
      : { ...stored, forwarded: forwarded.shown ? { user: forwarded.user } : {} };
  if (mentions === undefined) return message;
  return {
    ...message,
    mentions: mentions.map(({ user, name, shown, start, length }) => ({
      user: { id: user, name: shown || isKnown(user) ? name : user },
      start,
      length,
    })),
  };
}
