import type { Strings } from '../strings/strings.ts';

/** Returns a duration such as "1:05", in the user's digits. */
export function clock(ms: number, { locale }: Pick<Strings, 'locale'>): string {
  const seconds = Math.floor(ms / 1000 + 0.01);
  const number = (value: number, minimumIntegerDigits: number) =>
    new Intl.NumberFormat(locale, { minimumIntegerDigits, useGrouping: false }).format(value);
  return `${number(Math.floor(seconds / 60), 1)}:${number(seconds % 60, 2)}`;
}
