import { readdirSync, readFileSync } from 'node:fs';
import { withEnglish } from '../text/with-english.mjs';
import type ours from './languages/en.json';

const folder = new URL('./languages/', import.meta.url);

/** The languages of mails and pushes. Each has a file of texts. */
const notificationLanguages = readdirSync(folder)
  .map((file) => file.replace('.json', ''))
  .sort();

type Key = keyof typeof ours;
type Plural<K> = K extends `${infer Base}.other` ? Base : never;
type Values = Readonly<Record<string, string>>;

const known = new Map<string, Record<string, string>>();

const read = (lang: string): Record<string, string> =>
  JSON.parse(readFileSync(new URL(`${lang}.json`, folder), 'utf8'));

/** Returns the texts of a language by key, in English if they are not translated yet. */
function textsIn(lang: string): Record<string, string> {
  const texts = known.get(lang) ?? withEnglish(read(lang), read('en'));
  known.set(lang, texts);
  return texts;
}

const base = (tag: string) => tag.toLowerCase().split(/[-_]/)[0];

/** Returns the best language for a tag: the same tag, a tag with the same first part, or English. */
export function notificationLanguage(wanted: string): string {
  return (
    notificationLanguages.find((lang) => lang.toLowerCase() === wanted.toLowerCase()) ??
    notificationLanguages.find((lang) => base(lang) === base(wanted)) ??
    'en'
  );
}

/** Formats texts, times and numbers for one reader. */
export class NotificationTexts {
  readonly lang: string;
  readonly direction: 'ltr' | 'rtl';
  readonly #by: Readonly<Record<string, string>>;
  /** Includes the reader's region, as in `en-GB`. */
  readonly #locale: string;
  readonly #zone: string;

  /**
   * @param wanted a language tag, which may be malformed
   * @param zone the IANA time zone for times
   */
  constructor(wanted = 'en', zone = 'UTC') {
    this.lang = notificationLanguage(wanted);
    this.direction = this.lang === 'ar' || this.lang === 'he' ? 'rtl' : 'ltr';
    this.#by = textsIn(this.lang);
    this.#locale = base(wanted) === base(this.lang) && isLocale(wanted) ? wanted : this.lang;
    this.#zone = zone;
  }

  text(key: Key, values: Values = {}): string {
    return this.#fill(this.#by[key] ?? key, values);
  }

  /** Picks the plural form for `n`, such as `.one`. */
  count(key: Plural<Key>, n: number): string {
    const form = this.#by[`${key}.${new Intl.PluralRules(this.lang).select(n)}`] ?? this.#by[`${key}.other`];
    return this.#fill(form ?? key, { n: new Intl.NumberFormat(this.#locale).format(n) });
  }

  list(items: readonly string[]): string {
    return new Intl.ListFormat(this.#locale).format(items.map((item) => this.#isolated(item)));
  }

  /** Formats a duration in minutes. */
  minutes(n: number): string {
    const [value, unit] = n < 1 ? [n * 60, 'second'] : n % 60 === 0 ? [n / 60, 'hour'] : [n, 'minute'];
    return new Intl.NumberFormat(this.#locale, { style: 'unit', unit, unitDisplay: 'long' }).format(value);
  }

  /** Formats the time of day, with the date unless it is the day of `now`. */
  time(at: number, now: number): string {
    const options = { timeZone: this.#zone } as const;
    const day = new Intl.DateTimeFormat(this.#locale, { ...options, dateStyle: 'short' });
    const isToday = day.format(at) === day.format(now);
    const time = { hour: '2-digit', minute: '2-digit' } as const;
    const date = isToday ? {} : ({ day: 'numeric', month: 'short' } as const);
    return new Intl.DateTimeFormat(this.#locale, { ...options, ...time, ...date }).format(at);
  }

  #fill(text: string, values: Values): string {
    return text.replace(/\{(\w+)\}/g, (whole, name: string) =>
      Object.hasOwn(values, name) ? this.#isolated(values[name] as string) : whole,
    );
  }

  /** Isolates a value of the other text direction, which would otherwise move the punctuation around it. */
  #isolated(value: string): string {
    const mixed =
      this.direction === 'rtl' ? /\p{Script=Latin}/u : /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]/;
    return mixed.test(value) ? `\u2068${value}\u2069` : value;
  }
}

function isLocale(tag: string): boolean {
  try {
    return Intl.DateTimeFormat.supportedLocalesOf(tag).length > 0;
  } catch {
    return false;
  }
}
