import { blocks, words } from '../../../../server/text/format.ts';
import type { Message } from '../../../../server/wire/events.ts';
import { mentions } from '../../store/user-ids.ts';

/** Why a message is shown to a reader who catches up. */
export type Reason = 'mention' | 'question' | 'reactions' | 'poll' | 'pictures';

export interface Highlight {
  readonly reason: Reason;
  readonly message: Message;
}

/** Maximum number of messages with the same reason. */
const MOST = 3;
/** A single reaction says little. */
const LEAST_REACTIONS = 2;
/** A question mark at the end of a word, in any script. A link may contain one as well. */
const ASKS = /[?？؟⸮](?=["”»)\]]*(?:\s|$))/u;

/** The number of reactions. The votes of a poll do not count. */
const reactionsTo = ({ reactions = [], poll }: Message): number =>
  poll === undefined ? reactions.reduce((sum, { count }) => sum + count, 0) : 0;

/**
 * Returns the messages by other users that a reader should not miss, grouped by reason. Each message has only its first
 * reason. Of too many mentions and questions the newest remain, of reactions the messages with the most.
 *
 * @param messages - the unread messages by `seq`
 * @param me - the reader's user ID
 */
export function highlights(messages: readonly Message[], me: string): Highlight[] {
  const answered = new Set(messages.map(({ replyTo }) => replyTo));
  const left = new Set(
    messages.filter(({ user, deletedAt, hidden }) => user.id !== me && !deletedAt && !hidden),
  );
  const take = (reason: Reason, fits: (message: Message) => boolean, rank?: (message: Message) => number) => {
    const fitting = [...left].filter(fits);
    const best = rank === undefined ? fitting.reverse() : fitting.sort((a, b) => rank(b) - rank(a));
    return best
      .slice(0, MOST)
      .sort((a, b) => a.seq - b.seq)
      .map((message) => {
        left.delete(message);
        return { reason, message };
      });
  };
  return [
    ...take('mention', (message) => mentions(message, me)),
    ...take('poll', ({ poll }) => poll !== undefined),
    ...take('question', (message) => !answered.has(message.seq) && asks(message.text)),
    ...take('reactions', (message) => reactionsTo(message) >= LEAST_REACTIONS, reactionsTo),
    ...take('pictures', ({ files = [] }) => files.some(({ image, video }) => image ?? video)),
  ];
}

/** Whether a text contains a question outside of blocks of code and quotations. */
const asks = (text: string): boolean =>
  ASKS.test(words(blocks(text).filter(({ kind }) => kind === 'text' || kind === 'list')));
