import { type Form, flag, list, object, optional, text } from '../../chat/form.ts';

/** In the storage of this browser: the days on which the offer was shown, and that it is never shown again. */
export interface OfferDays {
  readonly days: readonly string[];
  readonly over?: boolean;
}

export const offerDays: Form<OfferDays> = object<OfferDays>({ days: list(text), over: optional(flag) });

const DAYS = 3;

/** The value to keep when it is shown on that day; undefined: it is not shown any more. */
export function shownOn(day: string, { days, over }: OfferDays = { days: [] }): OfferDays | undefined {
  if (over === true) return undefined;
  if (days.includes(day)) return { days };
  return days.length < DAYS ? { days: [...days, day] } : undefined;
}
