import type { Strings } from '../../strings/strings.ts';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;

/** Returns a time span in one unit, such as "3 hours", rounded up, and at least a minute. */
export function howLong(ms: number, strings: Strings): string {
  const [unit, size] =
    ms < HOUR
      ? (['minute', MINUTE] as const)
      : ms < 2 * DAY
        ? (['hour', HOUR] as const)
        : (['day', DAY] as const);
  const format = new Intl.NumberFormat(strings.locale, { style: 'unit', unit, unitDisplay: 'long' });
  return format.format(Math.max(1, Math.ceil(ms / size)));
}
