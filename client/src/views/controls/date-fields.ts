const twoDigits = (n: number) => String(n).padStart(2, '0');

/** Returns the value of a `date` field. */
export function dayOf(date: Date): string {
  const year = String(date.getFullYear()).padStart(4, '0');
  return `${year}-${twoDigits(date.getMonth() + 1)}-${twoDigits(date.getDate())}`;
}

/**
 * Returns the time at which the day of a `date` field begins.
 *
 * @param later - calendar days to add, because clock changes make days shorter or longer
 */
export function beginOf(day: string, later: number): number {
  const [year = 0, month = 1, date = 1] = day.split('-').map(Number);
  const begin = new Date(year, month - 1, date + later);
  // The constructor maps years below 100 to the 20th century.
  begin.setFullYear(year, month - 1, date + later);
  return Math.max(0, begin.getTime());
}

/** Returns the value of a `datetime-local` field. */
export function toField(at: number): string {
  const date = new Date(at);
  return `${dayOf(date)}T${twoDigits(date.getHours())}:${twoDigits(date.getMinutes())}`;
}

/**
 * Returns the time of a `datetime-local` field; undefined if it is incomplete. A time that the clocks skip is moved
 * forward. If a time occurs twice, the first one is returned.
 */
export function fromField(value: string): number | undefined {
  const at = new Date(value).getTime();
  return Number.isNaN(at) ? undefined : at;
}
