/** The ends of lines: also of Word and PowerPoint (vertical tab), of pages, and of other systems. */
const LINE_ENDS = /\r\n?|[\v\f\u0085\u2028\u2029]/g;

/**
 * Converts pasted text to the form that the server accepts: line feeds only, no other control characters except tabs,
 * no lone surrogates.
 */
export function cleaned(text: string): string {
  return text
    .replace(LINE_ENDS, '\n')
    .replace(/[^\P{Cc}\t\n]/gu, '')
    .toWellFormed();
}

/**
 * Whether a paste or drop is about its files, not about its text. File managers add the names of the files as text, and
 * browsers the address of a picture.
 */
export function meansFiles(data: DataTransfer): boolean {
  const text = data.getData('text/plain').trim();
  const isAddress = text === data.getData('text/uri-list').trim();
  // Programs for texts and tables add a format, and often a picture of the text.
  return data.files.length > 0 && (isAddress || text === '' || !/html|rtf/.test(`${data.types}`));
}

/** Counts code points, as the server does. */
export function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
