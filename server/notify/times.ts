/** Hours of a day in which nobody is notified: `22:00` to `07:00`, by the clock of an IANA zone. */
export interface Quiet {
  from: string;
  to: string;
  zone: string;
}

/** When the mails of a day are sent to people who want one a day. */
const dailyAt = '09:00';

/** Milliseconds since 1970 of the end of the quiet hours in which `at` is; undefined outside of them. */
export function quietUntil({ from, to, zone }: Quiet, at: number): number | undefined {
  if (from === to) return undefined;
  const today = dayOf(at, zone);
  for (const day of [today.subtract({ days: 1 }), today]) {
    const begin = momentOf(day, from, zone, 'compatible');
    // A doubled hour is quiet to its second end.
    const end = momentOf(to > from ? day : day.add({ days: 1 }), to, zone, 'later');
    if (begin <= at && at < end) return end;
  }
  return undefined;
}

/** The first time after `at` when the mails of a day are sent. */
export function nextDaily(zone: string, at: number): number {
  const today = dayOf(at, zone);
  const first = momentOf(today, dailyAt, zone, 'compatible');
  return first > at ? first : momentOf(today.add({ days: 1 }), dailyAt, zone, 'compatible');
}

const dayOf = (at: number, zone: string) =>
  Temporal.Instant.fromEpochMilliseconds(at).toZonedDateTimeISO(zone).toPlainDate();

/** An hour that a day lacks, because the clock is put forward, is the one after it. */
function momentOf(
  day: Temporal.PlainDate,
  time: string,
  zone: string,
  disambiguation: 'compatible' | 'later',
): number {
  const local = day.toPlainDateTime(Temporal.PlainTime.from(time));
  return local.toZonedDateTime(zone, { disambiguation }).epochMilliseconds;
}
