import { type Strings, startOfDay } from '../../strings/strings.ts';

const DAY_MS = 86_400_000;

/** When something was, as short as a list needs it: today the time, then the day, then the date. */
export function listTime(at: number, strings: Strings, now = Date.now()): string {
  const days = Math.round((startOfDay(now) - startOfDay(at)) / DAY_MS);
  if (days <= 0) return strings.time(at);
  if (days === 1) return strings.text('time.yesterday');
  const year = new Date(at).getFullYear() === new Date(now).getFullYear() ? {} : { year: 'numeric' as const };
  return formatter(
    strings.locale,
    days <= 6 ? { weekday: 'short' } : { day: 'numeric', month: 'short', ...year },
  ).format(at);
}

/** Making one takes longer than using it a hundred times. */
const known = new Map<string, Intl.DateTimeFormat>();

function formatter(locale: string, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const key = JSON.stringify([locale, options]);
  const found = known.get(key) ?? new Intl.DateTimeFormat(locale, options);
  known.set(key, found);
  return found;
}
