import type { Strings } from '../../strings/strings.ts';

/** A day and time that are still to come, as they are written within a sentence: "tomorrow, 09:58". */
export function timeToCome(at: number, strings: Strings): string {
  const tomorrow = new Date();
  tomorrow.setDate(tomorrow.getDate() + 1);
  const isTomorrow = new Date(at).toDateString() === tomorrow.toDateString();
  const day = isTomorrow
    ? new Intl.RelativeTimeFormat(strings.locale, { numeric: 'auto' }).format(1, 'day')
    : strings.dayWithin(at);
  return `${day}, ${strings.time(at)}`;
}
