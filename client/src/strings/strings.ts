import type { RoomSummary, User } from '../../../server/wire/events.ts';
import { Clock } from '../connection/clock.ts';
import { ERASED } from '../store/user-ids.ts';
import type { Texts } from './language-texts.ts';
import type ours from './languages/en.json';

export type StringKey = keyof typeof ours;
type Plural<K> = K extends `${infer Base}.other` ? Base : never;
export type PluralKey = Plural<StringKey>;
type Values = Record<string, string | number>;

const RIGHT_TO_LEFT_LETTER = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufeff]/;
const RIGHT_TO_LEFT = /^(?:Arab|Hebr|Syrc|Thaa|Nkoo|Adlm|Rohg)$/;

/** A count that is short enough for a badge. */
export const atMost99 = (count: number) => (count > 99 ? '99+' : String(count));

/** Formats the texts, times and dates that are shown. */
export class Strings {
  /** The locale for dates, numbers and sorting: the user's own region, if its language is the same. */
  locale = 'en';
  /** Set only for right-to-left languages. Other texts follow the direction of the page. */
  direction: 'rtl' | undefined;
  #texts: Texts = { lang: 'en', by: {} };
  /** The loaded texts. */
  #by: Texts['by'] = {};
  #plural = new Intl.PluralRules('en');
  #number = new Intl.NumberFormat('en');
  #time = new Intl.DateTimeFormat('en');
  #full = new Intl.DateTimeFormat('en');
  readonly #browser: readonly string[];
  readonly #clock: Clock;

  constructor(texts: Texts, browser: readonly string[] = [], clock = new Clock()) {
    this.#clock = clock;
    this.#browser = browser;
    this.use(texts);
  }

  /** The server's time, by which days are named. */
  get now(): number {
    return this.#clock.now;
  }

  /** Replaces the texts. The owner's texts may arrive after the first render. */
  use(texts: Texts): void {
    this.#texts = texts;
    this.#by = texts.by;
    // The owner's language may not be a valid tag.
    const lang = isTag(texts.lang) ? texts.lang : 'en';
    const { script = '' } = new Intl.Locale(lang).maximize();
    this.direction = RIGHT_TO_LEFT.test(script) ? 'rtl' : undefined;
    this.locale = this.#browser.find((tag) => base(tag) === base(lang)) ?? lang;
    this.#plural = new Intl.PluralRules(lang);
    this.#number = new Intl.NumberFormat(this.locale);
    this.#time = new Intl.DateTimeFormat(this.locale, { timeStyle: 'short' });
    this.#full = new Intl.DateTimeFormat(this.locale, { dateStyle: 'full', timeStyle: 'medium' });
  }

  /** Loads the texts that only late code shows, unless all are loaded. */
  async complete(): Promise<void> {
    const texts = this.#texts;
    if (this.#by !== texts.by || texts.all === undefined) return;
    const all = await texts.all();
    // The owner's texts may have replaced them. Then they are complete.
    if (this.#texts === texts) this.#by = all;
  }

  get lang(): string {
    return this.#texts.lang;
  }

  /** A new object when the owner's texts arrive late, so that everything is rendered again. */
  get texts(): Texts {
    return this.#texts;
  }

  text(key: StringKey, values: Values = {}): string {
    return this.#fill(this.#by[key] ?? key, values);
  }

  /** Returns the parts that are there as a list without "and". */
  list(parts: readonly (string | false | undefined)[]): string {
    return parts.filter(Boolean).join(this.text('comma'));
  }

  /** Returns a user's name. For an erased user, the server's name is in the server's language. */
  name({ id, name }: User): string {
    return id === ERASED ? this.text('msg.deletedUser') : name;
  }

  /** Returns the name of a room. A direct room has the name of the other user. */
  roomName({ with: other, name }: RoomSummary): string {
    return other ? this.name(other) : name;
  }

  /** Returns the text in the plural form for `n`, such as `.one`. A language with a single form has only `.other`. */
  count(key: PluralKey, n: number, values: Values = {}): string {
    const form = this.#by[`${key}.${this.#plural.select(n)}`];
    return this.#fill(form ?? this.#by[`${key}.other`] ?? key, { n, ...values });
  }

  /** Formats a number in the user's digits. */
  number(n: number): string {
    return this.#number.format(n);
  }

  #fill(text: string, values: Values): string {
    return text.replace(/\{(\w+)\}/g, (whole, name: string) => {
      const value = Object.hasOwn(values, name) ? values[name] : undefined;
      if (typeof value === 'number') return this.number(value);
      if (value === undefined) return whole;
      // A name in the other direction would move the signs around it, so it is isolated.
      return this.#mayMix(value) ? `\u2068${value}\u2069` : value;
    });
  }

  #mayMix(value: string): boolean {
    return this.direction === 'rtl' || RIGHT_TO_LEFT_LETTER.test(value);
  }

  /** Cuts a name that may be in the other direction. The browser would cut its beginning at the end of the line. */
  cutMixed(name: string, most: number): string {
    const letters = [...name];
    return letters.length > most && this.#mayMix(name)
      ? `${letters.slice(0, most).join('').trimEnd()}…`
      : name;
  }

  time(at: number): string {
    return this.#time.format(at);
  }

  fullTime(at: number): string {
    return this.#full.format(at);
  }

  /** Returns a day as written within a sentence, such as "today". */
  dayWithin(at: number, now = this.now): string {
    const days = daysBetween(at, now);
    if (days < 0 || days > 1) return this.day(at, now);
    return new Intl.RelativeTimeFormat(this.locale, { numeric: 'auto' }).format(-days, 'day');
  }

  /** Returns a day, which is given in words, with the time of `at`. */
  onDay(day: string, at: number): string {
    return `${day}${this.text('onDay')}${this.time(at)}`;
  }

  lastHere(at: number): string {
    return this.text('person.lastHere', { when: this.onDay(this.dayWithin(at), at) });
  }

  day(at: number, now = this.now): string {
    const days = daysBetween(at, now);
    if (days === 0) return this.text('time.today');
    if (days === 1) return this.text('time.yesterday');
    const sameYear = new Date(at).getFullYear() === new Date(now).getFullYear();
    return new Intl.DateTimeFormat(this.locale, {
      weekday: 'long',
      day: 'numeric',
      month: 'long',
      year: sameYear ? undefined : 'numeric',
    }).format(at);
  }
}

const daysBetween = (at: number, now: number) => Math.round((startOfDay(now) - startOfDay(at)) / 86_400_000);

export function startOfDay(at: number): number {
  return new Date(at).setHours(0, 0, 0, 0);
}

/** A copy of the function in languages.ts. */
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
