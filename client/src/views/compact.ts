import style from '../styles/compact.css?inline';
import { sheetOf } from '../styles/styles.ts';

const sheets = new Map<string, () => CSSStyleSheet>();

/** Returns the style sheet of compact messages for a locale, whose times decide the width of a column. */
export function sheet(locale: string): CSSStyleSheet {
  const made =
    sheets.get(locale) ?? sheetOf(`${style}\n.compact { --times: "${longTimes(locale).join('\\A ')}" }`);
  sheets.set(locale, made);
  return made();
}

/** Returns the longest time of each form, such as "11:00 AM" and "11:00 PM". */
function longTimes(locale: string): string[] {
  const { format } = new Intl.DateTimeFormat(locale, { timeStyle: 'short' });
  const longest = new Map<string, string>();
  for (let hour = 0; hour < 24; hour++) {
    const time = format(new Date(2000, 0, 1, hour));
    const form = time.replace(/\p{Nd}/gu, '');
    if (time.length >= (longest.get(form) ?? '').length) longest.set(form, time);
  }
  return [...longest.values()];
}
