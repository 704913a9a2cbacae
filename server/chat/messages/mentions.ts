import type { NewMention, StoredMessage } from '../../history/history.ts';
import { RequestError } from '../../wire/errors.ts';
import type { Message } from '../../wire/events.ts';

/** @throws RequestError `bad_request` if the mentions do not fit the text */
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

/** Mentions in the order of the text, as the history needs them. */
export function inOrder(mentions: readonly NewMention[]): NewMention[] {
  return [...mentions].sort((a, b) => a.start - b.start);
}

/**
 * A stored message as users get it.
 * @param isKnown whether its readers may see the name of a user who has not acted in the room
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
