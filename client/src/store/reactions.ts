import type { Message, MessageReacted } from '../../../server/wire/events.ts';

/** The maximum number of users that a message names for a reaction. */
const NAMED = 10;

/** A change of reactions, as in the event `message:reacted`. */
export type Reacted = Omit<MessageReacted, 'room'>;

/**
 * Applies a change to a message, as the user `me` sees it. Returns the same message if it already contains the change.
 */
export function afterChange(message: Message, change: Message | Reacted, me: string): Message {
  if (message.rev >= change.rev) return message;
  return 'changes' in change ? withReactions(message, change, me) : withMine(change, message, me);
}

function withReactions(message: Message, { rev, changes }: Reacted, me: string): Message {
  const { reactions = [], ...rest } = message;
  const list = new Map(reactions.map((reaction) => [reaction.emoji, reaction]));
  for (const { emoji, count, added = [], removed = [] } of changes) {
    const known = list.get(emoji);
    // Unnamed users come before the added users, so the added users are named only if all others are.
    const whole = known === undefined || known.count === known.users.length;
    const users = [...(known?.users ?? []), ...(whole ? added : [])]
      .filter((user) => !removed.includes(user))
      .slice(0, NAMED);
    const mine = added.includes(me) || (known?.mine && !removed.includes(me));
    if (count === 0) list.delete(emoji);
    else list.set(emoji, { emoji, count, users, mine: mine || undefined });
  }
  return { ...rest, rev, reactions: list.size > 0 ? [...list.values()] : undefined };
}

/**
 * Adds `mine`, which events do not contain. It is known if all users are named. Otherwise it is taken from the old
 * message.
 */
function withMine(message: Message, { reactions: before }: Message, me: string): Message {
  const reactions = message.reactions?.map((reaction) => {
    const { emoji, count, users } = reaction;
    const mine =
      users.includes(me) || (count > users.length && before?.find((one) => one.emoji === emoji)?.mine);
    return mine ? { ...reaction, mine } : reaction;
  });
  return reactions ? { ...message, reactions } : message;
}
