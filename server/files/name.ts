import { unseen } from '../wire/file-names.ts';

/** Characters of a name. File systems take 255 bytes, and browsers append to names that already exist. */
const longest = 100;
const longestEnding = 20;

/**
 * The file name that others see, made from the uploader's: without paths, invisible characters, characters that change
 * the writing direction, and characters that file systems refuse. A name that is too long loses its middle and keeps
 * its ending.
 */
export function fileName(given: string): string {
  const last = given.toWellFormed().split(/[/\\]/).at(-1) ?? '';
  const name = last
    .normalize('NFC')
    .replace(unseen, '')
    .replace(/[<>:"|?*]/g, '_')
    .replace(/\s+/g, ' ')
    // A leading dot hides a file; a trailing one is lost on Windows.
    // Looked for at the beginning of each run alone: at each dot it would take hundreds of milliseconds for a long name.
    .replace(/^[. ]+|(?<![. ])[. ]+$/g, '');
  if (name.replace(/\u200c|\u200d|\p{VS}/gu, '') === '') return 'file';
  const characters = [...name];
  if (characters.length <= longest) return name;
  const ending = [...(/\.[^.]+$/.exec(name)?.[0] ?? '')];
  const kept = ending.length <= longestEnding ? ending : [];
  return [...characters.slice(0, longest - kept.length - 1), '…', ...kept].join('');
}
