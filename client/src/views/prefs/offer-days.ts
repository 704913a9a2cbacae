import { type Form, flag, list, object, optional, text } from '../../chat/form.ts';

/** Stored in the browser: the days on which the offer was shown, and whether it must not be shown again. */
export interface OfferDays {
  readonly days: readonly string[];
  readonly over?: boolean;
}

export const offerDays: Form<OfferDays> = object<OfferDays>({ days: list(text), over: optional(flag) });

const DAYS = 3;

/** Returns the value to store when the offer is shown on that day; undefined if it must not be shown. */
export function shownOn(day: string, { days, over }: OfferDays = { days: [] }): OfferDays | undefined {
  if (over === true) return undefined;
  if (days.includes(day)) return { days };
  return days.length < DAYS ? { days: [...days, day] } : undefined;
}
