import strings from './strings.json';

export type StringKey = keyof typeof strings;
type Plural<K> = K extends `${infer Base}.other` ? Base : never;
export type PluralKey = Plural<StringKey>;
type Values = Record<string, string | number>;

const languages = ['en', 'fr', 'zh-Hans'] as const;
type Language = (typeof languages)[number];

/** One language's texts, times and dates. */
export class Strings {
  readonly lang: Language;
  /** For dates, numbers and sorting: the reader's own region where it is of the same language. */
  readonly locale: string;
  readonly #plural: Intl.PluralRules;
  readonly #time: Intl.DateTimeFormat;
  readonly #full: Intl.DateTimeFormat;

  constructor(wanted: string, browser: readonly string[] = []) {
    this.lang = bestLanguage(wanted);
    this.locale = browser.find((tag) => bestLanguage(tag, '') === this.lang) ?? this.lang;
    this.#plural = new Intl.PluralRules(this.lang);
    this.#time = new Intl.DateTimeFormat(this.locale, { timeStyle: 'short' });
    this.#full = new Intl.DateTimeFormat(this.locale, { dateStyle: 'full', timeStyle: 'medium' });
  }

  text(key: StringKey, values: Values = {}): string {
    const texts: Partial<Record<Language, string>> = strings[key];
    return fill(texts[this.lang] ?? texts.en ?? key, values);
  }

  /** Picks `.one` or `.other` by `n`; a language that knows one form has only `.other`. */
  count(key: PluralKey, n: number, values: Values = {}): string {
    const one: string = `${key}.one`;
    const form =
      this.#plural.select(n) === 'one' && one in strings ? (one as StringKey) : (`${key}.other` as const);
    const texts: Partial<Record<Language, string>> = strings[form];
    return texts[this.lang] === undefined
      ? this.text(`${key}.other`, { n, ...values })
      : this.text(form, { n, ...values });
  }

  time(at: number): string {
    return this.#time.format(at);
  }

  fullTime(at: number): string {
    return this.#full.format(at);
  }

  day(at: number, now = Date.now()): string {
    const days = Math.round((startOfDay(now) - startOfDay(at)) / 86_400_000);
    if (days === 0) return this.text('time.today');
    if (days === 1) return this.text('time.yesterday');
    const sameYear = new Date(at).getFullYear() === new Date(now).getFullYear();
    return new Intl.DateTimeFormat(this.locale, {
      weekday: 'long',
      day: 'numeric',
      month: 'long',
      ...(sameYear ? {} : { year: 'numeric' }),
    }).format(at);
  }
}

export function startOfDay(at: number): number {
  return new Date(at).setHours(0, 0, 0, 0);
}

function fill(text: string, values: Values): string {
  return text.replace(/\{(\w+)\}/g, (whole, name: string) => String(values[name] ?? whole));
}

/** Traditional Chinese readers are better served with simplified characters than with English. */
export function bestLanguage<T extends string>(tag: string, otherwise?: T): Language | T {
  const base = tag.toLowerCase().split(/[-_]/)[0] ?? '';
  const found = languages.find((language) => language.split('-')[0] === base);
  return found ?? otherwise ?? 'en';
}
