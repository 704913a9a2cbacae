/** The browser's time zone as an IANA name, or undefined if the browser reports `Etc/Unknown`. */
export function ownZone(): string | undefined {
  const { timeZone } = Intl.DateTimeFormat().resolvedOptions();
  return timeZone === 'Etc/Unknown' ? undefined : timeZone;
}
