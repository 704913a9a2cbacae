import { type Strings, startOfDay } from '../../strings/strings.ts';

const HOUR = 3_600_000;
const EVENING = 18;
const MORNING = 9;
const MONDAY = 1;

/**
 * Returns the proposed times, soonest first: in an hour, this evening, tomorrow morning and on Monday morning. Days and
 * hours are those of the user's time zone.
 *
 * @param now - by the server's clock
 */
export function presets(now: number): number[] {
  const today = new Date(now);
  const on = (days: number, hour: number) =>
    new Date(today.getFullYear(), today.getMonth(), today.getDate() + days, hour).getTime();
  const toMonday = (MONDAY - today.getDay() + 7) % 7 || 7;
  return [
    now + HOUR,
    ...(on(0, EVENING) > now + HOUR ? [on(0, EVENING)] : []),
    tomorrowMorning(now),
    ...(toMonday > 1 ? [on(toMonday, MORNING)] : []),
  ];
}

/** Returns tomorrow morning in the user's time zone. */
export const tomorrowMorning = (now: number): number => {
  const today = new Date(now);
  return new Date(today.getFullYear(), today.getMonth(), today.getDate() + 1, MORNING).getTime();
};

/** Formats a day with its time. @param zone - with the time zone */
export function when(at: number, strings: Strings, zone = false): string {
  const { locale } = strings;
  const sameYear = new Date(at).getFullYear() === new Date(strings.now).getFullYear();
  const day = new Intl.DateTimeFormat(locale, {
    weekday: 'short',
    day: 'numeric',
    month: 'short',
    year: sameYear ? undefined : 'numeric',
  }).format(at);
  const parts = zone ? new Intl.DateTimeFormat(locale, { timeZoneName: 'short' }).formatToParts(at) : [];
  const { value } = parts.find(({ type }) => type === 'timeZoneName') ?? {};
  return `${strings.onDay(day, at)}${value === undefined ? '' : ` ${value}`}`;
}

/** Formats a time like `when`, but names today and tomorrow. */
export function nearWhen(at: number, now: number, strings: Strings): string {
  const days = Math.round((startOfDay(at) - startOfDay(now)) / (24 * HOUR));
  if (days > 1) return when(at, strings);
  const day = new Intl.RelativeTimeFormat(strings.locale, { numeric: 'auto' }).format(days, 'day');
  return strings.onDay(`${day.charAt(0).toLocaleUpperCase(strings.locale)}${day.slice(1)}`, at);
}
