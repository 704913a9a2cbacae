/** Characters of a name. File systems take 255 bytes, and what a browser adds to a name that exists has to fit too. */
const longest = 100;
const longestEnding = 20;

/**
 * The name of a file as others see it, of whatever its uploader calls it: no path, nothing that is not seen or that turns
 * the direction of writing, nothing that a file system refuses. What is too long loses its middle: the ending stays.
 */
export function fileName(given: string): string {
  const last = given.toWellFormed().split(/[/\\]/).at(-1) ?? '';
  const name = last
    .normalize('NFC')
    // Controls, and what changes the direction or is not seen; joiners make one emoji of several.
    .replace(/(?!\u200c|\u200d)[\p{Cc}\p{Cf}\p{Co}\p{Cn}\u2028\u2029]/gu, '')
    .replace(/[<>:"|?*]/g, '_')
    .replace(/\s+/g, ' ')
    // A leading dot hides a file, one at the end is lost on Windows.
    .replace(/^[. ]+|[. ]+$/g, '');
  if (name.replace(/[\u200c\u200d]/g, '') === '') return 'file';
  const characters = [...name];
  if (characters.length <= longest) return name;
  const ending = [...(/\.[^.]+$/.exec(name)?.[0] ?? '')];
  const kept = ending.length <= longestEnding ? ending : [];
  return [...characters.slice(0, longest - kept.length - 1), '…', ...kept].join('');
}
