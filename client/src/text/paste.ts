/**
 * Converts pasted text to the form that the server accepts: line feeds only, no other control characters except tabs,
 * no lone surrogates.
 */
export function cleaned(text: string): string {
  return text
    .replace(/\r\n?/g, '\n')
    .replace(/[^\P{Cc}\t\n]/gu, '')
    .toWellFormed();
}

/** Counts code points, as the server does. */
export function codePoints(text: string): number {
  let count = 0;
  for (const _ of text) count++;
  return count;
}
