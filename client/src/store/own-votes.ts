import type { Message } from '../../../server/wire/events.ts';
import { optionOf } from '../../../server/wire/polls.ts';

/** Marks the user's choice in an anonymous poll. Events for the room do not contain it. */
export function withChoice({ reactions, ...message }: Message, choice: readonly number[]): Message {
  if (reactions === undefined) return message;
  return {
    ...message,
    reactions: reactions.map(({ mine, ...reaction }) => {
      const option = optionOf(reaction.emoji);
      const isMine = option === 0 ? mine : choice.includes(option);
      return isMine ? { ...reaction, mine: true as const } : reaction;
    }),
  };
}
