/** Daily hours without notifications, such as `22:00` to `07:00`, in an IANA time zone. */
export interface Quiet {
  from: string;
  to: string;
  zone: string;
}

/** The time of day of daily mails. */
const dailyAt = '09:00';

/** Returns the end of the quiet hours that contain `at`, as Unix ms. Undefined if `at` is outside of them. */
export function quietUntil({ from, to, zone }: Quiet, at: number): number | undefined {
  if (from === to) return undefined;
  const today = dayOf(at, zone);
  for (const day of [today.subtract({ days: 1 }), today]) {
    const begin = momentOf(day, from, zone, 'compatible');
    // If the end occurs twice because the clock is set back, the second time counts.
    const end = momentOf(to > from ? day : day.add({ days: 1 }), to, zone, 'later');
    if (begin <= at && at < end) return end;
  }
  return undefined;
}

/** Returns the first time for daily mails after `at`. */
export function nextDaily(zone: string, at: number): number {
  const today = dayOf(at, zone);
  const first = momentOf(today, dailyAt, zone, 'compatible');
  return first > at ? first : momentOf(today.add({ days: 1 }), dailyAt, zone, 'compatible');
}

const dayOf = (at: number, zone: string) =>
  Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone).toPlainDate();

/** Converts a local time to Unix ms. A time that is skipped because the clock is set forward moves to after the gap. */
function momentOf(
  day: Temporal.PlainDate,
  time: string,
  zone: string,
  disambiguation: 'compatible' | 'later',
): number {
  const local = day.toPlainDateTime(Temporal.PlainTime.from(time));
  return local.toZonedDateTime(zone, { disambiguation }).epochMilliseconds;
}
