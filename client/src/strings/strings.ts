import type { RoomSummary, User } from '../../../server/wire/events.ts';
import { ERASED } from '../store/user-ids.ts';
import type { Texts } from './language-texts.ts';
import type ours from './languages/en.json';

export type StringKey = keyof typeof ours;
type Plural<K> = K extends `${infer Base}.other` ? Base : never;
export type PluralKey = Plural<StringKey>;
type Values = Record<string, string | number>;

const RIGHT_TO_LEFT_LETTER = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]/;
const RIGHT_TO_LEFT = /^(?:Arab|Hebr|Syrc|Thaa|Nkoo|Adlm|Rohg)$/;

/** As short as a badge has to be. */
export const atMost99 = (count: number) => (count > 99 ? '99+' : String(count));

/** The texts, times and dates that are shown. */
export class Strings {
  /** For dates, numbers and sorting: the reader's own region where it is of the same language. */
  locale = 'en';
  /** Only that from right to left: texts of other languages are shown in any page as its own direction says. */
  direction: 'rtl' | undefined;
  #texts: Texts = { lang: 'en', by: {} };
  #plural = new Intl.PluralRules('en');
  #number = new Intl.NumberFormat('en');
  #time = new Intl.DateTimeFormat('en');
  #full = new Intl.DateTimeFormat('en');
  readonly #browser: readonly string[];

  constructor(texts: Texts, browser: readonly string[] = []) {
    this.#browser = browser;
    this.use(texts);
  }

  /** The owner's texts may come when others are shown already. */
  use(texts: Texts): void {
    this.#texts = texts;
    // The owner may have named a language as no browser knows it.
    const lang = isTag(texts.lang) ? texts.lang : 'en';
    const { script = '' } = new Intl.Locale(lang).maximize();
    this.direction = RIGHT_TO_LEFT.test(script) ? 'rtl' : undefined;
    this.locale = this.#browser.find((tag) => base(tag) === base(lang)) ?? lang;
    this.#plural = new Intl.PluralRules(lang);
    this.#number = new Intl.NumberFormat(this.locale);
    this.#time = new Intl.DateTimeFormat(this.locale, { timeStyle: 'short' });
    this.#full = new Intl.DateTimeFormat(this.locale, { dateStyle: 'full', timeStyle: 'medium' });
  }

  get lang(): string {
    return this.#texts.lang;
  }

  /** Others, when the owner's have come late: what was drawn has to be drawn again. */
  get texts(): Texts {
    return this.#texts;
  }

  text(key: StringKey, values: Values = {}): string {
    return this.#fill(this.#texts.by[key] ?? key, values);
  }

  /** The server names an erased user in its own language. */
  name({ id, name }: User): string {
    return id === ERASED ? this.text('msg.deletedUser') : name;
  }

  /** A direct room has the name of the other one. */
  roomName({ with: other, name }: RoomSummary): string {
    return other ? this.name(other) : name;
  }

  /** Picks the form for `n`, such as `.one`; a language that knows one form has only `.other`. */
  count(key: PluralKey, n: number, values: Values = {}): string {
    const form = this.#texts.by[`${key}.${this.#plural.select(n)}`];
    return this.#fill(form ?? this.#texts.by[`${key}.other`] ?? key, { n, ...values });
  }

  /** A number in the reader's digits. */
  number(n: number): string {
    return this.#number.format(n);
  }

  #fill(text: string, values: Values): string {
    return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
      const value = Object.hasOwn(values, name) ? values[name] : undefined;
      if (typeof value === 'number') return this.number(value);
      if (value === undefined) return whole;
      // A name of the other direction would move the signs around it.
      const mixed = this.direction === 'rtl' || RIGHT_TO_LEFT_LETTER.test(value);
      return mixed ? `\u2068${value}\u2069` : value;
    });
  }

  time(at: number): string {
    return this.#time.format(at);
  }

  fullTime(at: number): string {
    return this.#full.format(at);
  }

  /** As it is written within a sentence: "today". */
  dayWithin(at: number, now = Date.now()): string {
    const days = daysBetween(at, now);
    if (days < 0 || days > 1) return this.day(at, now);
    return new Intl.RelativeTimeFormat(this.locale, { numeric: 'auto' }).format(-days, 'day');
  }

  lastHere(at: number): string {
    return this.text('person.lastHere', { when: `${this.dayWithin(at)}, ${this.time(at)}` });
  }

  day(at: number, now = Date.now()): string {
    const days = daysBetween(at, now);
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

const daysBetween = (at: number, now: number) => Math.round((startOfDay(now) - startOfDay(at)) / 86_400_000);

export function startOfDay(at: number): number {
  return new Date(at).setHours(0, 0, 0, 0);
}

/** As in languages.ts. */
function base(tag: string): string | undefined {
  return tag.toLowerCase().split(/[-_]/)[0];
}

function isTag(text: string): boolean {
  try {
    return Intl.getCanonicalLocales(text).length === 1;
  } catch {
    return false;
  }
}
