/** The ends of lines: also of Word and PowerPoint (vertical tab), of pages, and of other systems. */
const LINE_ENDS = /\r\n?|[\v\f\u0085\u2028\u2029]/g;
/** Formats that programs for texts and tables copy together with the text, and often with a picture of it. */
const FORMATTED = ['text/html', 'text/rtf'];

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
  const isText =
    text !== '' &&
    FORMATTED.some((type) => data.types.includes(type)) &&
    !data.getData('text/uri-list').split('\r\n').includes(text);
  return data.files.length > 0 && !isText;
}

/** The files of a paste or drop, and which of them are folders. */
export interface Transferred {
  readonly files: readonly File[];
  readonly folders: ReadonlySet<File>;
}

/** Call during the event, because the browser empties the data after it. */
export function filesOf(data: DataTransfer): Transferred {
  const items = [...data.items].filter(({ kind }) => kind === 'file');
  const entries = items.map((item) => item.webkitGetAsEntry());
  const files = [...data.files];
  return { files, folders: new Set(files.filter((_, n) => entries[n]?.isDirectory)) };
}

/** Counts code points, as the server does. */
export function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
