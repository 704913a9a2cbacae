// Votes are reactions. Instead of an emoji they have the number of the option, after a `?` if the poll is anonymous.

/** Maximum options of a poll. */
export const mostOptions = 10;

/** The options of an event, as placeholders: clients name them. */
const eventOptions = ['coming', 'not coming', 'maybe'];

interface Votable {
  options?: readonly string[];
  anonymous?: true;
}

/** Returns the `emoji` of the votes for each option. */
export const voteKeys = ({ options = eventOptions, anonymous }: Votable): string[] =>
  options.map((_, n) => `${anonymous ? '?' : ''}${n + 1}`);

/** Whether the reaction is a vote whose users must not be named. */
export const isSecret = (emoji: string): boolean => emoji.startsWith('?');

/** Returns the number of the option if the reaction is a vote, otherwise 0. */
export const optionOf = (emoji: string): number => Number(/^\??([1-9]\d?)$/.exec(emoji)?.[1] ?? 0);

export const hasEnded = ({ until, endedAt }: { until?: number; endedAt?: number }, now: number): boolean =>
  endedAt !== undefined || (until !== undefined && until <= now);
