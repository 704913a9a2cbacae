import type { RoomRemoval } from '../../chat/chat-listener.ts';
import type { RestrictedUser } from '../../chat/room-restricted.ts';
import type { Strings } from '../../strings/strings.ts';

/** `until`: absent if the ban is permanent. */
type BanDetails = { readonly [Name in 'until' | 'text']?: RoomRemoval[Name] | undefined };

/** Returns the texts of a ban: the room's name if known, the end, and any reason. */
export function banWords(room: string | undefined, { until, text }: BanDetails, strings: Strings) {
  return {
    title: room === undefined ? strings.text('ban.you.here') : strings.text('ban.you.title', { room }),
    end:
      until === undefined
        ? strings.text('ban.you.forever')
        : strings.text('ban.you.until', { when: timeToCome(until, strings) }),
    reason: text === undefined ? '' : strings.text('ban.you.reason', { text }),
  };
}

/** Returns the text of a mute or ban, with its end. */
export function restrictionWords({ kind, until }: RestrictedUser, strings: Strings): string {
  if (until === undefined) return strings.text(`restricted.${kind}ForGood`);
  return strings.text(`restricted.${kind}`, { when: timeToCome(until, strings) });
}

/** Returns the text of a mute or ban, with its end and the moderator. */
export function restrictedBy(one: RestrictedUser, strings: Strings): string {
  return `${restrictionWords(one, strings)} · ${strings.text('restricted.by', { name: strings.name(one.by) })}`;
}

/** Formats a future day and time for use within a sentence, such as "tomorrow, 09:58". */
export function timeToCome(at: number, strings: Strings): string {
  const tomorrow = new Date(strings.now);
  tomorrow.setDate(tomorrow.getDate() + 1);
  const isTomorrow = new Date(at).toDateString() === tomorrow.toDateString();
  const day = isTomorrow
    ? new Intl.RelativeTimeFormat(strings.locale, { numeric: 'auto' }).format(1, 'day')
    : strings.dayWithin(at);
  return strings.onDay(day, at);
}
