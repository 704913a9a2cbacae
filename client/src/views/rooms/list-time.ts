import { type Strings, startOfDay } from '../../strings/strings.ts';

const DAY_MS = 86_400_000;

/** Formats a time for a list, as short as possible: today the time, then the day, after a week the date. */
export function listTime(at: number, strings: Strings, now = strings.now): string {
  const days = Math.round((startOfDay(now) - startOfDay(at)) / DAY_MS);
  if (days <= 0) return strings.time(at);
  if (days === 1) return strings.text('time.yesterday');
  return days <= 6
    ? formatter(strings.locale, { weekday: 'short' }).format(at)
    : shortDate(at, strings.locale, now);
}

/** Formats a day without its weekday. */
export function shortDate(at: number, locale: string, now: number): string {
  const year = new Date(at).getFullYear() === new Date(now).getFullYear() ? {} : { year: 'numeric' as const };
  return formatter(locale, { day: 'numeric', month: 'short', ...year }).format(at);
}

/** Creating a formatter takes longer than a hundred uses of it. */
const known = new Map<string, Intl.DateTimeFormat>();

function formatter(locale: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = JSON.stringify([locale, options]);
  const found = known.get(key) ?? new Intl.DateTimeFormat(locale, options);
  known.set(key, found);
  return found;
}
