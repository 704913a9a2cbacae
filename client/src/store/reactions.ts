import type { Message, MessageReacted } from '../../../server/events.ts';

/** Users of one reaction that a message names. */
const NAMED = 10;

/** What was told of reactions, and to whom. */
export type Reacted = Omit<MessageReacted, 'room'> & { readonly me: string };

/** The message after that; as it is, if it knows of it. */
export function withReactions(message: Message, { rev, changes, me }: Reacted): Message {
  if (message.rev >= rev) return message;
  const { reactions = [], ...rest } = message;
  const list = new Map(reactions.map((reaction) => [reaction.emoji, reaction]));
  for (const { emoji, count, added = [], removed = [] } of changes) {
    const known = list.get(emoji);
    // Where some are not named, nobody knows who would be next.
    const whole = known === undefined || known.count === known.users.length;
    const users = [...(known?.users ?? []), ...(whole ? added : [])]
      .filter((user) => !removed.includes(user))
      .slice(0, NAMED);
    const mine = added.includes(me) || (known?.mine && !removed.includes(me));
    if (count === 0) list.delete(emoji);
    else list.set(emoji, { emoji, count, users, ...(mine ? { mine } : {}) });
  }
  return { ...rest, rev, ...(list.size > 0 ? { reactions: [...list.values()] } : {}) };
}

/** An event does not say what is one's own. */
export function withMine(message: Message, known: Message | undefined): Message {
  const mine = known?.reactions?.flatMap(({ emoji, mine }) => (mine ? emoji : []));
  if (!message.reactions || !mine?.length) return message;
  return {
    ...message,
    reactions: message.reactions.map((reaction) =>
      mine.includes(reaction.emoji) ? { ...reaction, mine: true } : reaction,
    ),
  };
}
