/** The zone of the browser as IANA names it; undefined where the browser does not know it, and says `Etc/Unknown`. */
export function ownZone(): string | undefined {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  return timeZone === 'Etc/Unknown' ? undefined : timeZone;
}
