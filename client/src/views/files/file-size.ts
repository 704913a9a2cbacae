import type { Strings } from '../../strings/strings.ts';

const UNITS = ['byte', 'kilobyte', 'megabyte', 'gigabyte'] as const;

/** Formats a size in the user's language, such as "1.4 MB". */
export function fileSize(bytes: number, { locale }: Pick<Strings, 'locale'>): string {
  const step = Math.min(bytes < 1000 ? 0 : Math.floor(Math.log(bytes) / Math.log(1024)), UNITS.length - 1);
  const at = Math.max(step, bytes < 1000 ? 0 : 1);
  const amount = bytes / 1024 ** at;
  return new Intl.NumberFormat(locale, {
    style: 'unit',
    unit: UNITS[at] ?? 'byte',
    unitDisplay: at === 0 ? 'long' : 'short',
    maximumFractionDigits: amount < 10 && at > 0 ? 1 : 0,
  }).format(amount);
}

/** Formats the total size of files. With `more`, the total does not include all files. */
export function sizeOfFiles(files: { bytes: number; more?: true }, strings: Pick<Strings, 'locale'>): string {
  return `${files.more ? '>\u00a0' : ''}${fileSize(files.bytes, strings)}`;
}
