import { unseen } from '../wire/file-names.ts';

/** Maximum characters of a name. File systems permit 255 bytes, and browsers append to names that already exist. */
const longest = 100;
const longestEnding = 20;

/**
 * Converts the uploader's file name to the name that other users see. Removes paths, invisible characters, characters
 * that change the writing direction, and characters that file systems reject. A name that is too long loses its middle
 * and keeps its extension.
 */
export function fileName(given: string): string {
  const last = given.toWellFormed().split(/[/\\]/).at(-1) ?? '';
  const name = last
    .normalize('NFC')
    .replace(unseen, '')
    .replace(/[<>:"|?*]/g, '_')
    .replace(/\s+/g, ' ')
    // A leading dot hides a file, and Windows drops a trailing dot.
    // The lookbehind matches only the start of a run of dots. Without it, a long name takes hundreds of milliseconds.
    .replace(/^[. ]+|(?<![. ])[. ]+$/g, '');
  if (name.replace(/\u200c|\u200d|\p{VS}/gu, '') === '') return 'file';
  const characters = [...name];
  if (characters.length <= longest) return name;
  const ending = [...(/\.[^.]+$/.exec(name)?.[0] ?? '')];
  const kept = ending.length <= longestEnding ? ending : [];
  return [...characters.slice(0, longest - kept.length - 1), '…', ...kept].join('');
}
