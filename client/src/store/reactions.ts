import type { Message, MessageReacted } from '../../../server/wire/events.ts';

/** Users of one reaction that a message names. */
const NAMED = 10;

/** The reactions as events have reported them. */
export type Reacted = Omit<MessageReacted, 'room'>;

/** The message after that change, as the user `me` sees it; as it is, if it knows of it. */
export function afterChange(message: Message, change: Message | Reacted, me: string): Message {
  if (message.rev >= change.rev) return message;
  return 'changes' in change ? withReactions(message, change, me) : withMine(change, message, me);
}

function withReactions(message: Message, { rev, changes }: Reacted, me: string): Message {
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

/** An event does not say what is one's own: that is known where all are named, and else from before. */
function withMine(message: Message, { reactions: before }: Message, me: string): Message {
  const reactions = message.reactions?.map((reaction) => {
    const { emoji, count, users } = reaction;
    const mine =
      users.includes(me) || (count > users.length && before?.find((one) => one.emoji === emoji)?.mine);
    return mine ? { ...reaction, mine } : reaction;
  });
  return reactions ? { ...message, reactions } : message;
}
